use proptest::prelude::*;

use super::*;

const REF: &str = "g-7k2m9x4p1q8z";

fn name(serial: u32, deadline: i64) -> Result<Name, BadName> {
    let (group, reference) = (Group::parse("prod").unwrap(), Ref::parse(REF).unwrap());
    Name::new(group, reference, serial, Time(deadline))
}

#[test]
fn a_name_reads_as_in_the_design() {
    let deadline = Time::parse("2026-11-23T18:00:00Z").unwrap();
    let name = name(1, deadline.0 + 999).unwrap();
    assert_eq!(name.to_string(), "grantd/prod/g-7k2m9x4p1q8z/1/2026-11-23T18:00:00Z");
    assert_eq!(name.deadline(), deadline);
    assert_eq!(name.to_string().parse(), Ok(name));
}

#[test]
fn the_longest_name_fits_into_kms() {
    let group = Group::parse("a".repeat(32)).unwrap();
    let name = Name::new(group, Ref::parse(REF).unwrap(), u32::MAX, LAST).unwrap();
    assert_eq!(name.to_string().len(), 86);
    assert_eq!(Name::parse(&name.to_string()), Ok(name));
}

#[test]
fn what_has_no_text_has_no_name() {
    assert_eq!(name(0, 0), Err(BadName::Serial));
    assert_eq!(name(1, -1), Err(BadName::Deadline));
    assert_eq!(name(1, LAST.0 + 1_000), Err(BadName::Deadline));
    assert_eq!(name(1, i64::MAX), Err(BadName::Deadline));
}

#[test]
fn what_grantd_would_write_otherwise_is_refused() {
    for (text, why) in [
        ("", BadName::Form),
        ("grantd/", BadName::Form),
        ("ttl:2h", BadName::Form),
        ("Grantd/prod/g-7k2m9x4p1q8z/1/2026-11-23T18:00:00Z", BadName::Form),
        ("grantd/prod/g-7k2m9x4p1q8z/1", BadName::Form),
        ("grantd/prod/g-7k2m9x4p1q8z/1/2026-11-23T18:00:00Z/", BadName::Form),
        ("grantd/Prod/g-7k2m9x4p1q8z/1/2026-11-23T18:00:00Z", BadName::Group),
        ("grantd//g-7k2m9x4p1q8z/1/2026-11-23T18:00:00Z", BadName::Group),
        ("grantd/prod/g-7k2m9x4p1q8/1/2026-11-23T18:00:00Z", BadName::Reference),
        ("grantd/prod/g-7k2m9x4p1q8z/0/2026-11-23T18:00:00Z", BadName::Serial),
        ("grantd/prod/g-7k2m9x4p1q8z/01/2026-11-23T18:00:00Z", BadName::Serial),
        ("grantd/prod/g-7k2m9x4p1q8z/+1/2026-11-23T18:00:00Z", BadName::Serial),
        ("grantd/prod/g-7k2m9x4p1q8z/4294967296/2026-11-23T18:00:00Z", BadName::Serial),
        ("grantd/prod/g-7k2m9x4p1q8z/1/2026-11-23T18:00:00z", BadName::Deadline),
        ("grantd/prod/g-7k2m9x4p1q8z/1/2026-11-23T18:00:00-00:00", BadName::Deadline),
        ("grantd/prod/g-7k2m9x4p1q8z/1/2026-11-23T18:00:60Z", BadName::Deadline),
        ("grantd/prod/g-7k2m9x4p1q8z/1/2026-11-23T18:00Z", BadName::Deadline),
        ("grantd/prod/g-7k2m9x4p1q8z/1/2026-11-23 18:00:00Z", BadName::Deadline),
        ("grantd/prod/g-7k2m9x4p1q8z/1/20261123T180000Z", BadName::Deadline),
        ("grantd/prod/g-7k2m9x4p1q8z/1/1969-12-31T23:59:59Z", BadName::Deadline),
    ] {
        assert_eq!(Name::parse(text), Err(why), "{text}");
    }
}

fn legal(text: &str) -> bool {
    let letter = |b: u8| b.is_ascii_alphanumeric() || b":/_-".contains(&b);
    (1..=256).contains(&text.len()) && text.bytes().all(letter)
}

proptest! {
    #[test]
    fn every_name_is_legal_and_comes_back(
        group in "[a-z0-9-]{1,32}",
        reference in "g-[0-9a-hjkmnp-tv-z]{12}",
        serial in 1..=u32::MAX,
        seconds in 0..=LAST.0 / 1_000,
    ) {
        let name = Name::new(
            Group::parse(group).unwrap(),
            Ref::parse(reference).unwrap(),
            serial,
            Time(seconds * 1_000),
        );
        let text = name.clone().unwrap().to_string();
        prop_assert!(legal(&text), "{}", text);
        prop_assert_eq!(Name::parse(&text), name);
    }

    #[test]
    fn garbage_is_refused_or_comes_back(
        text in "(grantd/)?([a-z0-9]{0,5}/)?(g-[0-9a-z]{12}/)?[0-9]{0,3}/?\\PC{0,30}",
    ) {
        if let Ok(name) = Name::parse(&text) {
            prop_assert_eq!(name.to_string(), text);
        }
    }

    #[test]
    fn a_changed_letter_is_refused_or_comes_back(at in 0_usize..49, new in any::<char>()) {
        let mut text: Vec<char> =
            "grantd/prod/g-7k2m9x4p1q8z/1/2026-11-23T18:00:00Z".chars().collect();
        text[at] = new;
        let text: String = text.into_iter().collect();
        if let Ok(name) = Name::parse(&text) {
            prop_assert_eq!(name.to_string(), text);
        }
    }
}
