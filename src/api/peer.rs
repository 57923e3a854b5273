//! Who is at the other end: what the kernel noted at `connect(2)`, and nothing that the client
//! says.
//!
//! A descriptor can be passed on, and then the credentials stay those of the process that
//! connected. The pid is not read at all: it may be another process by now.

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use nix::unistd::{Uid, User};
use tokio::net::UnixStream;
use tokio::sync::Semaphore;

use super::limits::within;
use crate::fault::{Fault, Kind};
use crate::rules::access::Caller;

/// The uid and gid that the kernel shows for whoever has none in our user namespace
/// (`overflowuid`): it stands for many, so it may stand for nobody in particular.
const OVERFLOW_ID: u32 = 65_534;
/// For the user's name, which is decoration: a directory server that does not answer must not hold
/// up a revoke.
const NAME_PATIENCE: Duration = Duration::from_secs(1);
/// Name look-ups at once: each may hold a thread for as long as a directory server likes.
const NAME_LOOKUPS: usize = 4;

/// The peer's credentials, without its name.
#[derive(Debug, Clone)]
pub(super) struct Peer {
    pub(super) uid: u32,
    gid: u32,
    groups: Vec<u32>,
}

impl Peer {
    /// Ask the kernel. Fails when the peer is gone already.
    pub(super) fn of(stream: &UnixStream) -> io::Result<Self> {
        let credentials = stream.peer_cred()?;
        let mut groups = peer_groups::peer_groups(stream.as_fd())?;
        groups.retain(|gid| *gid != OVERFLOW_ID);
        Ok(Self { uid: credentials.uid(), gid: credentials.gid(), groups })
    }

    /// The peer as those want him who decide by ids alone.
    pub(super) fn nameless(&self) -> Caller {
        let (uid, gid, groups) = (self.uid, self.gid, self.groups.clone());
        Caller { uid, gid, groups, name: uid.to_string() }
    }

    /// Whether the uid names one user.
    pub(super) fn known(&self) -> Result<(), Fault> {
        if self.uid == OVERFLOW_ID {
            let text = "the kernel tells no user id of the caller (it shows 65534)";
            let hint = "call as a user of this host, not as nobody or from another user namespace";
            return Err(Fault::new(Kind::SocketDenied, text).hint(hint));
        }
        Ok(())
    }
}

/// Looks up user names, away from the API's thread and within bounds.
#[derive(Debug, Clone)]
pub(super) struct Names(Arc<Semaphore>);

impl Names {
    pub(super) fn new() -> Self {
        Self(Arc::new(Semaphore::new(NAME_LOOKUPS)))
    }

    /// The caller as the engine wants him: with his name, or his uid in digits where no name is to
    /// be had in time.
    pub(super) async fn caller(&self, peer: &Peer) -> Caller {
        let name = within(NAME_PATIENCE, self.find(peer.uid)).await.flatten();
        let nameless = peer.nameless();
        Caller { name: name.unwrap_or(nameless.name), ..nameless }
    }

    async fn find(&self, uid: u32) -> Option<String> {
        let permit = Arc::clone(&self.0).acquire_owned().await.ok()?;
        let lookup = move || {
            let user = User::from_uid(Uid::from_raw(uid)).ok().flatten();
            drop(permit); // only now: a look-up that outlasts its asker still counts
            user.map(|user| user.name)
        };
        tokio::task::spawn_blocking(lookup).await.ok().flatten()
    }
}

#[cfg(test)]
mod tests;
