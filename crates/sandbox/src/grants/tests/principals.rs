//! What a grant knows of the principals it names (kms-facts 1 and 2).

use super::*;
use crate::IamPolicy;

const NEW: &str = "arn:aws:iam::111122223333:role/path/New";

#[test]
fn a_principal_made_again_is_another_one() {
    let mut s = story();
    let body = s.terms();
    create(&mut s, &body, T0).unwrap();
    let old_b = s.role_b.caller.clone();
    assert!(s.core.recreate_principal(&s.role_b.arn.clone()));
    assert!(s.core.recreate_principal(&s.grantd.arn.clone()));
    let (b, grantd) =
        (s.core.caller(&s.role_b.arn).unwrap(), s.core.caller(&s.grantd.arn).unwrap());
    assert_eq!(decrypt(&mut s, &b, T0).unwrap_err().code, "AccessDeniedException");
    assert_eq!(decrypt(&mut s, &old_b, T0).unwrap_err().code, "UnrecognizedClientException");
    s.grantd.caller = grantd.clone();
    let page = list(&mut s, json!({}), T0);
    let shown = |name: &str| page["Grants"][0][name].as_str().unwrap().starts_with("AROA");
    assert!(shown("GranteePrincipal") && shown("RetiringPrincipal"));
    let ask = by_id(&s, &ids(&page)[0]);
    assert_eq!(code(s.core.call(&grantd, Op::RetireGrant, &ask, T0)), "AccessDeniedException");
    let retirable = json!({ "RetiringPrincipal": s.grantd.arn });
    let page = s.core.call(&grantd, Op::ListRetirableGrants, &retirable, T0).unwrap();
    assert!(ids(&page).is_empty());
    let by_arn = json!({ "GranteePrincipal": s.role_b.arn });
    let filtered = list(&mut s, by_arn, T0);
    assert!(ids(&filtered).is_empty());
}

#[test]
fn every_kind_decays_in_its_own_form() {
    let mut s = story();
    let user = "arn:aws:iam::111122223333:user/ann";
    s.core.put_user(user, IamPolicy::default());
    let session = "arn:aws:sts::111122223333:assumed-role/RoleB/one";
    let federated = "arn:aws:sts::111122223333:federated-user/bob";
    let root = "arn:aws:iam::111122223333:root";
    for grantee in [user, session, federated, root] {
        let body = with(s.terms(), "GranteePrincipal", json!(grantee));
        create(&mut s, &body, T0).unwrap();
    }
    s.core.delete_principal(user);
    s.core.delete_principal(&s.role_b.arn.clone());
    let page = list(&mut s, json!({}), T0);
    let mut shown: Vec<&str> = page["Grants"]
        .as_array()
        .unwrap()
        .iter()
        .map(|grant| grant["GranteePrincipal"].as_str().unwrap())
        .collect();
    shown.sort_unstable();
    assert!(shown[0].starts_with("AIDA") && !shown[0].contains(':'), "{shown:?}");
    assert!(shown[1].starts_with("AROA") && shown[1].ends_with(":one"), "{shown:?}");
    assert_eq!(shown[2..], [root, federated]);
}

/// A unique id is no proof of deletion: it also stands for what is new.
#[test]
fn a_new_principal_is_shown_by_its_id_for_a_minute() {
    let mut s = story();
    s.core.put_role(NEW, IamPolicy::default(), &[], None);
    let body =
        with(with(s.terms(), "GranteePrincipal", json!(NEW)), "RetiringPrincipal", json!(NEW));
    create(&mut s, &body, T0).unwrap();
    let shown = |s: &mut Story, at| list(s, json!({}), at)["Grants"][0]["GranteePrincipal"].clone();
    let id = shown(&mut s, T0 + 59_999);
    assert!(id.as_str().unwrap().starts_with("AROA"));
    let (admin, retirable) = (s.admin.caller.clone(), json!({ "RetiringPrincipal": NEW }));
    let mine = s.core.call(&admin, Op::ListRetirableGrants, &retirable, T0 + 59_999).unwrap();
    assert_eq!(ids(&mine).len(), 1, "it is its own all the while");
    assert_eq!(shown(&mut s, T0 + 60_000), json!(NEW));
    assert!(s.core.recreate_principal(NEW));
    assert_eq!(shown(&mut s, T0 + 200_000), id, "and by the old id for ever, once it is another");
}

#[test]
fn a_new_principal_may_be_unknown_at_first() {
    let mut s = story();
    s.core.settings_mut().new_principals.unknown_ms = 8_000;
    s.core.put_role(NEW, IamPolicy::default(), &[], None);
    let session = "arn:aws:sts::111122223333:assumed-role/New/one";
    for member in ["GranteePrincipal", "RetiringPrincipal"] {
        for arn in [NEW, session] {
            let body = with(s.terms(), member, json!(arn));
            assert_eq!(create(&mut s, &body, T0 + 7_999).unwrap_err().code, "InvalidArnException");
        }
    }
    let body = with(s.terms(), "GranteePrincipal", json!(NEW));
    assert!(create(&mut s, &body, T0 + 8_000).is_ok());
}
