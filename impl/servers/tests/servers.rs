//! Each kind of server is started, killed, paused and restarted, and is gone afterwards; and the line to it
//! loses what it is asked to lose.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use lockspace_servers::{Etcd, Postgres, Proxy, Redis, Server};

const LONG: Duration = Duration::from_secs(10);
const SHORT: Duration = Duration::from_millis(200);

fn ends_and_begins_again(server: &Server, question: &[u8], answer: &[u8]) {
    assert_eq!(said(server.address(), question, answer.len()).unwrap(), answer);
    server.pause();
    let silence = ask(server.address(), question, answer.len(), SHORT).unwrap_err().kind();
    assert!(matches!(silence, ErrorKind::WouldBlock | ErrorKind::TimedOut), "{silence}");
    server.resume();
    assert_eq!(said(server.address(), question, answer.len()).unwrap(), answer);
    server.kill();
    let refused = TcpStream::connect(server.address()).unwrap_err().kind();
    assert_eq!(refused, ErrorKind::ConnectionRefused);
    server.restart();
    assert_eq!(said(server.address(), question, answer.len()).unwrap(), answer);
    server.stop();
    assert!(TcpStream::connect(server.address()).is_err());
    server.restart();
    assert_eq!(said(server.address(), question, answer.len()).unwrap(), answer);
    // Killed while it is paused, as when a test fails in between.
    server.pause();
}

/// The first bytes of what is said to these.
fn said(address: SocketAddr, question: &[u8], length: usize) -> std::io::Result<Vec<u8>> {
    ask(address, question, length, LONG)
}

fn ask(
    address: SocketAddr,
    question: &[u8],
    length: usize,
    patience: Duration,
) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(patience))?;
    stream.write_all(question)?;
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes)?;
    Ok(bytes)
}

#[test]
fn redis_ends_and_begins_again() {
    let Some(redis) = Redis::start() else { return };
    ends_and_begins_again(&redis, b"PING\r\n", b"+PONG");
}

#[test]
fn redis_keeps_its_data_over_a_kill() {
    let Some(redis) = Redis::start() else { return };
    assert_eq!(said(redis.address(), b"SET a b\r\n", 3).unwrap(), b"+OK");
    redis.kill();
    redis.restart();
    assert_eq!(said(redis.address(), b"GET a\r\n", 5).unwrap(), b"$1\r\nb");
}

#[test]
fn postgres_ends_and_begins_again() {
    let Some(postgres) = Postgres::start() else { return };
    // Asked for TLS it says yes or no.
    let question = [8_u32.to_be_bytes(), 80_877_103_u32.to_be_bytes()].concat();
    ends_and_begins_again(&postgres, &question, b"N");
}

#[test]
fn etcd_ends_and_begins_again() {
    let Some(etcd) = Etcd::start() else { return };
    ends_and_begins_again(&etcd, b"GET /version HTTP/1.0\r\n\r\n", b"HTTP/1.0 200");
}

#[test]
fn a_dropped_server_is_gone() {
    let Some(redis) = Redis::start() else { return };
    let address = redis.address();
    drop(redis);
    assert_eq!(TcpStream::connect(address).unwrap_err().kind(), ErrorKind::ConnectionRefused);
}

#[test]
fn a_server_of_a_test_that_panics_is_gone() {
    let Some(redis) = Redis::start() else { return };
    let address = redis.address();
    let test = std::thread::spawn(move || {
        redis.pause();
        panic!("as a test does that fails");
    });
    assert!(test.join().is_err());
    assert_eq!(TcpStream::connect(address).unwrap_err().kind(), ErrorKind::ConnectionRefused);
}

/// Says everything again that it hears.
fn echo() -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || std::io::copy(&mut &stream, &mut &stream));
        }
    });
    address
}

fn connect(proxy: &Proxy) -> TcpStream {
    let stream = TcpStream::connect(proxy.address()).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    stream
}

/// What comes back for these bytes: none if nothing does for a while.
fn echoed(stream: &mut TcpStream, bytes: &[u8]) -> Option<Vec<u8>> {
    stream.write_all(bytes).unwrap();
    hear(stream, bytes.len(), LONG)
}

fn hear(stream: &mut TcpStream, length: usize, patience: Duration) -> Option<Vec<u8>> {
    let mut heard = vec![0; length];
    stream.set_read_timeout(Some(patience)).unwrap();
    stream.read_exact(&mut heard).is_ok().then_some(heard)
}

#[test]
fn a_line_passes_on_until_it_is_cut() {
    let proxy = Proxy::to(echo());
    let mut stream = connect(&proxy);
    assert_eq!(echoed(&mut stream, b"one").unwrap(), b"one");
    proxy.cut();
    assert_eq!(stream.read(&mut [0]).unwrap_or(0), 0);
    assert_eq!(echoed(&mut connect(&proxy), b"two").unwrap(), b"two");
}

#[test]
fn a_dead_line_is_silent_until_it_is_healed() {
    let proxy = Proxy::to(echo());
    let (mut before, mut during) = (connect(&proxy), connect(&proxy));
    assert_eq!(echoed(&mut before, b"one").unwrap(), b"one");
    proxy.go_dead();
    for stream in [&mut before, &mut during] {
        stream.write_all(b"two").unwrap();
        assert_eq!(hear(stream, 1, SHORT), None);
    }
    proxy.heal();
    assert_eq!(before.read(&mut [0]).unwrap_or(0), 0);
    assert_eq!(echoed(&mut connect(&proxy), b"three").unwrap(), b"three");
}

#[test]
fn a_lost_reply_is_lost_after_the_server_has_heard() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let proxy = Proxy::to(listener.local_addr().unwrap());
    proxy.lose_reply_to("here");
    let mut client = connect(&proxy);
    let (mut server, _) = listener.accept().unwrap();
    client.write_all(b"not it").unwrap();
    assert_eq!(hear(&mut server, 6, LONG).unwrap(), b"not it");
    server.write_all(b"yes").unwrap();
    assert_eq!(hear(&mut client, 3, LONG).unwrap(), b"yes");
    client.write_all(b"it is here").unwrap();
    assert_eq!(hear(&mut server, 10, LONG).unwrap(), b"it is here");
    server.write_all(b"yes").unwrap();
    assert_eq!(hear(&mut client, 1, SHORT), None);
    assert_eq!(proxy.lost(), 1);
}

#[test]
fn a_lost_request_is_not_heard() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let proxy = Proxy::to(listener.local_addr().unwrap());
    proxy.lose_request("here");
    let mut client = connect(&proxy);
    let (mut server, _) = listener.accept().unwrap();
    client.write_all(b"it is here").unwrap();
    assert_eq!(hear(&mut server, 1, SHORT), None);
    assert_eq!(proxy.lost(), 1);
}
