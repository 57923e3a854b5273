//! `[access]`: who may look, and who may do more than the policies give him.

use super::callers::{CallerPattern, caller};
use super::schema::ACCESS;
use super::walk::{Table, Walk};

/// The table; without it there are no administrators, and whoever may connect may read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Access {
    /// Who may see and end everything, and go beyond what a policy lets an owner do.
    pub admin: Vec<CallerPattern>,
    /// Who may see what is not his own; `None`: whoever may connect.
    pub read: Option<Vec<CallerPattern>>,
}

/// Read the table of the top of the file. An empty list is a right one: nobody.
pub(super) fn read(walk: &mut Walk<'_>, root: &Table<'_, '_>) -> Access {
    let Some(table) = root.get("access").and_then(|value| Table::of(walk, value, &ACCESS)) else {
        return Access::default();
    };
    let mut list = |key| {
        let texts = table.texts(walk, key)?;
        Some(walk.each(&texts, caller))
    };
    Access { admin: list("admin").unwrap_or_default(), read: list("read") }
}
