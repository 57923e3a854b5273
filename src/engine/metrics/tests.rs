use super::*;

fn status() -> Status {
    let lane = serde_json::json!({
        "account": "111122223333", "region": "ap-northeast-1", "endpoint": null,
        "retiring-principal": "arn:aws:iam::111122223333:role/grantd",
        "answered-at": "2026-11-23T16:00:00Z", "answer": "done", "frozen": null,
        "unrefreshed": "no", "searching": false,
    });
    let wait = |key: &str, since: &str| {
        serde_json::json!({
            "account": "111122223333", "region": "ap-northeast-1", "class": "denied",
            "key-arn": format!("arn:aws:kms:ap-northeast-1:111122223333:key/{key}"),
            "since": since, "tries": 3, "until": "2026-11-23T16:01:00Z", "detail": "no",
        })
    };
    let late = serde_json::json!({
        "ref": "g-7k2m9x4p1q8z", "deadline": "2026-11-23T15:59:30Z", "attempts": 3, "cause": "denied",
    });
    serde_json::from_value(serde_json::json!({
        "version": "0.1.0", "health": 2, "alarms": [], "end-only": null,
        "started-at": "2026-11-23T15:00:00Z", "now": "2026-11-23T16:00:00Z",
        "counts": { "active": 12, "ending": 1 }, "next-deadline": "2026-11-23T18:00:00Z",
        "overdue": [late], "overdue-count": 1, "lanes": [lane], "history-head": "ab",
        "waits": [wait("1", "2026-11-23T15:59:40Z"), wait("2", "2026-11-23T15:59:10Z")],
        "unproven": 4,
    }))
    .unwrap()
}

#[test]
fn everything_is_told_as_prometheus_reads_it() {
    let metrics = Metrics::default();
    metrics.asked("create", &Ok(()));
    metrics.asked("create", &Ok(()));
    metrics.asked("create", &Err::<(), _>(Fault::new(Kind::NoPolicy, "none")));
    metrics.ended(400);
    let extra = Extra { doubt: false, unwritten: 2, full: true };
    let text = metrics.render(&status(), &extra).unwrap();
    // Within a family the samples come as they come.
    let mut lines: Vec<&str> = text.lines().collect();
    let sample = |line: &&str| !line.starts_with('#') && !line.contains("_bucket");
    for family in lines.chunk_by_mut(|one, other| sample(one) && sample(other)) {
        family.sort_unstable();
    }
    insta::assert_snapshot!(lines.join("\n"));
}

/// What identifies a lease, a key or a principal is no label: they are many, and nobody's business.
#[test]
fn no_label_tells_who_has_access_to_what() {
    let extra = Extra { doubt: true, unwritten: 0, full: false };
    let text = Metrics::default().render(&status(), &extra).unwrap();
    for secret in ["g-7k2m", "arn:", "key/", "role/"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
}
