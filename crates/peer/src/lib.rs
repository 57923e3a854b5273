//! The supplementary groups of a Unix socket's peer (`SO_PEERGROUPS`, Linux 4.13), as the kernel
//! recorded them when it connected.
//!
//! Neither rustix 1.1 nor nix 0.31 has this socket option, and reading `/proc/PID/status` instead
//! would race with the reuse of the pid. This crate exists so that all other code of the workspace
//! can forbid `unsafe`.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Enough for nearly every user; more costs one repeat.
const FIRST_ROOM: usize = 64;
/// Linux's `NGROUPS_MAX`: no process has more, so an answer beyond it is not believed.
const GROUPS_MAX: usize = 65_536;
/// The size of a `gid_t`, in which the kernel counts.
const GID_SIZE: usize = size_of::<libc::gid_t>();

/// The peer's supplementary group ids, in the kernel's order. They may lack the primary group,
/// which `SO_PEERCRED` tells. They are those of the moment when it connected; they never change on
/// this socket.
///
/// # Errors What getsockopt(2) says: `ENOTSOCK`, `ENODATA` on a socket without a peer,
/// `ENOPROTOOPT` before Linux 4.13. An answer of more than 65,536 groups, or one that is no whole
/// number of ids, is `InvalidData`.
pub fn peer_groups(socket: BorrowedFd<'_>) -> io::Result<Vec<u32>> {
    let mut room = FIRST_ROOM;
    loop {
        let mut groups = vec![0; room];
        let (error, bytes) = ask(socket, &mut groups)?;
        let count = bytes / GID_SIZE;
        if bytes % GID_SIZE != 0 || count > GROUPS_MAX {
            return Err(invalid(bytes));
        }
        match error {
            None => {
                groups.truncate(count);
                return Ok(groups);
            }
            // The kernel says how much it needs; a wish that does not grow would be an endless
            // loop.
            Some(error) if count > room && error.raw_os_error() == Some(libc::ERANGE) => {
                room = count;
            }
            Some(error) => return Err(error),
        }
    }
}

fn invalid(bytes: usize) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("SO_PEERGROUPS answered with {bytes} bytes, which is no list of groups"),
    )
}

/// One getsockopt(2): its error, and the bytes that it wrote or, with `ERANGE`, would need.
#[expect(unsafe_code, reason = "no safe wrapper of SO_PEERGROUPS exists")]
fn ask(
    socket: BorrowedFd<'_>,
    groups: &mut [libc::gid_t],
) -> io::Result<(Option<io::Error>, usize)> {
    let mut length = libc::socklen_t::try_from(size_of_val(groups)).map_err(io::Error::other)?;
    // SAFETY: `socket` is borrowed, so the descriptor stays open during the call. `groups` is
    // exclusively borrowed initialised memory of exactly `length` bytes, and every bit pattern is a
    // valid `gid_t`; the kernel writes no more than `length` bytes there, and its true length to
    // `length`, which outlives the call.
    let status = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERGROUPS,
            groups.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    let error = (status != 0).then(io::Error::last_os_error);
    let bytes = usize::try_from(length).map_err(io::Error::other)?;
    Ok((error, bytes))
}

#[cfg(test)]
mod tests;
