//! A line to a server that can be cut, go dead, or lose what is sent over it.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::Server;

/// A line to a server. What is sent over it arrives, until a test wants otherwise.
///
/// Its threads end when it is dropped, and so do all connections that go by it.
pub struct Proxy {
    address: SocketAddr,
    line: Arc<Mutex<Line>>,
}

/// What the threads share.
struct Line {
    to: SocketAddr,
    /// Both ends of each connection.
    open: Vec<[TcpStream; 2]>,
    dead: bool,
    /// Of whose request the reply, or which request itself, is to be lost.
    loses: Option<Loses>,
    /// How many of those were lost.
    lost: usize,
    ended: bool,
}

#[derive(Clone)]
struct Loses {
    what: What,
    containing: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq)]
enum What {
    Request,
    Reply,
}

impl Proxy {
    /// A line to the server.
    #[must_use]
    pub fn before(server: &Server) -> Self {
        Self::to(server.address())
    }

    /// A line to this address.
    ///
    /// # Panics
    /// If this machine has no port to listen at.
    #[must_use]
    pub fn to(to: SocketAddr) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("there is a free port");
        let address = listener.local_addr().expect("it is bound");
        let line = Line { to, open: Vec::new(), dead: false, loses: None, lost: 0, ended: false };
        let line = Arc::new(Mutex::new(line));
        let shared = Arc::clone(&line);
        thread::spawn(move || {
            while let Ok((client, _)) = listener.accept() {
                if locked(&shared).ended {
                    break;
                }
                connect(client, &shared);
            }
        });
        Self { address, line }
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Cuts the connections that there are. New ones are as good as any.
    pub fn cut(&self) {
        locked(&self.line).cut();
    }

    /// From now on nothing arrives, in either direction, and no connection is closed: packets are dropped.
    pub fn go_dead(&self) {
        locked(&self.line).dead = true;
    }

    /// Everything arrives again. What was lost stays lost, so connections that there are are cut.
    pub fn heal(&self) {
        let mut line = locked(&self.line);
        line.dead = false;
        line.loses = None;
        line.cut();
    }

    /// The next request in which these bytes stand reaches the server, and nothing that the server says
    /// on that connection comes back any more. The connection stays open: a [`cut`](Self::cut) closes it.
    pub fn lose_reply_to(&self, containing: &str) {
        self.lose(What::Reply, containing);
    }

    /// The next request in which these bytes stand does not reach the server, nor does anything after it
    /// on that connection. The connection stays open: a [`cut`](Self::cut) closes it.
    pub fn lose_request(&self, containing: &str) {
        self.lose(What::Request, containing);
    }

    fn lose(&self, what: What, containing: &str) {
        locked(&self.line).loses = Some(Loses { what, containing: containing.into() });
    }

    /// How many requests, or replies to them, have been lost as they were asked to be.
    #[must_use]
    pub fn lost(&self) -> usize {
        locked(&self.line).lost
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let mut line = locked(&self.line);
        line.ended = true;
        line.cut();
        drop(line);
        // Whoever listens looks up.
        drop(TcpStream::connect(self.address));
    }
}

impl Line {
    fn cut(&mut self) {
        for stream in self.open.drain(..).flatten() {
            // It may be closed already.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Which of the two this request is to lose, if any; once.
    fn loses(&mut self, request: &[u8]) -> Option<What> {
        let wanted = self.loses.as_ref()?;
        let length = wanted.containing.len();
        let what = wanted.what;
        request.windows(length).any(|bytes| bytes == wanted.containing).then(|| {
            self.loses = None;
            self.lost += 1;
            what
        })
    }
}

fn locked(line: &Mutex<Line>) -> MutexGuard<'_, Line> {
    line.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Connects a client with the server, or closes its connection, as a server that is down does.
fn connect(client: TcpStream, line: &Arc<Mutex<Line>>) {
    let mut shared = locked(line);
    let Ok(server) = TcpStream::connect(shared.to) else { return };
    let both = || Ok::<_, std::io::Error>([client.try_clone()?, server.try_clone()?]);
    let (Ok(ends), Ok([from_client, from_server])) = (both(), both()) else { return };
    // A proxy that collects small packets would be slower than the line that it stands for.
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    shared.open.push(ends);
    drop(shared);
    let deaf = Arc::new(Mutex::new(None));
    let (line, its_line) = (Arc::clone(line), Arc::clone(line));
    let heard = Arc::clone(&deaf);
    thread::spawn(move || {
        pass(from_client, server, |bytes| {
            let lost = locked(&line).loses(bytes);
            let mut deaf = heard.lock().unwrap_or_else(PoisonError::into_inner);
            *deaf = deaf.or(lost);
            *deaf != Some(What::Request) && !locked(&line).dead
        });
    });
    thread::spawn(move || {
        pass(from_server, client, |_| {
            let deaf = deaf.lock().unwrap_or_else(PoisonError::into_inner);
            deaf.is_none() && !locked(&its_line).dead
        });
    });
}

/// Passes on what comes, as far as it is to arrive, until one of the ends is closed.
fn pass(mut from: TcpStream, mut to: TcpStream, arrives: impl Fn(&[u8]) -> bool) {
    let mut bytes = vec![0; 64 * 1024];
    while let Ok(read @ 1..) = from.read(&mut bytes) {
        if arrives(&bytes[..read]) && to.write_all(&bytes[..read]).is_err() {
            break;
        }
    }
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}
