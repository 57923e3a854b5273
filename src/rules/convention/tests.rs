use super::*;
use crate::rules::time::{DAY, HOUR, MINUTE};

fn at(text: &str) -> Wish {
    Wish::Until(Time::parse(text).unwrap())
}

#[test]
fn a_name_states_a_span_or_an_instant_and_may_have_a_label() {
    let evening = || at("2026-11-23T18:00:00Z");
    for (name, wish) in [
        ("ttl:2h", Wish::Ttl(2 * HOUR)),
        ("ttl:90m", Wish::Ttl(90 * MINUTE)),
        ("ttl:1h30m/nightly-export", Wish::Ttl(90 * MINUTE)),
        ("ttl:7d/", Wish::Ttl(7 * DAY)),
        ("ttl:7d//a:b/c", Wish::Ttl(7 * DAY)),
        ("ttl:500ms", Wish::Ttl(500)),
        ("until:2026-11-23T18:00:00Z", evening()),
        ("until:2026-11-23T18:00:00Z/ttl:2h", evening()),
        ("until:2026-11-23T13:00:00-05:00/terraform", evening()),
        ("until:2026-11-23T18:00Z", evening()),
        ("until:2026-11-23T18Z", evening()),
        ("until:20261123T180000Z/label", evening()),
        ("until:20261123T1800Z", evening()),
        ("until:2026-11-23T1800Z/label", evening()),
        ("until:2026-11-23T13:00-05", evening()),
        ("ttl:PT2H", Wish::Ttl(2 * HOUR)),
        ("ttl:1d12h", Wish::Ttl(DAY + 12 * HOUR)),
        ("until:1999-01-01T00:00:00Z", at("1999-01-01T00:00:00Z")),
    ] {
        assert_eq!(read(name), Some(Ok(wish)), "{name}");
    }
}

#[test]
fn other_names_state_nothing() {
    let ours = "grantd/prod/g-7k2m9x4p1q8z/1/2026-11-23T18:00:00Z";
    for name in ["", "ttl", "until", "ttl-2h", "my/ttl:2h", "attl:2h", "tt:2h", "until_x", ours] {
        assert_eq!(read(name), None, "{name}");
    }
}

#[test]
fn a_malformed_one_tells_what_is_wrong() {
    let names = [
        "ttl:",
        "ttl:/label",
        "ttl:2",
        "ttl:h",
        "ttl:2fortnights",
        "ttl:-2h",
        "ttl:0s",
        "ttl:1month",
        "ttl:18446744073709551615s",
        "TTL:2h",
        "Until:2026-11-23T18:00:00Z",
        "until:",
        "until:tomorrow",
        "until:2026-11-23",
        "until:2026-11-23T18:00:00",
        "until:18:00Z",
        "until:2026-02-30T18:00:00Z",
        "until:1764000000",
    ];
    let lines = names.map(|name| match read(name) {
        Some(Err(why)) => format!("{name}: {why}"),
        Some(Ok(wish)) => format!("{name}: taken as {wish:?}"),
        None => format!("{name}: none"),
    });
    insta::assert_snapshot!(lines.join("\n"));
}
