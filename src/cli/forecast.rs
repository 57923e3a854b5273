//! `grantd status --forecast`: what ends when, and where more is due than a lane's pace lets
//! through.

use std::collections::BTreeMap;

use comfy_table::Cell;
use serde_json::{Value, json};

use super::list;
use super::out::{BAD, Out, STRONG, Stop};
use super::source::Daemon;
use super::words::{from_now, span, utc};
use crate::fault::exit;
use crate::ids::{AccountId, Region};
use crate::rules::forecast::{Burst, Share, bursts, shares};
use crate::rules::time::Time;
use crate::wire::{Lease, ListLeases};

/// The exit code when an end would be late.
const LATE: u8 = 1;

/// What lies ahead in one account and Region.
struct Ahead {
    account: AccountId,
    region: Region,
    /// Ends that may be sent in a second.
    pace: u32,
    shares: Vec<Share>,
    bursts: Vec<Burst>,
}

/// Ask the daemon what lives, and tell.
///
/// # Errors
/// The daemon's fault; when stdout takes no more.
pub(super) async fn forecast(daemon: &dyn Daemon, out: &mut Out) -> Result<u8, Stop> {
    let status = daemon.status().await?;
    let mut due = BTreeMap::<_, Vec<Time>>::new();
    for lease in list::all(ListLeases::default(), daemon).await? {
        let ends = due.entry((lease.account.clone(), lease.region.clone())).or_default();
        ends.extend(ends_of(&lease));
    }
    let pace = |account: &AccountId, region: &Region| {
        let its = status.lanes.iter().filter(|l| l.account == *account && l.region == *region);
        its.map(|lane| lane.ends_per_second).max().unwrap_or_default()
    };
    let ahead: Vec<Ahead> = due
        .into_iter()
        .map(|((account, region), mut due)| {
            due.sort_unstable();
            let pace = pace(&account, &region);
            let (shares, bursts) = (shares(&due, status.now), bursts(&due, pace));
            Ahead { account, region, pace, shares, bursts }
        })
        .collect();
    if out.json {
        let lanes: Vec<Value> = ahead.iter().map(document).collect();
        out.document(&json!({ "now": status.now, "lanes": lanes }))?;
    } else {
        print(&ahead, out)?;
    }
    Ok(if ahead.iter().all(|lane| lane.bursts.is_empty()) { exit::OK } else { LATE })
}

/// When the ends of its grants are due that are still owed.
fn ends_of(lease: &Lease) -> impl Iterator<Item = Time> + '_ {
    let owed = lease.grants.iter().filter(|grant| list::owed(&grant.state));
    owed.map(|grant| lease.origin.due_at(grant.deadline, lease.lead_ms))
}

fn print(ahead: &[Ahead], out: &mut Out) -> Result<(), Stop> {
    if ahead.is_empty() {
        out.line("nothing is to end")?;
    }
    for lane in ahead {
        let Ahead { account, region, pace, shares, bursts } = lane;
        out.line(format!("{STRONG}{account} {region}{STRONG:#}, up to {pace} ends a second"))?;
        let rows = shares.iter().map(|share| {
            let of = format!("{} (for {})", utc(share.from), span(share.span));
            vec![Cell::new(of), Cell::new(share.count)]
        });
        let rows = rows.collect();
        out.table(&["FROM", "ENDS"], rows)?;
        for burst in bursts {
            let (late, from) = (burst.late, utc(burst.from));
            let (worst, over) = (span(burst.latest_ms), from_now(burst.over, burst.from));
            out.line(format!(
                "{BAD}!{BAD:#} from {from} on {late} ends are late, the last by {worst}; over {over}"
            ))?;
        }
        out.line("")?;
    }
    Ok(())
}

fn document(lane: &Ahead) -> Value {
    let Ahead { account, region, pace, shares, bursts } = lane;
    let shares: Vec<Value> = shares
        .iter()
        .map(|s| json!({ "from": s.from, "span-ms": s.span, "count": s.count }))
        .collect();
    let bursts: Vec<Value> = bursts
        .iter()
        .map(
            |b| json!({ "from": b.from, "over": b.over, "late": b.late, "latest-ms": b.latest_ms }),
        )
        .collect();
    json!({
        "account": account, "region": region, "ends-per-second": pace, "ends": shares,
        "bursts": bursts,
    })
}
