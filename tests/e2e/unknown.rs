//! Outcomes that nobody knows: an answer lost, a connection closed, a request accepted and never
//! answered, an error after the effect, a request delivered late or twice. For each of them and
//! each call: what the asker sees, what becomes of the row, when the grant ended by the sandbox's
//! own journal, and that nothing lives in the end.

use std::ops::RangeInclusive;
use std::time::Duration;

use kms_sandbox::{Act, Fault, Match, Op, Propagation, RepeatAfterEnd, When};
use serde_json::Value;
use testbed::{Config, Daemon, Host, PATIENCE, Reply, Sandbox, now_ms, until, until_within};

use crate::GRANTD;
use crate::lease::{Lease, history_verifies, request};

/// Longer than an asker waits (10 s).
const LONG: &str = "16s";
/// A stray copy of these tests comes within this.
const SETTLE: &str = "20s";
/// How long the longest of these rows takes from its deadline to its closing: settled, and two
/// looks settle apart.
const CLOSES: Duration = Duration::from_secs(80);

pub(crate) struct World {
    pub(crate) sandbox: Sandbox,
    pub(crate) host: Host,
    pub(crate) _daemon: Daemon,
}

impl World {
    pub(crate) fn new(settle: &'static str) -> Self {
        Self::with(settle, |_| {})
    }

    /// The same after `more` was done to the settings of the sandbox; the way out is proven.
    pub(crate) fn with(
        settle: &'static str,
        more: impl FnOnce(&mut kms_sandbox::Settings),
    ) -> Self {
        let sandbox = Sandbox::start();
        let host = sandbox.host(GRANTD, &Config { settle, ..Config::default() });
        let daemon = host.ready();
        Lease::make(&host, &sandbox, "1s");
        until("the way out is proven", || sandbox.living().is_empty().then_some(()));
        sandbox.handle().with(|core| more(core.settings_mut()));
        Self { sandbox, host, _daemon: daemon }
    }

    /// A rule for the creates for RoleB, or for every call of another operation.
    pub(crate) fn rule(&self, op: Op, when: When, act: Act, times: Option<u32>) {
        let grantee = (op == Op::CreateGrant).then(|| "RoleB".to_owned());
        let matching = Match { grantee, ..Match::op(op) };
        self.sandbox.handle().inject(Fault { matching, when, act, times });
    }

    pub(crate) fn ask(&self, ttl: &str) -> Reply {
        self.host.post("/v1/leases", &request(&self.sandbox, ttl))
    }

    /// The grants under the Name of this lease, oldest first: (made, ended).
    pub(crate) fn grants(&self, lease: &Lease) -> Vec<(i64, Option<i64>)> {
        let all = self.sandbox.leased().into_iter();
        let own = all.filter(|g| g.name.as_deref().is_some_and(|n| n.contains(&lease.reference)));
        let mut all: Vec<_> = own.map(|grant| (grant.created_at_ms, grant.ended_at_ms)).collect();
        all.sort_unstable();
        all
    }

    /// Waits until the lease is closed; nothing lives then, and the books are right.
    #[track_caller]
    pub(crate) fn closes(&self, lease: &Lease) -> Value {
        let left = u64::try_from(lease.deadline_ms - now_ms()).unwrap_or(0);
        let closed = until_within(Duration::from_millis(left) + CLOSES, "it is closed", || {
            let now = lease.now(&self.host);
            (now["state"] == "closed").then_some(now)
        });
        assert!(self.sandbox.living().is_empty(), "{:?}", self.sandbox.living());
        history_verifies(&self.host);
        closed
    }

    /// There were so many grants of the lease, and each was ended at its deadline, or at once where
    /// it came later.
    #[track_caller]
    pub(crate) fn ended_in_time(&self, lease: &Lease, grants: RangeInclusive<usize>) {
        let all = self.grants(lease);
        assert!(grants.contains(&all.len()), "{} grants: {all:?}", all.len());
        for (made, ended) in &all {
            let late = ended.unwrap() - made.max(&lease.deadline_ms);
            assert!(late < 10_000, "ended {late} ms after it was due: {all:?}");
        }
    }
}

/// What the asker of an unanswered create reads: it is recorded, and ends in any case.
#[track_caller]
fn unknown(reply: &Reply, host: &Host) -> Lease {
    assert_eq!(reply.status, 202, "{reply:?}");
    assert_eq!(reply.body["type"], "outcome-unknown", "{reply:?}");
    let words = reply.body["detail"].as_str().unwrap();
    let reference = reply.body["ref"].as_str().unwrap();
    for part in [reference, "is recorded and will end at", "in any case"] {
        assert!(words.contains(part), "{part:?} in {words}");
    }
    let lease = Lease::all(host).into_iter().find(|(lease, _)| lease.reference == reference);
    lease.unwrap().0
}

/// A create that KMS does not answer at all: what comes of it where each send is met by `act`.
#[track_caller]
fn never_answered(when: When, act: Act, how: &str, grants: RangeInclusive<usize>) {
    let world = World::new(SETTLE);
    world.rule(Op::CreateGrant, when, act, None);
    let before = now_ms();
    let reply = world.ask(LONG);
    let waited = now_ms() - before;
    let lease = unknown(&reply, &world.host);
    assert!((8_000..16_000).contains(&waited), "the asker waited {waited} ms");
    world.sandbox.handle().clear();
    let closed = world.closes(&lease);
    assert_eq!(closed["grants"][0]["how"], how, "{closed}");
    world.ended_in_time(&lease, grants);
    if let Some((made, ended)) = world.grants(&lease).first() {
        assert!(*made < lease.deadline_ms && ended.unwrap() >= lease.deadline_ms, "not too soon");
    }
}

#[test]
fn a_create_whose_answers_are_lost_lives_until_its_deadline() {
    never_answered(When::After, Act::Drop, "retired", 1..=1);
}

#[test]
fn a_create_that_fails_after_its_effect_lives_until_its_deadline() {
    never_answered(When::After, Act::Fail, "retired", 1..=1);
}

#[test]
fn a_create_that_is_accepted_and_never_answered_lives_until_its_deadline() {
    never_answered(When::After, Act::Hold, "retired", 1..=1);
}

#[test]
fn a_create_that_fails_before_its_effect_never_existed() {
    never_answered(When::Before, Act::Fail, "never-existed", 0..=0);
}

#[test]
fn a_create_that_is_lost_on_its_way_never_existed() {
    never_answered(When::Before, Act::Drop, "never-existed", 0..=0);
}

/// Each of its copies that arrives after the end makes a grant anew, which is ended at once.
#[test]
fn a_create_that_arrives_long_after_its_asker_left_lives_until_its_deadline() {
    never_answered(When::Before, Act::Late(12_000), "retired", 1..=20);
}

#[test]
fn a_create_that_arrives_after_its_deadline_is_ended_at_the_first_look_that_shows_it() {
    let world = World::new(SETTLE);
    world.rule(Op::CreateGrant, When::Before, Act::Late(14_000), None);
    let lease = unknown(&world.ask("11s"), &world.host);
    world.sandbox.handle().clear();
    world.closes(&lease);
    world.ended_in_time(&lease, 1..=20);
    let soonest = world.grants(&lease)[0].0;
    assert!(soonest > lease.deadline_ms, "this test wants it late");
}

/// One send of a create is met by `act`; the asker hears of its success all the same.
#[track_caller]
fn answered_at_the_second_try(when: When, act: Act) {
    let world = World::new("6s");
    world.rule(Op::CreateGrant, when, act, Some(1));
    let lease = Lease::of(&world.ask("8s"), 201);
    let closed = world.closes(&lease);
    assert_eq!(closed["grants"][0]["how"], "retired", "{closed}");
    world.ended_in_time(&lease, 1..=1);
}

#[test]
fn one_lost_answer_of_a_create_costs_nothing() {
    answered_at_the_second_try(When::After, Act::Drop);
}

#[test]
fn one_failure_after_the_effect_of_a_create_costs_nothing() {
    answered_at_the_second_try(When::After, Act::Fail);
}

#[test]
fn one_create_lost_and_delivered_a_second_later_costs_nothing() {
    answered_at_the_second_try(When::Before, Act::Late(1_000));
}

#[test]
fn one_throttled_create_costs_nothing() {
    answered_at_the_second_try(When::Before, Act::Throttle);
}

#[test]
fn a_create_delivered_twice_is_one_grant() {
    answered_at_the_second_try(When::Before, Act::Echo(1_000));
}

#[test]
fn a_create_that_is_always_throttled_is_refused_and_leaves_nothing() {
    let world = World::new("6s");
    world.rule(Op::CreateGrant, When::Before, Act::Throttle, None);
    let ran = create(&world.host, &world.sandbox, LONG);
    assert_eq!(ran.code, Some(75), "{ran:?}");
    assert!(ran.stderr.contains("ThrottlingException"), "{ran:?}");
    assert!(world.sandbox.living().is_empty());
    let open = world.host.get("/v1/leases").body;
    assert!(open["items"].as_array().unwrap().iter().all(|l| l["state"] != "creating"), "{open}");
}

fn create(host: &Host, sandbox: &Sandbox, ttl: &str) -> testbed::Ran {
    let key = sandbox.story.alias;
    let grantee = ["--grantee", "role/RoleB", "--operations", "Decrypt", "--ttl", ttl];
    host.grantd(&[&["create", "--key", key][..], &grantee].concat())
}

#[test]
fn a_person_at_the_terminal_reads_that_it_is_recorded_and_gets_75() {
    let world = World::new(SETTLE);
    world.rule(Op::CreateGrant, When::After, Act::Drop, None);
    let ran = create(&world.host, &world.sandbox, LONG);
    assert_eq!(ran.code, Some(75), "{ran:?}");
    let lease = Lease::all(&world.host).pop().unwrap().0;
    for part in [lease.reference.as_str(), "is recorded and will end at", "grantd show"] {
        assert!(ran.stderr.contains(part), "{part:?} in {ran:?}");
    }
    world.sandbox.handle().clear();
    world.closes(&lease);
    world.ended_in_time(&lease, 1..=1);
}

#[test]
fn who_interrupts_a_create_leaves_it_to_its_deadline() {
    let world = World::new("6s");
    let held = Fault::new(Match::op(Op::CreateGrant), When::Before, Act::Hold);
    let held = world.sandbox.handle().inject(held);
    let mut command = world.host.command();
    command.env("GRANTD_SOCKET", world.host.socket());
    command.args(["create", "--key", world.sandbox.story.alias, "--grantee", "role/RoleB"]);
    let mut asker = command.args(["--operations", "Decrypt", "--ttl", "5s"]).spawn().unwrap();
    until("the create is held", || (!world.sandbox.handle().held().is_empty()).then_some(()));
    let pid = rustix::process::Pid::from_child(&asker);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    assert!(!asker.wait().unwrap().success());
    world.sandbox.handle().release(held);
    let lease = Lease::all(&world.host).pop().unwrap().0;
    let closed = world.closes(&lease);
    assert_eq!(closed["grants"][0]["how"], "retired", "{closed}");
    world.ended_in_time(&lease, 1..=1);
}

#[test]
fn twins_die_at_the_first_look_that_shows_them() {
    let world = World::with("8s", |settings| {
        settings.propagation = Propagation::fixed(2_000);
        settings.unconfirmed.twins_before_propagation = true;
    });
    world.rule(Op::CreateGrant, When::After, Act::Drop, Some(2));
    let lease = Lease::of(&world.ask("30s"), 201);
    until_within(4 * PATIENCE, "one of three lives", || {
        let lives = world.grants(&lease);
        assert_eq!(lives.len(), 3, "{lives:?}");
        (lives.iter().filter(|(_, ended)| ended.is_none()).count() == 1).then_some(())
    });
    assert!(now_ms() < lease.deadline_ms, "long before the deadline");
    let closed = world.closes(&lease);
    let grants = closed["grants"].as_array().unwrap();
    assert_eq!(grants.iter().filter(|grant| grant["why"] == "twin").count(), 2, "{closed}");
    world.ended_in_time(&lease, 3..=3);
}

/// A copy of the create arrives after the grant was ended: a new grant, or the dead one's id, as
/// the switch says. Either way nothing lives in the end.
#[track_caller]
fn a_copy_after_the_end(answer: RepeatAfterEnd) {
    let world = World::with("15s", |settings| {
        settings.propagation = Propagation::fixed(2_000);
        settings.unconfirmed.repeat_after_end = answer;
    });
    world.rule(Op::CreateGrant, When::Before, Act::Late(5_000), Some(1));
    let lease = Lease::of(&world.ask("4s"), 201);
    world.closes(&lease);
    let all = world.grants(&lease);
    assert!(all.iter().all(|(made, ended)| ended.unwrap() - made < 15_000), "{all:?}");
    let anew = answer == RepeatAfterEnd::NewGrant;
    assert!(!anew || all.len() == 2, "the copy makes a grant anew: {all:?}");
}

#[test]
fn a_copy_that_arrives_after_the_end_and_makes_a_grant_anew_is_ended() {
    a_copy_after_the_end(RepeatAfterEnd::NewGrant);
}

#[test]
fn a_copy_that_arrives_after_the_end_and_names_the_dead_grant_does_no_harm() {
    a_copy_after_the_end(RepeatAfterEnd::DeadUntilPropagated);
}

#[test]
fn a_name_that_is_used_up_for_ever_does_no_harm() {
    a_copy_after_the_end(RepeatAfterEnd::DeadForEver);
}
