//! CreateGrant: what it answers, and what a dry run answers.

use serde_json::Value;

use crate::case::{Case, Seen};
use crate::words::Said as _;
use crate::world::{Who, World};

const API: &str = "API CreateGrantResponse";
const SAMPLES: &str = "API CreateGrant, ListGrants: every published sample";
const DRY: &str = "guide: testing-permissions";

pub(super) const CASES: &[Case] = &[
    Case::documented("create-grant/response/grant-id", SAMPLES, "64 hex characters", |w| {
        Ok(hex(&w.make(w.grant())?.id))
    })
    .moto("8 hex characters")
    .row(2),
    Case::documented(
        "create-grant/response/grant-token",
        API,
        "within 1 to 8192 characters",
        |w| {
            let length = w.make(w.grant())?.token.len();
            let fits = (1..=8_192).contains(&length);
            Ok(if fits { "within 1 to 8192 characters".to_owned() } else { format!("{length}") })
        },
    ),
    Case::documented(
        "create-grant/response/token-is-long",
        "API CreateGrant: the published sample has 300 characters of base64",
        "more than an id",
        |w| {
            let made = w.make(w.grant())?;
            let long = made.token.len() > 64;
            Ok(if long { "more than an id".to_owned() } else { hex(&made.token) })
        },
    )
    .ministack("64 characters")
    .moto("8 hex characters")
    .row(2),
    Case::documented("create-grant/response/members", API, "GrantId GrantToken", |w| {
        w.make(w.grant())?;
        Ok(members(&w.body()))
    }),
    Case::documented(
        "list-grants/response/members",
        "API ListGrantsResponse",
        "Grants Truncated",
        |w| {
            w.make(w.grant())?;
            w.page()?;
            Ok(members(&w.body()))
        },
    )
    .moto("GrantCount Grants Truncated")
    .row(32),
    Case::documented("create-grant/dry-run/would-succeed", DRY, "DryRunOperationException", |w| {
        w.make(w.grant().dry_run(true)).said()
    })
    .moto("accepted")
    .row(9),
    Case::documented("create-grant/dry-run/makes-nothing", DRY, "0", |w| {
        // Whatever it answers.
        drop(w.make(w.grant().dry_run(true)));
        Ok(w.count()?.to_string())
    })
    .moto("1")
    .row(9),
    Case::documented("create-grant/dry-run/invalid", DRY, "ValidationException", |w| {
        w.make(w.grant().name("a b").dry_run(true)).said()
    })
    .ministack("DryRunOperationException")
    .moto("accepted"),
    Case::documented("create-grant/dry-run/not-allowed", DRY, "AccessDeniedException", |w| {
        w.make(w.grant_by(Who::RoleB).dry_run(true)).said()
    })
    .ministack("DryRunOperationException")
    .moto("accepted")
    .row(29),
    Case::documented("revoke-grant/dry-run/would-succeed", DRY, "DryRunOperationException", |w| {
        let id = w.make(w.grant())?.id;
        dry_revoke(w, Who::Admin, &id)
    })
    .moto("accepted")
    .row(9),
    Case::documented("revoke-grant/dry-run/ends-nothing", DRY, "1", |w| {
        let id = w.make(w.grant())?.id;
        drop(dry_revoke(w, Who::Admin, &id));
        Ok(w.count()?.to_string())
    })
    .moto("0")
    .row(9),
    Case::documented("revoke-grant/dry-run/not-allowed", DRY, "AccessDeniedException", |w| {
        let id = w.make(w.grant())?.id;
        dry_revoke(w, Who::RoleB, &id)
    })
    .ministack("DryRunOperationException")
    .moto("accepted")
    .row(29),
    Case::documented("retire-grant/dry-run/would-succeed", DRY, "DryRunOperationException", |w| {
        let token = w.make(w.grant())?.token;
        dry_retire(w, Who::Admin, &token)
    })
    .moto("accepted")
    .row(9),
    Case::documented("retire-grant/dry-run/ends-nothing", DRY, "1", |w| {
        let token = w.make(w.grant())?.token;
        drop(dry_retire(w, Who::Admin, &token));
        Ok(w.count()?.to_string())
    })
    .moto("0")
    .row(9),
    Case::documented("retire-grant/dry-run/not-allowed", DRY, "AccessDeniedException", |w| {
        let token = w.make(w.grant())?.token;
        dry_retire(w, Who::RoleB, &token)
    })
    .ministack("DryRunOperationException")
    .moto("accepted")
    .row(29),
    Case::documented(
        "create-grant/who/nobody-lets",
        "API CreateGrant, required permissions",
        "AccessDeniedException",
        |w| w.make(w.grant_by(Who::RoleB)).said(),
    )
    .emulators("accepted")
    .row(29),
    Case::documented(
        "create-grant/who/iam-lets",
        "API CreateGrant, required permissions",
        "accepted",
        |w| w.make(w.grant_by(Who::Grantd)).said(),
    ),
];

fn hex(id: &str) -> String {
    let digits = id.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    format!("{} {}characters", id.len(), if digits { "hex " } else { "" })
}

fn members(body: &str) -> String {
    let value: Value = serde_json::from_str(body).unwrap_or_default();
    let mut names: Vec<&str> = value.as_object().into_iter().flatten().map(|(k, _)| &**k).collect();
    names.sort_unstable();
    names.join(" ")
}

fn dry_revoke(w: &World, who: Who, id: &str) -> Seen {
    let request = w.kms_as(who).revoke_grant().key_id(&w.key).grant_id(id);
    w.ask(request.dry_run(true).send()).said()
}

fn dry_retire(w: &World, who: Who, token: &str) -> Seen {
    w.ask(w.kms_as(who).retire_grant().grant_token(token).dry_run(true).send()).said()
}
