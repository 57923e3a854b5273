use std::io::Cursor;

use super::*;
use crate::cli::out::tests::reader;

#[test]
fn only_a_yes_is_a_yes() {
    for (typed, wanted) in [
        ("y\n", true),
        ("Yes\n", true),
        ("\n", false),
        ("", false),
        ("n\n", false),
        ("yesterday\n", false),
    ] {
        let (out, stdout, stderr) = reader(false);
        let mut out = out.answered_by(Box::new(Cursor::new(typed)));
        assert_eq!(agreed(2, false, &mut out).unwrap(), wanted, "{typed:?}");
        assert_eq!(stderr.text(), "End all of these now? [y/N] ");
        assert_eq!(stdout.text(), "");
    }
}

#[test]
fn where_nobody_can_be_asked_only_yes_is_a_yes() {
    let (mut out, ..) = reader(false);
    assert!(agreed(1, true, &mut out).unwrap());
    let Err(Stop::Fault(fault)) = agreed(1, false, &mut out) else { panic!("it agreed") };
    assert_eq!(fault.kind, Kind::Usage);
}
