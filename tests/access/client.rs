//! This test's own binary as a client of the socket: a process of its own, with the uid, groups and
//! namespace in which it was started.

use std::io::{IoSlice, IoSliceMut, Read as _, Write as _};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use testbed::Reply;

/// The first argument of such a process.
pub(crate) const AS_CLIENT: &str = "--as-client";
/// What it exits with when it cannot connect.
pub(crate) const UNCONNECTED: u8 = 9;
/// One descriptor.
const SPACE: usize = rustix::cmsg_space!(ScmRights(1));

/// `ask SOCKET REQUEST`: connect and ask. `lend SOCKET`: connect, and pass the connection to who is
/// at the other end of stdin. `borrow REQUEST`: ask on the connection that comes by stdin.
pub(crate) fn run(args: &[String]) -> ExitCode {
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args.as_slice() {
        ["ask", socket, request] => match UnixStream::connect(socket) {
            Ok(stream) => ask(stream, request),
            Err(error) => unconnected(&error),
        },
        ["lend", socket] => match UnixStream::connect(socket) {
            Ok(stream) => lend(&stream),
            Err(error) => unconnected(&error),
        },
        ["borrow", request] => ask(borrow(), request),
        other => panic!("{other:?}"),
    }
}

#[expect(clippy::print_stdout, reason = "the test reads it")]
fn unconnected(error: &std::io::Error) -> ExitCode {
    print!("{:?}", error.kind());
    ExitCode::from(UNCONNECTED)
}

/// The head of the answer and the body, as far as it was declared: a held lease's goes on.
#[expect(clippy::print_stdout, reason = "the test reads it")]
fn ask(mut stream: UnixStream, request: &str) -> ExitCode {
    stream.write_all(request.as_bytes()).unwrap();
    print!("{}", heard(&mut stream));
    ExitCode::SUCCESS
}

/// The answer to what was asked on this connection.
pub(crate) fn answered(stream: &mut UnixStream) -> Reply {
    let answer = heard(stream);
    Reply::parse(&answer).unwrap_or_else(|| panic!("{answer:?}"))
}

fn heard(stream: &mut UnixStream) -> String {
    let mut answer = Vec::new();
    let mut some = [0; 4096];
    while !whole(&answer) {
        match stream.read(&mut some).unwrap() {
            0 => break,
            n => answer.extend_from_slice(&some[..n]),
        }
    }
    String::from_utf8_lossy(&answer).into_owned()
}

fn whole(answer: &[u8]) -> bool {
    let text = String::from_utf8_lossy(answer);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let declared = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    declared.is_none_or(|length| body.len() >= length.parse().unwrap())
}

fn lend(stream: &UnixStream) -> ExitCode {
    let mut space = [MaybeUninit::uninit(); SPACE];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let fds = [stream.as_fd()];
    assert!(control.push(SendAncillaryMessage::ScmRights(&fds)));
    let stdin = std::io::stdin();
    sendmsg(stdin.as_fd(), &[IoSlice::new(b"x")], &mut control, SendFlags::empty()).unwrap();
    ExitCode::SUCCESS
}

fn borrow() -> UnixStream {
    let mut space = [MaybeUninit::uninit(); SPACE];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let (stdin, mut byte) = (std::io::stdin(), [0]);
    let mut data = [IoSliceMut::new(&mut byte)];
    recvmsg(stdin.as_fd(), &mut data, &mut control, RecvFlags::empty()).unwrap();
    let passed: Vec<OwnedFd> = control
        .drain()
        .flat_map(|message| {
            let RecvAncillaryMessage::ScmRights(fds) = message else { panic!("no descriptor") };
            fds
        })
        .collect();
    let [fd] = <[OwnedFd; 1]>::try_from(passed).unwrap();
    UnixStream::from(fd)
}
