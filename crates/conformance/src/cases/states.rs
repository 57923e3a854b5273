//! The states of a key: grants are made in some, and can be ended in all.

use aws_sdk_kms::types::OriginType;
use kms_sandbox::KeyState;

use crate::case::{Answer, Case, Seen};
use crate::words::Said as _;
use crate::world::{Refused, Who, World};

const TABLE: &str = "guide (June 2023): key-state, the table";
const NO_DOOR: &str = "no call brings a key into this state";
const ALL_WORK: &str = "list, describe, revoke, retire";

pub(super) const CASES: &[Case] = &[
    Case::documented("key-state/create-grant/disabled", TABLE, "DisabledException", |w| {
        disable(w)?;
        w.make(w.grant()).said()
    })
    .moto("accepted")
    .row(18),
    Case::unconfirmed(
        "key-state/create-grant/pending-deletion",
        "the table names both errors for one cell",
        &[
            Answer::new("pending_deletion_is_disabled=true", "DisabledException", |u| {
                u.pending_deletion_is_disabled = true;
            }),
            Answer::new("pending_deletion_is_disabled=false", "KMSInvalidStateException", |u| {
                u.pending_deletion_is_disabled = false;
            }),
        ],
        |w| {
            schedule_deletion(w)?;
            w.make(w.grant()).said()
        },
    )
    .moto("accepted")
    .row(19),
    Case::documented(
        "key-state/create-grant/pending-import",
        TABLE,
        "KMSInvalidStateException",
        |w| w.make(w.grant().key_id(external(w)?)).said(),
    )
    .moto("accepted"),
    Case::documented("key-state/create-grant/unavailable", TABLE, "accepted", |w| {
        put(w, KeyState::Unavailable);
        w.make(w.grant()).said()
    })
    .sandbox_only(NO_DOOR),
    Case::documented("key-state/create-grant/creating", TABLE, "KMSInvalidStateException", |w| {
        put(w, KeyState::Creating);
        w.make(w.grant()).said()
    })
    .sandbox_only(NO_DOOR),
    Case::documented("key-state/create-grant/updating", TABLE, "accepted", |w| {
        put(w, KeyState::Updating);
        w.make(w.grant()).said()
    })
    .sandbox_only(NO_DOOR),
    Case::documented("key-state/create-grant/enabled-again", TABLE, "accepted", |w| {
        disable(w)?;
        w.ask(w.kms().enable_key().key_id(w.key_id()).send())?;
        w.make(w.grant()).said()
    }),
    Case::documented(
        "key-state/create-grant/deletion-cancelled",
        TABLE,
        "DisabledException",
        |w| {
            schedule_deletion(w)?;
            w.ask(w.kms().cancel_key_deletion().key_id(w.key_id()).send())?;
            w.make(w.grant()).said()
        },
    )
    .moto("accepted"),
    Case::documented("key-state/all-else/enabled", TABLE, ALL_WORK, |w| works(w, |_| Ok(()))),
    Case::documented("key-state/all-else/disabled", TABLE, ALL_WORK, |w| works(w, disable)).row(20),
    Case::documented("key-state/all-else/pending-deletion", TABLE, ALL_WORK, |w| {
        works(w, schedule_deletion)
    })
    .row(20),
    Case::documented("key-state/all-else/pending-import", TABLE, ALL_WORK, |w| {
        works_in(w, KeyState::PendingImport)
    })
    .sandbox_only("a key that waits for material never had a grant"),
    Case::documented("key-state/all-else/unavailable", TABLE, ALL_WORK, |w| {
        works_in(w, KeyState::Unavailable)
    })
    .sandbox_only(NO_DOOR),
    Case::documented("key-state/all-else/creating", TABLE, ALL_WORK, |w| {
        works_in(w, KeyState::Creating)
    })
    .sandbox_only(NO_DOOR),
    Case::documented("key-state/all-else/updating", TABLE, ALL_WORK, |w| {
        works_in(w, KeyState::Updating)
    })
    .sandbox_only(NO_DOOR),
    Case::documented(
        "key-state/grants-survive-disabling",
        "guide: enabling-keys: disabling is reversible and changes nothing else",
        "1",
        |w| {
            w.make(w.grant())?;
            disable(w)?;
            w.ask(w.kms().enable_key().key_id(w.key_id()).send())?;
            Ok(w.count()?.to_string())
        },
    ),
];

fn disable(w: &World) -> Result<(), Refused> {
    w.ask(w.kms().disable_key().key_id(w.key_id()).send()).map(drop)
}

fn schedule_deletion(w: &World) -> Result<(), Refused> {
    let request = w.kms().schedule_key_deletion().key_id(w.key_id());
    w.ask(request.pending_window_in_days(7).send()).map(drop)
}

fn external(w: &World) -> Result<String, Refused> {
    let made = w.ask(w.kms().create_key().origin(OriginType::External).send())?;
    Ok(made.key_metadata.and_then(|key| key.arn).unwrap_or_default())
}

fn put(w: &World, state: KeyState) {
    w.behind(|core| {
        core.set_key_state(&w.key, state);
    });
}

fn works_in(w: &World, state: KeyState) -> Seen {
    works(w, |w| {
        put(w, state);
        Ok(())
    })
}

/// Which of the operations that need no usable key work after the change.
fn works(w: &World, change: impl FnOnce(&World) -> Result<(), Refused>) -> Seen {
    let (revoked, retired) = (w.make(w.grant())?, w.make(w.grant())?);
    change(w)?;
    let tried = [
        ("list", w.page().map(drop)),
        ("describe", w.ask(w.kms().describe_key().key_id(&w.key).send()).map(drop)),
        ("revoke", w.revoke(&revoked.id)),
        ("retire", w.retire_by(Who::Admin, &retired.id)),
    ];
    let word = |(name, tried): &(&str, Result<(), Refused>)| match tried {
        Ok(()) => (*name).to_owned(),
        Err(refused) => format!("{name}: {refused}"),
    };
    Ok(tried.iter().map(word).collect::<Vec<_>>().join(", "))
}
