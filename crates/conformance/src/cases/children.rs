//! Grants that contain CreateGrant, and the grants that are made by them. Emulators let everybody
//! make any grant.

use aws_sdk_kms::operation::create_grant::builders::CreateGrantFluentBuilder;
use aws_sdk_kms::types::{GrantConstraints, GrantOperation};

use crate::case::{Answer, Case, Seen};
use crate::words::{Said as _, equals, subset};
use crate::world::{Refused, Who, World};

const GUIDE: &str = "guide: create-grant-overview, grants that contain CreateGrant";

pub(super) const CASES: &[Case] = &[
    Case::documented("child-grant/same-operation", GUIDE, "accepted", |w| {
        parent(w, None)?;
        w.make(child(w)).said()
    }),
    Case::documented("child-grant/more-operations", GUIDE, "refused", |w| {
        parent(w, None)?;
        w.make(child(w).operations(GrantOperation::Encrypt)).allowed()
    })
    .emulators("accepted"),
    Case::documented("child-grant/without-a-parent", GUIDE, "AccessDeniedException", |w| {
        w.make(w.grant())?;
        w.make(child(w)).said()
    })
    .emulators("accepted"),
    Case::documented("child-grant/to-another-key", GUIDE, "AccessDeniedException", |w| {
        parent(w, None)?;
        let other = w.new_key(&[])?;
        w.make(child(w).key_id(other)).said()
    })
    .emulators("accepted"),
    Case::documented(
        "child-grant/by-token-of-the-parent",
        "API CreateGrantRequest$GrantTokens",
        "accepted",
        |w| {
            w.behind(|core| {
                core.settings_mut().propagation = kms_sandbox::Propagation::fixed(60_000)
            });
            let token = parent(w, None)?;
            w.make(child(w).grant_tokens(token)).said()
        },
    ),
    Case::documented("child-grant/subset-kept", GUIDE, "accepted", |w| {
        constrained(w, subset(&[("a", "1")]), Some(subset(&[("a", "1")])))
    }),
    Case::documented("child-grant/subset-narrowed", GUIDE, "accepted", |w| {
        constrained(w, subset(&[("a", "1")]), Some(subset(&[("a", "1"), ("b", "2")])))
    }),
    Case::documented("child-grant/subset-to-equals", GUIDE, "accepted", |w| {
        constrained(w, subset(&[("a", "1")]), Some(equals(&[("a", "1"), ("b", "2")])))
    }),
    Case::documented("child-grant/subset-dropped", GUIDE, "refused", |w| {
        constrained(w, subset(&[("a", "1")]), None)
    })
    .emulators("accepted"),
    Case::documented("child-grant/subset-widened", GUIDE, "refused", |w| {
        constrained(w, subset(&[("a", "1"), ("b", "2")]), Some(subset(&[("a", "1")])))
    })
    .emulators("accepted"),
    Case::documented("child-grant/subset-changed", GUIDE, "refused", |w| {
        constrained(w, subset(&[("a", "1")]), Some(subset(&[("a", "2")])))
    })
    .emulators("accepted"),
    Case::documented("child-grant/equals-kept", GUIDE, "accepted", |w| {
        constrained(w, equals(&[("a", "1")]), Some(equals(&[("a", "1")])))
    }),
    Case::documented("child-grant/equals-to-subset", GUIDE, "refused", |w| {
        constrained(w, equals(&[("a", "1")]), Some(subset(&[("a", "1")])))
    })
    .emulators("accepted"),
    Case::unconfirmed(
        "child-grant/after-the-parent",
        "nothing documents that the end of a parent ends its children",
        &[
            Answer::new("children_end_with_parent=false", "1", |u| {
                u.children_end_with_parent = false;
            }),
            Answer::new("children_end_with_parent=true", "0", |u| {
                u.children_end_with_parent = true;
            }),
        ],
        |w| {
            parent(w, None)?;
            let id = w.entry()?.grant_id.unwrap_or_default();
            w.make(child(w))?;
            w.revoke(&id)?;
            Ok(w.count()?.to_string())
        },
    ),
];

/// RoleB may decrypt, and give that away. Gives the token.
fn parent(w: &World, constraints: Option<GrantConstraints>) -> Result<String, Refused> {
    let request = w.grant().operations(GrantOperation::CreateGrant);
    Ok(w.make(request.set_constraints(constraints))?.token)
}

/// RoleB lets RoleA decrypt.
fn child(w: &World) -> CreateGrantFluentBuilder {
    w.grant_by(Who::RoleB).grantee_principal(w.iam("role/RoleA"))
}

fn constrained(w: &World, of_parent: GrantConstraints, of_child: Option<GrantConstraints>) -> Seen {
    parent(w, Some(of_parent))?;
    w.make(child(w).set_constraints(of_child)).allowed()
}
