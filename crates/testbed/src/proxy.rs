//! An HTTP proxy on loopback: forwards plain requests, tunnels on CONNECT where it is let, and
//! tells what it was asked for.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

/// The longest request line that is read.
const LINE_MAX: u64 = 8 * 1024;

/// A running proxy. It ends when it is dropped; a tunnel that is open then is cut by its ends.
#[derive(Debug)]
pub struct Proxy {
    addr: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    closing: AtomicBool,
    asked: Mutex<Vec<String>>,
    open: Mutex<Vec<TcpStream>>,
}

impl Proxy {
    /// A proxy on a port of its own.
    #[must_use]
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        Self::on(listener)
    }

    /// A proxy on this port, once another has left it.
    #[must_use]
    pub fn again(addr: SocketAddr) -> Self {
        Self::on(TcpListener::bind(addr).expect("the port is free again"))
    }

    fn on(listener: TcpListener) -> Self {
        let addr = listener.local_addr().expect("a bound socket");
        let shared = Arc::new(Shared::default());
        let inside = Arc::clone(&shared);
        let acceptor = std::thread::spawn(move || accept(&listener, &inside));
        Self { addr, shared, acceptor: Some(acceptor) }
    }

    /// Where it listens.
    #[must_use]
    pub const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// What is written as `proxy`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// The first line of each connection so far, such as `CONNECT kms.example.com:443 HTTP/1.1`.
    #[must_use]
    pub fn asked(&self) -> Vec<String> {
        self.shared.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.closing.store(true, Ordering::SeqCst);
        // Wakes the acceptor; fails only if it has ended already.
        drop(TcpStream::connect(self.addr));
        for stream in self.shared.open.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            drop(stream.shutdown(Shutdown::Both));
        }
        drop(self.acceptor.take().map(JoinHandle::join));
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    while let Ok((client, _)) = listener.accept() {
        if shared.closing.load(Ordering::SeqCst) {
            return;
        }
        let shared = Arc::clone(shared);
        // Its end is the end of either side: nothing waits for it.
        std::thread::spawn(move || drop(serve(client, &shared)));
    }
}

fn serve(client: TcpStream, shared: &Shared) -> io::Result<()> {
    let open = |stream: &TcpStream| -> io::Result<()> {
        let copy = stream.try_clone()?;
        shared.open.lock().unwrap_or_else(PoisonError::into_inner).push(copy);
        Ok(())
    };
    open(&client)?;
    let mut reader = BufReader::new(client.try_clone()?);
    let mut line = String::new();
    reader.by_ref().take(LINE_MAX).read_line(&mut line)?;
    let asked = line.trim_end().to_owned();
    shared.asked.lock().unwrap_or_else(PoisonError::into_inner).push(asked.clone());
    let mut words = asked.split(' ');
    let (Some(method), Some(target)) = (words.next(), words.next()) else { return Ok(()) };
    let tunnel = method == "CONNECT";
    let place = match tunnel {
        true => target,
        false => target.strip_prefix("http://").unwrap_or(target).split('/').next().unwrap_or(""),
    };
    let mut out = &client;
    // Nothing but this host is reached from a test.
    if !place.starts_with("127.0.0.1:") {
        return out.write_all(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n");
    }
    let server = TcpStream::connect(place)?;
    open(&server)?;
    if tunnel {
        out.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
    } else {
        (&server).write_all(line.as_bytes())?;
    }
    let (mut up, back) = (server.try_clone()?, client.try_clone()?);
    let there = std::thread::spawn(move || {
        drop(io::copy(&mut reader, &mut up));
        drop(up.shutdown(Shutdown::Write));
    });
    let (mut from, mut to) = (server, back);
    drop(io::copy(&mut from, &mut to));
    drop(to.shutdown(Shutdown::Both));
    drop(there.join());
    Ok(())
}
