//! What the lines of a script do to the world.

use std::rc::Rc;

use grantd::rules::clocks::AGREE;
use grantd::rules::time::{HOUR, MINUTE, SECOND};
use kms_sandbox::KeyState;

use crate::actors;
use crate::check::{deadlines_are_as_asked, overdue_is_visible};
use crate::clock::pause;
use crate::disk::{Ill, Image};
use crate::foreign::strangers;
use crate::forger::forge;
use crate::good::Trouble;
use crate::guests;
use crate::host::Down;
use crate::kms::Weather;
use crate::script::{Event, Spell, What};
use crate::world::{SEARCH, World};

/// The backup that holds no file; no event has this time.
const NOTHING: i64 = -1;
/// A key that waits is tried once within a minute; then it is over.
const KEY_WAITS: i64 = 75 * SECOND;
/// So often, and every so many ms, the leases are looked at once forged Names were searched for.
const LOOKS: u32 = 3;
const LOOK_EVERY: i64 = 2 * MINUTE;
/// What was under way still runs into its time-out.
const UNDER_WAY: i64 = 15 * SECOND;

/// Wait for its time, and let it happen. What lasts is over when the day is.
pub(crate) async fn happen(world: Rc<World>, event: Event) {
    if let What::Restore { ago, .. } = event.what {
        pause((event.at - ago).max(1)).await;
        world.back_up(event.at);
    }
    pause(event.at - world.elapsed()).await;
    world.net.tell(format!("-- {:?}", event.what));
    match event.what {
        What::Create { uid, ttl, key, hangs_up } => {
            actors::create(&world, uid, ttl, key, hangs_up).await;
        }
        What::Extend { uid, nth, ttl, key } => actors::extend(&world, uid, nth, ttl, key).await,
        What::Revoke { uid, nth } => actors::revoke(&world, uid, nth).await,
        What::Nonsense { uid, kind } => actors::nonsense(&world, uid, kind).await,
        What::Reload { max_ttl } => actors::reload(&world, max_ttl).await,
        What::Narrow { max_ttl } => {
            world.narrowed.set(max_ttl.is_none());
            actors::reload(&world, max_ttl.unwrap_or("1h")).await;
        }
        What::Forge { n, dice } => forged(&world, n, dice).await,
        What::Guest { ttl, until } => guests::come_in(&world, ttl, until),
        What::Resume => guests::let_them_end(&world).await,
        What::Freeze { scope, lasts } => actors::freeze(&world, scope, lasts).await,
        What::Twice { late } => world.net.twice.set(Some(late)),
        What::Strangers { n } => strangers(&world, n),
        What::Crash { down } => world.fall(Down { ms: down, ..Down::default() }),
        What::CrashAtCall { nth, after, down } => {
            world.down.replace(Some(Down { ms: down, ..Down::default() }));
            world.net.crash_at.set(Some((nth, after)));
        }
        What::Reboot { down } => world.fall(Down { ms: down, reboot: true, restore: None }),
        What::Lose { down } => {
            world.backups.borrow_mut().insert(NOTHING, Image::new());
            world.fall(Down { ms: down, restore: Some(NOTHING), ..Down::default() });
        }
        What::Restore { down, .. } => {
            world.fall(Down { ms: down, reboot: false, restore: Some(event.at) });
        }
        What::Suspend { lasts } => asleep(&world, lasts, false).await,
        What::Pause { lasts } => asleep(&world, lasts, true).await,
        What::Wall { off, lasts } => {
            world.net.clock.set_wall(off);
            if off <= AGREE {
                world.ahead.set(world.ahead.get().max(off));
            }
            pause(until(&world, lasts)).await;
            world.net.clock.set_wall(0);
        }
        What::Spell { spell, lasts } => endure(&world, spell, lasts).await,
        What::Disk { ill: how, lasts } => ill(&world, how, lasts).await,
        What::PowerCut { nth, down } => {
            world.down.replace(Some(Down { ms: down, reboot: true, restore: None }));
            world.disk.cut_in(nth);
            pause(until(&world, HOUR)).await;
            world.disk.heal();
        }
        What::Hiccup { nth } => {
            world.disk.hiccup_in(nth);
            pause(until(&world, HOUR)).await;
            world.disk.heal();
        }
    }
}

/// Somebody forges Names; an administrator has them searched for, and no lease shows what they say.
async fn forged(world: &Rc<World>, n: usize, dice: u64) {
    forge(world, n, dice);
    pause(until(world, i64::from(world.propagation) + SECOND)).await;
    actors::search(world).await;
    for _ in 0..LOOKS {
        pause(until(world, LOOK_EVERY)).await;
        deadlines_are_as_asked(world).await;
    }
}

/// How long it lasts, since all is well when the day is over.
fn until(world: &World, lasts: i64) -> i64 {
    lasts.min(world.day - world.elapsed())
}

/// The machine stands still: nothing of the daemon runs.
async fn asleep(world: &Rc<World>, lasts: i64, boot_stops: bool) {
    if world.sleep.is_asleep() {
        return;
    }
    let lasts = until(world, lasts).max(1);
    world.trouble(Trouble::Host);
    world.sleep.fall();
    pause(lasts).await;
    if boot_stops {
        world.net.clock.lose(lasts);
    }
    world.sleep.wake();
    // The kernel's timer tells whoever naps.
    world.net.clock.set_wall(world.net.clock.step.get());
    world.over(Trouble::Host, 0);
}

/// KMS is not as it should be for a while.
async fn endure(world: &Rc<World>, spell: Spell, lasts: i64) {
    world.trouble(Trouble::Kms);
    set(world, spell, true);
    pause(until(world, lasts)).await;
    overdue_is_visible(world).await;
    set(world, spell, false);
    let felt = match spell {
        Spell::Weather(_) | Spell::NoDate => UNDER_WAY,
        Spell::Denied(_) | Spell::KeyOff { .. } => KEY_WAITS,
        Spell::Quota(..) => MINUTE,
        // A view that stood still shows what is new only when it has caught up.
        Spell::Stale(lag) => i64::from(lag) + UNDER_WAY,
    };
    world.over(Trouble::Kms, felt);
}

/// The disk is not as it should be for a while. What ends, ends on time, and is recorded when it
/// can be.
async fn ill(world: &Rc<World>, ill: Ill, lasts: i64) {
    world.trouble(Trouble::Disk);
    world.disk.set(Some(ill));
    pause(until(world, lasts)).await;
    world.disk.set(None);
    world.over(Trouble::Disk, i64::from(world.propagation) + SEARCH);
}

/// Turn a fault on or off. Of two at once the later one decides, until either is over.
fn set(world: &World, spell: Spell, on: bool) {
    let net = &world.net;
    match spell {
        Spell::Weather(weather) => {
            net.weather.set(if on { weather } else { Weather::Calm });
        }
        Spell::Denied(op) => {
            // Some operations name no key, and a token stands for it.
            for key in [world.key_arn.clone(), String::new()] {
                let mut denied = net.denied.borrow_mut();
                if on {
                    denied.insert((op, key));
                } else {
                    denied.remove(&(op, key));
                }
            }
        }
        Spell::Quota(op, per_second) => {
            let mut story = net.story.borrow_mut();
            let quotas = &mut story.core.settings_mut().quotas;
            if on {
                quotas.insert(op, per_second);
            } else {
                quotas.extend(op.default_quota().map(|quota| (op, quota)));
            }
        }
        Spell::KeyOff { deleted } => {
            let state = match (on, deleted) {
                (true, true) => KeyState::PendingDeletion,
                (true, false) => KeyState::Disabled,
                (false, _) => KeyState::Enabled,
            };
            assert!(net.story.borrow_mut().core.set_key_state(&world.key_arn, state));
        }
        Spell::Stale(lag) => {
            let lags = if on { vec![0, lag] } else { Vec::new() };
            net.story.borrow_mut().core.settings_mut().endpoint_lags_ms = lags;
        }
        Spell::NoDate => net.undated.set(on),
    }
}
