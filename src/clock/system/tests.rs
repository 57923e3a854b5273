#![expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "clocks and a bound of its own, apart from the port under test; a test not run says so"
)]

use std::time::Instant;

use futures_util::future::join3;

use super::*;

/// No wait of these tests may take longer.
const BOUND: Duration = Duration::from_secs(10);

fn run<T>(what: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(BOUND, what).await.unwrap() })
}

/// Set the wall clock to what it shows: a step of nothing, which the kernel announces like any
/// other. `false`, and a word about it, where this process may not.
fn step_by_nothing() -> bool {
    let now = rustix::time::clock_gettime(ClockId::Realtime);
    let set = rustix::time::clock_settime(ClockId::Realtime, now);
    if let Err(error) = set {
        eprintln!("not run: setting the clock needs CAP_SYS_TIME: {error}");
    }
    set.is_ok()
}

#[test]
fn it_reads_all_clocks_at_once() {
    let clock = SystemClock::new().unwrap();
    let before = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let (first, second) = (clock.read(), clock.read());
    let before = i64::try_from(before.as_millis()).unwrap();
    assert!((0..1_000).contains(&first.wall.since(Time(before))), "{first:?}");
    assert!(first.boot > 0 && second.boot >= first.boot);
    assert_eq!(first.boot_id.len(), 36);
    assert_eq!(first.boot_id, second.boot_id);
}

/// How long a nap of `ms` lasts, undisturbed: the clock may be set by anybody at any time (the
/// tests below do), and then the nap rightly ends early, so that the longest of a few counts.
async fn longest(clock: &SystemClock, ms: i64) -> Duration {
    let mut longest = Duration::ZERO;
    for _ in 0..5 {
        let start = Instant::now();
        clock.nap(ms).await;
        longest = longest.max(start.elapsed());
        if longest.as_millis() >= u128::try_from(ms.clamp(0, TICK)).unwrap() {
            break;
        }
    }
    longest
}

#[test]
fn a_nap_lasts_as_long_as_asked_and_never_longer_than_a_tick() {
    run(async {
        let clock = SystemClock::new().unwrap();
        let short = longest(&clock, 30).await;
        assert!((30..1_000).contains(&short.as_millis()), "{short:?}");
        clock.nap(-5).await;
        let capped = longest(&clock, 3_600_000).await;
        assert!((1_000..5_000).contains(&capped.as_millis()), "{capped:?}");
    });
}

#[test]
fn a_step_of_the_wall_clock_wakes_every_nap_again_and_again() {
    run(async {
        let clock = SystemClock::new().unwrap();
        for _ in 0..3 {
            let start = Instant::now();
            let naps = join3(clock.nap(TICK), clock.nap(TICK), async {
                // Both naps listen before the clock is set; a yield lets the driver register the
                // timer.
                tokio::task::yield_now().await;
                step_by_nothing()
            });
            let ((), (), permitted) = naps.await;
            if !permitted {
                return;
            }
            assert!(start.elapsed() < Duration::from_millis(500), "{:?}", start.elapsed());
        }
    });
}

#[test]
fn a_step_before_the_nap_is_not_lost() {
    run(async {
        let clock = SystemClock::new().unwrap();
        clock.nap(1).await;
        if !step_by_nothing() {
            return;
        }
        let start = Instant::now();
        clock.nap(TICK).await;
        assert!(start.elapsed() < Duration::from_millis(500));
    });
}
