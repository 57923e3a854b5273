//! Who asks, and what each of them may.

use crate::world::{ADMIN, Actor, OWNER, ROOT, STRANGER};

/// What somebody may do, by the words of the configuration.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Standing {
    /// The kernel tells who he is.
    pub(crate) known: bool,
    /// The policy readers lists him.
    pub(crate) asks: bool,
    /// The leases of the policy readers are his.
    pub(crate) owns: bool,
    /// So are those of the policy shared, which all its callers own.
    pub(crate) shares: bool,
    pub(crate) reads: bool,
    /// He ends and freezes what is not his.
    pub(crate) governs: bool,
    /// He makes what is another's last longer.
    pub(crate) extends: bool,
}

const KNOWN: Standing = Standing {
    known: true,
    asks: false,
    owns: false,
    shares: false,
    reads: false,
    governs: false,
    extends: false,
};
const ASKS: Standing = Standing { asks: true, ..KNOWN };
const OWNS: Standing = Standing { owns: true, shares: true, ..ASKS };
const READS: Standing = Standing { reads: true, ..KNOWN };
const ROOTS: Standing = Standing { governs: true, ..READS };
const ADMINS: Standing = Standing { extends: true, ..ROOTS };

/// Everybody who asks.
pub(crate) fn people() -> Vec<(Actor, Standing)> {
    let namespace = |actor: Actor, name| Actor { name, own_namespace: true, ..actor };
    let by_primary =
        Actor { gid: 64102, ..Actor::new("a caller by his primary group", 64002, &[]) };
    vec![
        (OWNER, OWNS),
        (by_primary, ASKS),
        (Actor::new("a caller by a supplementary group", 64003, &[64900, 64102]), ASKS),
        (Actor::new("the same without his groups", 64003, &[]), KNOWN),
        (STRANGER, KNOWN),
        (Actor::new("a reader", 64005, &[]), READS),
        (Actor::new("a reader by his group", 64015, &[64105]), READS),
        (ADMIN, ADMINS),
        (Actor::new("the administrator without his groups", 64006, &[]), KNOWN),
        (Actor::new("whoever shares a policy", 64007, &[]), Standing { shares: true, ..KNOWN }),
        (ROOT, ROOTS),
        (
            Actor::new("nobody, in all the groups", 65534, &[64102, 64105, 64106]),
            Standing::default(),
        ),
        (namespace(STRANGER, "a stranger, root of his own namespace"), KNOWN),
        (namespace(OWNER, "the owner, root of his own namespace"), OWNS),
        (namespace(ADMIN, "an administrator, root of his own namespace"), ADMINS),
    ]
}
