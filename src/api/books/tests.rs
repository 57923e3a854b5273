use std::sync::Arc;

use super::*;
use crate::ids::{AccountId, KeyArn, Principal, Ref, Region};
use crate::ledger::{LaneFacts, NewLease};
use crate::rules::life::{EndOrder, Origin};
use crate::rules::time::{HOUR, Now};
use crate::terms::{Constraints, GrantRequest, Operation};
use crate::wire::Asker;

const NOW: Time = Time(1_795_449_600_000);

/// Books over a new ledger, at a time of the test's choice. The directory goes with the test.
fn books(now: Time) -> (tempfile::TempDir, Handle, LedgerBooks) {
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    let dir = tempfile::Builder::new().permissions(private).tempdir().unwrap();
    let (ledger, _) = Ledger::open(dir.path()).unwrap();
    let handle = Handle::inline(ledger);
    let books = LedgerBooks::new(handle.clone(), move || now);
    (dir, handle, books)
}

/// Record a lease of uid 1000, to end an hour after `NOW`.
async fn record(handle: &Handle) -> Ref {
    let grantd = Principal::parse("arn:aws:iam::111122223333:role/grantd").unwrap();
    let facts = LaneFacts {
        account: AccountId::parse("111122223333").unwrap(),
        region: Region::parse("ap-northeast-1").unwrap(),
        role_arn: None,
        external_id: None,
        endpoint: None,
        retiring_principal: grantd.clone(),
        ways: crate::kms::Ways::default(),
    };
    let lane = handle.run(Urgency::Work, move |ledger| ledger.lane(&facts)).await.unwrap();
    let reference = Ref::parse("g-7k2m9x4p1q8z").unwrap();
    let deadline = NOW.plus(HOUR);
    let request = GrantRequest {
        key_arn: KeyArn::parse("arn:aws:kms:ap-northeast-1:111122223333:key/1234").unwrap(),
        grantee: Principal::parse("arn:aws:iam::111122223333:role/RoleB").unwrap(),
        operations: vec![Operation::Decrypt],
        retiring_principal: grantd,
        constraints: Constraints::None,
        name: format!("grantd/prod/{reference}/1/{deadline}"),
    };
    let new = NewLease {
        reference: reference.clone(),
        lane: Arc::clone(&lane),
        origin: Origin::Asked,
        key: "alias/app".into(),
        request,
        policy: None,
        reason: None,
        asker: Some(Asker { uid: 1000, name: "alice".into() }),
        idempotency: None,
        held: false,
        aliases: Vec::new(),
        started_at: NOW,
        deadline,
        latest: deadline,
        lead_ms: 0,
        max_live: None,
        settle: 0,
        order: EndOrder::Retire,
    };
    handle.begin(new, Now { latest: NOW, least: NOW }).await.unwrap();
    reference
}

#[tokio::test]
async fn a_lease_is_found_by_its_prefix() {
    let (_dir, handle, books) = books(NOW);
    let reference = record(&handle).await;
    assert_eq!(books.lease("g-7k", Sight::All).await.unwrap().reference, reference);
    assert_eq!(books.lease("g-0", Sight::All).await.unwrap_err().kind, Kind::RefUnknown);
}

#[tokio::test]
async fn mine_is_the_callers_and_overdue_is_by_the_clock() {
    for (now, overdue_count) in [(NOW, 0), (NOW.plus(2 * HOUR), 1)] {
        let (_dir, handle, books) = books(now);
        record(&handle).await;
        let mine = ListLeases { mine: true, ..ListLeases::default() };
        assert_eq!(books.leases(mine.clone(), 1000).await.unwrap().items.len(), 1);
        assert_eq!(books.leases(mine, 1001).await.unwrap().items.len(), 0);
        let overdue = ListLeases { overdue: true, ..ListLeases::default() };
        assert_eq!(books.leases(overdue, 0).await.unwrap().items.len(), overdue_count);
    }
}

#[tokio::test]
async fn a_long_chain_is_walked_to_its_end() {
    let (_dir, handle, books) = books(NOW);
    let notes = i64::from(SLICE) + 50;
    let body = serde_json::json!({});
    let write = move |ledger: &mut Ledger| {
        (0..notes).try_for_each(|_| ledger.note(NOW, None, "noted", "grantd", &body))
    };
    handle.run(Urgency::Work, write).await.unwrap();
    let head = handle.run(Urgency::Read, |ledger| ledger.head()).await.unwrap();
    let verified = books.verify().await.unwrap();
    assert_eq!(
        verified,
        Verified { rows: head.seq, seq: head.seq, head: head.hex(), broken: None }
    );
    assert!(head.seq >= notes);
    let first = books.history(ListHistory::default()).await.unwrap();
    assert_eq!(first.items[0].seq, 1);
    assert!(first.next.is_some());
}

#[test]
fn a_read_that_fails_is_never_an_unknown_outcome() {
    let failed = fault(LedgerError::InDoubt("disk I/O error".into()));
    assert_eq!(failed, Fault::new(Kind::Io, "the ledger cannot be read: disk I/O error"));
    assert_eq!(fault(LedgerError::Busy).kind, Kind::Busy);
}
