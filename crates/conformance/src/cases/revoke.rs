//! RevokeGrant: anyone with the permission, any grant of the key.

use crate::case::{Answer, Case, Seen};
use crate::words::Said as _;
use crate::world::{OTHER_ACCOUNT, REGION, Who, World};

const API: &str = "API RevokeGrant";
const GONE: &str = "Terraform: delete treats NotFoundException, and nothing else, as gone";
const UNKNOWN: &str = "0000000000000000000000000000000000000000000000000000000000000000";
const ERRORS: &str = "API RevokeGrant, InvalidGrantIdException: the grant id is not valid";

pub(super) const CASES: &[Case] = &[
    Case::documented("revoke-grant/ends-it", API, "0 left", |w| {
        let id = w.make(w.grant())?.id;
        w.revoke(&id)?;
        Ok(format!("{} left", w.count()?))
    }),
    Case::documented("revoke-grant/ends-no-other", API, "1 left", |w| {
        let id = w.make(w.grant())?.id;
        w.make(w.grant())?;
        w.revoke(&id)?;
        Ok(format!("{} left", w.count()?))
    }),
    Case::documented(
        "revoke-grant/response",
        "API RevokeGrant: 200 with an empty body",
        "empty",
        |w| {
            let id = w.make(w.grant())?.id;
            w.revoke(&id)?;
            Ok(body(w))
        },
    )
    .emulators("{}"),
    Case::documented("revoke-grant/key-id/bare-id", API, "accepted", |w| {
        let id = w.make(w.grant())?.id;
        with_key(w, w.key_id(), &id)
    }),
    Case::documented("revoke-grant/key-id/alias", API, "refused", |w| {
        let id = w.make(w.grant())?.id;
        w.ask(w.kms().revoke_grant().key_id(&w.alias).grant_id(id).send()).allowed()
    })
    .moto("accepted")
    .row(12),
    Case::documented("revoke-grant/key-id/absent", API, "ValidationException", |w| {
        let id = w.make(w.grant())?.id;
        w.ask(w.kms().revoke_grant().grant_id(id).send()).said()
    })
    .ministack("NotFoundException")
    .moto("HTTP 500")
    .row(10),
    Case::documented("revoke-grant/key-id/unknown", API, "NotFoundException", |w| {
        with_key(w, "00000000-0000-4000-8000-000000000000", UNKNOWN)
    })
    .moto("HTTP 500")
    .row(10),
    Case::recorded(
        "revoke-grant/key-id/no-uuid",
        "LocalStack, test recorded at AWS: Invalid keyId '…'",
        "NotFoundException",
        |w| with_key(w, "invalid", UNKNOWN),
    )
    .moto("HTTP 500")
    .row(10),
    Case::documented("revoke-grant/key-id/malformed-arn", API, "InvalidArnException", |w| {
        with_key(w, "arn:aws:kms:nonsense", UNKNOWN)
    })
    .ministack("NotFoundException")
    .moto("HTTP 500")
    .row(10),
    Case::documented("revoke-grant/key-id/other-region", API, "NotFoundException", |w| {
        let id = w.make(w.grant())?.id;
        with_key(w, &w.key.replace(REGION, "eu-west-1"), &id)
    })
    .moto("accepted")
    .row(11),
    Case::documented("revoke-grant/key-id/other-account", API, "NotFoundException", |w| {
        let id = w.make(w.grant())?.id;
        with_key(w, &w.key.replace(w.account(), OTHER_ACCOUNT), &id)
    })
    .moto("accepted")
    .row(11),
    Case::documented(
        "revoke-grant/key-id/deleted-key",
        "guide: deleting-keys: the key and all its grants are gone",
        "NotFoundException",
        |w| {
            let id = w.make(w.grant())?.id;
            let request = w.kms().schedule_key_deletion().key_id(&w.key);
            w.ask(request.pending_window_in_days(7).send())?;
            w.pass(8 * 86_400_000);
            w.revoke(&id).said()
        },
    )
    .sandbox_only("a key is deleted seven days later at the earliest"),
    Case::recorded("revoke-grant/gone/revoked", GONE, "NotFoundException", |w| {
        let id = w.make(w.grant())?.id;
        w.revoke(&id)?;
        w.revoke(&id).said()
    })
    .row(13),
    Case::recorded("revoke-grant/gone/retired", GONE, "NotFoundException", |w| {
        let made = w.make(w.grant())?;
        w.retire_token(Who::Admin, &made.token)?;
        w.revoke(&made.id).said()
    })
    .row(13),
    Case::recorded("revoke-grant/gone/never-was", GONE, "NotFoundException", |w| {
        w.revoke(UNKNOWN).said()
    })
    .row(13),
    Case::documented("revoke-grant/grant-id/malformed", ERRORS, "InvalidGrantIdException", |w| {
        w.revoke("no-grant-id").said()
    })
    .emulators("NotFoundException")
    .row(13),
    Case::documented("revoke-grant/grant-id/empty", API, "ValidationException", |w| {
        w.revoke("").said()
    })
    .emulators("NotFoundException")
    .row(13),
    Case::documented("revoke-grant/grant-id/absent", API, "ValidationException", |w| {
        w.ask(w.kms().revoke_grant().key_id(&w.key).send()).said()
    })
    .emulators("NotFoundException")
    .row(13),
    Case::documented("revoke-grant/grant-id/129-characters", API, "ValidationException", |w| {
        w.revoke(&"0".repeat(129)).said()
    })
    .emulators("NotFoundException"),
    Case::unconfirmed(
        "revoke-grant/grant-id/of-another-key",
        "NotFoundException or InvalidGrantIdException: recorded nowhere",
        FOREIGN,
        |w| {
            let id = w.make(w.grant().key_id(w.new_key(&[])?))?.id;
            w.revoke(&id).said()
        },
    )
    .row(13),
    Case::documented("revoke-grant/grant-id/of-another-key-lives-on", API, "1", |w| {
        let other = w.new_key(&[])?;
        let id = w.make(w.grant().key_id(&other))?.id;
        // Whatever it answers.
        drop(w.revoke(&id));
        let page = w.ask(w.kms().list_grants().key_id(other).send())?;
        Ok(page.grants().len().to_string())
    }),
    Case::documented("revoke-grant/who/administrator", API, "accepted", |w| who(w, Who::Admin)),
    Case::documented("revoke-grant/who/permission-alone", API, "accepted", |w| {
        who(w, Who::Revoker)
    }),
    Case::documented("revoke-grant/who/root", API, "accepted", |w| who(w, Who::Root)),
    Case::documented("revoke-grant/who/grantee", API, "AccessDeniedException", |w| {
        who(w, Who::RoleB)
    })
    .emulators("accepted")
    .row(29),
    Case::documented("revoke-grant/who/retiring-principal", API, "AccessDeniedException", |w| {
        who(w, Who::Grantd)
    })
    .emulators("accepted")
    .row(29),
    Case::documented(
        "revoke-grant/dry-run/gone",
        "guide: testing-permissions",
        "NotFoundException",
        |w| {
            let id = w.make(w.grant())?.id;
            w.revoke(&id)?;
            w.ask(w.kms().revoke_grant().key_id(&w.key).grant_id(id).dry_run(true).send()).said()
        },
    )
    .row(9),
];

pub(super) const FOREIGN: &[Answer] = &[
    Answer::new("foreign_grant_id_is_invalid=true", "InvalidGrantIdException", |u| {
        u.foreign_grant_id_is_invalid = true;
    }),
    Answer::new("foreign_grant_id_is_invalid=false", "NotFoundException", |u| {
        u.foreign_grant_id_is_invalid = false;
    }),
];

fn with_key(w: &World, key: &str, id: &str) -> Seen {
    w.ask(w.kms().revoke_grant().key_id(key).grant_id(id).send()).said()
}

pub(super) fn body(w: &World) -> String {
    let body = w.body();
    if body.is_empty() { "empty".to_owned() } else { body }
}

/// The grant has RoleB as grantee and grantd as retiring principal.
fn who(w: &World, who: Who) -> Seen {
    let id = w.make(w.grant().retiring_principal(w.iam("role/grantd")))?.id;
    w.revoke_by(who, &id).said()
}
