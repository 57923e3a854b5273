use std::sync::Arc;

use super::*;

/// A host that knows no user and no group by name.
pub(crate) struct Nobody;

impl Names for Nobody {
    fn user(&self, _: &str) -> Result<Option<u32>, String> {
        Ok(None)
    }

    fn group(&self, _: &str) -> Result<Option<u32>, String> {
        Ok(None)
    }
}

fn shown(text: &str, value: &str) -> String {
    let start = text.find(value).unwrap();
    let problem = Problem::at(start..start + value.len(), "it is wrong");
    Diagnostics::new("f", Arc::from(text), vec![problem]).to_string()
}

#[test]
fn the_caret_stands_under_the_value_as_a_terminal_shows_it() {
    for (text, value, expected) in [
        ("a = 1\nbc = 23\n", "23", "f:2:6: it is wrong\n 2 | bc = 23\n   |      ^^"),
        ("a = 1\r\nbc = 23\r\n", "23", "f:2:6: it is wrong\n 2 | bc = 23\n   |      ^^"),
        ("\tbc = 23", "23", "f:1:7: it is wrong\n 1 |  bc = 23\n   |       ^^"),
        ("n = \"鍵\" 23", "23", "f:1:9: it is wrong\n 1 | n = \"鍵\" 23\n   |          ^^"),
        ("n = \"鍵\"", "\"鍵\"", "f:1:5: it is wrong\n 1 | n = \"鍵\"\n   |     ^^^^"),
        ("x\u{1b}[31m = 23", "23", "f:1:10: it is wrong\n 1 | x·[31m = 23\n   |          ^^"),
        ("a = [1,\n2]", "[1,\n2]", "f:1:5: it is wrong\n 1 | a = [1,\n   |     ^^^"),
    ] {
        assert_eq!(shown(text, value), expected, "{text:?}");
    }
}

#[test]
fn a_long_line_is_cut_around_the_value() {
    let text = format!("{}!{}", "a".repeat(500), "b".repeat(500));
    let shown = shown(&text, "!");
    let expected = format!(
        "f:1:501: it is wrong\n 1 | …{}!{}…\n   | {}^",
        "a".repeat(60),
        "b".repeat(99),
        " ".repeat(61)
    );
    assert_eq!(shown, expected);
}

#[test]
fn the_end_of_the_text_is_a_place_too() {
    let problem = |at| Problem::at(at..at, "it is wrong");
    let show =
        |text: &str, at| Diagnostics::new("f", Arc::from(text), vec![problem(at)]).to_string();
    assert_eq!(show("", 0), "f:1:1: it is wrong\n 1 | \n   | ^");
    assert_eq!(show("ab\n", 3), "f:2:1: it is wrong\n 2 | \n   | ^");
    assert_eq!(show("ab", 99), "f:1:3: it is wrong\n 1 | ab\n   |   ^");
}

#[test]
fn a_flood_of_problems_is_counted() {
    let problems = (0..103).map(|_| Problem::whole("it is wrong")).collect();
    let text = Diagnostics::new("f", Arc::from(""), problems).to_string();
    assert_eq!(text.matches("it is wrong").count(), 100);
    assert!(text.ends_with("\n\nf: and 3 more"), "{text}");
}

#[test]
fn only_this_host_is_loopback() {
    for (url, loopback) in [
        ("http://127.0.0.1:4567", true),
        ("http://127.9.9.9", true),
        ("http://[::1]:4567/", true),
        ("https://localhost:4567", true),
        ("http://localhost.example.com", false),
        ("http://127.0.0.1.example.com", false),
        ("http://127.0.0.1@example.com", false),
        ("http://0.0.0.0:4567", false),
        ("https://kms.eu-west-1.amazonaws.com", false),
        ("127.0.0.1:4567", false),
    ] {
        assert_eq!(is_loopback(url), loopback, "{url}");
    }
}
