//! CreateGrant: the Name, what it may contain, and that it makes a repeat harmless.

use aws_sdk_kms::operation::create_grant::builders::CreateGrantFluentBuilder;
use aws_sdk_kms::types::GrantOperation;

use crate::case::{Answer, Case, Seen};
use crate::words::{Said as _, compare, equals};
use crate::world::{Who, World};

const PATTERN: &str = "API CreateGrantRequest$Name, 1 to 256 of a-z A-Z 0-9 : / _ -";
const REPEAT: &str = "API CreateGrant, Name: a repeat with identical parameters";
const SAME: &str = "same id, another token";
const OTHER: &str = "another id, another token";

pub(super) const CASES: &[Case] = &[
    Case::documented("create-grant/name/as-grantd-writes-it", PATTERN, "accepted", |w| {
        name(w, "grantd/host-1/g-0123456789ab/1/2026-01-01T00:00:00Z")
    }),
    Case::documented("create-grant/name/epoch", PATTERN, "accepted", |w| name(w, "exp:1767225600")),
    Case::documented("create-grant/name/256-characters", PATTERN, "accepted", |w| {
        name(w, &"n".repeat(256))
    }),
    Case::documented("create-grant/name/257-characters", PATTERN, "ValidationException", |w| {
        name(w, &"n".repeat(257))
    })
    .emulators("accepted")
    .row(23),
    Case::documented("create-grant/name/empty", PATTERN, "ValidationException", |w| name(w, ""))
        .emulators("accepted"),
    Case::documented("create-grant/name/space", PATTERN, "ValidationException", |w| name(w, "a b"))
        .emulators("accepted")
        .row(23),
    Case::documented("create-grant/name/dot", PATTERN, "ValidationException", |w| {
        name(w, "2026-01-01T00:00:00.000Z")
    })
    .emulators("accepted"),
    Case::documented("create-grant/name/plus", PATTERN, "ValidationException", |w| {
        name(w, "2026-01-01T00:00:00+00:00")
    })
    .emulators("accepted"),
    Case::documented("create-grant/name/equals-sign", PATTERN, "ValidationException", |w| {
        name(w, "ttl=2h")
    })
    .emulators("accepted"),
    Case::documented("create-grant/name/comma-at-percent", PATTERN, "ValidationException", |w| {
        name(w, "a,b@c%")
    })
    .emulators("accepted"),
    Case::documented("create-grant/name/not-ascii", PATTERN, "ValidationException", |w| {
        name(w, "für-zwei-stunden")
    })
    .emulators("accepted"),
    Case::documented("create-grant/name/repeat", REPEAT, SAME, |w| twice(w, |_, g| g))
        .moto("another id, another token")
        .row(1),
    Case::documented("create-grant/name/repeat-leaves-one", REPEAT, "1", |w| {
        twice(w, |_, g| g)?;
        Ok(w.count()?.to_string())
    })
    .moto("2")
    .row(1),
    Case::documented(
        "create-grant/name/repeat-tokens-interchangeable",
        "API CreateGrantResponse$GrantToken: all tokens of one grant id are interchangeable",
        "0",
        |w| {
            let first = w.make(named(w))?;
            w.make(named(w))?;
            w.retire_token(Who::Grantd, &first.token)?;
            Ok(w.count()?.to_string())
        },
    )
    .moto("1"),
    Case::documented("create-grant/name/none-is-new-each-time", REPEAT, OTHER, |w| {
        let first = w.make(w.grant())?;
        Ok(compare(&first, &w.make(w.grant())?))
    }),
    Case::documented("create-grant/name/other-name", REPEAT, OTHER, |w| {
        twice(w, |_, g| g.name("m"))
    }),
    Case::documented("create-grant/name/other-operations", REPEAT, OTHER, |w| {
        twice(w, |_, g| g.operations(GrantOperation::DescribeKey))
    }),
    Case::documented("create-grant/name/other-grantee", REPEAT, OTHER, |w| {
        twice(w, |w, g| g.grantee_principal(w.iam("role/RoleA")))
    }),
    Case::documented("create-grant/name/other-retiring", REPEAT, OTHER, |w| {
        twice(w, |w, g| g.retiring_principal(w.iam("user/admin")))
    }),
    Case::documented("create-grant/name/no-retiring", REPEAT, OTHER, |w| {
        twice(w, |_, g| g.set_retiring_principal(None))
    }),
    Case::documented("create-grant/name/other-constraints", REPEAT, OTHER, |w| {
        twice(w, |_, g| g.constraints(equals(&[("a", "2")])))
    }),
    Case::recorded(
        "create-grant/name/per-key",
        "LocalStack, test recorded at AWS: the same name on two keys",
        OTHER,
        |w| {
            let other = w.new_key(&[])?;
            let first = w.make(named(w))?;
            Ok(compare(&first, &w.make(named(w).key_id(other))?))
        },
    ),
    Case::unconfirmed(
        "create-grant/name/operations-in-another-order",
        "whether order belongs to the parameters is nowhere said",
        &[
            Answer::new("operations_order_matters=true", OTHER, |u| {
                u.operations_order_matters = true;
            }),
            Answer::new("operations_order_matters=false", SAME, |u| {
                u.operations_order_matters = false;
            }),
        ],
        |w| {
            let order = |first, second| named(w).set_operations(Some(vec![first, second]));
            let one = w.make(order(GrantOperation::Decrypt, GrantOperation::DescribeKey))?;
            let two = w.make(order(GrantOperation::DescribeKey, GrantOperation::Decrypt))?;
            Ok(compare(&one, &two))
        },
    ),
    Case::unconfirmed(
        "create-grant/name/repeat-after-end",
        "expected: a new grant, once the end has propagated",
        &[Answer::new("assumed", OTHER, |_| {})],
        |w| {
            let first = w.make(named(w))?;
            w.revoke(&first.id)?;
            Ok(compare(&first, &w.make(named(w))?))
        },
    ),
];

fn name(w: &World, name: &str) -> Seen {
    w.make(w.grant().name(name)).said()
}

fn named(w: &World) -> CreateGrantFluentBuilder {
    let request = w.grant().name("n").retiring_principal(w.iam("role/grantd"));
    request.constraints(equals(&[("a", "1")]))
}

/// The same request twice, the second time with a change.
fn twice(
    w: &World,
    change: fn(&World, CreateGrantFluentBuilder) -> CreateGrantFluentBuilder,
) -> Seen {
    let first = w.make(named(w))?;
    Ok(compare(&first, &w.make(change(w, named(w)))?))
}
