use super::*;

#[test]
fn instants_go_both_ways() {
    for ms in [0, 951_782_400_000, 1_795_454_026_000, 4_107_542_399_000, 1_709_164_800_000] {
        assert_eq!(parse_stamp(&stamp(ms)), Some(ms), "{}", stamp(ms));
    }
    assert_eq!(stamp(951_782_400_000), "20000229T000000Z");
    assert_eq!(iso(1_709_164_800_999), "2024-02-29T00:00:00Z");
}

#[test]
fn garbage_is_no_instant() {
    for text in [
        "",
        "20261123T171346",
        "2026-11-23T17:13Z",
        "20261323T171346Z",
        "+0261123T171346Z",
        "20261123T251346Z",
    ] {
        assert_eq!(parse_stamp(text), None, "{text}");
    }
}
