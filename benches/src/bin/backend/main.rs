//! The server behind the gateways: one thread, answers prepared, keep-alive, nothing else.
//!
//! `backend PORT` serves 127.0.0.1. What a path has in it decides: `16k` and `1m` give that many bytes, `text` 16 KiB of JSON, `slow` answers
//! after 500 ms, `counts` gives connections and requests so far, `/stored` 100 bytes of JSON that caches may store, `/echo` is a
//! WebSocket that echoes, if the client wants one; anything else gives 100 bytes of JSON.

mod websocket;

use std::borrow::Cow;
use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant, SystemTime};

use memchr::memmem;
use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use socket2::{Domain, Socket, Type};

/// The event of the listening socket.
const LISTENER: u64 = u64::MAX;

/// Where it listens: so it is three endpoints for who asks for them.
const ADDRESSES: [Ipv4Addr; 3] = [Ipv4Addr::LOCALHOST, Ipv4Addr::new(127, 0, 0, 2), Ipv4Addr::new(127, 0, 0, 3)];

const SLOWNESS: Duration = Duration::from_millis(500);

fn main() -> io::Result<()> {
    let port = std::env::args().nth(1).and_then(|port| port.parse().ok()).unwrap_or(18900);
    Backend::open(port)?.serve()
}

struct Backend {
    listeners: Vec<TcpListener>,
    epoll: OwnedFd,
    connections: Vec<Option<Connection>>,
    free: Vec<usize>,
    slow: VecDeque<(Instant, usize, u64)>,
    small: &'static [u8],
    kib16: &'static [u8],
    mib1: &'static [u8],
    text: &'static [u8],
    stored: &'static [u8],
    accepted: u64,
    requests: u64,
}

struct Connection {
    stream: TcpStream,
    /// The number of the connection, because slots are used again.
    number: u64,
    /// Part of a request.
    input: Vec<u8>,
    /// What is still to be sent.
    output: Output,
    wants_to_write: bool,
    is_websocket: bool,
}

enum Output {
    Nothing,
    Ready(Cow<'static, [u8]>),
    Waiting,
}

fn listen(address: Ipv4Addr, port: u16) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_tcp_nodelay(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SocketAddr::from((address, port)).into())?;
    socket.listen(4096)?;
    Ok(TcpListener::from(socket))
}

impl Backend {
    fn open(port: u16) -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let listeners = ADDRESSES.map(|address| listen(address, port)).into_iter().collect::<io::Result<Vec<_>>>()?;
        for listener in &listeners {
            epoll::add(&epoll, listener, epoll::EventData::new_u64(LISTENER), epoll::EventFlags::IN)?;
        }
        let text = r#"{"id":42,"name":"benchmark item","tags":["a","b","c"],"price":12.50,"stock":7,"pad":""#;
        let small = format!("{text:0<98}\"}}");
        Ok(Self {
            listeners,
            epoll,
            connections: Vec::new(),
            free: Vec::new(),
            slow: VecDeque::new(),
            small: response("application/json", small.as_bytes()),
            kib16: response("application/octet-stream", &[b'x'; 16 << 10]),
            mib1: response("application/octet-stream", &vec![b'x'; 1 << 20]),
            text: response("application/json", list().as_bytes()),
            stored: storable(small.as_bytes()),
            accepted: 0,
            requests: 0,
        })
    }

    fn serve(mut self) -> io::Result<()> {
        let mut events = Vec::with_capacity(256);
        let mut scratch = vec![0; 64 << 10];
        loop {
            let timeout = self.slow.front().map(|(due, ..)| timespec(due.saturating_duration_since(Instant::now())));
            match epoll::wait(&self.epoll, spare_capacity(&mut events), timeout.as_ref()) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            for event in events.drain(..) {
                match event.data.u64() {
                    LISTENER => self.accept()?,
                    slot => {
                        let slot = usize::try_from(slot).unwrap_or(usize::MAX);
                        if self.go_on(slot, &mut scratch).is_err() {
                            self.connections[slot] = None;
                            self.free.push(slot);
                        }
                    }
                }
            }
            self.answer_slow_ones();
        }
    }

    fn accept(&mut self) -> io::Result<()> {
        while let Some((stream, _)) = self.listeners.iter().find_map(|listener| listener.accept().ok()) {
            stream.set_nonblocking(true)?;
            let slot = self.free.pop().unwrap_or_else(|| {
                self.connections.push(None);
                self.connections.len() - 1
            });
            epoll::add(&self.epoll, &stream, epoll::EventData::new_u64(slot as u64), epoll::EventFlags::IN)?;
            self.accepted += 1;
            self.connections[slot] = Some(Connection {
                stream,
                number: self.accepted,
                input: Vec::new(),
                output: Output::Nothing,
                wants_to_write: false,
                is_websocket: false,
            });
        }
        Ok(())
    }

    /// Takes one event of a connection; an error closes it.
    fn go_on(&mut self, slot: usize, scratch: &mut [u8]) -> io::Result<()> {
        let Some(connection) = self.connections[slot].as_mut() else { return Ok(()) };
        if let Output::Ready(_) = connection.output {
            return connection.flush(&self.epoll, slot);
        }
        let read = match connection.stream.read(scratch) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        };
        if connection.is_websocket {
            connection.input.extend_from_slice(&scratch[..read]);
            connection.output = Output::Ready(websocket::echo(&mut connection.input)?.into());
            return connection.flush(&self.epoll, slot);
        }
        let whole = connection.input.is_empty() && scratch[..read].ends_with(b"\r\n\r\n");
        if !whole {
            connection.input.extend_from_slice(&scratch[..read]);
        }
        let input = if whole { &scratch[..read] } else { &connection.input[..] };
        let Some(head) = memmem::find(input, b"\r\n\r\n") else { return Ok(()) };
        if input.len() < head + 4 + content_length(&input[..head]) {
            if whole {
                connection.input.extend_from_slice(&scratch[..read]);
            }
            return Ok(());
        }
        let line = &input[..memchr::memchr(b'\r', &input[..head + 1]).unwrap_or(head)];
        self.requests += 1;
        if memmem::find(line, b"slow").is_some() {
            connection.output = Output::Waiting;
            self.slow.push_back((Instant::now() + SLOWNESS, slot, connection.number));
        } else if memmem::find(line, b"counts").is_some() {
            let counts = serde_json::json!({"connections": self.accepted, "requests": self.requests});
            connection.output = Output::Ready(response("application/json", counts.to_string().as_bytes()).into());
        } else if memmem::find(line, b"/echo ").is_some()
            && let Some(key) = field(&input[..head], b"sec-websocket-key:")
        {
            connection.output = Output::Ready(websocket::switch(key).into());
            connection.is_websocket = true;
        } else {
            let big = || if memmem::find(line, b"1m").is_some() { Some(self.mib1) } else { None };
            let answer = if memmem::find(line, b"16k").is_some() { Some(self.kib16) } else { big() };
            let answer = if memmem::find(line, b"/text ").is_some() { Some(self.text) } else { answer };
            let answer = if memmem::find(line, b"/stored ").is_some() { Some(self.stored) } else { answer };
            connection.output = Output::Ready(answer.unwrap_or(self.small).into());
        }
        connection.input.clear();
        connection.flush(&self.epoll, slot)
    }

    fn answer_slow_ones(&mut self) {
        while let Some((due, slot, number)) = self.slow.front().copied() {
            if due > Instant::now() {
                return;
            }
            self.slow.pop_front();
            if let Some(connection) = self.connections[slot].as_mut().filter(|connection| connection.number == number) {
                connection.output = Output::Ready(self.small.into());
                // An error will be seen again by the next read.
                let _ = connection.flush(&self.epoll, slot);
            }
        }
    }
}

impl Connection {
    fn flush(&mut self, epoll: &OwnedFd, slot: usize) -> io::Result<()> {
        while let Output::Ready(bytes) = &mut self.output {
            match self.stream.write(bytes) {
                Ok(written) if written == bytes.len() => self.output = Output::Nothing,
                Ok(written) => match bytes {
                    Cow::Borrowed(bytes) => *bytes = &bytes[written..],
                    Cow::Owned(bytes) => drop(bytes.drain(..written)),
                },
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        let wants_to_write = matches!(self.output, Output::Ready(_));
        if wants_to_write != self.wants_to_write {
            let flags = if wants_to_write { epoll::EventFlags::OUT } else { epoll::EventFlags::IN };
            epoll::modify(epoll, &self.stream, epoll::EventData::new_u64(slot as u64), flags)?;
            self.wants_to_write = wants_to_write;
        }
        Ok(())
    }
}

/// The length of the body that follows a head.
fn content_length(head: &[u8]) -> usize {
    let digits = field(head, b"content-length:").and_then(|value| std::str::from_utf8(value).ok());
    digits.and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

/// The value of a field; its name is in small letters and has its colon.
fn field<'a>(head: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    head.split(|byte| *byte == b'\n').find_map(|line| {
        let (found, value) = line.split_at_checked(name.len())?;
        found.eq_ignore_ascii_case(name).then_some(value.trim_ascii())
    })
}

/// 16 KiB of JSON, as lists are: many objects with the same members and other values.
fn list() -> String {
    let item = |id: u64| {
        let noise = id.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        format!(
            r#"{{"id":{id},"sku":"{noise:016X}","name":"item {id}","price":{}.{:02},"stock":{}}}"#,
            noise % 900,
            noise % 100,
            noise % 7
        )
    };
    let mut list = (0..).map(item).scan(1, |length, item| {
        *length += item.len() + 1;
        (*length <= 16 << 10).then_some(item)
    });
    format!("[{}]", list.by_ref().collect::<Vec<_>>().join(","))
}

fn response(kind: &str, body: &[u8]) -> &'static [u8] {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat().leak()
}

/// What caches may store for a day, with the fields that they ask for.
fn storable(body: &[u8]) -> &'static [u8] {
    let date = httpdate::fmt_http_date(SystemTime::now());
    let fields = format!("Date: {date}\r\nCache-Control: public, max-age=86400\r\nContent-Type: application/json");
    let head = format!("HTTP/1.1 200 OK\r\n{fields}\r\nContent-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat().leak()
}

fn timespec(duration: Duration) -> Timespec {
    Timespec { tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX), tv_nsec: duration.subsec_nanos().into() }
}
