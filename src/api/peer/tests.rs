use super::*;

fn peer(uid: u32) -> Peer {
    Peer { uid, gid: 0, groups: vec![4, 27] }
}

#[test]
fn nobody_in_particular_is_refused() {
    let fault = peer(OVERFLOW_ID).known().unwrap_err();
    assert_eq!(fault.kind, Kind::SocketDenied);
    assert_eq!(peer(0).known(), Ok(()));
    assert_eq!(peer(OVERFLOW_ID - 1).known(), Ok(()));
}

#[tokio::test]
async fn the_peer_of_a_pair_is_this_process() {
    let (here, _there) = UnixStream::pair().unwrap();
    let peer = Peer::of(&here).unwrap();
    assert_eq!((peer.uid, peer.gid), (Uid::effective().as_raw(), nix::unistd::getegid().as_raw()));
}

#[tokio::test]
async fn a_caller_has_a_name_or_his_uid_in_digits() {
    let names = Names::new();
    let root = names.caller(&peer(0)).await;
    let expected = Caller { uid: 0, gid: 0, groups: vec![4, 27], name: "root".into() };
    assert_eq!(root, expected);
    assert_eq!(names.caller(&peer(4_000_000_123)).await.name, "4000000123");
}

#[tokio::test(start_paused = true)]
async fn a_directory_server_that_hangs_holds_nobody_up() {
    let names = Names::new();
    let all = u32::try_from(NAME_LOOKUPS).unwrap();
    let _hanging = names.0.acquire_many(all).await.unwrap();
    assert_eq!(names.caller(&peer(0)).await.name, "0");
}
