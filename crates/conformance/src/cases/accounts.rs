//! Two accounts, and principals that are deleted. Emulators know neither.

use kms_sandbox::{IamPolicy, Op};

use crate::case::{Answer, Case};
use crate::words::Said as _;
use crate::world::{OTHER_ACCOUNT, Refused, Who, World};

const CROSS: &str = "guide: key-policy-modifying-external-accounts";
const DECAY: &str = "Terraform issue 29340, and a published ListGrants output";
const ONE_ACCOUNT: &str = "emulators have one account, or let every account do everything";
const NO_PRINCIPALS: &str = "emulators know no principals";

pub(super) const CASES: &[Case] = &[
    Case::documented("cross-account/key-policy-and-iam", CROSS, "accepted", |w| {
        let_stranger(w)?;
        w.make(w.grant_by(Who::Stranger)).said()
    })
    .sandbox_only(ONE_ACCOUNT),
    Case::documented("cross-account/key-policy-alone", CROSS, "AccessDeniedException", |w| {
        let_stranger(w)?;
        w.behind(|core| core.put_user(&stranger(), IamPolicy::default()));
        w.make(w.grant_by(Who::Stranger)).said()
    })
    .sandbox_only(ONE_ACCOUNT),
    Case::documented("cross-account/iam-alone", CROSS, "AccessDeniedException", |w| {
        w.make(w.grant_by(Who::Stranger)).said()
    })
    .sandbox_only(ONE_ACCOUNT),
    Case::documented("cross-account/bare-id-is-ones-own", CROSS, "NotFoundException", |w| {
        let_stranger(w)?;
        w.make(w.grant_by(Who::Stranger).key_id(w.key_id())).said()
    })
    .sandbox_only(ONE_ACCOUNT),
    Case::documented(
        "cross-account/issuing-account-is-the-callers",
        "API GrantListEntry$IssuingAccount",
        "the other account's root",
        |w| {
            let_stranger(w)?;
            w.make(w.grant_by(Who::Stranger))?;
            let issuer = w.entry()?.issuing_account.unwrap_or_default();
            let root = format!("arn:aws:iam::{OTHER_ACCOUNT}:root");
            Ok(if issuer == root { "the other account's root".to_owned() } else { issuer })
        },
    )
    .sandbox_only(ONE_ACCOUNT),
    Case::documented("cross-account/issuer-retires", "guide: grant-delete", "accepted", |w| {
        let_stranger(w)?;
        let token = w.make(w.grant_by(Who::Stranger))?.token;
        w.retire_token(Who::Stranger, &token).said()
    })
    .sandbox_only(ONE_ACCOUNT),
    Case::documented(
        "cross-account/key-owner-cannot-retire",
        "guide: grant-delete: a policy alone cannot allow it",
        "AccessDeniedException",
        |w| {
            let_stranger(w)?;
            let token = w.make(w.grant_by(Who::Stranger))?.token;
            w.retire_token(Who::Admin, &token).said()
        },
    )
    .sandbox_only(ONE_ACCOUNT),
    Case::documented("cross-account/key-owner-revokes", "API RevokeGrant", "accepted", |w| {
        let_stranger(w)?;
        let id = w.make(w.grant_by(Who::Stranger))?.id;
        w.revoke(&id).said()
    })
    .sandbox_only(ONE_ACCOUNT),
    Case::documented("cross-account/stranger-revokes-by-arn", "API RevokeGrant", "accepted", |w| {
        let_stranger(w)?;
        let id = w.make(w.grant())?.id;
        w.revoke_by(Who::Stranger, &id).said()
    })
    .sandbox_only(ONE_ACCOUNT),
    Case::documented("cross-account/grantee-uses", CROSS, "accepted", |w| {
        w.make(w.grant().grantee_principal(stranger()))?;
        w.decrypt_as(Who::Stranger, None).said()
    })
    .sandbox_only(ONE_ACCOUNT),
    Case::documented(
        "cross-account/retiring-principal-retires",
        "API RetireGrant",
        "accepted",
        |w| {
            let token = w.make(w.grant().retiring_principal(stranger()))?.token;
            w.retire_token(Who::Stranger, &token).said()
        },
    )
    .sandbox_only(ONE_ACCOUNT),
    Case::documented(
        "cross-account/retirable-lists-all-owners",
        "API ListRetirableGrants: all keys, all owner accounts",
        "1",
        |w| {
            w.make(w.grant().retiring_principal(stranger()))?;
            let request = w.kms_as(Who::Stranger).list_retirable_grants();
            let page = w.ask(request.retiring_principal(stranger()).send())?;
            Ok(page.grants().len().to_string())
        },
    )
    .sandbox_only(ONE_ACCOUNT),
    Case::documented(
        "cross-account/caller-is-throttled",
        "guide: requests-per-second: the calling account, not the key's owner",
        "ThrottlingException, accepted",
        |w| {
            let_stranger(w)?;
            w.behind(|core| core.settings_mut().quotas = [(Op::CreateGrant, 1)].into());
            w.make(w.grant_by(Who::Stranger))?;
            let throttled = w.make(w.grant_by(Who::Stranger)).said();
            let throttled = throttled.unwrap_or_else(|refused| refused.to_string());
            w.make(w.grant())?;
            Ok(format!("{throttled}, accepted"))
        },
    )
    .sandbox_only(ONE_ACCOUNT),
    Case::recorded("principal/deleted-grantee-shown-as", DECAY, "AROA", |w| {
        w.make(w.grant())?;
        delete(w, "role/RoleB");
        Ok(prefix(w.entry()?.grantee_principal))
    })
    .sandbox_only(NO_PRINCIPALS),
    Case::recorded("principal/recreated-grantee-shown-as", DECAY, "AROA", |w| {
        w.make(w.grant())?;
        w.behind(|core| {
            core.recreate_principal(&w.iam("role/RoleB"));
        });
        Ok(prefix(w.entry()?.grantee_principal))
    })
    .sandbox_only(NO_PRINCIPALS),
    Case::recorded("principal/deleted-session-shown-as", DECAY, "AROA:one", |w| {
        let session = format!("arn:aws:sts::{}:assumed-role/RoleB/one", w.account());
        w.make(w.grant().grantee_principal(session))?;
        delete(w, "role/RoleB");
        let shown = w.entry()?.grantee_principal.unwrap_or_default();
        let session = shown.split_once(':').map_or("none", |(_, session)| session).to_owned();
        Ok(format!("{}:{session}", prefix(Some(shown))))
    })
    .sandbox_only(NO_PRINCIPALS),
    Case::documented(
        "principal/deleted-user-shown-as",
        "IAM guide: reference_identifiers, AIDA for users",
        "AIDA",
        |w| {
            w.make(w.grant().grantee_principal(w.iam("user/grantd-host")))?;
            delete(w, "user/grantd-host");
            Ok(prefix(w.entry()?.grantee_principal))
        },
    )
    .sandbox_only(NO_PRINCIPALS),
    Case::recorded("principal/deleted-retiring-shown-as", DECAY, "AROA", |w| {
        w.make(w.grant().retiring_principal(w.iam("role/grantd")))?;
        delete(w, "role/grantd");
        Ok(prefix(w.entry()?.retiring_principal))
    })
    .sandbox_only(NO_PRINCIPALS),
    Case::unconfirmed(
        "principal/filter-by-deleted-grantee",
        "whether the filter still matches what is shown as a unique id is not said",
        &[
            Answer::new("filter_matches_decayed=true", "1", |u| u.filter_matches_decayed = true),
            Answer::new("filter_matches_decayed=false", "0", |u| u.filter_matches_decayed = false),
        ],
        |w| {
            w.make(w.grant())?;
            delete(w, "role/RoleB");
            let request = w.kms().list_grants().key_id(&w.key);
            let page = w.ask(request.grantee_principal(w.iam("role/RoleB")).send())?;
            Ok(page.grants().len().to_string())
        },
    )
    .sandbox_only(NO_PRINCIPALS),
    Case::documented(
        "principal/dead-grant-counts",
        "guide: resource-limits: every grant on the key",
        "LimitExceededException",
        |w| {
            w.behind(|core| core.settings_mut().grants_per_key = 1);
            w.make(w.grant())?;
            delete(w, "role/RoleB");
            w.make(w.grant().grantee_principal(w.iam("role/RoleA"))).said()
        },
    )
    .sandbox_only(NO_PRINCIPALS),
];

fn stranger() -> String {
    format!("arn:aws:iam::{OTHER_ACCOUNT}:user/admin")
}

/// The key policy lets the other account's administrator do everything, if his own IAM policy does.
fn let_stranger(w: &World) -> Result<(), Refused> {
    let policy = serde_json::json!({ "Version": "2012-10-17", "Statement": [{
        "Effect": "Allow",
        "Principal": { "AWS": [w.iam("root"), stranger()] },
        "Action": "kms:*",
        "Resource": "*",
    }]});
    let request = w.kms().put_key_policy().key_id(w.key_id()).policy(policy.to_string());
    w.ask(request.send()).map(drop)
}

fn delete(w: &World, what: &str) {
    w.behind(|core| {
        core.delete_principal(&w.iam(what));
    });
}

/// The kind of a unique id: its first four letters.
fn prefix(shown: Option<String>) -> String {
    shown.unwrap_or_default().chars().take(4).collect()
}
