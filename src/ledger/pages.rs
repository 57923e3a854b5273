//! Leases and history for people, a page at a time: ordered by an index, at most 1,000 rows looked
//! at, then a cursor.

use rusqlite::types::Value;
use rusqlite::{Row as Raw, params};

use super::columns::{Cells, Columns, parse};
use super::history;
use super::reads::{LOOK_MAX, corrupt, limit, unknown};
use super::sql::{self, Drive};
use super::{Ledger, LedgerError};
use crate::fault::{Fault, Kind};
use crate::ids::{AccountId, KeyArn, Principal, Ref, Region};
use crate::rules::access::Sight;
use crate::rules::time::Time;
use crate::wire;

/// Entries of one page.
const PAGE: usize = 100;
/// A lease shows at most so many of its grants.
const GRANTS_SHOWN: i64 = 100;
/// Above every ref that starts so: `~` comes after all letters.
const ABOVE: char = '~';

/// What somebody can do who may not see all.
const YOURS: &str = "see your own leases with `grantd list --mine`, those that a policy shares with \
                     you with `--policy`, and give the whole ref";

const OPEN: &[&str] = &["creating", "active", "ending", "ended"];
const OWED: &[&str] = &["creating", "active", "ending"];
const ALL: &[&str] = &["creating", "active", "ending", "ended", "closed"];

/// Where a page goes on.
fn cursor(text: Option<&str>) -> Result<(i64, i64), LedgerError> {
    let Some(text) = text else {
        return Ok((i64::MIN, i64::MIN));
    };
    let parts = text.split_once('.');
    let parsed = parts.and_then(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?)));
    parsed.ok_or_else(|| {
        let text = format!("{text:?} is no cursor of a former page");
        Fault::new(Kind::BadArgument, text).into()
    })
}

/// Which index to follow, for which value, and which states.
struct Plan {
    drive: Drive,
    value: Value,
    states: &'static [&'static str],
    until: i64,
}

fn plan(list: &wire::ListLeases, uid: Option<u32>, now: Time) -> Result<Plan, LedgerError> {
    let word = list.state.as_deref();
    let states = match word {
        Some(word) => ALL.iter().position(|known| *known == word).map_or_else(
            || {
                let text = format!("{word:?} is no state; the states are {}", ALL.join(", "));
                Err(Fault::new(Kind::BadArgument, text))
            },
            |at| Ok(ALL.get(at..=at).unwrap_or(ALL)),
        )?,
        None if list.overdue => OWED,
        None if list.all => ALL,
        None => OPEN,
    };
    let text = |text: &str| Value::from(text.to_owned());
    // The narrowest first; what the others ask is checked on each row.
    let (drive, value) = if let Some(grantee) = &list.grantee {
        let short = grantee.rsplit(['/', ':']).next().unwrap_or(grantee);
        (Drive::Grantee, text(short))
    } else if let Some(key) = &list.key {
        match key.rsplit_once(":key/") {
            Some((_, id)) => (Drive::KeyId, text(id)),
            None if key.contains("alias/") => (Drive::Key, text(key)),
            None => (Drive::KeyId, text(key)),
        }
    } else if let (true, Some(uid)) = (list.mine, uid) {
        (Drive::Asker, Value::from(uid))
    } else if let Some(policy) = &list.policy {
        (Drive::Policy, text(policy))
    } else {
        (Drive::All, Value::Null)
    };
    Ok(Plan {
        drive,
        value,
        states,
        // Overdue is what is past its deadline, not what is due right now.
        until: if list.overdue { now.0 - 1 } else { i64::MAX },
    })
}

fn fits(raw: &Raw<'_>, list: &wire::ListLeases, uid: Option<u32>) -> Result<bool, LedgerError> {
    let column = |name: &str| raw.get::<_, Option<String>>(name);
    if let Some(key) = &list.key {
        let names = [column("key")?, column("key_arn")?, column("key_id")?];
        if !names.iter().flatten().any(|name| name == key) {
            return Ok(false);
        }
    }
    if let Some(grantee) = &list.grantee {
        // The ARN, its last piece, or all of it that stands behind the account, as create takes it.
        let names = [column("grantee")?, column("grantee_short")?];
        let named = |name: &String| {
            name == grantee || name.splitn(6, ':').nth(5).is_some_and(|rest| rest == grantee)
        };
        if !names.iter().flatten().any(named) {
            return Ok(false);
        }
    }
    if list.policy.is_some() && column("policy")? != list.policy {
        return Ok(false);
    }
    let asker: Option<u32> = raw.get("asker_uid")?;
    Ok(!list.mine || (uid.is_some() && asker == uid))
}

impl Ledger {
    /// The lease whose ref starts with `prefix` (`g-` may be left out).
    ///
    /// # Errors
    /// A `Fault` of `RefUnknown` or `RefAmbiguous`; those of the disk.
    pub fn lease(&self, prefix: &str) -> Result<wire::Lease, LedgerError> {
        self.seen(prefix, &Sight::All)
    }

    /// The lease whose ref starts with `prefix`, of those that `sight` takes in.
    ///
    /// # Errors
    /// As [`Self::seen_ref`].
    pub fn seen(&self, prefix: &str, sight: &Sight) -> Result<wire::Lease, LedgerError> {
        let reference = self.seen_ref(prefix, sight)?;
        self.lease_by_ref(reference.as_str())
    }

    /// The one ref that starts with `prefix`, of the leases that `sight` takes in. Others are as if
    /// they were not there.
    ///
    /// # Errors
    /// A `Fault` of `RefUnknown` (also where too many leases would have to be looked at) or
    /// `RefAmbiguous`; those of the disk.
    pub fn seen_ref(&self, prefix: &str, sight: &Sight) -> Result<Ref, LedgerError> {
        let from = match prefix.strip_prefix("g-") {
            Some(_) => prefix.to_owned(),
            None => format!("g-{prefix}"),
        };
        let mut to = from.clone();
        to.push(ABOVE);
        let mut query = self.conn()?.prepare_cached(sql::LEASE_REFS)?;
        let mut rows = query.query(params![from, to, limit(LOOK_MAX)])?;
        let (mut seen, mut looked) = (Vec::new(), 0);
        while seen.len() < 2
            && let Some(raw) = rows.next()?
        {
            looked += 1;
            let policy: Option<String> = raw.get("policy")?;
            if sight.takes_in(policy.as_deref(), raw.get("asker_uid")?) {
                seen.push(raw.get::<_, String>("ref")?);
            }
        }
        match seen.as_slice() {
            [one, two] => {
                let text = format!("several refs start with {prefix:?}, such as {one} and {two}");
                Err(Fault::new(Kind::RefAmbiguous, text).into())
            }
            [one] if looked < LOOK_MAX => Ref::parse(one.as_str()).map_err(corrupt),
            _ if *sight == Sight::All => Err(unknown(prefix)),
            _ => {
                let text = format!("no lease of yours has the ref {prefix:?}");
                Err(Fault::new(Kind::RefUnknown, text).hint(YOURS).into())
            }
        }
    }

    /// A page of leases by deadline. `uid` is who `mine` means.
    ///
    /// # Errors
    /// A `Fault` of `BadArgument` for a state or cursor that is none; those of the disk.
    pub fn leases(
        &self,
        list: &wire::ListLeases,
        uid: Option<u32>,
        now: Time,
    ) -> Result<wire::Page<wire::Lease>, LedgerError> {
        let (deadline, id) = cursor(list.after.as_deref())?;
        let plan = plan(list, uid, now)?;
        let sql = sql::listing(plan.drive, plan.states);
        let mut query = self.conn()?.prepare_cached(&sql)?;
        let look = limit(LOOK_MAX + 1);
        let mut rows = query.query(params![plan.value, deadline, id, plan.until, look])?;
        let (mut items, mut looked, mut next) = (Vec::new(), 0, None);
        while let Some(raw) = rows.next()? {
            looked += 1;
            let at = format!("{}.{}", raw.get::<_, i64>("deadline")?, raw.get::<_, i64>("id")?);
            if fits(raw, list, uid)? {
                items.push(self.lease_by_ref(&raw.get::<_, String>("ref")?)?);
            }
            if items.len() == PAGE || looked == LOOK_MAX {
                next = rows.next()?.map(|_| at);
                break;
            }
        }
        Ok(wire::Page { items, next })
    }

    fn lease_by_ref(&self, reference: &str) -> Result<wire::Lease, LedgerError> {
        let mut query = self.conn()?.prepare_cached(sql::LEASE)?;
        let mut rows = query.query([reference])?;
        let raw = rows.next()?.ok_or_else(|| unknown(reference))?;
        let text = |column: &str| raw.get::<_, String>(column);
        let asker = raw.get::<_, Option<u32>>("asker_uid")?;
        let name = raw.get::<_, Option<String>>("asker")?;
        Ok(wire::Lease {
            reference: Ref::parse(text("ref")?).map_err(corrupt)?,
            state: text("state")?,
            key_arn: KeyArn::parse(text("key_arn")?).map_err(corrupt)?,
            key: text("key")?,
            grantee: Principal::parse(text("grantee")?).map_err(corrupt)?,
            operations: serde_json::from_str(&text("operations")?).map_err(corrupt)?,
            constraints: serde_json::from_str(&text("constraints")?).map_err(corrupt)?,
            policy: raw.get("policy")?,
            reason: raw.get("reason")?,
            asker: asker.zip(name).map(|(uid, name)| wire::Asker { uid, name }),
            origin: parse(text("origin")?)?,
            account: AccountId::parse(text("account")?).map_err(corrupt)?,
            region: Region::parse(text("region")?).map_err(corrupt)?,
            endpoint: raw.get("endpoint")?,
            started_at: Time(raw.get("started_at")?),
            deadline: Time(raw.get("deadline")?),
            latest: Time(raw.get("latest")?),
            lead_ms: raw.get("lead_ms")?,
            held: raw.get("held")?,
            closed_at: super::columns::instant(raw, "closed_at")?,
            grants: self.grants(raw.get("id")?)?,
        })
    }

    fn grants(&self, lease: i64) -> Result<Vec<wire::Grant>, LedgerError> {
        let mut query = self.conn()?.prepare_cached(sql::ROWS_OF_LEASE)?;
        let mut rows = query.query([lease, GRANTS_SHOWN])?;
        let mut grants = Vec::new();
        while let Some(raw) = rows.next()? {
            let columns = Columns::read(&mut Cells::from(raw, "state")?)?;
            grants.push(wire::Grant {
                serial: raw.get("serial")?,
                twin: raw.get("twin")?,
                name: raw.get("name")?,
                deadline: Time(raw.get("deadline")?),
                grant_id: columns.grant_id,
                state: columns.state,
                why: columns.why,
                how: columns.how,
                next_action_at: columns.next.map(|next| next.at),
                attempts: columns.end.count,
                issued_at: columns.end.last,
                accepted_at: columns.accepted,
                missing_at: columns.missing,
                gone_at: columns.gone,
                fault: columns.fault,
                fault_since: columns.fault_since,
            });
        }
        Ok(grants)
    }

    /// A page of the history, in order.
    ///
    /// # Errors
    /// A `Fault` of `RefUnknown`, `RefAmbiguous` or `BadArgument`; those of the disk.
    pub fn history(
        &self,
        list: &wire::ListHistory,
    ) -> Result<wire::Page<wire::HistoryRow>, LedgerError> {
        let (at, seq) = cursor(list.after.as_deref())?;
        let since = list.since.map_or(i64::MIN, |since| since.0);
        let look = limit(LOOK_MAX + 1);
        let reference = list.reference.as_deref();
        let (sql, values): (_, Vec<Value>) = if let Some(prefix) = reference {
            let reference = self.seen_ref(prefix, &Sight::All)?.to_string();
            let values = vec![reference.into(), seq.into(), look.into()];
            (sql::HISTORY_OF_LEASE, values)
        } else if list.since.is_some() {
            // From the cursor, or from just before the first instant that counts.
            let from = (at, seq).max((since.saturating_sub(1), i64::MAX));
            (sql::HISTORY_SINCE, vec![from.0.into(), from.1.into(), look.into()])
        } else {
            (sql::HISTORY_FROM, vec![seq.into(), look.into()])
        };
        let mut query = self.conn()?.prepare_cached(sql)?;
        let mut rows = query.query(rusqlite::params_from_iter(values))?;
        let (mut items, mut looked, mut next) = (Vec::new(), 0, None);
        while let Some(raw) = rows.next()? {
            looked += 1;
            let row = history::wire(raw)?;
            let at = format!("{}.{}", row.at.0, row.seq);
            if row.at.0 >= since {
                items.push(row);
            }
            if items.len() == PAGE || looked == LOOK_MAX {
                next = rows.next()?.map(|_| at);
                break;
            }
        }
        Ok(wire::Page { items, next })
    }
}
