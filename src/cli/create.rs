//! `grantd create`: what was typed → the request; the reply → what the asker reads.

use std::ffi::OsString;
use std::path::PathBuf;

use jiff::tz::TimeZone;

use super::command::Wanted;
use super::create_args::CreateArgs;
use super::out::{Out, Stop, WARN};
use super::source::Daemon;
use super::token::TokenFile;
use super::{shorthand, token, words};
use crate::config::is_loopback;
use crate::fault::{Fault, Kind};
use crate::ids::Region;
use crate::rules::policy::parse_span;
use crate::rules::time::{BadInstant, Time, parse_instant};
use crate::terms::{Constraints, Operation, UnknownOperation};
use crate::wire::{CreateLease, Lease, LeaseMade};

/// A create that makes sense as far as the command line can tell; the daemon judges the rest.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Usable {
    /// The body of the request.
    pub(super) request: CreateLease,
    /// The header `Idempotency-Key`.
    pub(super) idempotency: Option<String>,
    /// Where the token goes.
    pub(super) token_file: Option<PathBuf>,
    /// Print the ref alone.
    pub(super) quiet: bool,
    /// What the lease is for, where it is to live no longer than that runs.
    pub(super) command: Option<Wanted>,
}

impl Usable {
    /// Check what was typed.
    ///
    /// # Errors
    /// [`Kind::Usage`] for a flag that is refused, [`Kind::BadArgument`] for a value that cannot be
    /// right.
    pub(super) fn of(args: CreateArgs, json: bool) -> Result<Self, Fault> {
        if let Some((flag, reason, instead)) = args.refused.typed() {
            return Err(
                Fault::new(Kind::Usage, format!("{flag} is refused: {reason}")).hint(instead)
            );
        }
        if args.quiet && json {
            return Err(Fault::new(Kind::Usage, "--quiet and --json exclude each other")
                .hint("--json has the ref under .lease.ref"));
        }
        let command = wanted(args.command, args.token_env, json)?;
        plausible_key(&args.key)?;
        args.idempotency_key.as_deref().map(idempotency_key).transpose()?;
        let until = args.until.as_deref().map(until).transpose()?;
        let region = args.region.map(Region::parse).transpose().map_err(|bad| {
            Fault::new(Kind::BadArgument, format!("--region: {bad}")).hint("such as ap-northeast-1")
        })?;
        let constraints = match (args.constraints, &args.context[..], &args.context_equals[..]) {
            (Some(text), ..) => shorthand::constraints(&text)?,
            (None, [], []) => Constraints::None,
            (None, [], typed) => Constraints::Equals(shorthand::pairs("--context-equals", typed)?),
            (None, typed, _) => Constraints::Subset(shorthand::pairs("--context", typed)?),
        };
        let request = CreateLease {
            key: args.key,
            grantee: args.grantee,
            operations: operations(&args.operations)?,
            ttl: args.ttl,
            until,
            reason: args.reason,
            constraints,
            region,
            token: args.print_token
                || args.token_file.is_some()
                || command.as_ref().is_some_and(|wanted| wanted.token_env.is_some()),
            hold: command.is_some(),
        };
        Ok(Self {
            request,
            idempotency: args.idempotency_key,
            token_file: args.token_file,
            quiet: args.quiet,
            command,
        })
    }
}

/// COMMAND, if one was typed. Its stdout is its own.
fn wanted(
    command: Vec<OsString>,
    token_env: Option<String>,
    json: bool,
) -> Result<Option<Wanted>, Fault> {
    let mut words = command.into_iter();
    let Some(name) = words.next() else { return Ok(None) };
    if json {
        return Err(Fault::new(Kind::Usage, "--json and a command exclude each other")
            .hint("stdout is the command's; GRANTD_REF in its environment names the lease"));
    }
    let plain = |name: &String| {
        let mut bytes = name.bytes();
        bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
            && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
    };
    if let Some(bad) = token_env.as_ref().filter(|name| !plain(name)) {
        let text = format!("--token-env {bad:?} is no name of a variable");
        return Err(Fault::new(Kind::BadArgument, text).hint("such as GRANT_TOKEN"));
    }
    Ok(Some(Wanted { name, args: words.collect(), token_env }))
}

/// A name without its `alias/` would be looked for as an id, and not be found.
fn plausible_key(key: &str) -> Result<(), Fault> {
    let named = !key.is_empty() && !key.contains([':', '/']);
    let hex = |text: &str| text.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
    if !named || hex(key) || key.strip_prefix("mrk-").is_some_and(hex) {
        return Ok(());
    }
    let text = format!("--key {key} is neither an ARN nor a key id");
    Err(Fault::new(Kind::BadArgument, text).hint(format!("did you mean --key alias/{key}?")))
}

/// What the API takes as the header `Idempotency-Key`, told in the words of the flag.
pub(super) fn idempotency_key(key: &str) -> Result<(), Fault> {
    if (1..=128).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic()) {
        return Ok(());
    }
    let text = "--idempotency-key takes 1 to 128 visible ASCII characters without blanks";
    let hint = "use what is the same at each repeat, such as the number of the build";
    Err(Fault::new(Kind::BadArgument, text).hint(hint))
}

/// The instant of `--until`. A zone is required: a deadline that means another hour on another host
/// is worse than none.
pub(super) fn until(text: &str) -> Result<Time, Fault> {
    instant(text).map_err(|bad| {
        let fault = Fault::new(Kind::BadArgument, format!("--until {text:?} {bad}"));
        match parse_span(text) {
            Ok(_) => fault.hint(format!("how long it lasts says --ttl {text:?}")),
            Err(_) => fault.hint(format!("{}; or say how long: --ttl 2h", bad.help())),
        }
    })
}

/// An instant as it is typed; zones are those that this host knows.
pub(super) fn instant(text: &str) -> Result<Time, BadInstant> {
    parse_instant(text.trim(), &|zone| TimeZone::get(zone).ok())
}

/// The operations, checked here so that a slip of the pen is found even while the daemon is down.
fn operations(typed: &[String]) -> Result<Vec<String>, Fault> {
    // One word of the shell may hold several: "Decrypt Encrypt".
    let typed = typed.iter().flat_map(|text| text.split_whitespace());
    let mut names = Vec::new();
    for text in typed {
        if Operation::named(text).is_none() {
            let unknown = UnknownOperation(text.to_owned());
            let fault = Fault::new(Kind::BadArgument, format!("--operations: {unknown}"));
            return Err(fault.hint(Operation::advice(text)));
        }
        names.push(text.to_owned());
    }
    if names.is_empty() {
        return Err(Fault::new(Kind::BadArgument, "--operations names none")
            .hint("such as --operations Decrypt"));
    }
    Ok(names)
}

/// Make the lease.
///
/// # Errors
/// The daemon's fault, or what keeps the token from being written down.
pub(super) async fn create(
    usable: &Usable,
    daemon: &dyn Daemon,
    out: &mut Out,
) -> Result<u8, Stop> {
    let file = usable.token_file.as_deref().map(TokenFile::new).transpose()?;
    let made = daemon.create(&usable.request, usable.idempotency.as_deref()).await;
    let mut made = match made {
        Ok(made) => made,
        Err(fault) => {
            file.into_iter().for_each(TokenFile::drop_empty);
            return Err(unsettled(fault, usable, out)?.into());
        }
    };
    let kept = token::put(&mut made.token, file, &made.lease.reference)?;
    print(out, &made, usable, kept)?;
    Ok(0)
}

/// With `--quiet` a lease whose outcome is unknown still gives its ref: it is recorded, and ends in
/// any case.
fn unsettled(fault: Fault, usable: &Usable, out: &mut Out) -> Result<Fault, Stop> {
    if let (Kind::OutcomeUnknown, true, Some(lease)) = (fault.kind, usable.quiet, &fault.lease) {
        out.line(lease.as_str())?;
    }
    Ok(fault)
}

/// What the asker reads.
///
/// # Errors
/// When stdout takes no more.
fn print(
    out: &mut Out,
    made: &LeaseMade,
    usable: &Usable,
    kept: Option<PathBuf>,
) -> Result<(), Stop> {
    if out.json {
        out.document(made)?;
        return Ok(());
    }
    if usable.quiet {
        out.line(made.lease.reference.as_str())?;
        return Ok(());
    }
    let line = headline(&made.lease, out);
    out.line(line)?;
    if made.repeated {
        out.line("this idempotency key made it before; nothing new was made")?;
    }
    if let Some(late) = late(made) {
        out.note(&late)?;
    }
    token::tell(out, made.token.as_deref(), kept.as_deref(), usable.request.token)?;
    Ok(())
}

/// That its end would be late, where it would.
pub(super) fn late(made: &LeaseMade) -> Option<String> {
    let late = words::span(made.late_ms?);
    Some(format!(
        "{WARN}warning:{WARN:#} so much else ends by then that this lease would end {late} late; see \
         `grantd status --forecast`"
    ))
}

/// The lease on one line, as sketches.md gives it.
pub(super) fn headline(lease: &Lease, out: &Out) -> String {
    let mut line = format!(
        "{}  {}: {} on {} until {}",
        lease.reference,
        lease.grantee.short(),
        words::operations(&lease.operations),
        words::key(&lease.key, &lease.key_arn),
        words::deadline(lease.deadline, out.now, &out.zone),
    );
    if let Some(context) = words::context(&lease.constraints) {
        line.push_str(&format!(", where the encryption context {context}"));
    }
    if let Some(endpoint) = lease.endpoint.as_ref().filter(|url| is_loopback(url)) {
        line.push_str(&format!("  {WARN}NOT AWS{WARN:#}: {}", words::clean(endpoint)));
    }
    line
}

#[cfg(test)]
mod tests;
