//! `grantd completions` and `grantd man`: made from the same definitions as the help, so that they
//! cannot differ.

use std::io;
use std::path::Path;

use clap::{Arg, Command, CommandFactory as _};

use super::args::{Cli, CompletionsArgs, ManArgs};
use super::out::{Out, Stop};
use crate::fault::{Fault, Kind};

/// Completions on stdout.
///
/// # Errors
/// When stdout takes no more.
pub(super) fn completions(args: &CompletionsArgs, out: &mut Out) -> Result<u8, Stop> {
    // Into memory first: the generator panics when its writer fails, and a closed pipe is no panic.
    let mut script = Vec::new();
    let mut command = Cli::command().mut_subcommands(without_hidden);
    clap_complete::generate(args.shell, &mut command, "grantd", &mut script);
    out.writer().write_all(&script)?;
    Ok(0)
}

/// A generator offers hidden flags too: those that are only known to be refused.
fn without_hidden(command: Command) -> Command {
    let hidden = command.get_arguments().any(Arg::is_hide_set);
    let name = match command.get_name() {
        "create" => "create",
        "explain" => "explain",
        "run" => "run",
        _ => return command,
    };
    if !hidden {
        return command;
    }
    let about = command.get_about().cloned().unwrap_or_default();
    let shown = command.get_arguments().filter(|arg| !arg.is_hide_set()).cloned();
    Command::new(name).about(about).args(shown)
}

/// One page for grantd and one for each command.
///
/// # Errors
/// [`Kind::FileAbsent`] without the directory, [`Kind::Io`] when it takes no file.
pub(super) fn man(args: &ManArgs, out: &mut Out) -> Result<u8, Stop> {
    if !args.dir.is_dir() {
        let text = format!("{} is not a directory", args.dir.display());
        return Err(Fault::new(Kind::FileAbsent, text).hint("make it first: mkdir -p").into());
    }
    // The page of a default must not carry the environment of the machine that builds it.
    let command = Cli::command().mut_args(|arg| arg.hide_env_values(true));
    let mut command = command.disable_help_subcommand(true);
    command.build();
    pages(&command, &args.dir).map_err(|error| {
        Fault::new(Kind::Io, format!("cannot write man pages to {}: {error}", args.dir.display()))
    })?;
    out.note(&format!("man pages are in {}", args.dir.display()))?;
    Ok(0)
}

/// The page of a command, then those of its subcommands.
fn pages(command: &Command, dir: &Path) -> io::Result<()> {
    for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
        pages(below, dir)?;
    }
    let below = command.has_subcommands();
    let command = command.clone().mut_args(with_aliases);
    let after = command.get_after_long_help().or_else(|| command.get_after_help());
    let after = after.map(ToString::to_string).unwrap_or_default();
    let page = clap_mangen::Man::new(command);
    let mut text = Vec::new();
    page.render_title(&mut text)?;
    page.render_name_section(&mut text)?;
    page.render_synopsis_section(&mut text)?;
    page.render_description_section(&mut text)?;
    page.render_options_section(&mut text)?;
    if below {
        page.render_subcommands_section(&mut text)?;
    }
    text.extend(verbatim(&after).into_bytes());
    page.render_version_section(&mut text)?;
    std::fs::write(dir.join(page.get_filename()), text)
}

/// The generator leaves the second spellings out.
fn with_aliases(arg: Arg) -> Arg {
    let aliases = arg.get_visible_aliases().unwrap_or_default();
    let (Some(alias), Some(help)) = (aliases.first(), arg.get_help()) else { return arg };
    let help = format!("{help} [alias: --{alias}]");
    arg.help(help)
}

/// Roff of what stands below the options: each line that ends with a colon is a heading, and the
/// rest stays as it is typed, since much of it is to be typed again.
fn verbatim(text: &str) -> String {
    let mut roff = String::new();
    let mut filled = true;
    for line in text.lines() {
        if let Some(heading) = line.strip_suffix(':').filter(|text| !text.starts_with(' ')) {
            if !filled {
                roff.push_str(".fi\n");
            }
            // In a heading a quote would end it.
            let (heading, quoted) = (heading.replace('"', "\\(dq"), heading.contains('`'));
            roff.push_str(&match quoted {
                true => format!(".SS \"{heading}\"\n.nf\n"),
                false => format!(".SH \"{}\"\n.nf\n", heading.to_uppercase()),
            });
            filled = false;
            continue;
        }
        // Left as they are, these come out as other characters than a shell wants; and a dot at the
        // start of a line is a request.
        let line = line.replace('\\', "\\e").replace('-', "\\-");
        let line = line.replace('\'', "\\(aq").replace('`', "\\(ga");
        let guard = if line.starts_with('.') { "\\&" } else { "" };
        roff.push_str(&format!("{guard}{line}\n"));
    }
    if !filled {
        roff.push_str(".fi\n");
    }
    roff
}
