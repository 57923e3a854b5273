//! RetireGrant: by token or by key and id; the grant itself says who may.

use aws_sdk_kms::types::GrantOperation;
use kms_sandbox::IamPolicy;

use super::revoke::{FOREIGN, body};
use crate::case::{Answer, Case, Seen};
use crate::words::Said as _;
use crate::world::{OTHER_ACCOUNT, REGION, Who, World};

const API: &str = "API RetireGrant";
const WHO: &str = "guide: grant-delete";
const ERRORS: &str = "API RetireGrant, InvalidGrantIdException: the grant id is not valid";
const GONE: &str = "API RetireGrant, NotFoundException";
const UNKNOWN: &str = "0000000000000000000000000000000000000000000000000000000000000000";

pub(super) const CASES: &[Case] = &[
    Case::recorded("retire-grant/by-token", "LocalStack, test recorded at AWS", "0 left", |w| {
        let token = w.make(w.grant())?.token;
        w.retire_token(Who::Admin, &token)?;
        Ok(format!("{} left", w.count()?))
    }),
    Case::documented("retire-grant/by-key-arn-and-id", API, "0 left", |w| {
        let id = w.make(w.grant())?.id;
        w.retire_by(Who::Admin, &id)?;
        Ok(format!("{} left", w.count()?))
    }),
    Case::unconfirmed(
        "retire-grant/by-bare-key-id",
        "the operation's text takes a key id, the member's text an ARN",
        &[
            Answer::new("retire_takes_bare_key_id=true", "accepted", |u| {
                u.retire_takes_bare_key_id = true;
            }),
            Answer::new("retire_takes_bare_key_id=false", "InvalidArnException", |u| {
                u.retire_takes_bare_key_id = false;
            }),
        ],
        |w| {
            let id = w.make(w.grant())?.id;
            w.ask(w.kms().retire_grant().key_id(w.key_id()).grant_id(id).send()).said()
        },
    )
    .row(17),
    Case::documented(
        "retire-grant/response",
        "API RetireGrant: 200 with an empty body",
        "empty",
        |w| {
            let token = w.make(w.grant())?.token;
            w.retire_token(Who::Admin, &token)?;
            Ok(body(w))
        },
    )
    .emulators("{}"),
    Case::documented("retire-grant/nothing-given", API, "refused", |w| {
        w.ask(w.kms().retire_grant().send()).allowed()
    })
    .moto("HTTP 500")
    .row(16),
    Case::documented("retire-grant/id-alone", API, "refused", |w| {
        let id = w.make(w.grant())?.id;
        w.ask(w.kms().retire_grant().grant_id(id).send()).allowed()
    })
    .moto("HTTP 500")
    .row(16),
    Case::documented("retire-grant/key-alone", API, "refused", |w| {
        w.make(w.grant())?;
        w.ask(w.kms().retire_grant().key_id(&w.key).send()).allowed()
    })
    .moto("accepted"),
    Case::unconfirmed(
        "retire-grant/token-spent",
        "InvalidGrantTokenException or NotFoundException: recorded nowhere",
        &[
            Answer::new("spent_token_is_invalid=true", "InvalidGrantTokenException", |u| {
                u.spent_token_is_invalid = true;
            }),
            Answer::new("spent_token_is_invalid=false", "NotFoundException", |u| {
                u.spent_token_is_invalid = false;
            }),
        ],
        |w| {
            let token = w.make(w.grant())?.token;
            w.retire_token(Who::Admin, &token)?;
            w.retire_token(Who::Admin, &token).said()
        },
    )
    .moto("accepted")
    .row(14),
    Case::documented("retire-grant/token-bogus", API, "InvalidGrantTokenException", |w| {
        w.retire_token(Who::Admin, "bm8gdG9rZW4gb2YgYW55Ym9keQ==").said()
    })
    .moto("accepted")
    .row(14),
    Case::documented("retire-grant/token-no-base64", API, "InvalidGrantTokenException", |w| {
        w.retire_token(Who::Admin, "no token").said()
    })
    .moto("accepted")
    .row(14),
    Case::documented("retire-grant/token-empty", API, "ValidationException", |w| {
        w.retire_token(Who::Admin, "").said()
    })
    .moto("HTTP 500"),
    Case::documented("retire-grant/gone/retired", GONE, "NotFoundException", |w| {
        let id = w.make(w.grant())?.id;
        w.retire_by(Who::Admin, &id)?;
        w.retire_by(Who::Admin, &id).said()
    })
    .moto("accepted")
    .row(15),
    Case::documented("retire-grant/gone/revoked", GONE, "NotFoundException", |w| {
        let id = w.make(w.grant())?.id;
        w.revoke(&id)?;
        w.retire_by(Who::Admin, &id).said()
    })
    .moto("accepted")
    .row(15),
    Case::documented("retire-grant/gone/never-was", GONE, "NotFoundException", |w| {
        w.retire_by(Who::Admin, UNKNOWN).said()
    })
    .moto("accepted")
    .row(15),
    Case::documented("retire-grant/grant-id/malformed", ERRORS, "InvalidGrantIdException", |w| {
        w.retire_by(Who::Admin, "no-grant-id").said()
    })
    .ministack("NotFoundException")
    .moto("accepted")
    .row(15),
    Case::unconfirmed(
        "retire-grant/grant-id/of-another-key",
        "NotFoundException or InvalidGrantIdException: recorded nowhere",
        FOREIGN,
        |w| {
            let id = w.make(w.grant().key_id(w.new_key(&[])?))?.id;
            w.retire_by(Who::Admin, &id).said()
        },
    )
    .moto("accepted"),
    Case::documented("retire-grant/key-id/unknown", API, "NotFoundException", |w| {
        let unknown = "00000000-0000-4000-8000-000000000000";
        with_key(w, &w.key.replace(w.key_id(), unknown))
    })
    .moto("HTTP 500")
    .row(10),
    Case::documented("retire-grant/key-id/malformed-arn", API, "InvalidArnException", |w| {
        with_key(w, "arn:aws:kms:nonsense")
    })
    .ministack("NotFoundException")
    .moto("HTTP 500")
    .row(10),
    Case::documented("retire-grant/key-id/other-region", API, "NotFoundException", |w| {
        with_key(w, &w.key.replace(REGION, "eu-west-1"))
    })
    .moto("accepted")
    .row(11),
    Case::documented("retire-grant/key-id/other-account", API, "NotFoundException", |w| {
        with_key(w, &w.key.replace(w.account(), OTHER_ACCOUNT))
    })
    .moto("accepted")
    .row(11),
    Case::documented("retire-grant/who/retiring-principal", WHO, "accepted", |w| {
        who(w, Who::Grantd, &[])
    }),
    Case::documented("retire-grant/who/retiring-principal-by-id", WHO, "accepted", |w| {
        let id = w.make(w.grant().retiring_principal(w.iam("role/grantd")))?.id;
        w.retire_by(Who::Grantd, &id).said()
    }),
    Case::documented("retire-grant/who/grantee-with-retire-grant", WHO, "accepted", |w| {
        who(w, Who::RoleB, &[GrantOperation::RetireGrant])
    }),
    Case::documented("retire-grant/who/grantee-without", WHO, "AccessDeniedException", |w| {
        who(w, Who::RoleB, &[])
    })
    .emulators("accepted")
    .row(29),
    Case::documented(
        "retire-grant/who/anybody-with-the-token",
        WHO,
        "AccessDeniedException",
        |w| who(w, Who::RoleA, &[]),
    )
    .emulators("accepted")
    .row(29),
    Case::documented("retire-grant/who/issuing-account-root", WHO, "accepted", |w| {
        who(w, Who::Root, &[])
    }),
    Case::documented("retire-grant/who/issuing-account-delegates", WHO, "accepted", |w| {
        who(w, Who::Admin, &[])
    }),
    Case::documented(
        "retire-grant/who/key-policy-is-not-asked",
        WHO,
        "AccessDeniedException",
        |w| {
            let allow = |who: &str, action: &str| {
                let principal = serde_json::json!({ "AWS": w.iam(who) });
                serde_json::json!({
                    "Effect": "Allow", "Principal": principal, "Action": action, "Resource": "*",
                })
            };
            let statements = [allow("root", "kms:*"), allow("role/RoleA", "kms:RetireGrant")];
            let policy = serde_json::json!({ "Version": "2012-10-17", "Statement": statements });
            let request = w.kms().put_key_policy().key_id(w.key_id()).policy(policy.to_string());
            w.ask(request.send())?;
            who(w, Who::RoleA, &[])
        },
    )
    .ministack("accepted")
    .moto("NotFoundException")
    .row(29),
    Case::documented("retire-grant/who/iam-deny-blocks", WHO, "AccessDeniedException", |w| {
        w.behind(|core| {
            let denied = IamPolicy::default().deny(["kms:RetireGrant"]);
            core.put_role(&w.iam("role/grantd"), denied, &[], None);
        });
        who(w, Who::Grantd, &[])
    })
    .emulators("accepted")
    .row(29),
    Case::documented("retire-grant/who/session-as-retiring-principal", WHO, "accepted", |w| {
        let session = format!("arn:aws:sts::{}:assumed-role/grantd/story", w.account());
        let token = w.make(w.grant().retiring_principal(session))?.token;
        w.retire_token(Who::Grantd, &token).said()
    }),
    Case::documented("retire-grant/who/another-session", WHO, "AccessDeniedException", |w| {
        let session = format!("arn:aws:sts::{}:assumed-role/grantd/other", w.account());
        let token = w.make(w.grant().retiring_principal(session))?.token;
        w.retire_token(Who::Grantd, &token).said()
    })
    .emulators("accepted")
    .row(29),
];

fn with_key(w: &World, key: &str) -> Seen {
    let id = w.make(w.grant())?.id;
    w.ask(w.kms().retire_grant().key_id(key).grant_id(id).send()).said()
}

/// The grant has RoleB as grantee and grantd as retiring principal; retired by token.
fn who(w: &World, who: Who, operations: &[GrantOperation]) -> Seen {
    let request = w.grant().retiring_principal(w.iam("role/grantd"));
    let request = operations.iter().fold(request, |request, op| request.operations(op.clone()));
    let token = w.make(request)?.token;
    w.retire_token(who, &token).said()
}
