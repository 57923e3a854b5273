//! The one list of what differs from run to run, for whole outputs to be compared with insta.

/// What is replaced by what, in this order.
const LIST: &[(&str, &str)] = &[
    // Temporary directories, and the sockets and files in them.
    (r"/tmp/[A-Za-z0-9._-]+", "[TMP]"),
    // The header of every HTTP reply.
    (r"(?m)^date: .*$", "date: [DATE]"),
    // Distances from the present: "in 2 h", "3 d 4 h ago".
    (r"\bin \d+ (d|h|min|s)( \d+ (h|min|s))?\b", "[IN]"),
    (r"\b\d+ (d|h|min|s)( \d+ (h|min|s))? ago\b", "[AGO]"),
    // In a table they decide the padding too.
    (r"(\[(IN|AGO)\]\)?|\d\d:\d\dZ|ENDS|DEADLINE|SINCE|NEXT|LAST ANSWER) {2,}", "$1  "),
    // Who ran the test, and how long it took, in a log line.
    (r"\buid=\d+", "uid=[UID]"),
    (r"\belapsed_ms=\d+", "elapsed_ms=[MS]"),
    // The version, wherever the program names itself.
    (r#""version":"0\.\d+\.\d+""#, r#""version":"[VERSION]""#),
    (r"\bgrantd 0\.\d+\.\d+", "grantd [VERSION]"),
];

/// Settings with the whole list; bind them around an assertion.
pub(crate) fn settings() -> insta::Settings {
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    for (pattern, word) in LIST {
        settings.add_filter(pattern, *word);
    }
    settings
}
