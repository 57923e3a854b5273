//! A socket in front of a daemon's own: bytes pass as they come, and every exchange is held against
//! the API's document ([`contract`](crate::contract)).
//!
//! The daemon asks the kernel who came, so the relay comes as its client is: where root runs the
//! tests, with the client's own uid and groups. Only who may connect at all is not to be seen at a
//! relay, which lets everybody in.

use std::collections::BTreeSet;
use std::fs::Permissions;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use rustix::process::Gid;

use crate::contract::{Contract, exchanges};

/// Bytes kept of one direction of a connection; a client that floods is not read to its end.
const KEPT_MAX: usize = 64 * 1024 * 1024;

/// A running relay. When dropped it fails the test if an exchange broke the contract.
#[derive(Debug)]
pub struct Relay {
    listener: UnixListener,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    closing: AtomicBool,
    book: Mutex<Book>,
}

#[derive(Debug, Default)]
struct Book {
    seen: BTreeSet<String>,
    complaints: Vec<String>,
}

impl Shared {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection's two ends, and who moves its bytes.
struct Connection {
    client: UnixStream,
    daemon: UnixStream,
    mover: JoinHandle<()>,
}

impl Relay {
    /// Listens at `front` for the daemon at `back`, which may come and go.
    #[must_use]
    pub fn start(front: &Path, back: &Path) -> Self {
        drop(std::fs::remove_file(front)); // of a relay before: like a daemon, it leaves its file
        let listener = UnixListener::bind(front).expect("a new socket");
        let all = Permissions::from_mode(0o777);
        std::fs::set_permissions(front, all).expect("a socket of our own");
        let shared = Arc::new(Shared::default());
        let (book, back) = (Arc::clone(&shared), back.to_owned());
        let accepts = listener.try_clone().expect("a second handle");
        let acceptor = std::thread::spawn(move || accept(&accepts, &back, &book));
        Self { listener, shared, acceptor: Some(acceptor) }
    }

    /// Ends the relay, and gives what it saw, such as `GET /v1/leases/{ref} 404`.
    #[must_use]
    pub fn seen(mut self) -> BTreeSet<String> {
        self.close();
        std::mem::take(&mut self.shared.book().seen)
    }

    /// Ends the relay, and gives what broke the contract.
    #[must_use]
    pub fn complaints(mut self) -> Vec<String> {
        self.close();
        std::mem::take(&mut self.shared.book().complaints)
    }

    fn close(&mut self) {
        self.shared.closing.store(true, Ordering::SeqCst);
        // Wakes the accept. Its file may be gone, or another relay's by now, so nobody can knock.
        let _woken = rustix::net::shutdown(&self.listener, rustix::net::Shutdown::Both).is_ok();
        if let Some(acceptor) = self.acceptor.take() {
            acceptor.join().expect("the relay does not panic");
        }
    }
}

impl Drop for Relay {
    #[expect(clippy::print_stderr, reason = "libtest shows it where a test failed")]
    fn drop(&mut self) {
        self.close();
        let complaints = std::mem::take(&mut self.shared.book().complaints);
        if complaints.is_empty() {
            return;
        }
        let text = complaints.join("\n\n");
        if std::thread::panicking() {
            eprintln!("{text}");
        } else {
            panic!("{text}");
        }
    }
}

fn accept(listener: &UnixListener, back: &Path, shared: &Arc<Shared>) {
    let mut open: Vec<Connection> = Vec::new();
    for client in listener.incoming() {
        if shared.closing.load(Ordering::SeqCst) {
            break;
        }
        open.retain(|connection| !connection.mover.is_finished());
        let client = client.expect("a client");
        // In the order of arrival, as without a relay. Nobody there: the client is hung up on.
        let Ok(daemon) = connect_as(&client, back) else { continue };
        open.push(Connection::open(client, daemon, shared));
    }
    for connection in open {
        connection.close();
    }
}

/// A connection to the daemon, made as `client` is.
fn connect_as(client: &UnixStream, back: &Path) -> std::io::Result<UnixStream> {
    if !rustix::process::geteuid().is_root() {
        return UnixStream::connect(back); // nobody else can have come
    }
    let peer = rustix::net::sockopt::socket_peercred(client)?;
    let groups = peer_groups::peer_groups(client.as_fd())?;
    let back = back.to_owned();
    // Of this thread alone, which ends with the connection made.
    let connect = move || {
        let groups: Vec<Gid> = groups.into_iter().map(Gid::from_raw).collect();
        rustix::thread::set_thread_groups(&groups)?;
        rustix::thread::set_thread_res_gid(peer.gid, peer.gid, peer.gid)?;
        rustix::thread::set_thread_res_uid(peer.uid, peer.uid, peer.uid)?;
        UnixStream::connect(back)
    };
    std::thread::spawn(connect).join().expect("the relay does not panic")
}

impl Connection {
    fn open(client: UnixStream, daemon: UnixStream, shared: &Arc<Shared>) -> Self {
        let twin = |stream: &UnixStream| stream.try_clone().expect("a second handle");
        let (up, down) = ((twin(&client), twin(&daemon)), (twin(&daemon), twin(&client)));
        let shared = Arc::clone(shared);
        let mover = std::thread::spawn(move || {
            let asking = std::thread::spawn(move || carry(&up.0, &up.1));
            let answered = carry(&down.0, &down.1);
            // One of them is gone. The daemon learns it at once, as from the kernel, and not only
            // when it has spoken twice to nobody.
            let _closed = down.0.shutdown(Shutdown::Both).is_ok();
            let asked = asking.join().expect("the relay does not panic");
            judge(&asked, &answered, &shared);
        });
        Self { client, daemon, mover }
    }

    fn close(self) {
        // Both fail only if it has ended already.
        drop(self.client.shutdown(Shutdown::Both));
        drop(self.daemon.shutdown(Shutdown::Both));
        self.mover.join().expect("the relay does not panic");
    }
}

/// Carries bytes until either end is closed, and the close with them; gives the bytes that arrived.
fn carry(mut from: &UnixStream, mut to: &UnixStream) -> Vec<u8> {
    let (mut kept, mut some) = (Vec::new(), [0; 16 * 1024]);
    loop {
        match from.read(&mut some) {
            Ok(0) | Err(_) => {
                drop(to.shutdown(Shutdown::Write));
                return kept;
            }
            Ok(n) => {
                if kept.len() < KEPT_MAX {
                    kept.extend_from_slice(&some[..n]);
                }
                if to.write_all(&some[..n]).is_err() {
                    // Whoever still writes to us learns that nobody reads.
                    drop(from.shutdown(Shutdown::Read));
                    return kept;
                }
            }
        }
    }
}

fn judge(asked: &[u8], answered: &[u8], shared: &Shared) {
    for exchange in exchanges(asked, answered) {
        let judged = Contract::of_the_api().judge(&exchange);
        let mut book = shared.book();
        match judged {
            Ok(Some(seen)) => drop(book.seen.insert(seen)),
            Ok(None) => {}
            Err(complaint) => book.complaints.push(complaint),
        }
    }
}
