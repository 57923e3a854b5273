use std::os::fd::AsFd;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::process::Command;

use super::*;

/// The supplementary groups of this process, as /proc shows them.
fn own_groups() -> Vec<u32> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|l| l.strip_prefix("Groups:"));
    let mut groups: Vec<u32> =
        line.unwrap().split_whitespace().map(|g| g.parse().unwrap()).collect();
    groups.sort_unstable();
    groups
}

#[test]
fn of_a_socket_pair_they_are_our_own() {
    let (one, _other) = UnixStream::pair().unwrap();
    let mut groups = peer_groups(one.as_fd()).unwrap();
    groups.sort_unstable();
    assert_eq!(groups, own_groups());
}

#[test]
fn what_has_no_peer_is_an_error() {
    let unconnected = UnixDatagram::unbound().unwrap();
    let error = peer_groups(unconnected.as_fd()).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::ENODATA));

    let file = std::fs::File::open("/dev/null").unwrap();
    let error = peer_groups(file.as_fd()).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::ENOTSOCK));
}

/// More groups than the first room: the kernel answers `ERANGE`, and we ask again. Only root may
/// take groups; the child is this very test binary, started with 200 of them by setpriv(1).
#[test]
fn more_than_fit_at_first_are_asked_for_again() {
    const CHILD: &str = "PEER_GROUPS_TEST_CHILD";
    if std::env::var_os(CHILD).is_some() {
        assert_eq!(own_groups().len(), 200);
        of_a_socket_pair_they_are_our_own();
        return;
    }
    let groups: Vec<String> = (5000..5200).map(|g: u32| g.to_string()).collect();
    let status = Command::new("setpriv")
        .arg(format!("--groups={}", groups.join(",")))
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "tests::more_than_fit_at_first_are_asked_for_again"])
        .env(CHILD, "1")
        .output();
    match status {
        Ok(output) if String::from_utf8_lossy(&output.stderr).contains("not permitted") => {
            eprintln!("not run: taking groups needs CAP_SETGID");
        }
        Ok(output) => assert!(output.status.success(), "{output:?}"),
        Err(error) => eprintln!("not run: setpriv(1) does not start: {error}"),
    }
}
