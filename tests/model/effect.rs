//! What an action makes of the world.

use grantd::ids::GrantId;
use grantd::rules::life::{Class, Event, How, Life, Outcome, PATIENCE, State, step};

use crate::act::{Action, Model, Variant};
use crate::world::{Copy, DEADLINES, Grant, Row, WINDOW, World};

impl Model {
    /// Let `event` befall a row, by the production function.
    fn befall(&self, world: &mut World, i: usize, event: &Event) {
        let (now, row) = (world.now(), &world.rows[i]);
        let mut facts = row.facts();
        if self.variant == Variant::TrustAbsence {
            facts.settle = 0;
        }
        let was = row.sends();
        let stepped = step(&facts, &row.life, event, now).unwrap();
        let mut life = stepped.life;
        let first = self.variant == Variant::SettleFromFirst && was.count > 0;
        if let (true, State::Creating { create, .. }) = (first, &mut life.state) {
            create.last = was.last;
        }
        let missing = matches!(event, Event::Answered(Outcome::Refused(Class::NotFound)));
        if self.variant == Variant::TrustNotFound && missing {
            let state = State::Closed { how: How::Gone, gone: None, at: now.latest };
            life = Life { state, next: None, fault: None };
        }
        world.rows[i].life = life;
        if self.variant != Variant::IgnoreTwins {
            for id in stepped.twins {
                twin(world, i, &id);
            }
        }
    }

    pub(crate) fn happen(&self, world: &mut World, action: Action) {
        match action {
            Action::Tick => self.tick(world),
            Action::Begin(serial) => {
                let now = world.now();
                world.rows.push(Row::new(serial, now));
                world.asking[serial] = Some(world.t);
            }
            Action::Send(serial) => self.send(world, serial),
            Action::GiveUp(serial) => self.give_up(world, serial),
            Action::Arrive { copy, sees, answered } => self.arrive(world, copy, sees, answered),
            Action::Lose(copy) => {
                let lost = world.net.remove(copy);
                world.faults += u8::from(lost.heard);
            }
            Action::Look(i, ids) => {
                let ids = ids.iter().map(|id| by_id(world, *id).grant_id()).collect();
                let began = world.now();
                let event = Event::Looked { began, ids: own_first(&world.rows[i], ids) };
                self.befall(world, i, &event);
            }
            Action::End { row, sees, answered } => self.end(world, row, sees, answered),
            Action::Search(ids) => self.search(world, &ids),
            Action::Crash => {
                world.down = Some(world.t);
                world.crashes += 1;
                world.asking = [None; 2];
                world.net.iter_mut().for_each(|copy| copy.heard = false);
            }
            Action::Restart => world.down = None,
            Action::Backup => world.backup = Some(world.rows.clone()),
            Action::RollBack => {
                world.rows = world.backup.take().unwrap();
                world.rolled_back = true;
                world.searched = None;
            }
            Action::SetBack => world.behind = true,
        }
    }

    fn tick(&self, world: &mut World) {
        world.t += 1;
        let t = world.t;
        world.net.retain(|copy| copy.signed + WINDOW >= t);
    }

    fn send(&self, world: &mut World, serial: usize) {
        if let Some(i) = world.first_row(serial) {
            let again = matches!(&world.rows[i].life.state,
                State::Creating { create, .. } if create.count > 0);
            if again && world.replays >= self.replays {
                return self.give_up(world, serial);
            }
            world.replays += u8::from(again);
            if world.t < DEADLINES[serial] {
                self.befall(world, i, &Event::Sending);
            }
        } else {
            world.asking[serial] = Some(world.t);
        }
        world.net.push(Copy { serial, signed: world.t, heard: true });
    }

    fn give_up(&self, world: &mut World, serial: usize) {
        world.asking[serial] = None;
        for copy in world.net.iter_mut().filter(|copy| copy.serial == serial) {
            copy.heard = false;
        }
        let Some(i) = world.first_row(serial) else { return };
        if matches!(world.rows[i].life.state, State::Creating { .. }) {
            self.befall(world, i, &Event::Abandoned);
        }
    }

    fn arrive(&self, world: &mut World, copy: usize, sees: bool, answered: bool) {
        let copy = world.net.remove(copy);
        let t = world.t;
        let mut same = world.grants.iter().filter(|grant| grant.serial == copy.serial);
        let id = match same.find(|grant| sees && grant.may_show(t)) {
            Some(grant) => grant.id,
            None => {
                let id = u8::try_from(world.grants.len()).unwrap();
                world.grants.push(Grant {
                    id,
                    serial: copy.serial,
                    born: t,
                    ended: None,
                    twin: false,
                });
                id
            }
        };
        if !copy.heard || world.down.is_some() {
            return;
        }
        if self.variant == Variant::RecordAfter && answered {
            let now = world.now();
            world.rows.push(Row::new(copy.serial, now));
        }
        let Some(i) = world.first_row(copy.serial) else { return };
        if answered {
            world.asking[copy.serial] = None;
            let id = by_id(world, id).grant_id();
            self.befall(world, i, &Event::Created(Outcome::Done(id)));
        } else {
            world.faults += 1;
            if matches!(world.rows[i].life.state, State::Creating { .. }) {
                self.befall(world, i, &Event::Created(Outcome::Unknown));
            }
        }
    }

    fn end(&self, world: &mut World, row: usize, sees: bool, answered: bool) {
        if matches!(world.rows[row].life.state, State::Active { .. }) {
            self.befall(world, row, &Event::Due);
        }
        self.befall(world, row, &Event::Sending);
        let id = world.rows[row].life.state.grant_id().cloned();
        let t = world.t;
        let mut grants = world.grants.iter_mut();
        let grant = grants.find(|grant| Some(grant.grant_id()) == id).unwrap();
        if sees {
            (grant.ended, grant.twin) = (Some(t), world.rows[row].twin);
        }
        let outcome = match (answered, sees) {
            (false, _) => Outcome::Unknown,
            (true, true) => Outcome::Done(()),
            (true, false) => Outcome::Refused(Class::NotFound),
        };
        world.faults += u8::from(!answered);
        self.befall(world, row, &Event::Answered(outcome));
    }

    /// As `ledger::find` does with each.
    fn search(&self, world: &mut World, ids: &[u8]) {
        for id in ids {
            let grant = by_id(world, *id).clone();
            let id = grant.grant_id();
            if world.row_of(&id).is_some() {
                continue;
            }
            let Some(i) = world.first_row(grant.serial) else {
                world.rows.push(Row::found(&grant));
                continue;
            };
            let now = world.now();
            match world.rows[i].life.state.clone() {
                State::Creating { create, .. } if now.latest.since(create.last) < PATIENCE => {}
                State::Creating { .. } => {
                    let event = Event::Looked { began: now, ids: vec![id] };
                    self.befall(world, i, &event);
                }
                State::Active { .. }
                | State::Ending { .. }
                | State::Ended { .. }
                | State::Closed { .. } => twin(world, i, &id),
            }
        }
        world.searched = Some(world.t);
    }
}

fn twin(world: &mut World, of: usize, id: &GrantId) {
    if world.row_of(id).is_none() {
        let twin = Row::twin(&world.rows[of], id.clone(), world.now());
        world.rows.push(twin);
    }
}

fn by_id(world: &World, id: u8) -> &Grant {
    world.grants.iter().find(|grant| grant.id == id).unwrap()
}

/// As the engine sorts what a look has shown.
fn own_first(row: &Row, mut ids: Vec<GrantId>) -> Vec<GrantId> {
    let own = row.life.state.grant_id();
    ids.sort_by_key(|id| (Some(id) != own, id.clone()));
    ids
}
