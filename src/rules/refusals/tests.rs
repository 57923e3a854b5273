use super::*;

fn refusal(uid: u32, code: &'static str, key: &str) -> Refusal {
    let asked = json!({ "command": "create", "key": key });
    let (actor, why) = (format!("uid {uid} (u{uid})"), format!("no {key}"));
    Refusal { uid, actor, code, why, asked, lease: None }
}

/// One clock is enough here: both are told alike.
fn due(all: &mut Refusals, at: i64) -> Told {
    all.due(Time(at), Time(at))
}

#[test]
fn the_first_is_written_at_once_and_the_rest_of_its_window_as_one() {
    let mut all = Refusals::default();
    assert!(all.take_in(refusal(1, "no-policy", "a")));
    let told = due(&mut all, 1_000);
    assert_eq!((told.rows.len(), told.rows[0].kind), (1, "refused"));
    assert_eq!(told.rows[0].body["asked"]["key"], "a");
    for key in ["b", "c", "b"] {
        assert!(!all.take_in(refusal(1, "no-policy", key)), "it is only counted");
    }
    assert!(all.take_in(refusal(1, "not-yours", "d")), "another reason is another place");
    assert!(all.take_in(refusal(2, "no-policy", "d")), "so is another user");
    let told = due(&mut all, 2_000);
    assert_eq!(told.rows.len(), 2);
    assert_eq!((told.counts.len(), &*told.counts[0].place), (1, "1 no-policy"));
    assert!(due(&mut all, 1_000 + WINDOW - 1).is_empty());
    let told = due(&mut all, 1_000 + WINDOW);
    let expected = json!({ "fault": "no-policy", "times": 3, "since": Time(1_000), "why": "no b",
        "asked": [{ "command": "create", "key": "b" }, { "command": "create", "key": "c" }] });
    assert_eq!(
        (told.rows.len(), told.rows[0].kind, &told.rows[0].body),
        (1, "refused-again", &expected)
    );
    assert_eq!(told.done, ["1 no-policy"]);
}

#[test]
fn a_flood_is_a_row_a_window_and_windows_grow() {
    let mut all = Refusals::default();
    let (mut rows, mut times) = (0, 0);
    for at in (1..=24 * HOUR).step_by(500) {
        all.take_in(refusal(1, "no-policy", &at.to_string()));
        let told = due(&mut all, at);
        rows += told.rows.len();
        times += told.rows.iter().map(|row| row.body["times"].as_u64().unwrap_or(1)).sum::<u64>();
    }
    let told = all.close();
    times += told.rows.iter().map(|row| row.body["times"].as_u64().unwrap()).sum::<u64>();
    assert_eq!(rows, 29, "1 at once, 6 that grow to an hour, then one an hour");
    assert_eq!(times, 2 * 24 * 3_600, "and each is counted");
}

#[test]
fn a_place_that_is_quiet_for_a_window_is_new_again() {
    let mut all = Refusals::default();
    all.take_in(refusal(1, "no-policy", "a"));
    assert_eq!(due(&mut all, 1).rows.len(), 1);
    assert!(all.knows(1, "no-policy") && !all.knows(1, "not-yours"));
    assert!(due(&mut all, 1 + WINDOW).is_empty());
    assert!(!all.knows(1, "no-policy"));
    assert!(all.take_in(refusal(1, "no-policy", "a")));
}

#[test]
fn what_counts_is_saved_once_a_second() {
    let mut all = Refusals::default();
    all.take_in(refusal(1, "no-policy", "a"));
    assert_eq!(due(&mut all, 1).rows.len(), 1);
    let mut saved = 0;
    for at in 1..=10_000 {
        all.take_in(refusal(1, "no-policy", "a"));
        saved += due(&mut all, at).counts.len();
    }
    assert_eq!(saved, 10);
    assert_eq!(due(&mut all, 11_001).counts[0].body["times"], 10_000);
    assert!(due(&mut all, 13_000).is_empty(), "nothing new, nothing to save");
}

#[test]
fn many_uids_and_long_words_stay_in_bounds() {
    let mut all = Refusals::default();
    let long = "x".repeat(1_000);
    for uid in 0..1_000 {
        let mut refusal = refusal(uid, "no-policy", &long);
        refusal.asked["operations"] = vec![long.clone(); 64].into();
        all.take_in(refusal);
    }
    let told = due(&mut all, 1);
    assert_eq!(told.rows.len(), PLACES_MAX);
    let told = due(&mut all, 1 + WINDOW);
    assert_eq!(told.rows.len(), 1);
    let row = &told.rows[0];
    assert_eq!((&*row.actor, &row.body["fault"]), ("several users", &json!("several")));
    assert_eq!(row.body["times"], 1_000 - PLACES_MAX);
    let size = row.body.to_string().len();
    assert!(size < 128 * 1024, "{size}");
}

#[test]
fn an_end_tells_all_that_is_open() {
    let mut all = Refusals::default();
    all.take_in(refusal(1, "no-policy", "a"));
    all.take_in(refusal(1, "no-policy", "b"));
    let told = all.close();
    let kinds: Vec<_> = told.rows.iter().map(|row| row.kind).collect();
    assert_eq!(kinds, ["refused", "refused-again"]);
    assert!(all.close().is_empty());
}
