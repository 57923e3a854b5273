//! What is to become of grants that others made.

use super::Account;
use super::diagnostics::Problem;
use super::pattern::KeyPattern;
use super::schema::BRAKE;
use super::walk::{Table, Walk};
use crate::ids::KeyArn;
use crate::rules::policy::show_span;
use crate::rules::time::{DAY, HOUR};

/// `grace` when the policy says nothing.
const GRACE: i64 = HOUR;
/// The longest: beyond a month nobody remembers that the policy was to act.
const GRACE_MAX: i64 = 30 * DAY;
/// Grants of one key: its quota (kms-facts 5).
const COUNT_MAX: u32 = 50_000;
/// The keys that mean something only where `adopt` is on.
const PARTICULARS: [&str; 3] = ["adopt-unnamed", "grace", "brake"];

/// How far a policy reaches for foreign grants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Foreign {
    /// It leaves them alone.
    #[default]
    Off,
    /// It tells what would happen to them.
    Report,
    /// It puts them under its deadlines.
    Enforce,
}

/// When the ending of adopted grants of a key stops by itself: after `count` within a day, or
/// `percent` of the key's grants, whichever is more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Brake {
    /// So many grants.
    pub count: u32,
    /// Of a hundred.
    pub percent: u32,
}

impl Default for Brake {
    fn default() -> Self {
        Self { count: 10, percent: 10 }
    }
}

/// What a policy says of foreign grants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Adopt {
    /// How far it reaches.
    pub foreign: Foreign,
    /// Also for grants whose Name states no deadline.
    pub unnamed: bool,
    /// How long such a grant is left alone after it was first seen, in ms.
    pub grace: i64,
    /// When it stops by itself.
    pub brake: Brake,
}

impl Default for Adopt {
    fn default() -> Self {
        Self { foreign: Foreign::Off, unnamed: false, grace: GRACE, brake: Brake::default() }
    }
}

pub(super) fn read(
    walk: &mut Walk<'_>,
    table: &Table<'_, '_>,
    keys: &[KeyPattern],
    accounts: &[Account],
) -> Adopt {
    let words = [("off", Foreign::Off), ("report", Foreign::Report), ("enforce", Foreign::Enforce)];
    let foreign = table.word(walk, "adopt", &words).unwrap_or_default();
    let mut adopt = Adopt { foreign, ..Adopt::default() };
    adopt.unnamed = table.flag(walk, "adopt-unnamed").is_some_and(|flag| flag.value);
    if let Some(grace) = table.duration(walk, "grace") {
        if !(0..=GRACE_MAX).contains(&grace.value) {
            let message = format!("`grace` may not be {}", show_span(grace.value));
            let help = format!("at most {}", show_span(GRACE_MAX));
            walk.problem(Problem::at(grace.span, message).help(help));
        }
        adopt.grace = grace.value;
    }
    if let Some(table) = table.get("brake").and_then(|v| Table::of(walk, v, &BRAKE)) {
        let Brake { count, percent } = adopt.brake;
        let given = |at: Option<super::walk::At<u32>>, default| at.map_or(default, |at| at.value);
        adopt.brake = Brake {
            count: given(table.count(walk, "count", (1, COUNT_MAX)), count),
            percent: given(table.count(walk, "percent", (0, 100)), percent),
        };
    }
    if foreign == Foreign::Enforce {
        needs_revoker(walk, table, keys, accounts);
    }
    if foreign != Foreign::Off && table.get("via").is_some() {
        needs_whole_arns(walk, table, keys);
    }
    warn_idle(walk, table, foreign);
    adopt
}

/// RetireGrant is for what grantd made. RevokeGrant covers every grant of a key, so it is for a
/// role of its own.
fn needs_revoker(
    walk: &mut Walk<'_>,
    table: &Table<'_, '_>,
    keys: &[KeyPattern],
    accounts: &[Account],
) {
    let reached = |account: &&Account| {
        keys.iter().any(|key| key.account().is_none_or(|owner| *owner == account.id))
    };
    let lacks = |account: &&Account| account.ways.revoke_role.is_none();
    let Some(account) = accounts.iter().filter(reached).find(lacks) else { return };
    let Some(value) = table.get("adopt") else { return };
    let message = format!(
        "account {} has no `revoke-role-arn`, and grants of others end in no other way",
        account.id
    );
    let help =
        "name one in its [[account]]: `grantd iam-policy --revoke-role` prints what it needs";
    walk.problem(Problem::at(value.span(), message).help(help));
}

/// KMS shows nobody the keys or aliases of another account, so a pattern of key ids finds none
/// there whose grants could be listed.
fn needs_whole_arns(walk: &mut Walk<'_>, table: &Table<'_, '_>, keys: &[KeyPattern]) {
    let pattern = |key: &&KeyPattern| KeyArn::parse(key.to_string()).is_err();
    let (Some(key), Some(adopt)) = (keys.iter().find(pattern), table.get("adopt")) else { return };
    let message = format!("`adopt` finds nothing on {key}: with `via`, no keys can be looked up");
    let help = "write the ARN of each key without * and the like, or leave `adopt` out: a pattern \
                lets leases be made, and no more";
    walk.problem(Problem::at(adopt.span(), message).help(help));
}

/// Say of each key that it does nothing.
fn warn_idle(walk: &mut Walk<'_>, table: &Table<'_, '_>, foreign: Foreign) {
    if foreign != Foreign::Off {
        return;
    }
    for key in PARTICULARS {
        let Some(value) = table.get(key) else { continue };
        let message = format!("`{key}` has no effect without `adopt`");
        let help = "add `adopt = \"report\"`, or leave it out";
        walk.warn(Problem::at(value.span(), message).help(help));
    }
}
