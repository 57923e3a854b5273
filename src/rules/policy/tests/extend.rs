//! Who may have a lease last longer, and how long.

use super::*;
use crate::rules::time::{HOUR, MINUTE, SECOND};

/// A lease of `s3-readers` (maximum 8 h), made two hours ago, to end in an hour; its owner asks.
struct Lease {
    case: Case,
    policy: Option<&'static str>,
    deadline: i64,
    extensions: u32,
    owner: bool,
    admin: bool,
    beyond: bool,
}

fn lease() -> Lease {
    Lease {
        case: Case { reason: None, ..ops_asks() },
        policy: Some("s3-readers"),
        deadline: 3 * HOUR,
        extensions: 0,
        owner: true,
        admin: false,
        beyond: false,
    }
}

/// Each extension is a grant of its own.
#[test]
fn a_later_deadline_is_the_minimum_away_and_an_earlier_one_need_not_be() {
    let mut config = config();
    config.policies[0].min_ttl = 30 * MINUTE;
    let later = |deadline| decided(&config, &Lease { deadline, ..lease() });
    let fault = later(30 * MINUTE - SECOND).unwrap_err();
    assert_eq!(fault.kind, Kind::TtlBelowMin);
    assert!(fault.text.contains("is 29m 59s from now, below 30m, the minimum of"), "{fault}");
    assert!(later(30 * MINUTE).is_ok());
    let admins = Lease { deadline: MINUTE, ..admin() };
    assert_eq!(decided(&config, &admins).unwrap_err().kind, Kind::TtlBelowMin);
    assert!(shorten(None, true, now()).is_ok());
}

/// An administrator, who is in no policy.
fn admin() -> Lease {
    let case = Case { uid: 7, groups: Vec::new(), reason: None, ..ops_asks() };
    Lease { case, owner: false, admin: true, ..lease() }
}

fn decided(config: &Config, lease: &Lease) -> Result<Extended, Fault> {
    let (case, started) = (&lease.case, now().plus(-2 * HOUR));
    let grantee = expand_grantee(&case.grantee, &case.key.arn).unwrap();
    let deadline = now().plus(lease.deadline).floor_second();
    let (name, groups) = ("someone".to_owned(), case.groups.clone());
    let ask = Ask {
        caller: &Caller { uid: case.uid, gid: case.uid, groups, name },
        key: &case.key,
        aliases: &case.aliases,
        grantee: &grantee,
        operations: &case.operations,
        until: Until::At(deadline),
        reason: case.reason.as_deref(),
        constraints: &case.constraints,
        now: now(),
    };
    let asked = Extension {
        ask,
        policy: lease.policy,
        deadline,
        started_at: started,
        latest: started.plus(8 * HOUR),
        extensions: lease.extensions,
        owner: lease.owner,
        admin: lease.admin,
        beyond: lease.beyond,
    };
    extend(config, &asked)
}

fn said(config: &Config, what: &str, lease: &Lease) -> String {
    match decided(config, lease) {
        Ok(Extended { latest, overrides }) => {
            format!("{what}\n  yes, until {latest} at the latest; overrides {overrides:?}")
        }
        Err(fault) => {
            let hint = fault.hint.as_deref().unwrap_or(fault.kind.hint());
            format!("{what}\n  {}: {fault}\n  = {hint}", fault.kind.code())
        }
    }
}

fn table(config: &Config, cases: Vec<(&str, Lease)>) -> String {
    cases.iter().map(|(what, lease)| said(config, what, lease) + "\n").collect()
}

#[test]
fn what_an_owner_may() {
    let case = |change: fn(&mut Case)| {
        let mut lease = lease();
        change(&mut lease.case);
        lease
    };
    insta::assert_snapshot!(table(
        &config(),
        vec![
            ("within the policy", lease()),
            ("to its latest", Lease { deadline: 6 * HOUR, ..lease() }),
            ("a second above it", Lease { deadline: 6 * HOUR + 1_000, ..lease() }),
            ("the last extension", Lease { extensions: 2, ..lease() }),
            ("one too many", Lease { extensions: 3, ..lease() }),
            ("beyond the policy", Lease { beyond: true, ..lease() }),
            ("no longer in the group", case(|case| case.groups = vec![5])),
            ("the grantee is no longer listed", case(|case| case.grantee = "role/X".into())),
            ("the alias was moved away", case(|case| case.aliases.clear())),
            (
                "the operation is no longer listed",
                case(|case| case.operations = vec![Operation::Encrypt]),
            ),
            ("the key is disabled", case(|case| case.key.state = "Disabled".into())),
            ("the policy is gone", Lease { policy: Some("old"), ..lease() }),
            ("no policy is known", Lease { policy: None, ..lease() }),
            ("a reason of two lines", case(|case| case.reason = Some("a\nb".into()))),
        ],
    ));
}

#[test]
fn what_an_administrator_may_besides() {
    let case = |change: fn(&mut Case)| {
        let mut lease = admin();
        change(&mut lease.case);
        lease
    };
    let beyond = |deadline| {
        let mut lease = Lease { deadline, beyond: true, ..admin() };
        lease.case.reason = Some("incident 12".to_owned());
        lease
    };
    insta::assert_snapshot!(table(
        &config(),
        vec![
            ("another's lease", admin()),
            ("his own", Lease { owner: true, case: ops_asks(), ..admin() }),
            ("once more than allowed", Lease { extensions: 3, ..admin() }),
            ("above the maximum", Lease { deadline: 7 * HOUR, ..admin() }),
            ("beyond it without a reason", Lease { deadline: 7 * HOUR, beyond: true, ..admin() }),
            ("beyond it", beyond(7 * HOUR)),
            ("beyond what any grant may live", beyond(8 * HOUR + MINUTE)),
            ("what no policy gives", case(|case| case.grantee = "role/X".into())),
            ("under a policy that is gone", Lease { policy: Some("old"), ..admin() }),
        ],
    ));
}

#[test]
fn a_maximum_that_was_lowered_since_counts_from_the_first_creation() {
    let text = CONFIG.replace("max-ttl = \"8h\"", "max-ttl = \"4h\"\nmax-extensions = 0");
    let config = parse("grantd.toml", &text, &Host).unwrap();
    insta::assert_snapshot!(table(
        &config,
        vec![
            ("not once", Lease { deadline: 2 * HOUR, ..lease() }),
            ("within it", Lease { deadline: 2 * HOUR, ..admin() }),
            ("above it", Lease { deadline: 2 * HOUR + 1_000, ..admin() }),
        ],
    ));
}

#[test]
fn to_shorten_takes_no_policy() {
    let latest = now().plus(HOUR);
    let plain = shorten(None, true, latest).unwrap();
    assert_eq!(plain, Extended { latest, overrides: Vec::new() });
    let other = shorten(Some("done"), false, latest).unwrap();
    assert_eq!(other.overrides, [Override::Caller]);
    assert_eq!(shorten(Some("a\nb"), true, latest).unwrap_err().kind, Kind::BadArgument);
}

#[test]
fn a_new_deadline_lies_ahead_and_is_said() {
    let of = |until, lead| new_deadline(until, lead, now()).map_err(|fault| fault.kind);
    let until = |ms| Until::At(now().plus(ms));
    assert_eq!(of(Until::Ttl(MINUTE), 0), Ok(now().plus(MINUTE).floor_second()));
    assert_eq!(of(until(MINUTE), 0), Ok(now().plus(MINUTE).floor_second()));
    assert_eq!(of(Until::Default, 0), Err(Kind::Usage));
    assert_eq!(of(until(-1), 0), Err(Kind::DeadlinePast));
    assert_eq!(of(Until::Ttl(MINUTE), 5 * MINUTE), Err(Kind::DeadlinePast));
    assert_eq!(of(Until::Ttl(10), 0), Err(Kind::BadArgument));
}
