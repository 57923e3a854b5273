//! ListRetirableGrants: across keys, for one principal.

use std::collections::BTreeSet;

use aws_sdk_kms::operation::list_retirable_grants::ListRetirableGrantsOutput;

use crate::case::{Case, Seen};
use crate::words::{Made, Said as _, ids};
use crate::world::{OTHER_ACCOUNT, Refused, Who, World};

const API: &str = "API ListRetirableGrants";

pub(super) const CASES: &[Case] = &[
    Case::documented("list-retirable-grants/across-keys", API, "both keys, its own only", |w| {
        let mine = [retirable(w, &w.key)?.id, retirable(w, &w.new_key(&[])?)?.id];
        w.make(w.grant())?;
        w.make(w.grant().retiring_principal(w.iam("user/admin")))?;
        // An emulator's principal is every case's own by its key, not by its name.
        let found = ids(of(w, &retiree(w))?.grants());
        let own = found == BTreeSet::from(mine);
        Ok(if own {
            "both keys, its own only".to_owned()
        } else {
            format!("{} grants", found.len())
        })
    })
    .ministack("InvalidAction")
    .row(28),
    Case::documented("list-retirable-grants/after-retire", API, "0", |w| {
        let id = retirable(w, &w.key)?.id;
        w.retire_by(Who::Admin, &id)?;
        Ok(of(w, &retiree(w))?.grants().len().to_string())
    })
    .ministack("InvalidAction"),
    Case::documented("list-retirable-grants/no-principal", API, "ValidationException", |w| {
        w.ask(w.kms().list_retirable_grants().send()).said()
    })
    .ministack("InvalidAction")
    .moto("accepted")
    .row(27),
    Case::documented("list-retirable-grants/garbage-principal", API, "refused", |w| {
        of(w, "nobody").allowed()
    })
    .moto("accepted")
    .row(27),
    Case::documented("list-retirable-grants/pattern", API, "ValidationException", |w| {
        of(w, "no body").said()
    })
    .ministack("InvalidAction")
    .moto("accepted"),
    Case::documented("list-retirable-grants/other-account", API, "refused", |w| {
        of(w, &format!("arn:aws:iam::{OTHER_ACCOUNT}:user/admin")).allowed()
    })
    .moto("accepted"),
    Case::documented("list-retirable-grants/service-by-a-user", API, "refused", |w| {
        let request = w.kms().list_retirable_grants();
        w.ask(request.retiring_service_principal("dynamodb.amazonaws.com").send()).allowed()
    })
    .moto("accepted"),
    Case::documented("list-retirable-grants/limit-1", API, "1, truncated, then 1", |w| {
        retirable(w, &w.key)?;
        retirable(w, &w.new_key(&[])?)?;
        let request = || w.kms().list_retirable_grants().retiring_principal(retiree(w)).limit(1);
        let first = w.ask(request().send())?;
        let cut = if first.truncated { ", truncated" } else { "" };
        let Some(marker) = first.next_marker.clone() else {
            return Ok(format!("{}{cut}, no marker", first.grants().len()));
        };
        let second = w.ask(request().marker(marker).send())?;
        let disjoint = ids(first.grants()).is_disjoint(&ids(second.grants()));
        let then = if disjoint && !second.truncated { "then" } else { "again" };
        Ok(format!("{}{cut}, {then} {}", first.grants().len(), second.grants().len()))
    })
    .ministack("InvalidAction")
    .moto("2, no marker")
    .row(27),
    Case::documented("list-retirable-grants/limit-0", API, "ValidationException", |w| limit(w, 0))
        .ministack("InvalidAction")
        .moto("accepted"),
    Case::documented("list-retirable-grants/limit-100", API, "accepted", |w| limit(w, 100))
        .ministack("InvalidAction"),
    Case::documented("list-retirable-grants/limit-101", API, "ValidationException", |w| {
        limit(w, 101)
    })
    .ministack("InvalidAction")
    .moto("accepted"),
    Case::documented("list-retirable-grants/bad-marker", API, "InvalidMarkerException", |w| {
        let request = w.kms().list_retirable_grants().retiring_principal(retiree(w));
        w.ask(request.marker("bm8gbWFya2Vy").send()).said()
    })
    .ministack("InvalidAction")
    .moto("accepted"),
    Case::documented(
        "list-retirable-grants/who/iam-alone",
        "API ListRetirableGrants: an IAM policy on Resource *",
        "AccessDeniedException",
        |w| {
            let request = w.kms_as(Who::RoleB).list_retirable_grants();
            w.ask(request.retiring_principal(retiree(w)).send()).said()
        },
    )
    .ministack("InvalidAction")
    .moto("accepted")
    .row(29),
    Case::documented(
        "list-retirable-grants/who/without-the-keys",
        "API ListRetirableGrants: access to the keys of the grants is not checked",
        "1",
        |w| {
            let id = retirable(w, &w.key)?.id;
            w.behind(|core| {
                let only = kms_sandbox::IamPolicy::allow(["kms:ListRetirableGrants"]);
                core.put_role(&w.iam("role/RoleB"), only, &[], None);
            });
            let request = w.kms_as(Who::RoleB).list_retirable_grants();
            let page = w.ask(request.retiring_principal(retiree(w)).send())?;
            Ok(page.grants().iter().filter(|g| g.grant_id() == Some(&id)).count().to_string())
        },
    )
    .ministack("InvalidAction"),
    Case::documented("list-retirable-grants/entry", API, "name n, key ARN, RoleB", |w| {
        retirable(w, &w.key)?;
        let page = of(w, &retiree(w))?;
        let Some(entry) = page.grants().first() else { return Ok("nothing".to_owned()) };
        let key = if entry.key_id() == Some(&w.key) { "key ARN" } else { "another key id" };
        let grantee = entry.grantee_principal().unwrap_or_default().rsplit('/').next();
        Ok(format!(
            "name {}, {key}, {}",
            entry.name().unwrap_or("none"),
            grantee.unwrap_or_default()
        ))
    })
    .ministack("InvalidAction")
    .moto("name n, another key id, RoleB"),
];

/// Emulators are shared by all cases and take any ARN: there each key has a retiree of its own.
fn retiree(w: &World) -> String {
    if w.handle().is_some() { w.iam("role/grantd") } else { w.iam(&format!("role/{}", w.key_id())) }
}

fn retirable(w: &World, key: &str) -> Result<Made, Refused> {
    w.make(w.grant().name("n").key_id(key).retiring_principal(retiree(w)))
}

fn of(w: &World, principal: &str) -> Result<ListRetirableGrantsOutput, Refused> {
    w.ask(w.kms().list_retirable_grants().retiring_principal(principal).send())
}

fn limit(w: &World, limit: i32) -> Seen {
    let request = w.kms().list_retirable_grants().retiring_principal(retiree(w));
    w.ask(request.limit(limit).send()).said()
}
