use super::*;
use crate::ids::GrantId;
use crate::kms::Listed;
use crate::terms::Constraints;

/// Every field that KMS can show, one entry a kind.
const GRANTS: &str = r#"{"Truncated":true,"NextMarker":"m2","Grants":[
 {"KeyId":"arn:aws:kms:ap-northeast-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
  "GrantId":"g1","Name":"grantd/prod/g-7k2m9x4p1q8z/1/2026-11-23T18:00:00Z",
  "CreationDate":1764000000.419,
  "GranteePrincipal":"arn:aws:iam::111122223333:role/RoleB",
  "RetiringPrincipal":"arn:aws:iam::111122223333:role/grantd",
  "IssuingAccount":"arn:aws:iam::111122223333:root","Operations":["Decrypt","FutureOperation"],
  "Constraints":{"EncryptionContextSubset":{"a":"b"}}},
 {"KeyId":"1234abcd-12ab-34cd-56ef-1234567890ab","GrantId":"g2","Name":null,
  "GranteeServicePrincipal":"s3.eu-west-1.amazonaws.com",
  "RetiringServicePrincipal":"s3.amazonaws.com",
  "Operations":[],"Constraints":{"EncryptionContextEquals":{"a":"b"},
  "SourceArn":"arn:aws:s3:eu-west-1:111122223333:bucket"}},
 {"GrantId":"g3","GranteePrincipal":"AROAEXAMPLE","Constraints":{"EncryptionContextSubset":{}}}]}"#;

/// KMS refuses to make such a grant.
const BOTH_KINDS: &str = r#"{"Grants":[{"GrantId":"g","Constraints":{
 "EncryptionContextSubset":{"a":"b"},"EncryptionContextEquals":{"a":"b"}}}]}"#;

async fn list(body: &str, marker: Option<&str>) -> Answer<Page> {
    let body = body.to_owned();
    let fake = Fake::start(move |_| Reply::json(&body));
    let marker = marker.map(str::to_owned);
    adapter().page(&lane(&fake.endpoint), Scope::Key(&key()), marker).await
}

#[test]
fn every_field_is_kept() {
    alone(&KEYS, async || {
        let Outcome::Done(page) = list(GRANTS, None).await.outcome else { panic!() };
        assert_eq!(page.marker.as_deref(), Some("m2"));
        let pairs = || [("a".to_owned(), "b".to_owned())].into();
        let plain = Listed {
            key_arn: String::new(),
            id: GrantId::parse("g3").unwrap(),
            name: String::new(),
            created: None,
            grantee: "AROAEXAMPLE".to_owned(),
            retiring_principal: String::new(),
            issuing_account: String::new(),
            operations: Vec::new(),
            constraints: Constraints::None,
            source_arn: None,
            unknown: Vec::new(),
        };
        let ours = Listed {
            key_arn: KEY.to_owned(),
            id: GrantId::parse("g1").unwrap(),
            name: "grantd/prod/g-7k2m9x4p1q8z/1/2026-11-23T18:00:00Z".to_owned(),
            created: Some(Time(1_764_000_000_419)),
            grantee: "arn:aws:iam::111122223333:role/RoleB".to_owned(),
            retiring_principal: "arn:aws:iam::111122223333:role/grantd".to_owned(),
            issuing_account: "arn:aws:iam::111122223333:root".to_owned(),
            operations: vec!["Decrypt".to_owned(), "FutureOperation".to_owned()],
            constraints: Constraints::Subset(pairs()),
            source_arn: None,
            unknown: Vec::new(),
        };
        let service = Listed {
            key_arn: KEY.to_owned(),
            id: GrantId::parse("g2").unwrap(),
            grantee: "s3.eu-west-1.amazonaws.com".to_owned(),
            retiring_principal: "s3.amazonaws.com".to_owned(),
            constraints: Constraints::Equals(pairs()),
            source_arn: Some("arn:aws:s3:eu-west-1:111122223333:bucket".to_owned()),
            ..plain.clone()
        };
        assert_eq!(page.grants, [ours, service, plain]);
    });
}

/// The SDK drops what it does not know; the raw answer of either listing is read beside it.
#[test]
fn what_the_sdk_drops_is_kept_by_its_name() {
    alone(&KEYS, async || {
        let body = r#"{"Grants":[
            {"GrantId":"a","Constraints":{"SourceAccount":"111122223333"}},
            {"GrantId":"b","Operations":["FutureOperation"]},
            {"GrantId":"c","GrantType":"Standard","Constraints":{"encryptionContextEquals":{}}}]}"#;
        let fake = Fake::start(move |_| Reply::json(body));
        let (lane, key) = (lane(&fake.endpoint), key());
        for scope in [Scope::Key(&key), Scope::Retirable] {
            let Outcome::Done(page) = adapter().page(&lane, scope, None).await.outcome else {
                panic!()
            };
            let unknown: Vec<&[String]> = page.grants.iter().map(|g| &*g.unknown).collect();
            let third = ["GrantType", "Constraints.encryptionContextEquals"];
            let nothing: [&str; 0] = [];
            assert_eq!(unknown[0], ["Constraints.SourceAccount"]);
            assert_eq!(
                (unknown[1], unknown[2]),
                (&nothing.map(String::from)[..], &third.map(String::from)[..])
            );
            assert_eq!(page.grants[1].operations, ["FutureOperation"]);
        }
    });
}

#[test]
fn absence_is_not_concluded_from_what_is_no_listing() {
    alone(&KEYS, async || {
        let last = list(r#"{"Grants":[],"Truncated":false}"#, Some("m")).await;
        assert_eq!(last.outcome, Outcome::Done(Page::default()));
        let no_listings = [
            ("{}", None),
            ("", None),
            (r#"{"Grants":null}"#, None),
            (r#"{"Grants":[],"Truncated":true}"#, None),
            (r#"{"Grants":[],"Truncated":true,"NextMarker":"m"}"#, Some("m")),
            (r#"{"Grants":[{"Name":"no id"}],"Truncated":false}"#, None),
            (BOTH_KINDS, None),
        ];
        for (body, marker) in no_listings {
            let answer = list(body, marker).await;
            assert_eq!(answer.outcome, Outcome::Unknown, "{body}");
            assert!(!detail(&answer).is_empty(), "{body}");
        }
    });
}

#[test]
fn each_scope_asks_for_what_it_says() {
    alone(&KEYS, async || {
        let fake = Fake::start(|_| Reply::json(r#"{"Grants":[],"Truncated":false}"#));
        let (adapter, lane, key) = (adapter(), lane(&fake.endpoint), key());
        let id = GrantId::parse("abc").unwrap();
        adapter.page(&lane, Scope::One(&key, &id), None).await;
        adapter.page(&lane, Scope::Key(&key), Some("m1".to_owned())).await;
        adapter.page(&lane, Scope::Retirable, None).await;
        let asked: Vec<(String, serde_json::Value)> = fake
            .heard()
            .into_iter()
            .map(|r| (r.operation, serde_json::from_str(&r.body).unwrap()))
            .collect();
        let principal = lane.retiring_principal.as_str();
        let expected = [
            ("listgrants", serde_json::json!({"KeyId": KEY, "GrantId": "abc", "Limit": 100})),
            ("listgrants", serde_json::json!({"KeyId": KEY, "Marker": "m1", "Limit": 100})),
            (
                "listretirablegrants",
                serde_json::json!({"RetiringPrincipal": principal, "Limit": 100}),
            ),
        ];
        assert_eq!(asked, expected.map(|(operation, body)| (operation.to_owned(), body)));
    });
}

#[test]
fn aliases_are_followed_to_the_end_and_never_in_a_circle() {
    alone(&KEYS, async || {
        let first = r#"{"Truncated":true,"NextMarker":"m",
            "Aliases":[{"AliasName":"alias/a","TargetKeyId":"k1"}]}"#;
        let second = r#"{"Aliases":[{"AliasName":"alias/aws/s3"}],"Truncated":false}"#;
        let fake = Fake::start(move |request| {
            Reply::json(if request.body.contains("Marker") { second } else { first })
        });
        let answer = adapter().aliases(&lane(&fake.endpoint), Some(&key())).await;
        let alias = |name: &str, id: Option<&str>| Alias {
            name: name.to_owned(),
            key_id: id.map(str::to_owned),
        };
        let both = vec![alias("alias/a", Some("k1")), alias("alias/aws/s3", None)];
        assert_eq!(answer.outcome, Outcome::Done(both));
        assert!(fake.heard().iter().all(|request| request.body.contains(KEY)));

        let mut odd = false;
        let fake = Fake::start(move |_| {
            odd = !odd;
            let marker = if odd { "tick" } else { "tock" };
            Reply::json(&format!(r#"{{"Aliases":[],"Truncated":true,"NextMarker":"{marker}"}}"#))
        });
        let answer = adapter().aliases(&lane(&fake.endpoint), None).await;
        assert_eq!(answer.outcome, Outcome::Unknown);
        assert!(detail(&answer).contains("circle"), "{answer:?}");
        assert_eq!(fake.heard().len(), 3);
    });
}
