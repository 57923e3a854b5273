use super::*;

#[test]
fn since_is_a_span_or_an_instant() {
    let now = Time::parse("2026-11-23T16:00:00Z").unwrap();
    let ago = Time::parse("2026-11-23T14:00:00Z").unwrap();
    for text in ["2h", "2h ago", "120min", " 2h  ago ", "2026-11-23T14:00:00Z"] {
        assert_eq!(since(text, now).unwrap(), ago, "{text}");
    }
    for text in ["yesterday", "ago", "2026-11-23", ""] {
        assert_eq!(since(text, now).unwrap_err().kind, Kind::BadArgument, "{text}");
    }
}

#[test]
fn particulars_stay_on_one_line_and_tell_no_more_than_there_is() {
    let body =
        serde_json::json!({ "reason": "a b\n\u{1b}[2J", "n": 1, "none": null, "why": "deadline" });
    assert_eq!(everything(&body), r#"n=1 reason="a b\n\u001b[2J" why=deadline"#);
    assert_eq!(particulars("closed", &serde_json::Value::Null), "");
    assert_eq!(particulars("new-kind", &body), everything(&body));
}

#[test]
fn each_kind_tells_what_it_is_about() {
    let asked = serde_json::json!({
        "account": "111122223333", "deadline": "2026-11-23T18:00:00Z", "key": "alias/app",
        "grantee": "arn:aws:iam::111122223333:role/RoleB", "operations": ["Decrypt", "Encrypt"],
        "name": "grantd/prod/g-1/1/x", "reason": "ticket 4711", "policy": null, "origin": "asked",
    });
    assert_eq!(
        particulars("requested", &asked),
        "grantee=role/RoleB operations=Decrypt,Encrypt key=alias/app \
         until=2026-11-23T18:00:00Z reason=\"ticket 4711\""
    );
    let over = serde_json::json!({ "serial": 1, "state": "closed", "how": "retired" });
    assert_eq!(particulars("closed", &over), "how=retired");
    assert_eq!(particulars("seen-again", &over), "");
}
