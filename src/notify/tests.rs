use super::*;

/// No wait of these tests may take longer.
const BOUND: Duration = Duration::from_secs(10);

fn next(manager: &UnixDatagram) -> String {
    let mut room = [0; 4096];
    let got = manager.recv(&mut room).unwrap();
    String::from_utf8(room[..got].to_vec()).unwrap()
}

fn bounded(manager: UnixDatagram) -> UnixDatagram {
    manager.set_read_timeout(Some(BOUND)).unwrap();
    manager
}

fn says_all(manager: &UnixDatagram, notifier: &Notifier) {
    notifier.ready("3 leases, next ends at 18:00:00Z");
    assert_eq!(next(manager), "READY=1\nSTATUS=3 leases, next ends at 18:00:00Z\n");
    notifier.status("overdue\nREADY=1");
    assert_eq!(next(manager), "STATUS=overdue READY=1\n");
    notifier.alive();
    assert_eq!(next(manager), "WATCHDOG=1\n");
    notifier.reloading();
    let reload = next(manager);
    let since_boot = reload
        .strip_prefix("RELOADING=1\nMONOTONIC_USEC=")
        .and_then(|rest| rest.trim_end().parse::<u64>().ok());
    assert!(since_boot.is_some_and(|usec| usec > 0), "{reload:?}");
    notifier.stopping("waiting for 2 calls");
    assert_eq!(next(manager), "STOPPING=1\nSTATUS=waiting for 2 calls\n");
}

#[test]
fn a_path_socket_hears_every_message() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("notify");
    let manager = bounded(UnixDatagram::bind(&path).unwrap());
    says_all(&manager, &Notifier::to(path));
}

#[test]
fn an_abstract_socket_hears_every_message() {
    let name = format!("grantd-notify-test-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    let manager = bounded(UnixDatagram::bind_addr(&address).unwrap());
    says_all(&manager, &Notifier::to(format!("@{name}")));
}

#[test]
fn nobody_listening_is_no_fault() {
    let nobody = Notifier::default();
    assert!(!nobody.is_heard());
    assert_eq!(nobody.alive_every(), None);
    nobody.ready("");
}

#[test]
fn a_manager_that_does_not_read_delays_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("notify");
    let _deaf = UnixDatagram::bind(&path).unwrap();
    let mut full = Ok(());
    for _ in 0..100_000 {
        full = transmit(path.as_os_str(), b"WATCHDOG=1\n");
        if full.is_err() {
            break;
        }
    }
    assert_eq!(full.unwrap_err().kind(), io::ErrorKind::WouldBlock);
}

#[test]
fn what_cannot_be_sent_is_said_with_its_reason() {
    let error = transmit(OsStr::new("vsock:2:1234"), b"READY=1\n").unwrap_err();
    assert_eq!(error.to_string(), "it is neither an absolute path nor @ and an abstract name");
    let error = transmit(OsStr::new("/nonexistent/notify"), b"READY=1\n").unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
}

#[test]
fn the_status_is_cut_to_what_people_read() {
    assert_eq!(one_line(&"x".repeat(1_000)).len(), STATUS_MAX);
}
