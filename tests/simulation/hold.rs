//! Leases that live by being held.

use grantd::fault::Kind;
use grantd::rules::time::SECOND;
use grantd::wire::HeldLease;
use kms_sandbox::Op;
use tokio::sync::mpsc;

use crate::clock::pause;
use crate::stage::{Stage, play};

/// What an end may take once it is wanted.
const SOON: i64 = SECOND;
/// After this a lease that nobody holds is over: the grace, and a look for it.
const GRACE: i64 = 36 * SECOND;

/// The accepted ends, without the probe's.
fn ends(stage: &Stage) -> usize {
    stage.accepted(Op::RetireGrant).len() - 1
}

async fn live_line(told: &mut mpsc::Receiver<HeldLease>) -> bool {
    told.recv().await.is_some_and(|line| !line.is_over())
}

#[test]
fn a_holder_who_goes_takes_the_lease_with_him() {
    play(|| async {
        let stage = Stage::new(0);
        stage
            .live(async |daemon| {
                let lease = daemon.create_held(&stage.key, "1h").await.unwrap();
                assert!(daemon.lease(&lease).await.held);
                let mut first = daemon.hold(&lease).await.unwrap();
                let mut second = daemon.hold(&lease).await.unwrap();
                assert!(live_line(&mut second).await);
                // He reads, and the lease lives far beyond the grace.
                for _ in 0..20 {
                    assert!(live_line(&mut first).await);
                }
                drop(first);
                pause(SOON).await;
                assert_eq!(ends(&stage), 0, "he holds it on another connection still");
                drop(second);
                pause(SOON).await;
                assert_eq!(ends(&stage), 1);
                let after = daemon.lease(&lease).await;
                assert_eq!((after.state.as_str(), after.held), ("ended", false));
                let told = daemon.history("end-asked").await;
                assert_eq!((told.len(), told[0].actor.as_str()), (1, "uid 1 (u1)"));
                assert_eq!(told[0].body["detail"], "its holder is gone");
            })
            .await;
    });
}

#[test]
fn a_restart_forgets_no_hold_and_gives_the_holder_time_to_come_back() {
    play(|| async {
        let stage = Stage::new(0);
        let (kept, lost) = stage
            .live(async |daemon| {
                let kept = daemon.create_held(&stage.key, "1h").await.unwrap();
                let lost = daemon.create_held(&stage.key, "1h").await.unwrap();
                let _holders = [daemon.hold(&kept).await, daemon.hold(&lost).await];
                pause(10 * SECOND).await;
                (kept, lost)
            })
            .await;
        stage
            .live(async |daemon| {
                pause(20 * SECOND).await;
                let mut told = daemon.hold(&kept).await.unwrap();
                assert!(live_line(&mut told).await);
                assert_eq!(ends(&stage), 0, "both have their grace");
                pause(GRACE).await;
                assert_eq!(daemon.lease(&kept).await.state, "active");
                assert_eq!(daemon.lease(&lost).await.state, "ended");
                assert_eq!(ends(&stage), 1);
            })
            .await;
    });
}

#[test]
fn a_lease_whose_asker_never_comes_to_hold_it_is_ended() {
    play(|| async {
        let stage = Stage::new(0);
        stage
            .live(async |daemon| {
                let lease = daemon.create_held(&stage.key, "1h").await.unwrap();
                let other = daemon.create(&stage.key, "1h").await.unwrap();
                pause(25 * SECOND).await;
                assert_eq!(daemon.lease(&lease).await.state, "active");
                pause(GRACE - 25 * SECOND).await;
                assert_eq!(daemon.lease(&lease).await.state, "ended");
                assert_eq!(daemon.lease(&other).await.state, "active", "this one needs nobody");
                let fault = daemon.hold(&other).await.unwrap_err();
                assert_eq!(fault.kind, Kind::BadArgument);
            })
            .await;
    });
}

/// An answer that reaches nobody is no holder: whoever asked for it comes again within the grace.
#[test]
fn an_answer_that_never_arrived_ends_nothing_by_its_end() {
    play(|| async {
        let stage = Stage::new(0);
        stage
            .live(async |daemon| {
                let lease = daemon.create_held(&stage.key, "1h").await.unwrap();
                drop(daemon.hold(&lease).await.unwrap());
                pause(20 * SECOND).await;
                assert_eq!(daemon.lease(&lease).await.state, "active");
                let mut told = daemon.hold(&lease).await.unwrap();
                assert!(live_line(&mut told).await);
                pause(GRACE).await;
                assert_eq!(daemon.lease(&lease).await.state, "active", "he came again");
                drop(told);
                drop(daemon.hold(&lease).await.unwrap());
                pause(GRACE).await;
                assert_eq!(daemon.lease(&lease).await.state, "ended");
            })
            .await;
    });
}

#[test]
fn a_holder_hears_of_the_end_and_outlives_no_deadline() {
    play(|| async {
        let stage = Stage::new(0);
        stage
            .live(async |daemon| {
                let lease = daemon.create_held(&stage.key, "30s").await.unwrap();
                let mut told = daemon.hold(&lease).await.unwrap();
                let mut last = None;
                while let Some(line) = told.recv().await {
                    last = Some(line);
                }
                let now = stage.net.clock.now();
                assert!(last.unwrap().is_over());
                assert!((lease.deadline.0..lease.deadline.0 + 6 * SECOND).contains(&now));
                assert_eq!(ends(&stage), 1);
                // Who comes too late is told at once.
                let mut late = daemon.hold(&lease).await.unwrap();
                assert!(late.recv().await.unwrap().is_over());
                assert_eq!(late.recv().await, None);
            })
            .await;
    });
}
