//! What is to become of grants that others made. Read, checked and kept; this version does not act
//! on it yet, and says so.

use super::diagnostics::Problem;
use super::schema::BRAKE;
use super::walk::{Table, Walk};
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

pub(super) fn read(walk: &mut Walk<'_>, table: &Table<'_, '_>) -> Adopt {
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
    warn_idle(walk, table, foreign);
    adopt
}

/// Say of each key that it does nothing: here at all, or in this version.
fn warn_idle(walk: &mut Walk<'_>, table: &Table<'_, '_>, foreign: Foreign) {
    if let Some(value) = table.get("adopt").filter(|_| foreign != Foreign::Off) {
        let message = "this version does not adopt grants yet: they are left alone";
        let help = "`grantd scan` shows what would become of each";
        walk.warn(Problem::at(value.span(), message).help(help));
    }
    for key in PARTICULARS {
        let Some(value) = table.get(key) else { continue };
        let problem = |message: String| Problem::at(value.span(), message);
        walk.warn(match foreign {
            Foreign::Off => {
                let help = "add `adopt = \"report\"`, or leave it out";
                problem(format!("`{key}` has no effect without `adopt`")).help(help)
            }
            Foreign::Report | Foreign::Enforce => {
                problem(format!("this version does not act on `{key}` yet"))
            }
        });
    }
}
