//! `grantd reload`: the changed configuration, and what that means for what lives.

use comfy_table::Cell;

use super::args::ReloadArgs;
use super::out::{Out, STRONG, Stop};
use super::source::Daemon;
use super::words::clean;
use crate::wire::{Changed, Reload, Reloaded};

/// Have the file taken, or ask what it would change.
///
/// # Errors
/// The daemon's fault: above all every problem of the file; stdout's.
pub(super) async fn reload(
    args: &ReloadArgs,
    daemon: &dyn Daemon,
    out: &mut Out,
) -> Result<u8, Stop> {
    let reloaded = daemon.reload(&Reload { dry_run: args.dry_run }).await?;
    if out.json {
        return Ok(out.document(&reloaded).map(|()| 0)?);
    }
    for warning in &reloaded.warnings {
        out.note(&format!("warning: {}", clean(warning)))?;
    }
    if !reloaded.changes.is_empty() {
        let rows = reloaded.changes.iter().map(row).collect();
        out.table(&["WHAT", "KEY", "WAS", "IS", "OPEN LEASES"], rows)?;
    }
    out.line(summary(&reloaded))?;
    Ok(0)
}

fn row(change: &Changed) -> Vec<Cell> {
    let side = |text: &Option<String>| text.as_deref().map_or_else(|| "-".to_owned(), clean);
    let leases = match (&change.means, change.leases) {
        (Some(means), 0) => clean(means),
        (Some(means), n) => format!("{n}: {}", clean(means)),
        (None, n) => n.to_string(),
    };
    let texts =
        [clean(&change.what), clean(&change.key), side(&change.was), side(&change.is), leases];
    texts.map(Cell::new).to_vec()
}

fn summary(reloaded: &Reloaded) -> String {
    let Reloaded { config, dry_run, makes_again, changes, open_leases, warnings: _ } = reloaded;
    let config = clean(config);
    let what = match (changes.len(), dry_run, makes_again) {
        (0, true, false) => format!("{config} would change nothing"),
        (0, false, false) => format!("{config} is in force; nothing has changed"),
        (_, true, true) => format!("{config} would be in force, and leases be made again"),
        (_, false, true) => {
            format!("{STRONG}{config} is in force{STRONG:#}: leases are made again")
        }
        (n, true, false) => format!("{config} would change {n} settings"),
        (n, false, false) => {
            format!("{STRONG}{config} is in force{STRONG:#}: {n} settings changed")
        }
    };
    match open_leases {
        0 => what,
        n => format!("{what}; open leases, which keep their deadlines: {n}"),
    }
}
