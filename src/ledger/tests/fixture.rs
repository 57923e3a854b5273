//! A ledger in a directory of its own, and leases to put into it.

use std::sync::Arc;

use tempfile::TempDir;

use crate::ids::{AccountId, GrantId, KeyArn, Principal, Ref, Region};
use crate::kms::Lane;
use crate::ledger::{FoundGrant, LaneFacts, Ledger, NewLease, Note};
use crate::rules::life::{EndOrder, Origin};
use crate::rules::time::{HOUR, MINUTE, Now, SECOND, Time};
use crate::terms::{Constraints, GrantRequest, Operation};
use crate::wire::{Asker, Broken};

pub(super) const START: Time = Time(1_795_449_600_000);
pub(super) const SETTLE: i64 = 11 * MINUTE;

pub(super) fn now(ms: i64) -> Now {
    Now { latest: START.plus(ms), least: START.plus(ms) }
}

pub(super) fn key(n: usize) -> KeyArn {
    KeyArn::parse(format!("arn:aws:kms:ap-northeast-1:111122223333:key/k{n}")).unwrap()
}

pub(super) fn grantee(n: usize) -> Principal {
    Principal::parse(format!("arn:aws:iam::111122223333:role/Role{n}")).unwrap()
}

pub(super) fn reference(n: u64) -> Ref {
    struct Count(u64);
    impl crate::rng::Rng for Count {
        fn next_u64(&self) -> u64 {
            self.0
        }
    }
    Ref::random(&Count(n))
}

pub(super) fn id(text: &str) -> GrantId {
    GrantId::parse(text).unwrap()
}

pub(super) fn kms() -> Note {
    Note::kms(Some("said so".to_owned()), Some("request-1".to_owned()))
}

pub(super) fn facts(role: &str) -> LaneFacts {
    LaneFacts {
        account: AccountId::parse("111122223333").unwrap(),
        region: Region::parse("ap-northeast-1").unwrap(),
        role_arn: Some(Principal::parse(format!("arn:aws:iam::111122223333:role/{role}")).unwrap()),
        external_id: None,
        endpoint: None,
        retiring_principal: Principal::parse("arn:aws:iam::111122223333:role/grantd").unwrap(),
        ways: crate::kms::Ways::default(),
    }
}

pub(super) fn open(dir: &TempDir) -> Ledger {
    Ledger::open(dir.path()).unwrap().0
}

pub(super) struct World {
    pub(super) dir: TempDir,
    pub(super) ledger: Ledger,
    pub(super) lane: Arc<Lane>,
}

impl World {
    pub(super) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut ledger = open(&dir);
        let lane = ledger.lane(&facts("grantd")).unwrap();
        Self { dir, ledger, lane }
    }

    /// Close the file and open it again, as a restart does.
    pub(super) fn reopen(self) -> Self {
        let Self { dir, ledger, lane } = self;
        drop(ledger);
        let ledger = open(&dir);
        Self { dir, ledger, lane }
    }

    pub(super) fn lease(&self, n: u64) -> NewLease {
        lease(&self.lane, n)
    }

    /// The kinds of the history's rows, in order.
    pub(super) fn history_kinds(&self) -> Vec<String> {
        let page = self.ledger.history(&crate::wire::ListHistory::default()).unwrap();
        page.items.into_iter().map(|row| row.kind).collect()
    }

    /// A lease with a grant that KMS has made.
    pub(super) fn granted(&mut self, n: u64) -> i64 {
        let row = self.ledger.begin(&self.lease(n), now(0)).unwrap();
        let event = crate::rules::life::Event::Created(crate::rules::life::Outcome::Done(id(
            &format!("grant{n}"),
        )));
        let stepped = self.ledger.step(row.id(), &event, now(100), &kms()).unwrap();
        stepped.row.id()
    }
}

pub(super) fn lease(lane: &Arc<Lane>, n: u64) -> NewLease {
    let reference = reference(n);
    let deadline = START.plus(HOUR);
    NewLease {
        lane: Arc::clone(lane),
        origin: Origin::Asked,
        key: "alias/app".to_owned(),
        request: GrantRequest {
            key_arn: key(1),
            grantee: grantee(1),
            operations: vec![Operation::Decrypt, Operation::DescribeKey],
            retiring_principal: lane.retiring_principal.clone(),
            constraints: Constraints::None,
            name: format!("grantd/prod/{reference}/1/{deadline}"),
        },
        policy: Some("readers".to_owned()),
        reason: Some("a look at the logs".to_owned()),
        asker: Some(Asker { uid: 1000, name: "alice".to_owned() }),
        idempotency: None,
        held: false,
        aliases: Vec::new(),
        started_at: START,
        deadline,
        latest: START.plus(8 * HOUR),
        lead_ms: 5 * SECOND,
        max_live: None,
        settle: SETTLE,
        order: EndOrder::Retire,
        reference,
    }
}

/// The grant that KMS would list for [`lease`].
pub(super) fn listed(new: &NewLease, grant_id: &str) -> FoundGrant {
    FoundGrant {
        reference: new.reference.clone(),
        serial: 1,
        deadline: new.deadline,
        name: new.request.name.clone(),
        lane: Arc::clone(&new.lane),
        key_arn: new.request.key_arn.clone(),
        grant_id: id(grant_id),
        grantee: new.request.grantee.clone(),
        operations: new.request.operations.clone(),
        constraints: new.request.constraints.clone(),
        understood: true,
        created: START,
        began: now(SECOND),
        policy: new.policy.clone(),
        alone: true,
        settle: SETTLE,
        order: EndOrder::Retire,
    }
}

/// Walk the whole chain; how many rows fit, and where it breaks.
pub(super) fn verify(ledger: &Ledger) -> (i64, Option<Broken>) {
    let (mut after, mut rows) = (None, 0);
    loop {
        let walk = ledger.verify_slice(after, 7).unwrap();
        rows += walk.rows;
        after = Some(walk.head);
        if walk.done {
            return (rows, walk.broken);
        }
    }
}
