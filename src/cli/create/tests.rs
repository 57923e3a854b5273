use clap::Parser as _;

use super::*;
use crate::cli::args::{Cli, Command};

fn usable(line: &[&str]) -> Result<Usable, Fault> {
    let start = ["grantd", "create", "--key", "alias/app", "--grantee", "role/RoleB"];
    let typed = Cli::try_parse_from(start.iter().chain(line)).unwrap();
    let Command::Create(args) = typed.command else { panic!("another command") };
    Usable::of(*args, typed.json)
}

#[test]
fn the_aws_spellings_mean_the_same() {
    let aws = [
        "--operations",
        "Decrypt",
        "DescribeKey",
        "--constraints",
        "EncryptionContextSubset={A=b}",
    ];
    let ours = ["--operations=Decrypt,DescribeKey", "--context", "A=b"];
    assert_eq!(usable(&aws).unwrap(), usable(&ours).unwrap());
    let line =
        "grantd create --key-id alias/app --grantee-principal role/RoleB --operations Decrypt";
    let typed = Cli::try_parse_from(line.split(' ')).unwrap();
    let Command::Create(args) = typed.command else { panic!("another command") };
    assert_eq!(Usable::of(*args, false).unwrap(), usable(&["--operations", "Decrypt"]).unwrap());
    let one_word = usable(&["--operations", "Decrypt  DescribeKey"]).unwrap();
    assert_eq!(one_word.request.operations, ["Decrypt", "DescribeKey"]);
}

#[test]
fn an_instant_needs_its_zone() {
    let until = |text| usable(&["--operations", "Decrypt", "--until", text]);
    let at = Time::parse("2026-11-23T18:00:00Z").unwrap();
    for text in [
        "2026-11-23T18:00:00Z",
        "2026-11-23T19:00:00+01:00",
        "2026-11-23 18:00:00Z",
        "2026-11-24T03:00:00[Asia/Tokyo]",
    ] {
        assert_eq!(until(text).unwrap().request.until, Some(at), "{text}");
    }
    for (text, wanted, hint) in [
        ("2026-11-23T18:00:00", "names no time zone", "2026-11-23T18:00:00Z"),
        ("2026-11-24T03:00:00+01:00[Asia/Tokyo]", "contradicts itself", "write the offset alone"),
        ("2026-11-24T03:00:00+09:00[Asia/Tokio]", "does not know", "write the offset"),
        ("18:00", "names no day", "2026-11-23T18:00:00Z"),
        ("tomorrow 18:00", "is no instant", "--ttl 2h"),
        ("2h", "is no instant", "--ttl \"2h\""),
        ("PT2H", "is no instant", "--ttl \"PT2H\""),
        ("-1h", "is no instant", "--ttl 2h"),
    ] {
        let fault = until(text).unwrap_err();
        assert_eq!(fault.kind, Kind::BadArgument);
        assert!(fault.text.contains(wanted), "{}", fault.text);
        assert!(fault.remedy().contains(hint), "{}", fault.remedy());
    }
    // What is behind --ttl the daemon reads: it must come to it, and not be taken for a flag.
    assert_eq!(
        usable(&["--operations", "Decrypt", "--ttl", "-1h"]).unwrap().request.ttl.unwrap(),
        "-1h"
    );
}

#[test]
fn what_is_refused_is_refused_with_its_reason() {
    for flag in ["--name", "--retiring-principal", "--grant-tokens", "--profile", "--endpoint-url"]
    {
        for line in
            [&["--operations", "Decrypt", flag, "x"][..], &["--operations", "Decrypt", flag]]
        {
            let fault = usable(line).unwrap_err();
            assert_eq!(fault.kind, Kind::Usage);
            assert!(fault.text.starts_with(&format!("{flag} is refused: ")), "{}", fault.text);
            assert!(fault.remedy().starts_with("leave it out"));
        }
    }
}

#[test]
fn a_slip_of_the_pen_is_found_before_the_daemon_is_asked() {
    let table: [(&[&str], &str, &str); 5] = [
        (
            &["--operations", "decrypt"],
            "\"decrypt\" is not a grant operation",
            "did you mean \"Decrypt\"?",
        ),
        (&["--operations", ","], "--operations names none", "such as"),
        (
            &["--operations", "Decrypt", "--region", "Tokyo"],
            "--region: \"Tokyo\"",
            "ap-northeast-1",
        ),
        (&["--operations", "Decrypt", "--idempotency-key", ""], "1 to 128 visible", "each repeat"),
        (&["--operations", "Decrypt", "-q", "--json"], "--quiet and --json", ".lease.ref"),
    ];
    for (line, text, hint) in table {
        let fault = usable(line).unwrap_err();
        assert!(fault.text.contains(text), "{}", fault.text);
        assert!(fault.remedy().contains(hint), "{}", fault.remedy());
    }
}

#[test]
fn a_token_file_is_new_and_private() {
    use std::os::unix::fs::PermissionsExt as _;

    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("token");
    TokenFile::new(&path).unwrap().keep("AQpA").unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "AQpA\n");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(TokenFile::new(&path).unwrap_err().kind, Kind::Io);
    let other = dir.path().join("other");
    TokenFile::new(&other).unwrap().drop_empty();
    assert!(!other.exists());
}

#[test]
fn a_name_without_its_alias_is_noticed() {
    let with_key = |key: &str| {
        let line = ["grantd", "create", "--grantee", "role/RoleB", "--operations", "Decrypt"];
        let typed = Cli::try_parse_from(line.into_iter().chain(["--key", key])).unwrap();
        let Command::Create(args) = typed.command else { panic!("another command") };
        Usable::of(*args, false)
    };
    let fault = with_key("my-kms-key").unwrap_err();
    assert_eq!(fault.remedy(), "did you mean --key alias/my-kms-key?");
    for key in [
        "alias/my-kms-key",
        "1234abcd-12ab-34cd-56ef-1234567890ab",
        "mrk-1234abcd12ab34cd56ef1234567890ab",
        "arn:aws:kms:eu-west-1:111122223333:alias/my-kms-key",
    ] {
        assert!(with_key(key).is_ok(), "{key}");
    }
}

#[test]
fn a_slip_of_the_pen_among_the_operations_gets_the_hint_of_the_file() {
    for (typed, hint) in [
        ("decrypt", "did you mean \"Decrypt\"?"),
        ("kms:Decrypt", "did you mean \"Decrypt\"?"),
        ("ReEncrypt", "KMS splits it: ReEncryptFrom and ReEncryptTo"),
        ("kms:ReEncrypt*", "KMS splits it: ReEncryptFrom and ReEncryptTo"),
        ("Decrpyt", "did you mean \"Decrypt\"?"),
    ] {
        let fault = usable(&["--operations", typed]).unwrap_err();
        assert_eq!((fault.kind, fault.remedy()), (Kind::BadArgument, hint), "{typed}");
    }
}
