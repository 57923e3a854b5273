use serde_json::json;

use super::*;

fn unknown(entry: &Value) -> Vec<String> {
    unknown_members(entry.as_object().unwrap())
}

#[test]
fn what_kms_shows_today_is_known() {
    let whole = json!({
        "KeyId": "k", "GrantId": "g", "Name": "n", "CreationDate": 1.5, "GranteePrincipal": "a",
        "RetiringPrincipal": "b", "IssuingAccount": "c", "Operations": ["Decrypt", "Future"],
        "GranteeServicePrincipal": "d", "RetiringServicePrincipal": "e",
        "Constraints": { "EncryptionContextSubset": {}, "SourceArn": "s",
                         "EncryptionContextEquals": { "a": "b" } },
    });
    assert_eq!(unknown(&whole), [""; 0]);
    let nulls = json!({ "Name": null, "Constraints": null, "Operations": null, "New": null });
    assert_eq!(unknown(&nulls), [""; 0]);
    assert_eq!(unknown(&json!({ "Constraints": { "New": null } })), [""; 0]);
}

#[test]
fn every_member_that_a_typed_reader_would_drop_is_named() {
    for (entry, path) in [
        (json!({ "GrantType": "Standard" }), "GrantType"),
        (json!({ "granteePrincipal": "a" }), "granteePrincipal"),
        (json!({ "Operations": ["Decrypt", null] }), "Operations"),
        (json!({ "Constraints": [] }), "Constraints"),
        (json!({ "Constraints": { "SourceAccount": "1" } }), "Constraints.SourceAccount"),
        (
            json!({ "Constraints": { "EncryptionContextPrefix": { "a": "b" } } }),
            "Constraints.EncryptionContextPrefix",
        ),
        (
            json!({ "Constraints": { "encryptionContextEquals": { "a": "b" } } }),
            "Constraints.encryptionContextEquals",
        ),
        (
            json!({ "Constraints": { "EncryptionContextSubset": { "a": null } } }),
            "Constraints.EncryptionContextSubset",
        ),
        (
            json!({ "Constraints": { "EncryptionContextEquals": {} } }),
            "Constraints.EncryptionContextEquals",
        ),
        (json!({ "Constraints": { "SourceArn": ["s"] } }), "Constraints.SourceArn"),
    ] {
        assert_eq!(unknown(&entry), [path], "{entry}");
    }
}

#[test]
fn what_bounds_the_access_hides_its_terms() {
    let hides = |path: &str| hides_terms(&[path.to_owned()]);
    assert!(hides("Constraints.SourceAccount") && hides("Constraints") && hides("Operations"));
    assert!(!hides("GrantType") && !hides_terms(&[]));
}
