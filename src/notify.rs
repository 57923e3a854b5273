//! What the service manager is told (sd_notify(3)): ready, status, alive, reloading, stopping.
//!
//! Messages are rendered by the sd-notify crate and sent from here, because that crate (0.5) knows
//! no abstract sockets (`@…`, which containers use). Whether a message arrived decides nothing, so
//! that a failure is logged where it happens and goes no further: a daemon must not stop ending
//! leases because nobody listens to it.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;
use std::time::Duration;

use sd_notify::NotifyState;

/// The variable that names the service manager's socket.
const SOCKET: &str = "NOTIFY_SOCKET";
/// A manager whose queue is full must not hold up the thread that ends leases.
const SEND_MAX: Duration = Duration::from_millis(100);
/// systemd cuts off longer texts without a word; one line of a terminal is what people read.
const STATUS_MAX: usize = 256;

/// The way to the service manager; without one, every message is nothing.
#[derive(Debug, Clone, Default)]
pub struct Notifier {
    socket: Option<OsString>,
    watchdog: Option<Duration>,
}

impl Notifier {
    /// As the environment says: `NOTIFY_SOCKET`, `WATCHDOG_USEC`, `WATCHDOG_PID`.
    #[must_use]
    pub fn from_env() -> Self {
        Self { socket: std::env::var_os(SOCKET), watchdog: sd_notify::watchdog_enabled() }
    }

    /// To a socket of the caller's choice: a path, or `@` and an abstract name.
    #[must_use]
    pub fn to(socket: impl Into<OsString>) -> Self {
        Self { socket: Some(socket.into()), watchdog: None }
    }

    /// Whether anybody listens.
    #[must_use]
    pub const fn is_heard(&self) -> bool {
        self.socket.is_some()
    }

    /// How often to send [`Notifier::alive`]: half of what the manager allows, as
    /// sd_watchdog_enabled(3) advises; `None` without a watchdog.
    #[must_use]
    pub fn alive_every(&self) -> Option<Duration> {
        self.watchdog.map(|limit| limit / 2)
    }

    /// Start-up, or a reload, is complete.
    pub fn ready(&self, status: &str) {
        self.send(&[NotifyState::Ready, NotifyState::Status(&one_line(status))]);
    }

    /// One line for `systemctl status`.
    pub fn status(&self, status: &str) {
        self.send(&[NotifyState::Status(&one_line(status))]);
    }

    /// The watchdog's beat.
    pub fn alive(&self) {
        self.send(&[NotifyState::Watchdog]);
    }

    /// A reload begins; [`Notifier::ready`] ends it. With the monotonic time that
    /// `Type=notify-reload` wants.
    pub fn reloading(&self) {
        match NotifyState::monotonic_usec_now() {
            Ok(now) => self.send(&[NotifyState::Reloading, now]),
            Err(error) => {
                tracing::warn!(%error, "cannot read the monotonic clock for RELOADING=1");
                self.send(&[NotifyState::Reloading]);
            }
        }
    }

    /// The daemon begins to stop.
    pub fn stopping(&self, status: &str) {
        self.send(&[NotifyState::Stopping, NotifyState::Status(&one_line(status))]);
    }

    fn send(&self, states: &[NotifyState<'_>]) {
        let Some(socket) = &self.socket else {
            return;
        };
        let lines: String = states.iter().map(|state| format!("{state}\n")).collect();
        if let Err(error) = transmit(socket, lines.as_bytes()) {
            tracing::warn!(
                socket = %socket.display(),
                message = lines.trim_end(),
                %error,
                "cannot tell the service manager"
            );
        }
    }
}

/// One datagram. The socket is opened for each: a manager that was restarted is found again.
fn transmit(socket: &OsStr, message: &[u8]) -> io::Result<()> {
    let out = UnixDatagram::unbound()?;
    out.set_write_timeout(Some(SEND_MAX))?;
    let sent = out.send_to_addr(message, &address(socket)?)?;
    if sent == message.len() {
        return Ok(());
    }
    Err(io::Error::new(
        io::ErrorKind::WriteZero,
        format!("{sent} of {} bytes were taken", message.len()),
    ))
}

fn address(socket: &OsStr) -> io::Result<SocketAddr> {
    match socket.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name),
        [b'/', ..] => SocketAddr::from_pathname(Path::new(socket)),
        _ => Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "it is neither an absolute path nor @ and an abstract name",
        )),
    }
}

/// A line break would begin another assignment.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(STATUS_MAX).collect()
}

#[cfg(test)]
mod tests;
