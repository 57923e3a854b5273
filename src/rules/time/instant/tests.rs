use super::*;

fn read(text: &str) -> Result<Time, BadInstant> {
    let fixed = |hours| TimeZone::fixed(jiff::tz::offset(hours));
    parse(text, &|name| match name {
        "Asia/Tokyo" => Some(fixed(9)),
        "Europe/Paris" => TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").ok(),
        _ => None,
    })
}

#[test]
fn whatever_names_day_time_and_zone_is_an_instant() {
    for text in [
        "2026-11-23T18:00:00Z",
        "2026-11-23T18:00:00.000Z",
        "2026-11-23T18:00Z",
        "2026-11-23 18:00:00Z",
        "2026-11-23t18:00:00z",
        "20261123T180000Z",
        "20261123T1800Z",
        "2026-11-23T19:00:00+01:00",
        "2026-11-23T13:00-0500",
        "2026-11-23T13-05",
        "2026-11-24T03:00:00[Asia/Tokyo]",
        "2026-11-24T03:00:00+09:00[Asia/Tokyo]",
        "2026-11-23T19:00[Europe/Paris]",
        "2026-11-23T19:00+01:00[!Europe/Paris]",
    ] {
        assert_eq!(
            read(text).map(|at| at.to_string()),
            Ok("2026-11-23T18:00:00Z".to_owned()),
            "{text}"
        );
    }
}

#[test]
fn what_is_no_instant_says_why() {
    let tokyo = || BadInstant::Contradiction("Asia/Tokyo".to_owned(), "+09".to_owned());
    for (text, why) in [
        ("18:00", BadInstant::NoDay),
        ("18:00:00", BadInstant::NoDay),
        ("2026-11-23", BadInstant::NoTime),
        ("2026-11-23T18:00:00", BadInstant::NoZone),
        ("20261123T180000", BadInstant::NoZone),
        ("2026-11-23T18:00:00+01:00[Asia/Tokyo]", tokyo()),
        ("2026-11-23T18:00:00Z[Asia/Tokyo]", tokyo()),
        ("2026-11-23T18:00:00[Asia/Tokio]", BadInstant::UnknownZone("Asia/Tokio".to_owned())),
        ("2026-11-23T18:00:00Z[Asia/Tokio]", BadInstant::UnknownZone("Asia/Tokio".to_owned())),
        ("2026-10-25T02:30[Europe/Paris]", BadInstant::Folded("Europe/Paris".to_owned())),
        ("2026-03-29T02:30[Europe/Paris]", BadInstant::Folded("Europe/Paris".to_owned())),
        ("tomorrow 18:00", BadInstant::Other),
        ("2026-02-30T18:00:00Z", BadInstant::Other),
        ("1764000000", BadInstant::Other),
        ("now", BadInstant::Other),
        ("", BadInstant::Other),
    ] {
        assert_eq!(read(text), Err(why), "{text}");
    }
}
