//! What there is: the ledger's rows, KMS's grants, creates on their way, and a daemon that is up or
//! down.

use grantd::ids::GrantId;
use grantd::rules::life::{
    Act, EndOrder, Facts, Life, Next, Origin, Sends, State, Tries, Via, Why,
};
use grantd::rules::time::{MINUTE, Now, Time};

/// How long after it was signed a request may arrive, in units.
pub(crate) const WINDOW: i64 = 1;
/// How long a change may take to show, in units.
pub(crate) const LAG: i64 = 1;
/// `settle`, in units.
pub(crate) const SETTLE: i64 = WINDOW + LAG;
/// Deadlines of the lease's first grant and of its successor, in units.
pub(crate) const DEADLINES: [i64; 2] = [2, 3];

/// A row of the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Row {
    /// Of which grant of the lease: its Name.
    pub(crate) serial: usize,
    pub(crate) twin: bool,
    pub(crate) found: bool,
    pub(crate) life: Life,
}

/// A create on its way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Copy {
    pub(crate) serial: usize,
    pub(crate) signed: i64,
    /// Whether its sender still listens for the answer.
    pub(crate) heard: bool,
}

/// A grant at KMS: the truth.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Grant {
    pub(crate) id: u8,
    pub(crate) serial: usize,
    pub(crate) born: i64,
    pub(crate) ended: Option<i64>,
    /// Whether it was ended as a twin.
    pub(crate) twin: bool,
}

impl Grant {
    /// Whether some view of KMS may show it at `t`.
    pub(crate) fn may_show(&self, t: i64) -> bool {
        self.ended.is_none_or(|ended| ended > t - LAG)
    }

    /// Whether every view of KMS shows it at `t`.
    pub(crate) fn must_show(&self, t: i64) -> bool {
        self.ended.is_none() && self.born <= t - LAG
    }

    pub(crate) fn grant_id(&self) -> GrantId {
        GrantId::parse(format!("{:064x}", self.id)).unwrap()
    }
}

/// Everything.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct World {
    pub(crate) t: i64,
    /// The careful clock is a unit behind.
    pub(crate) behind: bool,
    pub(crate) rows: Vec<Row>,
    pub(crate) backup: Option<Vec<Row>>,
    pub(crate) net: Vec<Copy>,
    pub(crate) grants: Vec<Grant>,
    /// Since when the daemon is down.
    pub(crate) down: Option<i64>,
    /// Per serial: since when an asker waits, and his create is sent again.
    pub(crate) asking: [Option<i64>; 2],
    /// When the last complete search by Names was begun.
    pub(crate) searched: Option<i64>,
    pub(crate) rolled_back: bool,
    pub(crate) crashes: u8,
    pub(crate) faults: u8,
    pub(crate) replays: u8,
}

impl World {
    pub(crate) fn new() -> Self {
        Self {
            t: 0,
            behind: false,
            rows: Vec::new(),
            backup: None,
            net: Vec::new(),
            grants: Vec::new(),
            down: None,
            asking: [None; 2],
            searched: None,
            rolled_back: false,
            crashes: 0,
            faults: 0,
            replays: 0,
        }
    }

    pub(crate) fn now(&self) -> Now {
        let least = self.t - i64::from(self.behind);
        Now { latest: Time(self.t * MINUTE), least: Time(least * MINUTE) }
    }

    /// The row that an asker's create belongs to.
    pub(crate) fn first_row(&self, serial: usize) -> Option<usize> {
        self.rows.iter().position(|row| row.serial == serial && !row.twin)
    }

    pub(crate) fn row_of(&self, id: &GrantId) -> Option<usize> {
        self.rows.iter().position(|row| row.life.state.grant_id() == Some(id))
    }

    /// Whether a row that is still open, or was, knows this grant by its id or may yet look for it.
    pub(crate) fn knows(&self, grant: &Grant) -> bool {
        self.rows.iter().any(|row| row.serial == grant.serial)
    }

    /// Whether anything of the row is due.
    pub(crate) fn due(&self, row: &Row) -> Option<Act> {
        let next = row.life.next?;
        (next.at <= self.now().latest).then_some(next.act)
    }
}

impl Row {
    pub(crate) fn facts(&self) -> Facts {
        Facts {
            deadline: Time(DEADLINES[self.serial] * MINUTE),
            lead: 0,
            settle: SETTLE * MINUTE,
            order: EndOrder::Retire,
            origin: if self.found { Origin::Found } else { Origin::Asked },
        }
    }

    /// As `ledger::begin` writes it, before its send.
    pub(crate) fn new(serial: usize, now: Now) -> Self {
        let state = State::Creating { create: Sends::default(), unwanted: None };
        let next = Some(Next { act: Act::Look, at: now.latest });
        let life = Life { state, next, fault: None };
        Self { serial, twin: false, found: false, life }
    }

    /// As `ledger::twin` writes it.
    pub(crate) fn twin(of: &Self, id: GrantId, now: Now) -> Self {
        let create = of.sends();
        let (why, via) = (Why::Twin, Via::Retire);
        let state = State::Ending { id, create, why, via, end: Tries::default() };
        let next = Some(Next { act: Act::End, at: now.latest });
        let life = Life { state, next, fault: None };
        Self { twin: true, life, ..of.clone() }
    }

    /// As `ledger::find` writes it.
    pub(crate) fn found(grant: &Grant) -> Self {
        let create = Sends { count: 1, open: 0, last: Time(grant.born * MINUTE) };
        let state = State::Active { id: grant.grant_id(), create, missing: None };
        let life = Life { state, next: None, fault: None };
        let mut row = Self { serial: grant.serial, twin: false, found: true, life };
        row.life.next = Some(Next { act: Act::End, at: row.facts().due_at() });
        row
    }

    /// The sends of its create; those of a closed row are of no account any more.
    pub(crate) fn sends(&self) -> Sends {
        match &self.life.state {
            State::Creating { create, .. }
            | State::Active { create, .. }
            | State::Ending { create, .. }
            | State::Ended { create, .. } => *create,
            State::Closed { at, .. } => Sends { count: 2, open: 0, last: *at },
        }
    }
}
