//! `grantd demo`: the story of temporary access, told by the real daemon against the embedded KMS;
//! and `grantd sandbox`: that KMS alone.

mod person;
mod sandbox;
mod story;
mod world;

use std::future::Future;
use std::io;
use std::pin::pin;

use futures_util::future::{Either, select};
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::args::{DemoArgs, SandboxArgs};
use crate::cli::out::{Out, STRONG, Stop};
use crate::fault::{Fault, Kind};
use world::World;

/// What a shell reports for a program that Ctrl-C ended.
const INTERRUPTED: u8 = 130;

/// Tell the story.
///
/// # Errors
/// Whatever came out otherwise than it should.
pub fn demo(args: &DemoArgs, out: &mut Out) -> Result<u8, Stop> {
    plain(out, "demo")?;
    runtime()?.block_on(async {
        let mut stopped = pin!(stopped()?);
        out.line("grantd demo: no AWS account, nothing of yours is touched")?;
        let mut world = World::start()?;
        let told = async {
            story::tell(&mut world, out).await?;
            if args.keep {
                hints(&world, out)?;
            }
            Ok::<(), Stop>(())
        };
        let told = match select(pin!(told), &mut stopped).await {
            Either::Left((told, _)) => Some(told),
            Either::Right(_) => None,
        };
        let result = match told {
            None => Ok(INTERRUPTED),
            Some(Ok(())) if args.keep => {
                stopped.await;
                Ok(0)
            }
            Some(Ok(())) => Ok(0),
            Some(Err(stop)) => {
                for line in world.log() {
                    out.note(&format!("daemon: {}", crate::cli::words::clean(&line)))?;
                }
                Err(stop)
            }
        };
        world.stop().await;
        result
    })
}

/// Run the embedded KMS alone until Ctrl-C.
///
/// # Errors
/// When it cannot listen there.
pub fn sandbox(args: &SandboxArgs, out: &mut Out) -> Result<u8, Stop> {
    runtime()?.block_on(async {
        let stopped = pin!(stopped()?);
        let server = sandbox::bind(args.listen, out.now).await?;
        sandbox::describe(&server, out)?;
        // It serves for ever; only the signal ends this.
        select(pin!(server.server.serve()), stopped).await;
        Ok(0)
    })
}

fn runtime() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

/// SIGINT or SIGTERM. Registered at once, so that neither can end the process before it has put
/// everything away.
fn stopped() -> io::Result<impl Future<Output = ()>> {
    let (mut interrupt, mut terminate) =
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(async move {
        select(pin!(interrupt.recv()), pin!(terminate.recv())).await;
    })
}

fn plain(out: &Out, what: &str) -> Result<(), Fault> {
    if out.json {
        let text = format!("`grantd {what}` is told to people and has no JSON form");
        return Err(Fault::new(Kind::Usage, text).hint("leave out --json"));
    }
    Ok(())
}

/// What can be tried by hand while all is left running.
fn hints(world: &World, out: &mut Out) -> Result<(), Stop> {
    out.line(format!("\n  {STRONG}everything goes on running; try in another shell{STRONG:#}"))?;
    out.line(format!("      export GRANTD_SOCKET={}", world.socket().display()))?;
    let (grantd, key) = (sandbox::program(), world.story.alias);
    for line in [
        format!("{grantd} create --key {key} --grantee role/RoleB --operations Decrypt --ttl 5m"),
        format!("{grantd} list"),
        format!("{grantd} history"),
        format!("{grantd} status"),
    ] {
        out.line(format!("      {line}"))?;
    }
    out.line("")?;
    let credentials = sandbox::exports(&world.story.role_b, &world.story.key_arn);
    for line in credentials.into_iter().chain([
        format!("echo {} | base64 -d > secret", world.ciphertext),
        sandbox::aws(&world.sandbox.url(), "decrypt --ciphertext-blob fileb://secret"),
    ]) {
        out.line(format!("      {line}"))?;
    }
    out.line("\n  Ctrl-C stops all of it and removes its files")?;
    out.flush()?;
    Ok(())
}
