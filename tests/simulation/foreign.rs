//! What others have on our key.

use std::collections::BTreeMap;

use kms_sandbox::{GrantTruth, Op, Story};
use serde_json::json;

use crate::clock::START;
use crate::world::World;

/// Somebody else's grants, some of which look like ours.
pub(crate) fn foreign_grants(story: &mut Story) -> BTreeMap<String, GrantTruth> {
    let (admin, key) = (story.admin.caller.clone(), story.key_arn.clone());
    let own = story.grantd.arn.clone();
    let names = [
        json!({ "Name": "terraform" }),
        json!({}),
        json!({ "Name": "grantd/other/g-000000000000/1/2026-11-23T11:00:00Z" }),
        json!({ "Name": "grantd/sim/nonsense", "RetiringPrincipal": own }),
        json!({ "Name": "grantd/sim/g-zzzzzzzzzzzz/1/2026-11-23T11:00:00Z" }),
    ];
    let made = names.into_iter().map(|extra| {
        let mut body = json!({
            "KeyId": key, "GranteePrincipal": "arn:aws:iam::111122223333:role/RoleA",
            "Operations": ["Decrypt"],
        });
        body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        let made = story.core.call(&admin, Op::CreateGrant, &body, START).unwrap();
        let id = made["GrantId"].as_str().unwrap().to_owned();
        let truth = story.core.grant(&id).unwrap();
        (id, truth)
    });
    made.collect()
}

/// Grants of others, some of which name our role, or bear Names like ours.
pub(crate) fn strangers(world: &World, n: usize) {
    let now = world.net.clock.now();
    let mut story = world.net.story.borrow_mut();
    let own = story.grantd.arn.clone();
    for i in 0..n {
        let mut entry = json!({
            "KeyId": world.key_arn, "GranteePrincipal": "arn:aws:iam::111122223333:role/RoleA",
            "Operations": ["Decrypt"],
        });
        let extra = match i % 5 {
            0 => json!({ "Name": "terraform" }),
            1 => json!({ "RetiringPrincipal": own, "Name": "grantd/sim/nonsense" }),
            2 => json!({ "RetiringPrincipal": own,
                "Name": "grantd/other/g-000000000000/1/2026-11-23T11:00:00Z" }),
            3 => json!({ "Name": "grantd/sim/g-zzzzzzzzzzzz/1/2026-11-23T13:00:00Z" }),
            // Ours in all but the issuer: another account's grant.
            _ => {
                json!({ "RetiringPrincipal": own, "IssuingAccount": "arn:aws:iam::999999999999:root",
                "Name": "grantd/sim/g-yyyyyyyyyyyy/1/2026-11-23T13:00:00Z" })
            }
        };
        entry.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        let ids = story.core.plant(&entry, 1, now).unwrap();
        for id in ids {
            let truth = story.core.grant(&id).unwrap();
            world.foreign.borrow_mut().insert(id, truth);
        }
    }
}
