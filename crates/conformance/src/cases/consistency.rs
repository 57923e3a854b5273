//! Eventual consistency: a minute of it in the sandbox. Emulators have none.

use kms_sandbox::{EndUnseen, Propagation, RepeatAfterEnd};

use crate::case::{Answer, Case, Seen};
use crate::words::{Said as _, compare};
use crate::world::{Who, World};

const GUIDE: &str = "guide: grants, \"Eventual consistency\"";
const DELETE: &str = "guide: grant-delete";
/// How long the views lag.
const LAG: i64 = 60_000;

pub(super) const CASES: &[Case] = &[
    Case::documented("consistency/new-grant-listed-later", GUIDE, "0, then 1", |w| {
        lag(w);
        w.make(w.grant())?;
        let at_once = w.count()?;
        w.pass(LAG);
        Ok(format!("{at_once}, then {}", w.count()?))
    })
    .emulators("1, then 1")
    .row(31),
    Case::documented(
        "consistency/new-grant-used-without-token",
        GUIDE,
        "AccessDeniedException",
        |w| {
            lag(w);
            w.make(w.grant())?;
            w.decrypt_as(Who::RoleB, None).said()
        },
    )
    .emulators("accepted")
    .row(31),
    Case::documented("consistency/new-grant-used-with-token", GUIDE, "accepted", |w| {
        lag(w);
        let token = w.make(w.grant())?.token;
        w.decrypt_as(Who::RoleB, Some(&token)).said()
    }),
    Case::documented("consistency/new-grant-used-later", GUIDE, "accepted", |w| {
        lag(w);
        w.make(w.grant())?;
        w.pass(LAG);
        w.decrypt_as(Who::RoleB, None).said()
    }),
    Case::documented("consistency/new-grant-retired-by-token", DELETE, "accepted", |w| {
        lag(w);
        let token = w.make(w.grant())?.token;
        w.retire_token(Who::Admin, &token).said()
    }),
    Case::documented("consistency/retired-before-seen-never-appears", DELETE, "0", |w| {
        lag(w);
        let token = w.make(w.grant())?.token;
        w.retire_token(Who::Admin, &token)?;
        w.pass(2 * LAG);
        Ok(w.count()?.to_string())
    }),
    Case::unconfirmed("consistency/new-grant-retired-by-id", UNSEEN, ANSWERS_UNSEEN, |w| {
        lag(w);
        let id = w.make(w.grant())?.id;
        w.retire_by(Who::Admin, &id).said()
    }),
    Case::unconfirmed("consistency/new-grant-revoked", UNSEEN, ANSWERS_UNSEEN, |w| {
        lag(w);
        let id = w.make(w.grant())?.id;
        w.revoke(&id).said()
    }),
    Case::documented(
        "consistency/revoked-grant-used",
        DELETE,
        "accepted, then AccessDeniedException",
        |w| {
            let id = w.make(w.grant())?.id;
            lag(w);
            w.revoke(&id)?;
            then(w, |w| w.decrypt_as(Who::RoleB, None).said())
        },
    )
    .emulators("accepted, then accepted")
    .row(31),
    Case::documented(
        "consistency/revoked-grant-used-with-token",
        "guide: grant-delete: a token takes precedence until all endpoints have the end",
        "accepted, then InvalidGrantTokenException",
        |w| {
            let made = w.make(w.grant())?;
            lag(w);
            w.revoke(&made.id)?;
            then(w, |w| w.decrypt_as(Who::RoleB, Some(&made.token)).said())
        },
    )
    .emulators("accepted, then accepted")
    .row(31),
    Case::documented("consistency/revoked-grant-listed", DELETE, "1, then 0", |w| {
        let id = w.make(w.grant())?.id;
        lag(w);
        w.revoke(&id)?;
        then(w, |w| Ok(w.count()?.to_string()))
    })
    .emulators("0, then 0")
    .row(31),
    Case::unconfirmed(
        "consistency/revoked-again-at-once",
        "a second end while the first propagates: recorded nowhere",
        &[
            Answer::new("end_again_accepted=true", "accepted", |u| u.end_again_accepted = true),
            Answer::new("end_again_accepted=false", "NotFoundException", |u| {
                u.end_again_accepted = false;
            }),
        ],
        |w| {
            let id = w.make(w.grant())?.id;
            lag(w);
            w.revoke(&id)?;
            w.revoke(&id).said()
        },
    ),
    Case::unconfirmed(
        "consistency/named-repeat-at-once",
        "idempotency is promised; whether it has a window is not said",
        &[
            Answer::new("twins_before_propagation=true", "another id, another token", |u| {
                u.twins_before_propagation = true;
            }),
            Answer::new("twins_before_propagation=false", "same id, another token", |u| {
                u.twins_before_propagation = false;
            }),
        ],
        |w| {
            lag(w);
            let first = w.make(w.grant().name("n"))?;
            Ok(compare(&first, &w.make(w.grant().name("n"))?))
        },
    ),
    Case::documented(
        "consistency/named-repeat-later",
        "API CreateGrant, Name",
        "same id, another token",
        |w| {
            lag(w);
            let first = w.make(w.grant().name("n"))?;
            w.pass(LAG);
            Ok(compare(&first, &w.make(w.grant().name("n"))?))
        },
    )
    .moto("another id, another token")
    .row(1),
    Case::unconfirmed(
        "consistency/named-repeat-after-end-at-once",
        "the answer inside the window of the end is unknown",
        &[
            Answer::new("repeat_after_end=new-grant", "another id, another token", |u| {
                u.repeat_after_end = RepeatAfterEnd::NewGrant;
            }),
            Answer::new("repeat_after_end=dead-until-propagated", "same id, another token", |u| {
                u.repeat_after_end = RepeatAfterEnd::DeadUntilPropagated;
            }),
        ],
        |w| {
            let first = w.make(w.grant().name("n"))?;
            lag(w);
            w.revoke(&first.id)?;
            Ok(compare(&first, &w.make(w.grant().name("n"))?))
        },
    ),
    Case::unconfirmed(
        "consistency/named-repeat-after-end-later",
        "whether a Name is free again once its grant has ended: recorded nowhere",
        &[
            Answer::new("repeat_after_end=new-grant", "another id, another token", |u| {
                u.repeat_after_end = RepeatAfterEnd::NewGrant;
            }),
            Answer::new("repeat_after_end=dead-for-ever", "same id, another token", |u| {
                u.repeat_after_end = RepeatAfterEnd::DeadForEver;
            }),
        ],
        |w| {
            let first = w.make(w.grant().name("n"))?;
            w.revoke(&first.id)?;
            w.pass(LAG);
            Ok(compare(&first, &w.make(w.grant().name("n"))?))
        },
    ),
];

const UNSEEN: &str = "guide: grants: AccessDenied for managing a new grant; NotFound is likely too";
const ANSWERS_UNSEEN: &[Answer] = &[
    Answer::new("end_unseen=not-found", "NotFoundException", |u| {
        u.end_unseen = EndUnseen::NotFound;
    }),
    Answer::new("end_unseen=access-denied", "AccessDeniedException", |u| {
        u.end_unseen = EndUnseen::AccessDenied;
    }),
    Answer::new("end_unseen=accepted", "accepted", |u| u.end_unseen = EndUnseen::Accepted),
];

fn lag(w: &World) {
    let ms = u32::try_from(LAG).unwrap_or(u32::MAX);
    w.behind(|core| core.settings_mut().propagation = Propagation::fixed(ms));
}

/// The same at once, and after the lag.
fn then(w: &World, ask: impl Fn(&World) -> Seen) -> Seen {
    let word = |seen: Seen| seen.unwrap_or_else(|refused| refused.to_string());
    let at_once = word(ask(w));
    w.pass(LAG);
    Ok(format!("{at_once}, then {}", word(ask(w))))
}
