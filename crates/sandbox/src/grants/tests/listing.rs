use super::*;

#[test]
fn pages_cover_every_grant_once() {
    let mut s = story();
    s.core.settings_mut().quotas.clear();
    for i in 0..120 {
        let body = with(s.terms(), "Name", json!(format!("n-{i}")));
        create(&mut s, &body, T0 + i).unwrap();
    }
    let mut all = Vec::new();
    let mut page = list(&mut s, json!({ "Limit": 50 }), T0 + 200);
    while page["Truncated"] == json!(true) {
        all.extend(ids(&page));
        page = list(&mut s, json!({ "Limit": 50, "Marker": page["NextMarker"] }), T0 + 200);
    }
    all.extend(ids(&page));
    assert!(page.get("NextMarker").is_none());
    assert_eq!(all.len(), 120);
    assert!(all.is_sorted());
    assert_eq!(ids(&list(&mut s, json!({}), T0 + 200)).len(), 50);
    assert_eq!(ids(&list(&mut s, json!({ "GrantId": all[7] }), T0 + 200)), [all[7].clone()]);
    let retirable = json!({ "RetiringPrincipal": s.grantd.arn, "Limit": 100 });
    let grantd = s.grantd.caller.clone();
    let page = s.core.call(&grantd, Op::ListRetirableGrants, &retirable, T0 + 200).unwrap();
    assert_eq!((ids(&page).len(), &page["Truncated"]), (100, &json!(true)));
}

#[test]
fn a_marker_lives_as_long_as_the_switch_says() {
    for dies in [true, false] {
        let mut s = story();
        s.core.settings_mut().unconfirmed.marker_dies_with_its_grant = dies;
        for i in 0..3 {
            let body = with(s.terms(), "Name", json!(format!("n-{i}")));
            create(&mut s, &body, T0).unwrap();
        }
        let page = list(&mut s, json!({ "Limit": 1 }), T0);
        let (ask, grantd) = (by_id(&s, &ids(&page)[0]), s.grantd.caller.clone());
        s.core.call(&grantd, Op::RetireGrant, &ask, T0).unwrap();
        let next = json!({ "KeyId": s.key_arn, "Marker": page["NextMarker"] });
        let answer = s.core.call(&grantd, Op::ListGrants, &next, T0 + 1);
        match answer {
            Ok(page) => assert_eq!((dies, ids(&page).len()), (false, 2)),
            Err(error) => assert_eq!((dies, error.code.as_str()), (true, "InvalidMarkerException")),
        }
    }
}

#[test]
fn an_entry_has_every_field_that_kms_shows() {
    let mut s = story();
    let body = with(s.terms(), "Constraints", json!({ "EncryptionContextSubset": { "a": "1" } }));
    let (id, _) = create(&mut s, &body, T0 + 419).unwrap();
    let page = list(&mut s, json!({}), T0 + 419);
    assert_eq!(
        page,
        json!({
            "Grants": [{
                "KeyId": s.key_arn,
                "GrantId": id,
                "Name": "grantd/prod/g-1/1/2026-11-23T18:00:00Z",
                "CreationDate": 1_795_000_000.419,
                "GranteePrincipal": "arn:aws:iam::111122223333:role/RoleB",
                "RetiringPrincipal": "arn:aws:iam::111122223333:role/grantd",
                "IssuingAccount": "arn:aws:iam::111122223333:root",
                "Operations": ["Decrypt", "DescribeKey"],
                "Constraints": { "EncryptionContextSubset": { "a": "1" } },
            }],
            "Truncated": false,
        })
    );
}
