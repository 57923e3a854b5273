use std::os::unix::fs::MetadataExt;

use nix::unistd::Gid;

use super::*;

/// The name of a group that this process may give a file to: its own.
fn own_group() -> (String, u32) {
    let gid = Gid::effective();
    let group = Group::from_gid(gid).unwrap();
    (group.map_or_else(|| gid.to_string(), |group| group.name), gid.as_raw())
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().mode() & 0o7777
}

#[test]
fn the_group_may_connect_and_others_may_not() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s");
    let (name, gid) = own_group();
    let _listener = bind(&path, Some(&name)).unwrap();
    assert_eq!((mode(&path), std::fs::metadata(&path).unwrap().gid()), (SHARED, gid));
}

#[test]
fn without_a_group_only_the_owner_may_connect() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s");
    let _listener = bind(&path, None).unwrap();
    let expected = if find(DEFAULT_GROUP).unwrap().is_some() { SHARED } else { PRIVATE };
    assert_eq!(mode(&path), expected);
}

#[test]
fn nobody_but_the_owner_can_connect_before_the_mode_is_set() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s");
    let _listener = bind_private(&path).unwrap();
    assert_eq!(mode(&path) & 0o077, 0);
}

#[test]
fn a_socket_that_a_crash_left_is_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s");
    drop(bind(&path, None).unwrap());
    assert!(path.exists());
    let _listener = bind(&path, None).unwrap();
    UnixStream::connect(&path).unwrap();
}

#[test]
fn a_socket_that_answers_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s");
    let _first = bind(&path, None).unwrap();
    let fault = bind(&path, None).unwrap_err();
    assert_eq!(fault.kind, Kind::LedgerHeld);
    assert_eq!(fault.text, format!("another daemon answers on {}", path.display()));
    UnixStream::connect(&path).unwrap();
}

#[test]
fn what_is_no_socket_is_never_removed() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "precious").unwrap();
    let link = dir.path().join("link");
    std::os::unix::fs::symlink(&file, &link).unwrap();
    for path in [&file, &link] {
        let fault = bind(path, None).unwrap_err();
        assert_eq!(fault.kind, Kind::Io);
        assert_eq!(fault.text, format!("{} is there and is no socket", path.display()));
    }
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "precious");
}

#[test]
fn what_stands_in_the_way_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let absent = dir.path().join("absent");
    let fault = bind(&absent.join("s"), None).unwrap_err();
    assert_eq!(fault.kind, Kind::FileAbsent);
    let text = format!("the socket's directory {} is not there", absent.display());
    assert_eq!(fault.text, text);

    let fault = bind(&dir.path().join("s"), Some("no-such-group")).unwrap_err();
    assert_eq!(fault.kind, Kind::Config);
    assert_eq!(fault.text, "no group \"no-such-group\" on this host, which is to own the socket");

    let long = dir.path().join("s".repeat(120));
    let fault = bind(&long, None).unwrap_err();
    assert_eq!(fault.kind, Kind::Io);
    assert!(fault.text.starts_with("cannot bind socket "), "{}", fault.text);
}
