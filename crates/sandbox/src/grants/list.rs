//! ListGrants and ListRetirableGrants (kms-facts 2): through the lagging view, in pages, in the
//! order of grant ids.

use std::ops::Bound;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use crate::arn::Principal;
use crate::authorise::{Brings, denied};
use crate::core::Core;
use crate::error::KmsError;
use crate::grants::terms::{PRINCIPAL, SERVICE};
use crate::model::{Grant, Key};
use crate::op::Op;
use crate::params::{GRANT_ID, KEY_ID, MARKER, Params};
use crate::principals::Caller;
use crate::settings::{EndUnseen, ListUnknown};
use crate::time;

/// Page sizes: 1 to 100, 50 where none is asked for (the documentation; the model's 1,000 is of no
/// use).
const DEFAULT_LIMIT: i64 = 50;
const MAX_LIMIT: i64 = 100;

impl Core {
    pub(crate) fn list_grants(
        &self,
        caller: &Caller,
        body: &Value,
        now: i64,
    ) -> Result<Value, KmsError> {
        let mut p = Params::of(body)?;
        let key_id = p.needed("KeyId", KEY_ID)?;
        let id = p.text("GrantId", GRANT_ID)?;
        let grantee = p.text("GranteePrincipal", PRINCIPAL)?;
        let service = p.text("GranteeServicePrincipal", SERVICE)?;
        let limit = p.number("Limit", 1, MAX_LIMIT)?;
        let marker = p.text("Marker", MARKER)?;
        p.finish()?;
        let key = self.find_key(caller, key_id, false)?;
        self.authorise(caller, key, Op::ListGrants.action(), &Brings::default(), now)?;
        if service.is_some() {
            return Err(KmsError::validation(
                "GranteeServicePrincipal is for calls by AWS services only",
            ));
        }
        if let Some(id) = id {
            self.check_filter(key, id, now)?;
        }
        let after = match marker {
            Some(marker) => Some(self.read_marker(marker, Some(&key.arn), now)?.1),
            None => None,
        };
        let wanted = |grant: &&Grant| {
            grant.seen(self.view(now))
                && after.as_ref().is_none_or(|last| grant.id > *last)
                && grantee.is_none_or(|text| self.grantee_matches(grant, text, now))
        };
        // One grant by its id, or all that follow the marker: a seek in either case.
        let (from, to) = match (id, after.as_deref()) {
            (Some(id), _) => (Bound::Included(id), Bound::Included(id)),
            (None, Some(last)) => (Bound::Excluded(last), Bound::Unbounded),
            (None, None) => (Bound::Unbounded, Bound::Unbounded),
        };
        let grants = key.grants.by_id.range::<str, _>((from, to)).map(|(_, grant)| grant);
        Ok(self.page(grants.filter(wanted), limit, now))
    }

    /// The `GrantId` filter: malformed, or of a grant that the view of the key does not show.
    fn check_filter(&self, key: &Key, id: &str, now: i64) -> Result<(), KmsError> {
        let shown = || key.grants.by_id.get(id).is_some_and(|grant| grant.seen(self.view(now)));
        match self.settings.unconfirmed.list_unknown_grant_id {
            _ if !is_grant_id(id) => Err(invalid_id(id)),
            ListUnknown::InvalidGrantId if !shown() => Err(invalid_id(id)),
            ListUnknown::NotFound if !shown() => Err(no_grant(id)),
            ListUnknown::Empty | ListUnknown::NotFound | ListUnknown::InvalidGrantId => Ok(()),
        }
    }

    pub(crate) fn list_retirable_grants(
        &self,
        caller: &Caller,
        body: &Value,
        now: i64,
    ) -> Result<Value, KmsError> {
        let mut p = Params::of(body)?;
        let principal = p.text("RetiringPrincipal", PRINCIPAL)?;
        let service = p.text("RetiringServicePrincipal", SERVICE)?;
        if principal.is_none() && service.is_none() {
            p.missing("RetiringPrincipal");
        }
        let limit = p.number("Limit", 1, MAX_LIMIT)?;
        let marker = p.text("Marker", MARKER)?;
        p.finish()?;
        self.authorise_account(caller, Op::ListRetirableGrants)?;
        let (Some(principal), None) = (principal, service) else {
            return Err(KmsError::validation(
                "RetiringServicePrincipal is for calls by AWS services only",
            ));
        };
        let own = Principal::parse(principal).is_some_and(|p| p.account() == caller.account);
        if !own {
            return Err(KmsError::invalid_arn(format!("Invalid principal: {principal}")));
        }
        let after = match marker {
            Some(marker) => Some(self.read_marker(marker, None, now)?),
            None => None,
        };
        let from = after.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
        let places = self.retirable.get(principal);
        let places = places.into_iter().flat_map(|set| set.range((from, Bound::Unbounded)));
        let grants = places.filter_map(|(_, id)| self.present_grant(id));
        let today = |grant: &&Grant| {
            let his = grant.retiring.as_ref().is_some_and(|holder| !self.decayed(holder));
            his && grant.seen(self.view(now))
        };
        Ok(self.page(grants.filter(today), limit, now))
    }

    fn grantee_matches(&self, grant: &Grant, text: &str, now: i64) -> bool {
        let by_arn = self.settings.unconfirmed.filter_matches_decayed;
        !grant.grantee.service
            && (self.shown(&grant.grantee, now) == text || (by_arn && grant.grantee.text == text))
    }

    fn page<'k>(
        &self,
        mut grants: impl Iterator<Item = &'k Grant>,
        limit: Option<i64>,
        now: i64,
    ) -> Value {
        let limit = usize::try_from(limit.unwrap_or(DEFAULT_LIMIT)).unwrap_or(usize::MAX);
        let page: Vec<&Grant> = grants.by_ref().take(limit).collect();
        let truncated = grants.next().is_some();
        let shown: Vec<Value> = page.iter().map(|grant| self.show_grant(grant, now)).collect();
        let mut answer = json!({ "Grants": shown, "Truncated": truncated });
        if truncated && let Some(last) = page.last() {
            let marker = json!({ "grantId": last.id, "keyArn": last.key_arn }).to_string();
            answer["NextMarker"] = json!(STANDARD.encode(marker));
        }
        answer
    }

    fn read_marker(
        &self,
        marker: &str,
        key_arn: Option<&str>,
        now: i64,
    ) -> Result<(String, String), KmsError> {
        let invalid = || KmsError::refusal("InvalidMarkerException", "The marker is not valid.");
        let bytes = STANDARD.decode(marker).map_err(|_| invalid())?;
        let read: Value = serde_json::from_slice(&bytes).map_err(|_| invalid())?;
        let member = |name| read.get(name).and_then(Value::as_str).map(str::to_owned);
        let arn = member("keyArn").ok_or_else(invalid)?;
        let id = member("grantId").ok_or_else(invalid)?;
        if key_arn.is_some_and(|wanted| wanted != arn) || !is_grant_id(&id) {
            return Err(invalid());
        }
        let lives = self.present_grant(&id).is_some_and(|grant| grant.seen(self.view(now)));
        if self.settings.unconfirmed.marker_dies_with_its_grant && !lives {
            return Err(invalid());
        }
        Ok((arn, id))
    }

    fn show_grant(&self, grant: &Grant, now: i64) -> Value {
        let choice = &self.settings.unconfirmed;
        let mut shown = Map::new();
        let mut put = |name: &str, value: Value| shown.insert(name.to_owned(), value);
        put("KeyId", json!(grant.key_arn));
        put("GrantId", json!(grant.id));
        if let Some(name) = grant.name.as_deref().or(choice.unset_name_is_empty.then_some("")) {
            put("Name", json!(name));
        }
        let whole = if choice.whole_second_dates { grant.created_at.rem_euclid(1_000) } else { 0 };
        put("CreationDate", json!(time::epoch(grant.created_at - whole)));
        let party =
            if grant.grantee.service { "GranteeServicePrincipal" } else { "GranteePrincipal" };
        put(party, json!(self.shown(&grant.grantee, now)));
        if let Some(retiring) = &grant.retiring {
            let party =
                if retiring.service { "RetiringServicePrincipal" } else { "RetiringPrincipal" };
            put(party, json!(self.shown(retiring, now)));
        }
        put("IssuingAccount", json!(grant.issuing));
        let operations = grant.operations.iter().map(|op| json!(op));
        put("Operations", operations.chain(grant.extra.operations.iter().cloned()).collect());
        let mut constraints = grant.constraints.show();
        constraints.extend(grant.extra.constraints.clone());
        if !constraints.is_empty() {
            put("Constraints", Value::Object(constraints));
        }
        shown.extend(grant.extra.members.clone());
        Value::Object(shown)
    }

    /// A grant by id on a key, as far as the views show it: for RetireGrant and RevokeGrant.
    pub(crate) fn seen_grant<'k>(
        &'k self,
        caller: &Caller,
        op: Op,
        key: &'k Key,
        id: &str,
        now: i64,
    ) -> Result<&'k Grant, KmsError> {
        let (choice, then) = (&self.settings.unconfirmed, self.view(now));
        if !is_grant_id(id) {
            return Err(invalid_id(id));
        }
        let absent = |invalid| Err(if invalid { invalid_id(id) } else { no_grant(id) });
        let Some(grant) = key.grants.by_id.get(id) else {
            let foreign = self.homes.get(id).is_some_and(|home| *home != key.arn);
            return absent(if foreign {
                choice.foreign_grant_id_is_invalid
            } else {
                choice.gone_grant_id_is_invalid
            });
        };
        if grant.ended.is_some() {
            let again = choice.end_again_accepted && grant.seen(then);
            return if again { Ok(grant) } else { absent(choice.gone_grant_id_is_invalid) };
        }
        match choice.end_unseen {
            EndUnseen::NotFound if !grant.seen(then) => Err(no_grant(id)),
            EndUnseen::AccessDenied if !grant.seen(then) => {
                let why = "because no grant allows it";
                Err(denied(caller, op.action(), &key.arn, why))
            }
            EndUnseen::NotFound | EndUnseen::AccessDenied | EndUnseen::Accepted => Ok(grant),
        }
    }
}

pub(crate) fn no_grant(id: &str) -> KmsError {
    KmsError::not_found(format!("Grant ID {id} not found"))
}

fn invalid_id(id: &str) -> KmsError {
    KmsError::refusal("InvalidGrantIdException", format!("Invalid grant id {id}"))
}

/// The form of every published grant id.
fn is_grant_id(id: &str) -> bool {
    id.len() == 64 && id.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}
