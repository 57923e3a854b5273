//! The life of a grant as columns of `kms_grant`, both ways.
//!
//! Columns keep what a state no longer holds (a closed row still shows its grant id and instants):
//! [`Columns::over`] lays a new life over what was known. What a state does hold always reads back
//! as it was written.

use rusqlite::Row as Raw;
use rusqlite::types::FromSql;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::LedgerError;
use crate::ids::GrantId;
use crate::rules::life::{Act, Class, How, Life, Next, Sends, State, Tries, Via, Why};
use crate::rules::time::Time;

/// The changing columns of `kms_grant`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Columns {
    pub(super) state: String,
    pub(super) grant_id: Option<GrantId>,
    pub(super) why: Option<Why>,
    pub(super) via: Option<Via>,
    pub(super) how: Option<How>,
    pub(super) create: Sends,
    pub(super) missing: Option<Time>,
    pub(super) end: Tries,
    pub(super) accepted: Option<Time>,
    pub(super) gone: Option<Time>,
    pub(super) closed: Option<Time>,
    pub(super) next: Option<Next>,
    pub(super) fault: Option<Class>,
    pub(super) fault_since: Option<Time>,
}

/// The kebab-case word of a field-less enum value.
pub(super) fn word<T: Serialize>(value: T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        // No enum of ours is anything but a word; the schema's CHECK refuses this one.
        Ok(_) | Err(_) => String::new(),
    }
}

/// The value of a kebab-case word.
pub(super) fn parse<T: DeserializeOwned>(word: String) -> Result<T, LedgerError> {
    let text = word.clone();
    serde_json::from_value(serde_json::Value::String(word))
        .map_err(|error| LedgerError::Corrupt(format!("{text:?} in a row: {error}")))
}

const fn act_word(act: Act) -> &'static str {
    match act {
        Act::End => "end",
        Act::Look => "look",
    }
}

/// The word of an act in the `act` column.
pub(super) const END: &str = act_word(Act::End);
/// The word of a look in the `act` column.
pub(super) const LOOK: &str = act_word(Act::Look);

impl Columns {
    /// `life`, with what was known before where the new state has nothing to say about it.
    pub(super) fn over(before: &Self, life: &Life, now: Time) -> Self {
        let mut to = before.clone();
        to.state = life.state.word().to_owned();
        to.next = life.next;
        to.fault_since = match (life.fault, before.fault) {
            (None, _) => None,
            (Some(new), Some(old)) if new == old => before.fault_since.or(Some(now)),
            (Some(_), _) => Some(now),
        };
        to.fault = life.fault;
        to.how = None;
        to.closed = None;
        match &life.state {
            State::Creating { create, unwanted } => {
                to.create = *create;
                to.why = *unwanted;
            }
            State::Active { id, create, missing } => {
                to.grant_id = Some(id.clone());
                to.create = *create;
                to.missing = *missing;
                to.why = None;
            }
            State::Ending { id, create, why, via, end } => {
                to.grant_id = Some(id.clone());
                to.create = *create;
                (to.why, to.via, to.end) = (Some(*why), Some(*via), *end);
                // A grant that is being ended (again) was not ended: former answers no longer hold.
                (to.accepted, to.gone) = (None, None);
            }
            State::Ended { id, create, why, via, issued, accepted, gone } => {
                to.grant_id = Some(id.clone());
                to.create = *create;
                (to.why, to.via) = (Some(*why), Some(*via));
                to.end.last = *issued;
                (to.accepted, to.gone) = (*accepted, *gone);
            }
            State::Closed { how, gone, at } => {
                (to.how, to.gone, to.closed) = (Some(*how), *gone, Some(*at));
            }
        }
        to
    }

    /// The life that these columns tell of.
    pub(super) fn life(&self) -> Result<Life, LedgerError> {
        let state = match self.state.as_str() {
            "creating" => State::Creating { create: self.create, unwanted: self.why },
            "active" => {
                State::Active { id: self.id()?, create: self.create, missing: self.missing }
            }
            "ending" => State::Ending {
                id: self.id()?,
                create: self.create,
                why: self.held(self.why, "why")?,
                via: self.held(self.via, "via")?,
                end: self.end,
            },
            "ended" => State::Ended {
                id: self.id()?,
                create: self.create,
                why: self.held(self.why, "why")?,
                via: self.held(self.via, "via")?,
                issued: self.end.last,
                accepted: self.accepted,
                gone: self.gone,
            },
            "closed" => State::Closed {
                how: self.held(self.how, "how")?,
                gone: self.gone,
                at: self.held(self.closed, "closed_at")?,
            },
            other => return Err(LedgerError::Corrupt(format!("{other:?} is no state"))),
        };
        Ok(Life { state, next: self.next, fault: self.fault })
    }

    fn id(&self) -> Result<GrantId, LedgerError> {
        self.held(self.grant_id.clone(), "grant_id")
    }

    fn held<T>(&self, value: Option<T>, column: &str) -> Result<T, LedgerError> {
        value.ok_or_else(|| {
            LedgerError::Corrupt(format!("a row in state {} lacks its {column}", self.state))
        })
    }

    /// Read on from `state`, in a row of [`super::sql::ROW`] or one of its kin.
    pub(super) fn read(cells: &mut Cells<'_, '_>) -> Result<Self, LedgerError> {
        Ok(Self {
            state: cells.get("state")?,
            grant_id: cells
                .get::<Option<String>>("grant_id")?
                .map(GrantId::parse)
                .transpose()
                .map_err(|error| LedgerError::Corrupt(error.to_string()))?,
            why: cells.word("why")?,
            via: cells.word("via")?,
            how: cells.word("how")?,
            create: Sends {
                count: cells.get("create_count")?,
                open: cells.get("create_open")?,
                last: Time(cells.get("create_sent")?),
            },
            missing: cells.instant("missing_at")?,
            end: Tries {
                count: cells.get("end_count")?,
                first: cells.instant("end_first")?,
                last: cells.instant("end_sent")?,
            },
            accepted: cells.instant("accepted_at")?,
            gone: cells.instant("gone_at")?,
            closed: cells.instant("closed_at")?,
            next: next(cells)?,
            fault: cells.word("fault")?,
            fault_since: cells.instant("fault_since")?,
        })
    }

    /// Whether nothing differs that an index or a trigger of the table goes by, but the next act.
    pub(super) fn same_place(&self, other: &Self) -> bool {
        self.state == other.state
            && self.grant_id == other.grant_id
            && self.how == other.how
            && self.missing == other.missing
            && self.closed == other.closed
    }

    /// The values in the order of `SET_PROGRESS`: those of `values` but for what
    /// [`Columns::same_place`] compares.
    pub(super) fn progress(&self) -> Vec<rusqlite::types::Value> {
        const PLACE: [usize; 5] = [0, 1, 4, 8, 14];
        let values = self.values().into_iter().enumerate();
        values.filter(|(at, _)| !PLACE.contains(at)).map(|(_, value)| value).collect()
    }

    /// The values in the order of `SET_GRANT` and of the tail of `NEW_GRANT`: state first,
    /// fault_since last.
    pub(super) fn values(&self) -> [rusqlite::types::Value; 19] {
        let time = |at: Option<Time>| at.map(|at| at.0).into();
        [
            self.state.clone().into(),
            self.grant_id.as_ref().map(ToString::to_string).into(),
            self.why.map(word).into(),
            self.via.map(word).into(),
            self.how.map(word).into(),
            self.create.count.into(),
            self.create.open.into(),
            self.create.last.0.into(),
            time(self.missing),
            self.end.count.into(),
            time(self.end.first),
            time(self.end.last),
            time(self.accepted),
            time(self.gone),
            time(self.closed),
            self.next.map(|next| act_word(next.act).to_owned()).into(),
            time(self.next.map(|next| next.at)),
            self.fault.map(word).into(),
            time(self.fault_since),
        ]
    }
}

fn next(cells: &mut Cells<'_, '_>) -> Result<Option<Next>, LedgerError> {
    let act: Option<String> = cells.get("act")?;
    let at = cells.instant("next_action_at")?;
    match (act.as_deref(), at) {
        (Some(END), Some(at)) => Ok(Some(Next { act: Act::End, at })),
        (Some(LOOK), Some(at)) => Ok(Some(Next { act: Act::Look, at })),
        (None, None) => Ok(None),
        (other, _) => Err(LedgerError::Corrupt(format!("{other:?} is no act"))),
    }
}

/// The columns of a row, one after the other as the statement lists them. (By name each would be
/// looked for among all of them: a sixth of what a row costs.)
pub(super) struct Cells<'r, 's> {
    raw: &'r Raw<'s>,
    next: usize,
}

impl<'r, 's> Cells<'r, 's> {
    pub(super) const fn of(raw: &'r Raw<'s>) -> Self {
        Self { raw, next: 0 }
    }

    /// From the column `name` on.
    pub(super) fn from(raw: &'r Raw<'s>, name: &str) -> Result<Self, LedgerError> {
        Ok(Self { raw, next: raw.as_ref().column_index(name)? })
    }

    /// The next column, which is `name`.
    pub(super) fn get<T: FromSql>(&mut self, name: &str) -> Result<T, LedgerError> {
        let at = self.next;
        debug_assert_eq!(self.raw.as_ref().column_name(at), Ok(name), "column {at}");
        self.next += 1;
        Ok(self.raw.get(at)?)
    }

    /// The next column, an instant that may be missing.
    pub(super) fn instant(&mut self, name: &str) -> Result<Option<Time>, LedgerError> {
        Ok(self.get::<Option<i64>>(name)?.map(Time))
    }

    /// The next column, a word that may be missing.
    pub(super) fn word<T: DeserializeOwned>(
        &mut self,
        name: &str,
    ) -> Result<Option<T>, LedgerError> {
        self.get::<Option<String>>(name)?.map(parse).transpose()
    }
}

/// An instant that may be missing.
pub(super) fn instant(raw: &Raw<'_>, column: &str) -> Result<Option<Time>, LedgerError> {
    Ok(raw.get::<_, Option<i64>>(column)?.map(Time))
}

/// A word that may be missing.
pub(super) fn optional<T: DeserializeOwned>(
    raw: &Raw<'_>,
    column: &str,
) -> Result<Option<T>, LedgerError> {
    raw.get::<_, Option<String>>(column)?.map(parse).transpose()
}
