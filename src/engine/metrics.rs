//! What the engine counts, and how it is, as OpenMetrics text for Prometheus.
//!
//! Counters live as long as the process; everything else is taken from the status when somebody
//! asks. No label has more values than the configuration has lanes or a table has rows: no ref, no
//! key, no grantee, which are many and tell who has access.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::lane::Op;
use crate::fault::{Fault, Kind};
use crate::kms::Lane;
use crate::rules::life::Class;
use crate::rules::time::{SECOND, Time};
use crate::wire::{LaneStatus, Status, Wait};

/// Upper bounds of the lateness of an end, in seconds: the promise's 0.5 s and 2 s among them, and
/// what an outage makes of it up to a day.
const LATENESS: [f64; 12] =
    [0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 60.0, 300.0, 3_600.0, 21_600.0, 86_400.0];

type Labels = Vec<(&'static str, String)>;
type Amount = Gauge<f64, AtomicU64>;

/// The counters.
pub(crate) struct Metrics {
    calls: Family<Labels, Counter>,
    requests: Family<Labels, Counter>,
    lateness: Histogram,
}

/// What is no part of the status.
pub(crate) struct Extra {
    /// Whether the clocks are in doubt.
    pub(crate) doubt: bool,
    /// Ends that are still to be written.
    pub(crate) unwritten: usize,
    /// Whether the ledger's disk is full.
    pub(crate) full: bool,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            calls: Family::default(),
            requests: Family::default(),
            lateness: Histogram::new(LATENESS),
        }
    }
}

impl Metrics {
    /// KMS answered a call, or did not.
    pub(crate) fn called(&self, lane: &Lane, op: Op, class: Option<Class>) {
        let mut labels = place(lane.account.as_str(), lane.region.as_str());
        labels.push(("operation", operation(op).to_owned()));
        labels.push(("outcome", outcome(class).to_owned()));
        self.calls.get_or_create(&labels).inc();
    }

    /// A request was decided: `granted`, or the code of its fault.
    pub(crate) fn asked<T>(&self, what: &'static str, answer: &Result<T, Fault>) {
        let decision = answer.as_ref().map_or_else(|fault| fault.kind.code(), |_| "granted");
        let labels = vec![("request", what.to_owned()), ("decision", decision.to_owned())];
        self.requests.get_or_create(&labels).inc();
    }

    /// KMS accepted an end so long after its deadline, in ms.
    pub(crate) fn ended(&self, late: i64) {
        self.lateness.observe(seconds(late));
    }

    /// Everything, as text.
    pub(crate) fn render(&self, status: &Status, extra: &Extra) -> Result<String, Fault> {
        let mut registry = Registry::with_prefix("grantd");
        let (calls, requests) = (self.calls.clone(), self.requests.clone());
        registry.register("kms_calls", "Calls of KMS by their outcome", calls);
        registry.register("requests", "Requests for access by their decision", requests);
        let lateness = self.lateness.clone();
        let help = "How long after its deadline the end of a lease was accepted";
        registry.register_with_unit("end_lateness", help, Unit::Seconds, lateness);
        daemon(&mut registry, status, extra);
        overdue(&mut registry, status);
        lanes(&mut registry, &status.lanes, &status.waits, status.now);
        let mut text = String::new();
        encode(&mut text, &registry)
            .map_err(|error| Fault::new(Kind::Bug, format!("metrics: {error}")))?;
        Ok(text)
    }
}

fn daemon(registry: &mut Registry, status: &Status, extra: &Extra) {
    let version = vec![("version", status.version.clone())];
    labelled(registry, "build", "The version, as a label", [(version, 1.0)]);
    let flag = |set: bool| if set { 1.0 } else { 0.0 };
    let unwritten = u32::try_from(extra.unwritten).unwrap_or(u32::MAX);
    for (name, help, value) in [
        ("health", "0 well, 1 look, 2 overdue or end-only", f64::from(status.health)),
        ("end_only", "1 while no lease is made", flag(status.end_only.is_some())),
        ("config_refused", "1 while the file is not taken", flag(status.config_problem.is_some())),
        ("freezes", "Freezes that stand", amount(status.freezes.len())),
        ("unproven_grants", "Found under our Name, left alone", count(status.unproven)),
        ("rogue_grants", "Name our role, nobody knows why", count(status.rogues)),
        ("impostor_grants", "Under a lease's ref, giving else", count(status.impostors)),
        ("stray_grants", "Under our Name, of no host", count(status.strays)),
        ("found_grants", "Open grants that were only found", count(status.found)),
        ("stranger_grants", "Name our role on strange keys", count(status.strangers)),
        ("adoption_holds", "Policies and keys that are held", amount(status.holds.len())),
        ("adoptable_grants", "Of others, not under a deadline", count(status.adoptable)),
        ("moved_aliases", "Aliases that wait to be accepted", amount(status.moved_aliases.len())),
        ("keys_off", "Keys with live leases, not usable", amount(status.keys_off.len())),
        ("missing_grants", "Ended by somebody else", count(status.missing)),
        ("refused_today", "Open leases no policy gives today", count(status.refused_today)),
        ("grantees_gone", "Open leases of a grantee that is gone", count(status.grantees_gone)),
        ("clock_doubt", "1 while the clocks disagree", flag(extra.doubt)),
        ("ledger_full", "1 while the ledger's disk is full", flag(extra.full)),
        ("unwritten_ends", "Ends sent and not yet recorded", f64::from(unwritten)),
        ("started_timestamp_seconds", "When the daemon started", instant(status.started_at)),
    ] {
        alone(registry, name, help, value);
    }
    let states = status.counts.iter();
    let states = states.map(|(state, n)| (vec![("state", state.clone())], count(*n)));
    labelled(registry, "grants", "Grants in the ledger by state", states);
    if let Some(at) = status.next_deadline {
        alone(registry, "next_deadline_timestamp_seconds", "The next deadline", instant(at));
    }
}

fn overdue(registry: &mut Registry, status: &Status) {
    alone(registry, "overdue", "Grants past their deadline", count(status.overdue_count));
    let oldest = status.overdue.iter().map(|one| status.now.since(one.deadline)).max();
    let help = "How long the oldest of them is overdue";
    alone(registry, "overdue_oldest_seconds", help, seconds(oldest.unwrap_or(0)));
}

fn lanes(registry: &mut Registry, lanes: &[LaneStatus], waits: &[Wait], now: Time) {
    let each = |value: fn(&LaneStatus) -> bool| -> Vec<(Labels, f64)> {
        let one = |lane: &LaneStatus| {
            (place(lane.account.as_str(), lane.region.as_str()), f64::from(u8::from(value(lane))))
        };
        lanes.iter().map(one).collect()
    };
    let frozen = each(|lane| lane.frozen.is_some());
    labelled(registry, "lane_closing_frozen", "1 while nothing is closed", frozen);
    let stale = each(|lane| lane.unrefreshed.is_some());
    labelled(registry, "lane_credentials_stale", "1 while they cannot be refreshed", stale);
    let searching = each(|lane| lane.searching);
    labelled(registry, "lane_searching", "1 until the first search is over", searching);
    let answered = lanes.iter().filter_map(|lane| {
        Some((place(lane.account.as_str(), lane.region.as_str()), instant(lane.answered_at?)))
    });
    let help = "When KMS last answered anything";
    labelled(registry, "lane_answered_timestamp_seconds", help, answered);
    // One for each class: keys are many.
    let mut all = std::collections::BTreeMap::<Labels, (f64, i64)>::new();
    for wait in waits {
        let mut labels = place(wait.account.as_str(), wait.region.as_str());
        labels.push(("class", outcome(Some(wait.class)).to_owned()));
        let entry = all.entry(labels).or_default();
        *entry = (entry.0 + 1.0, entry.1.max(now.since(wait.since)));
    }
    let waiting = all.iter().map(|(labels, (n, _))| (labels.clone(), *n));
    labelled(registry, "waiting", "Lanes and keys that wait, by reason", waiting);
    let oldest = all.iter().map(|(labels, (_, ms))| (labels.clone(), seconds(*ms)));
    labelled(registry, "waiting_oldest_seconds", "How long the oldest waits", oldest);
}

fn place(account: &str, region: &str) -> Labels {
    vec![("account", account.to_owned()), ("region", region.to_owned())]
}

fn alone(registry: &mut Registry, name: &str, help: &str, value: f64) {
    let gauge = Amount::default();
    gauge.set(value);
    registry.register(name, help, gauge);
}

fn labelled(
    registry: &mut Registry,
    name: &str,
    help: &str,
    values: impl IntoIterator<Item = (Labels, f64)>,
) {
    let family = Family::<Labels, Amount>::default();
    for (labels, value) in values {
        family.get_or_create(&labels).set(value);
    }
    registry.register(name, help, family);
}

const fn operation(op: Op) -> &'static str {
    match op {
        Op::Create => "create",
        Op::End | Op::EndAdopted => "end",
        Op::List => "list",
    }
}

const fn outcome(class: Option<Class>) -> &'static str {
    match class {
        None => "done",
        Some(Class::NotFound) => "not-found",
        Some(Class::BadToken) => "bad-token",
        Some(Class::Throttled) => "throttled",
        Some(Class::Denied) => "denied",
        Some(Class::KeyState) => "key-state",
        Some(Class::Credentials) => "credentials",
        Some(Class::Unavailable) => "unavailable",
        Some(Class::Quota) => "quota",
        Some(Class::Invalid) => "invalid",
    }
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds of a century are exact in an f64")]
fn seconds(ms: i64) -> f64 {
    ms as f64 / SECOND as f64
}

fn instant(at: Time) -> f64 {
    seconds(at.0)
}

#[expect(clippy::cast_precision_loss, reason = "far fewer than 2^53")]
fn count(n: i64) -> f64 {
    n as f64
}

fn amount(n: usize) -> f64 {
    count(i64::try_from(n).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests;
