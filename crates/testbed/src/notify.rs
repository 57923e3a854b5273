//! The service manager's end of sd_notify(3).

use std::os::unix::net::UnixDatagram;
use std::path::Path;

use crate::wait::until;

/// A notify socket that keeps every message.
#[derive(Debug)]
pub struct NotifySocket {
    socket: UnixDatagram,
    seen: Vec<String>,
}

impl NotifySocket {
    /// Listens at `path`: the value of `NOTIFY_SOCKET`.
    #[must_use]
    pub fn bind(path: &Path) -> Self {
        let socket = UnixDatagram::bind(path).expect("a new socket");
        socket.set_nonblocking(true).expect("a socket of our own");
        Self { socket, seen: Vec::new() }
    }

    /// Every assignment (`READY=1`, `STATUS=…`) that has come so far, in order.
    pub fn seen(&mut self) -> &[String] {
        let mut buffer = [0; 4096];
        while let Ok(len) = self.socket.recv(&mut buffer) {
            let text = String::from_utf8_lossy(&buffer[..len]).into_owned();
            self.seen.extend(text.lines().map(str::to_owned));
        }
        &self.seen
    }

    /// Waits until at least `times` assignments begin with `start`, and gives the last of them.
    #[track_caller]
    pub fn wait(&mut self, start: &str, times: usize) -> String {
        until(&format!("{times} times {start}"), || {
            let fit = self.seen().iter().filter(|line| line.starts_with(start));
            fit.skip(times - 1).last().cloned()
        })
    }
}
