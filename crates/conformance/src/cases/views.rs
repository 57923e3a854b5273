//! What depends on which endpoint of KMS answers, on how new a principal is, and on the Region. And
//! the questions about ends and tokens that no source answers.

use kms_sandbox::{IamPolicy, ListUnknown};

use crate::case::{Answer, Case, Seen};
use crate::words::Said as _;
use crate::world::{REGION, Refused, Who, World};

const GUIDE: &str = "guide: grants: until all endpoints hold the new state";
const ONE: &str = "an emulator is one endpoint";
const NEW: &str = "emulators know no principals";
const UNKNOWN: &str = "0000000000000000000000000000000000000000000000000000000000000000";

pub(super) const CASES: &[Case] = &[
    Case::documented("endpoints/new-grant-listed", GUIDE, "1 at one, 0 at another", |w| {
        endpoints(w);
        w.make(w.grant())?;
        at_both(w, |w| Ok(w.count()?.to_string()))
    })
    .sandbox_only(ONE),
    Case::documented(
        "endpoints/new-grant-used",
        GUIDE,
        "accepted at one, AccessDeniedException at another",
        |w| {
            endpoints(w);
            w.make(w.grant())?;
            at_both(w, |w| w.decrypt_as(Who::RoleB, None).said())
        },
    )
    .sandbox_only(ONE),
    Case::documented(
        "endpoints/new-grant-used-with-token",
        GUIDE,
        "accepted at one, accepted at another",
        |w| {
            endpoints(w);
            let token = w.make(w.grant())?.token;
            at_both(w, |w| w.decrypt_as(Who::RoleB, Some(&token)).said())
        },
    )
    .sandbox_only(ONE),
    Case::documented(
        "endpoints/revoked-grant-used",
        GUIDE,
        "AccessDeniedException at one, accepted at another",
        |w| {
            let id = w.make(w.grant())?.id;
            // Until the endpoint that lags has heard of the grant.
            w.pass(60_000);
            endpoints(w);
            w.revoke(&id)?;
            at_both(w, |w| w.decrypt_as(Who::RoleB, None).said())
        },
    )
    .sandbox_only(ONE),
    Case::recorded(
        "principal/new-role-as-grantee",
        "Terraform: retries InvalidArn for roles that KMS cannot see yet",
        "InvalidArnException, then accepted",
        |w| {
            w.behind(|core| core.settings_mut().new_principals.unknown_ms = 30_000);
            new_role(w);
            let at_once = w.make(w.grant().grantee_principal(w.iam("role/New"))).said();
            w.pass(31_000);
            w.make(w.grant().grantee_principal(w.iam("role/New")))?;
            Ok(format!("{}, then accepted", words(at_once)))
        },
    )
    .sandbox_only(NEW),
    Case::recorded(
        "principal/new-role-shown-as",
        "Terraform pull request 3038: unique ids for about a minute",
        "AROA, then arn:",
        |w| {
            w.behind(|core| core.settings_mut().new_principals.shown_as_id_ms = 60_000);
            new_role(w);
            w.make(w.grant().grantee_principal(w.iam("role/New")))?;
            let shown = |w: &World| -> Result<String, Refused> {
                let grantee = w.entry()?.grantee_principal.unwrap_or_default();
                Ok(grantee.chars().take(4).collect())
            };
            let at_once = shown(w)?;
            w.pass(61_000);
            Ok(format!("{at_once}, then {}", shown(w)?))
        },
    )
    .sandbox_only(NEW),
    Case::documented(
        "multi-region/key-id",
        "guide: multi-region-keys-overview: ids begin with mrk-",
        "mrk-",
        |w| Ok(multi_region(w)?.rsplit('/').next().unwrap_or_default().chars().take(4).collect()),
    ),
    Case::documented(
        "multi-region/grants-are-of-one-region",
        "guide: multi-region-keys-auth: a grant is on one key in one Region",
        "NotFoundException",
        |w| {
            let key = multi_region(w)?;
            let id = w.make(w.grant().key_id(&key))?.id;
            let elsewhere = key.replace(REGION, "eu-west-1");
            w.ask(w.kms().revoke_grant().key_id(elsewhere).grant_id(id).send()).said()
        },
    )
    .moto("accepted"),
    Case::documented(
        "describe-key/predefined-alias",
        "API DescribeKeyRequest$KeyId: KMS makes the AWS managed key",
        "managed by AWS",
        |w| {
            let key = w.ask(w.kms().describe_key().key_id("alias/aws/s3").send())?.key_metadata;
            let manager = key.and_then(|key| key.key_manager);
            Ok(format!("managed by {}", manager.map_or("nobody".into(), |m| m.to_string())))
        },
    )
    .ministack("NotFoundException")
    .moto("managed by CUSTOMER"),
    Case::unconfirmed(
        "revoke-grant/gone/code",
        "NotFoundException by Terraform's word; the API lists InvalidGrantIdException too",
        GONE,
        |w| {
            let id = w.make(w.grant())?.id;
            w.revoke(&id)?;
            w.revoke(&id).said()
        },
    )
    .row(13),
    Case::unconfirmed(
        "retire-grant/gone/code",
        "the API lists both errors, and says of neither that it is this one",
        GONE,
        |w| {
            let id = w.make(w.grant())?.id;
            w.retire_by(Who::Admin, &id)?;
            w.retire_by(Who::Admin, &id).said()
        },
    )
    .moto("accepted")
    .row(15),
    Case::unconfirmed(
        "list-grants/filter/grant-id-of-no-grant",
        "the API lists InvalidGrantIdException, and says of no id that it is that",
        &[
            Answer::new("list_unknown_grant_id=empty", "0 grants", |u| {
                u.list_unknown_grant_id = ListUnknown::Empty;
            }),
            Answer::new("list_unknown_grant_id=not-found", "NotFoundException", |u| {
                u.list_unknown_grant_id = ListUnknown::NotFound;
            }),
            Answer::new("list_unknown_grant_id=invalid-grant-id", "InvalidGrantIdException", |u| {
                u.list_unknown_grant_id = ListUnknown::InvalidGrantId;
            }),
        ],
        |w| {
            let page = w.ask(w.kms().list_grants().key_id(&w.key).grant_id(UNKNOWN).send())?;
            Ok(format!("{} grants", page.grants().len()))
        },
    )
    .row(8),
    Case::unconfirmed(
        "retire-grant/who/issuing-account-by-id",
        "LocalStack recorded an issuer who retires by token; none by key and id",
        &[
            Answer::new("issuer_needs_the_token=true", "AccessDeniedException", |u| {
                u.issuer_needs_the_token = true;
            }),
            Answer::new("issuer_needs_the_token=false", "accepted", |u| {
                u.issuer_needs_the_token = false;
            }),
        ],
        |w| {
            let id = w.make(w.grant())?.id;
            w.retire_by(Who::Admin, &id).said()
        },
    ),
];

const GONE: &[Answer] = &[
    Answer::new("gone_grant_id_is_invalid=true", "InvalidGrantIdException", |u| {
        u.gone_grant_id_is_invalid = true;
    }),
    Answer::new("gone_grant_id_is_invalid=false", "NotFoundException", |u| {
        u.gone_grant_id_is_invalid = false;
    }),
];

/// Two endpoints, the second a minute behind; the first answers.
fn endpoints(w: &World) {
    w.behind(|core| {
        core.settings_mut().endpoint_lags_ms = vec![0, 60_000];
        core.settings_mut().answering_endpoint = Some(0);
    });
}

fn words(seen: Seen) -> String {
    seen.unwrap_or_else(|refused| refused.to_string())
}

fn at_both(w: &World, ask: impl Fn(&World) -> Seen) -> Seen {
    w.pass(1);
    let one = words(ask(w));
    w.behind(|core| core.settings_mut().answering_endpoint = Some(1));
    Ok(format!("{one} at one, {} at another", words(ask(w))))
}

fn new_role(w: &World) {
    // A second later than all else: what is there from the beginning is not new.
    w.pass(1_000);
    w.behind(|core| core.put_role(&w.iam("role/New"), IamPolicy::default(), &[], None));
}

fn multi_region(w: &World) -> Result<String, Refused> {
    let made = w.ask(w.kms().create_key().multi_region(true).send())?;
    Ok(made.key_metadata.and_then(|key| key.arn).unwrap_or_default())
}
