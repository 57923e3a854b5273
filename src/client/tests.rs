use super::*;

#[test]
fn each_way_of_not_reaching_the_daemon_has_its_words() {
    let client = Client::connect("/run/grantd/grantd.sock");
    let said = |kind: io::ErrorKind| {
        let fault = client.unreachable(&kind.into());
        (fault.kind, fault.text)
    };
    assert_eq!(
        said(io::ErrorKind::NotFound),
        (Kind::DaemonDown, "no daemon: there is no socket /run/grantd/grantd.sock".into())
    );
    assert_eq!(
        said(io::ErrorKind::ConnectionRefused),
        (Kind::DaemonDown, "no daemon: nobody listens on /run/grantd/grantd.sock".into())
    );
    assert_eq!(
        said(io::ErrorKind::PermissionDenied),
        (Kind::SocketDenied, "you may not use the socket /run/grantd/grantd.sock".into())
    );
    assert_eq!(
        said(io::ErrorKind::WouldBlock),
        (Kind::Busy, "too many clients wait for /run/grantd/grantd.sock".into())
    );
}

#[test]
fn only_what_is_set_becomes_a_parameter() {
    let plain = with_query("/v1/leases", &ListLeases::default());
    assert_eq!(plain.as_deref(), Ok("/v1/leases"));
    let filter =
        ListLeases { key: Some("alias/a b&c".into()), mine: true, ..ListLeases::default() };
    let set = with_query("/v1/leases", &filter);
    assert_eq!(set.as_deref(), Ok("/v1/leases?key=alias%2Fa+b%26c&mine=true"));
}

#[test]
fn a_prefix_cannot_leave_its_place_in_the_path() {
    assert_eq!(lease_path("../status?x"), "/v1/leases/..%2Fstatus%3Fx");
}
