//! What must hold, and what must be possible.

use grantd::rules::life::State;
use stateright::Property;

use crate::act::{END, Model};
use crate::world::{Copy, DEADLINES, Grant, LAG, WINDOW, World};

pub(crate) const ROW: &str = "no grant without a row";
pub(crate) const CLOSED: &str = "closed: nothing lives or can arrive";
pub(crate) const ENDS: &str = "every grant ends, and every row closes";
const EARLY: &str = "nothing but a twin ends early";
const ONCE: &str = "a grant has one row";

pub(crate) fn all() -> Vec<Property<Model>> {
    vec![
        Property::always(ROW, |_, world| recorded(world)),
        Property::always(CLOSED, |_, world| closed_for_good(world)),
        Property::always(ENDS, |_, world: &World| world.t < END || quiet(world)),
        Property::always(EARLY, |_, world| none_early(world)),
        Property::always(ONCE, |_, world| one_row_each(world)),
        Property::sometimes("a grant lives before its deadline", |_, world: &World| {
            world.grants.iter().any(|g| g.ended.is_none() && world.t < DEADLINES[g.serial])
        }),
        Property::sometimes("a row closes", |_, world: &World| {
            world.rows.iter().any(|row| matches!(row.life.state, State::Closed { .. }))
        }),
    ]
}

/// Whether a rollback may have left the ledger ignorant of it: until a search that must have shown
/// it.
fn forgotten(world: &World, grant: &Grant) -> bool {
    let shown = world.searched.is_some_and(|at| grant.born <= at - LAG);
    world.rolled_back && !shown
}

/// I1.
fn recorded(world: &World) -> bool {
    let mut living = world.grants.iter().filter(|grant| grant.ended.is_none());
    living.all(|grant| world.knows(grant) || forgotten(world, grant))
}

/// I4. Of a Name whose rows are all closed nothing lives, and no copy can still make it live.
fn closed_for_good(world: &World) -> bool {
    [0, 1].into_iter().all(|serial| {
        let mut rows = world.rows.iter().filter(|row| row.serial == serial).peekable();
        if rows.peek().is_none() || !rows.all(|r| matches!(r.life.state, State::Closed { .. })) {
            return true;
        }
        let named = |grant: &&Grant| grant.serial == serial && grant.ended.is_none();
        let lives = world.grants.iter().filter(named).any(|grant| !forgotten(world, grant));
        // What was sent since the backup, the ledger does not know.
        let coming = |copy: &Copy| copy.serial == serial && copy.signed + WINDOW >= world.t;
        !lives && (world.rolled_back || !world.net.iter().any(coming))
    })
}

fn quiet(world: &World) -> bool {
    let closed = |state: &State| matches!(state, State::Closed { .. });
    world.grants.iter().all(|grant| grant.ended.is_some())
        && world.rows.iter().all(|row| closed(&row.life.state))
}

fn none_early(world: &World) -> bool {
    let early = |grant: &Grant| grant.ended.is_some_and(|at| at < DEADLINES[grant.serial]);
    world.grants.iter().all(|grant| grant.twin || !early(grant))
}

fn one_row_each(world: &World) -> bool {
    world.grants.iter().all(|grant| {
        let id = grant.grant_id();
        world.rows.iter().filter(|row| row.life.state.grant_id() == Some(&id)).count() <= 1
    })
}
