//! Who is shown what, by what the kernel says of the caller.

use std::io::Write as _;
use std::os::unix::net::UnixStream;

use grantd::config::{Config, Names, parse};
use rustix::process::{Gid, Uid};

use super::support::{BOUND, REF, World, read_out, same};

/// The owner of every lease of these tests.
const ALICE: u32 = 1000;

struct Nobody;

impl Names for Nobody {
    fn user(&self, _: &str) -> Result<Option<u32>, String> {
        Ok(None)
    }

    fn group(&self, _: &str) -> Result<Option<u32>, String> {
        Ok(None)
    }
}

pub(crate) fn config(access: &str) -> Config {
    let text = format!(
        "group = \"prod\"\n{access}\n[[account]]\nid = \"111122223333\"\n\
         role-arn = \"arn:aws:iam::111122223333:role/grantd\"\nregions = [\"ap-northeast-1\"]\n"
    );
    parse("grantd.toml", &text, &Nobody).unwrap()
}

/// A caller: root can become anybody; another who runs the tests is himself alone.
#[derive(Debug, Clone, Copy)]
struct Who {
    uid: u32,
    gid: u32,
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Somebody who is not root, and whom no lease of these tests belongs to.
fn stranger() -> Who {
    let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    if is_root() { Who { uid: 12_345, gid: 20_000 } } else { Who { uid, gid } }
}

/// A connection of `who`: the kernel asks at connect, and of that thread alone.
fn dial(world: &World, who: Who) -> UnixStream {
    let socket = world.socket.clone();
    let connect = move || {
        if is_root() {
            let (uid, gid) = (Uid::from_raw(who.uid), Gid::from_raw(who.gid));
            rustix::thread::set_thread_groups(&[]).unwrap();
            rustix::thread::set_thread_res_gid(gid, gid, gid).unwrap();
            rustix::thread::set_thread_res_uid(uid, uid, uid).unwrap();
        }
        UnixStream::connect(socket).unwrap()
    };
    let stream = std::thread::spawn(connect).join().unwrap();
    stream.set_read_timeout(Some(BOUND)).unwrap();
    stream
}

fn get(world: &World, who: Who, target: &str) -> String {
    let mut stream = dial(world, who);
    let head = format!("GET {target} HTTP/1.1\r\nHost: grantd\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    read_out(&mut stream).replace("\r\n", "\n")
}

const TARGETS: [&str; 8] = [
    "/v1/leases",
    "/v1/leases?mine=true",
    "/v1/leases/g-7k",
    "/v1/history",
    "/v1/history?ref=g-7k",
    "/v1/history/verify",
    "/v1/status",
    "/v1/health",
];

/// Status and type of fault of each target.
fn answers(world: &World, who: Who) -> [String; 8] {
    TARGETS.map(|target| {
        let reply = get(world, who, target);
        let status = reply.split(' ').nth(1).unwrap().to_owned();
        let fault = reply.split("\"type\":\"").nth(1).and_then(|rest| rest.split('"').next());
        fault.map_or(status.clone(), |fault| format!("{status} {fault}"))
    })
}

const DENIED: &str = "403 read-denied";
const ABSENT: &str = "404 ref-unknown";
const NOTHING: [&str; 8] = [DENIED, "200", ABSENT, DENIED, ABSENT, DENIED, DENIED, "200"];

#[test]
fn who_is_on_no_list_sees_his_own_leases_alone() {
    let world =
        World::open_to_all(Some(config("[access]\nread = [\"user:7\"]\nadmin = [\"user:8\"]")));
    assert_eq!(answers(&world, stranger()), NOTHING);
    if is_root() {
        let owner = Who { uid: ALICE, gid: ALICE };
        let own = [DENIED, "200", "200", DENIED, "200", DENIED, DENIED, "200"];
        assert_eq!(answers(&world, owner), own);
        assert_eq!(answers(&world, Who { uid: 0, gid: 0 }), ["200"; 8]);
    }
    let said = ["/v1/leases", "/v1/leases/g-7k", "/v1/status"].map(|t| get(&world, stranger(), t));
    same("read-denied", said.join("\n"));
}

/// A lease of another, by its whole ref or the beginning, is answered as one that is not there.
#[test]
fn no_answer_tells_a_stranger_that_a_lease_is_there() {
    let world = World::open_to_all(Some(config("[access]\nread = []")));
    let answer = |target: &str, reference: &str| {
        let reply = get(&world, stranger(), &target.replace("REF", reference));
        let (head, body) = reply.split_once("\n\n").unwrap();
        let status = head.lines().next().unwrap().to_owned();
        (status, body.replace(&format!("no lease {reference}\""), "no lease REF\""))
    };
    for target in ["/v1/leases/REF", "/v1/history?ref=REF"] {
        let absent = answer(target, "g-0");
        assert!(absent.0.contains("404"), "{absent:?}");
        for reference in [REF, "g-7", "g-"] {
            let said = answer(target, reference);
            assert_eq!(said, absent, "{reference}");
            assert!(!said.1.contains(REF), "{said:?}");
        }
    }
}

#[test]
fn while_no_configuration_loads_a_stranger_sees_why_and_no_more() {
    let world = World::open_to_all(None);
    let seen = [DENIED, "200", ABSENT, DENIED, ABSENT, DENIED, "200", "200"];
    assert_eq!(answers(&world, stranger()), seen);
}

#[test]
fn readers_and_administrators_see_all() {
    let Who { uid, gid } = stranger();
    for list in [
        format!("read = [\"user:{uid}\"]"),
        format!("read = [\"group:{gid}\"]"),
        format!("read = []\nadmin = [\"user:{uid}\"]"),
        "admin = [\"user:7\"]".to_owned(),
    ] {
        let world = World::open_to_all(Some(config(&format!("[access]\n{list}"))));
        assert_eq!(answers(&world, stranger()), ["200"; 8], "{list}");
    }
}
