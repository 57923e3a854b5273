use super::*;

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|&(k, v)| (k.to_owned(), v.to_owned())).collect()
}

#[test]
fn shorthand_is_read_as_the_aws_cli_reads_it() {
    let subset = |pairs: &[(&str, &str)]| Constraints::Subset(map(pairs));
    let table = [
        ("EncryptionContextSubset={Department=IT}", subset(&[("Department", "IT")])),
        (
            "EncryptionContextSubset={Department=IT,Team=x y}",
            subset(&[("Department", "IT"), ("Team", "x y")]),
        ),
        ("EncryptionContextSubset = { A = b , C = 'd,}' }", subset(&[("A", "b"), ("C", "d,}")])),
        (r#"EncryptionContextEquals={A="q\"uote"}"#, Constraints::Equals(map(&[("A", "q\"uote")]))),
        (
            "EncryptionContextSubset={aws:s3:arn=arn:aws:s3:::b/k=1}",
            subset(&[("aws:s3:arn", "arn:aws:s3:::b/k=1")]),
        ),
        ("EncryptionContextSubset={}", subset(&[])),
        (r#"{"EncryptionContextEquals":{"A":"b"}}"#, Constraints::Equals(map(&[("A", "b")]))),
        ("{}", Constraints::None),
    ];
    for (text, wanted) in table {
        assert_eq!(constraints(text).unwrap(), wanted, "{text}");
    }
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    let table = [
        ("", "expected a key at character 1"),
        ("EncryptionContextSubset", "expected `=` at character 24"),
        ("EncryptionContextSubset=x", "expected `{` at character 25"),
        ("EncryptionContextSubset={A=b", "the closing `}` is missing"),
        ("EncryptionContextSubset={A='b}", "the closing ' is missing"),
        ("EncryptionContextSubset={A=b,A=c}", "A is given twice"),
        ("EncryptionContextSubset={A='b'c}", "expected `,` or `}` at character 31, found 'c'"),
        ("EncryptionContextSubset={A=b}x", "expected `,` or the end at character 30, found 'x'"),
        (
            "EncryptionContextSubset={A=b},EncryptionContextEquals={A=b}",
            "KMS takes EncryptionContextSubset or EncryptionContextEquals, not both",
        ),
        (
            "Subset={A=b}",
            "\"Subset\" is neither EncryptionContextSubset nor EncryptionContextEquals",
        ),
        ("SourceArn={A=b}", "SourceArn is for AWS services, and grantd makes no grants for them"),
        ("file://c.json", "\"file://c.json\" names a file, and grantd reads none here"),
    ];
    for (text, wanted) in table {
        let fault = constraints(text).unwrap_err();
        assert_eq!(fault.text, format!("--constraints: {wanted}"), "{text}");
        assert_eq!(fault.kind, Kind::BadArgument);
    }
    assert!(constraints("{\"A\":1}").unwrap_err().text.contains("line 1 column 6"));
}

#[test]
fn context_pairs_split_at_commas_and_at_the_first_equals_sign() {
    let read = |typed: &[&str]| {
        let typed: Vec<String> = typed.iter().map(|text| (*text).to_owned()).collect();
        pairs("--context", &typed)
    };
    for (typed, wanted) in [
        (&["A=b=c", "D="][..], &[("A", "b=c"), ("D", "")][..]),
        (&["a=b,c=d"], &[("a", "b"), ("c", "d")]),
        (&["a=b,c=d", "e=f"], &[("a", "b"), ("c", "d"), ("e", "f")]),
        (&[r#"a="b,c",d='e=f,g'"#], &[("a", "b,c"), ("d", "e=f,g")]),
        (&[r"a=b\,c"], &[("a", "b,c")]),
        (&[r#"a="q\"uote""#], &[("a", "q\"uote")]),
        (&[r#""a,b"=c"#], &[("a,b", "c")]),
        (&["aws:s3:arn=arn:aws:s3:::b/k y"], &[("aws:s3:arn", "arn:aws:s3:::b/k y")]),
        (&["a={b}"], &[("a", "{b}")]),
    ] {
        assert_eq!(read(typed), Ok(map(wanted)), "{typed:?}");
    }
    for (typed, wanted) in [
        ("A", "has no `=` behind \"A\""),
        ("=b", "has no key before the `=`"),
        ("a=b,c", "has no `=` behind \"c\""),
        ("a=b,", "has no `=` behind \"\""),
        ("a='b'c", "has 'c' behind a quote, at character 6"),
        ("a='b", "the closing ' is missing"),
        ("A=b,A=c", "gives the key \"A\" a second time"),
    ] {
        let fault = read(&[typed]).unwrap_err();
        assert!(fault.text.ends_with(wanted), "{typed}: {}", fault.text);
        assert!(fault.remedy().contains("'Team=\"a,b\"'"), "{}", fault.remedy());
    }
    assert!(read(&["A=b", "A=c"]).unwrap_err().text.ends_with("gives the key \"A\" a second time"));
}
