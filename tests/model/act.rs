//! What may happen.

use grantd::rules::life::{Act, PATIENCE, State};
use grantd::rules::time::MINUTE;
use stateright::Property;

use crate::properties;
use crate::world::{DEADLINES, Grant, World};

/// By then everything has ended and closed in the right protocol.
pub(crate) const END: i64 = 12;
/// Crashes come no later, so that there is time for what they leave.
const CRASH_MAX: i64 = 5;
/// KMS holds at most so many grants: an original, its twins, a successor.
const GRANTS_MAX: usize = 4;

/// A way to be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Variant {
    Right,
    RecordAfter,
    TrustAbsence,
    TrustNotFound,
    ReplayLate,
    SettleFromFirst,
    IgnoreTwins,
    NeverSearch,
}

/// The bounds of one check.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    pub(crate) variant: Variant,
    pub(crate) crashes: u8,
    pub(crate) faults: u8,
    pub(crate) replays: u8,
    pub(crate) rollbacks: u8,
    pub(crate) extends: bool,
    pub(crate) set_back: bool,
}

impl Default for Model {
    fn default() -> Self {
        Self {
            variant: Variant::Right,
            crashes: 1,
            faults: 1,
            replays: 1,
            rollbacks: 1,
            extends: false,
            set_back: false,
        }
    }
}

/// One event, with every choice made.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Action {
    Tick,
    /// The intent of a create is committed, as sent.
    Begin(usize),
    /// It leaves (again, where the asker still waits).
    Send(usize),
    /// The asker hears no more: the outcome is unknown.
    GiveUp(usize),
    /// A create arrives; whether KMS sees the grant that bears its Name, and whether the answer
    /// comes back.
    Arrive {
        copy: usize,
        sees: bool,
        answered: bool,
    },
    /// It never arrives.
    Lose(usize),
    /// A row looks, and is shown these grants.
    Look(usize, Vec<u8>),
    /// A row tries to end its grant; whether KMS sees it, and whether the answer comes back.
    End {
        row: usize,
        sees: bool,
        answered: bool,
    },
    /// The search by Names is shown these grants.
    Search(Vec<u8>),
    Crash,
    Restart,
    Backup,
    RollBack,
    SetBack,
}

impl Model {
    fn sending(&self, world: &World, serial: usize) -> bool {
        let on_the_way = world.net.iter().any(|copy| copy.serial == serial && copy.heard);
        let Some(i) = world.first_row(serial) else { return false };
        let creating = matches!(world.rows[i].life.state, State::Creating { .. });
        let in_time = world.t < DEADLINES[serial] || self.variant == Variant::ReplayLate;
        world.asking[serial].is_some() && creating && in_time && !on_the_way
    }

    /// The actions of the daemon that do not depend on chance; while one of them is due, time does
    /// not pass by.
    fn urgent(&self, world: &World) -> bool {
        if let Some(since) = world.down {
            return since < world.t;
        }
        let due = world.rows.iter().enumerate().any(|(i, row)| {
            let asked =
                world.first_row(row.serial) == Some(i) && world.asking[row.serial].is_some();
            world.due(row).is_some() && !asked
        });
        let patient = world.asking.iter().flatten().any(|since| *since < world.t);
        let search = world.rolled_back && self.variant != Variant::NeverSearch;
        due || patient || (search && world.searched != Some(world.t))
    }
}

/// Every set of `grants` that a view may show.
fn views<'g>(world: &World, grants: impl Iterator<Item = &'g Grant>) -> Vec<Vec<u8>> {
    let mut views = vec![Vec::new()];
    for grant in grants.filter(|grant| grant.may_show(world.t)) {
        let with = views.iter().map(|view| [&view[..], &[grant.id]].concat()).collect();
        let without = if grant.must_show(world.t) { Vec::new() } else { views };
        views = [without, with].concat();
    }
    views
}

impl stateright::Model for Model {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        vec![World::new()]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        if world.t < END && !self.urgent(world) {
            actions.push(Action::Tick);
        }
        for (i, copy) in world.net.iter().enumerate() {
            let same = || world.grants.iter().filter(|grant| grant.serial == copy.serial);
            for sees in [true, false] {
                let seen = same().any(|grant| grant.may_show(world.t));
                let surely = same().any(|grant| grant.must_show(world.t));
                let room = world.grants.len() < GRANTS_MAX;
                if (sees && seen) || (!sees && !surely && room) {
                    actions.push(Action::Arrive { copy: i, sees, answered: true });
                    if copy.heard && world.faults < self.faults {
                        actions.push(Action::Arrive { copy: i, sees, answered: false });
                    }
                }
            }
            if !copy.heard || world.faults < self.faults {
                actions.push(Action::Lose(i));
            }
        }
        if self.set_back && !world.behind && world.t > 0 {
            actions.push(Action::SetBack);
        }
        if world.down.is_some() {
            actions.push(Action::Restart);
            if world.backup.is_some() && self.rollbacks > 0 && !world.rolled_back {
                actions.push(Action::RollBack);
            }
            return;
        }
        self.daemons(world, actions);
    }

    fn next_state(&self, last: &World, action: Action) -> Option<World> {
        let mut world = last.clone();
        self.happen(&mut world, action);
        Some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::all()
    }
}

impl Model {
    fn daemons(&self, world: &World, actions: &mut Vec<Action>) {
        let begun = |serial| world.first_row(serial).is_some() || world.asking[serial].is_some();
        let extends = self.extends
            && world
                .rows
                .iter()
                .any(|r| r.serial == 0 && matches!(r.life.state, State::Active { .. }));
        for serial in [0, 1] {
            let wanted = serial == 0 || extends;
            let sent = world.net.iter().any(|copy| copy.serial == serial)
                || world.grants.iter().any(|grant| grant.serial == serial);
            let fresh = !begun(serial) && (!sent || self.variant == Variant::RecordAfter);
            let rolled = world.rolled_back;
            if wanted && fresh && !rolled && world.t < DEADLINES[serial] {
                if self.variant == Variant::RecordAfter && !sent {
                    actions.push(Action::Send(serial));
                } else if self.variant != Variant::RecordAfter {
                    actions.push(Action::Begin(serial));
                }
            }
            if self.sending(world, serial) {
                actions.push(Action::Send(serial));
            }
            if world.asking[serial].is_some() {
                actions.push(Action::GiveUp(serial));
            }
        }
        for (i, row) in world.rows.iter().enumerate() {
            let asked =
                world.first_row(row.serial) == Some(i) && world.asking[row.serial].is_some();
            match world.due(row).filter(|_| !asked) {
                Some(Act::Look) => {
                    let named = world.grants.iter().filter(|grant| grant.serial == row.serial);
                    actions.extend(views(world, named).into_iter().map(|ids| Action::Look(i, ids)));
                }
                Some(Act::End) => self.ends(world, i, actions),
                None => {}
            }
        }
        if world.searched != Some(world.t) && world.rolled_back {
            let all = views(world, world.grants.iter());
            actions.extend(all.into_iter().map(Action::Search));
        }
        if world.crashes < self.crashes && world.t <= CRASH_MAX {
            actions.push(Action::Crash);
        }
        if world.backup.is_none() && self.rollbacks > 0 && world.t == 0 {
            actions.push(Action::Backup);
        }
    }

    fn ends(&self, world: &World, row: usize, actions: &mut Vec<Action>) {
        let id = world.rows[row].life.state.grant_id();
        let grant = world.grants.iter().find(|grant| Some(&grant.grant_id()) == id).unwrap();
        for sees in [true, false] {
            let fits = match sees {
                true => grant.ended.is_none(),
                false => !grant.must_show(world.t),
            };
            if fits {
                actions.push(Action::End { row, sees, answered: true });
                if world.faults < self.faults {
                    actions.push(Action::End { row, sees, answered: false });
                }
            }
        }
    }
}

/// A unit of the model, in the ledger's milliseconds.
const _: () = assert!(PATIENCE < MINUTE, "a unit is longer than any pause of the engine");
