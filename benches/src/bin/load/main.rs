//! Loads one server with HTTP/1.1 requests from one thread, and prints the results as one line of JSON.
//!
//! ```text
//! load PORT [--connections 64] [--seconds 3] [--rate N] [--path /s]… [--paths FILE] [--header 'Name: value']…
//!           [--headers FILE] [--requests N] [--post BODY] [--new-connection] [--idle N] [--websocket BYTES]
//! ```
//!
//! Without `--rate` every connection sends its next request when the answer is complete (closed loop). With it,
//! requests are due at fixed moments, and latency counts from the moment a request was due, also when no connection
//! was free then: a server that stalls cannot hide it by slowing the load down.
//!
//! Paths and the lines of `--headers` are taken in turn; a line is what one request has more, several fields separated
//! by tabs. `--requests N` ends the load after N answers, if its time is not over before. With `--post`, requests
//! are POST and have this body, else GET. `--idle N` opens N connections, makes one request on each, prints its line, and
//! holds them for the given time.
//!
//! With `--websocket`, each connection becomes a WebSocket, and what is sent and counted is a message of text of this
//! length, whose echo is compared with it: the next one follows the echo. The handshakes are not counted.

mod websocket;

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use memchr::memmem;
use rustix::buffer::spare_capacity;
use rustix::event::{PollFd, PollFlags, Timespec, epoll, poll};
use rustix::net::sockopt::{set_socket_linger, set_tcp_nodelay};

use websocket::Message;

/// More than this is not the head of an answer.
const MAX_HEAD: usize = 16 << 10;

/// The status of an answer behind which the connection is a WebSocket.
const SWITCHING: u16 = 101;

/// What chunks end with, behind the data of the one before.
const LAST_CHUNK: &[u8; 7] = b"\r\n0\r\n\r\n";

/// Idle connections that fail before no more are opened.
const TRIES: u64 = 10;

fn main() -> ExitCode {
    match Options::of(Arguments::parse()).and_then(|options| Load::new(&options)?.run()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("load: {problem}");
            ExitCode::FAILURE
        }
    }
}

/// Loads one server with HTTP/1.1 requests from one thread.
#[derive(Parser)]
#[command(name = "load")]
struct Arguments {
    /// Of 127.0.0.1.
    port: u16,
    /// Connections, all opened before the first request.
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// How long.
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// Requests a second, in the open loop.
    #[arg(long)]
    rate: Option<f64>,
    /// Answers after which it ends.
    #[arg(long, default_value_t = u64::MAX, hide_default_value = true)]
    requests: u64,
    /// A path; several are taken in turn. `/s` without any.
    #[arg(long = "path")]
    paths: Vec<String>,
    /// A file with more of them, one a line.
    #[arg(long = "paths", value_name = "FILE")]
    path_files: Vec<String>,
    /// A header field of every request.
    #[arg(long = "header", value_name = "FIELD")]
    headers: Vec<String>,
    /// A file with what one request after the other has more: several fields are separated by tabs.
    #[arg(long = "headers", value_name = "FILE")]
    header_files: Vec<String>,
    /// A body, which is posted.
    #[arg(long, value_name = "BODY")]
    post: Option<String>,
    /// A connection for each request.
    #[arg(long)]
    new_connection: bool,
    /// Opens this number of connections, makes one request on each, and holds them.
    #[arg(long, value_name = "CONNECTIONS")]
    idle: Option<usize>,
    /// Sends messages of this length over WebSockets that echo, instead of requests.
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u16).range(1..=4096))]
    #[arg(conflicts_with_all = ["post", "new_connection"])]
    websocket: Option<u16>,
}

struct Options {
    address: SocketAddr,
    connections: usize,
    duration: Duration,
    rate: Option<f64>,
    /// Answers after which it ends.
    most: u64,
    new_connection: bool,
    idle: bool,
    /// Every request that is sent, in turn.
    requests: Vec<Vec<u8>>,
    /// What is sent once the answer to a request was the switch to a WebSocket.
    message: Option<Message>,
}

impl Options {
    fn of(arguments: Arguments) -> io::Result<Self> {
        let Arguments { mut paths, post, new_connection, .. } = arguments;
        for file in &arguments.path_files {
            paths.extend(lines(file)?);
        }
        let mut in_turn = Vec::new();
        for file in &arguments.header_files {
            in_turn.extend(lines(file)?);
        }
        let mut headers: String = arguments.headers.iter().map(|field| format!("{field}\r\n")).collect();
        let (method, body) = post.map_or(("GET", String::new()), |body| ("POST", body));
        if paths.is_empty() {
            paths.push("/s".to_owned());
        }
        if new_connection {
            headers += "Connection: close\r\n";
        }
        if arguments.websocket.is_some() {
            headers += websocket::HANDSHAKE;
        }
        if method == "POST" {
            headers += &format!("Content-Length: {}\r\n", body.len());
        }
        if in_turn.is_empty() {
            in_turn.push(String::new());
        }
        let mut requests = Vec::new();
        for path in &paths {
            for fields in &in_turn {
                let own: String = fields.split_terminator('\t').map(|field| format!("{field}\r\n")).collect();
                let request = format!(
                    "{method} {path} HTTP/1.1\r\nHost: bench.local\r\nUser-Agent: load\r\nAccept: */*\r\n{headers}{own}\r\n{body}"
                );
                requests.push(request.into_bytes());
            }
        }
        Ok(Self {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, arguments.port)),
            connections: arguments.idle.unwrap_or(arguments.connections),
            duration: Duration::try_from_secs_f64(arguments.seconds).map_err(io::Error::other)?,
            rate: arguments.rate,
            most: arguments.requests,
            new_connection,
            idle: arguments.idle.is_some(),
            requests,
            message: arguments.websocket.map(Message::of),
        })
    }
}

/// What is counted.
#[derive(Default)]
struct Count {
    ok: u64,
    bad: u64,
    errors: u64,
    connects: u64,
    /// Microseconds, one for every answer.
    latencies: Vec<u32>,
}

struct Load<'a> {
    options: &'a Options,
    epoll: OwnedFd,
    connections: Vec<Connection>,
    /// Connections without a request, in the open loop.
    free: Vec<usize>,
    /// Moments of requests that found no free connection.
    queue: VecDeque<Instant>,
    next_request: usize,
    count: Count,
}

struct Connection {
    stream: Option<TcpStream>,
    /// The answer to the current request counts from here.
    due: Instant,
    busy: bool,
    /// It has become a WebSocket.
    switched: bool,
    answer: Answer,
}

/// An answer on its way.
#[derive(Default)]
struct Answer {
    head: Vec<u8>,
    status: u16,
    body: Body,
}

#[derive(Default, Clone, Copy)]
enum Body {
    #[default]
    NotYet,
    Left(u64),
    /// The last bytes that came.
    Chunked([u8; LAST_CHUNK.len()]),
    /// How much of an echo has come.
    Echo(usize),
}

impl<'a> Load<'a> {
    fn new(options: &'a Options) -> io::Result<Self> {
        let connection = || Connection {
            stream: None,
            due: Instant::now(),
            busy: false,
            switched: false,
            answer: Answer::default(),
        };
        Ok(Self {
            options,
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            connections: std::iter::repeat_with(connection).take(options.connections).collect(),
            free: Vec::new(),
            queue: VecDeque::new(),
            next_request: 0,
            count: Count::default(),
        })
    }

    fn run(mut self) -> io::Result<()> {
        if self.options.idle {
            return self.hold();
        }
        let started = Instant::now();
        let end = started + self.options.duration;
        if self.options.rate.is_some() {
            self.free = (0..self.connections.len()).collect();
        } else {
            (0..self.connections.len()).for_each(|index| self.send(index, Instant::now()));
        }
        let mut events = Vec::with_capacity(256);
        let mut scratch = vec![0; 256 << 10];
        let mut issued = 0_u64;
        loop {
            let now = Instant::now();
            if now >= end || self.count.ok + self.count.bad >= self.options.most {
                break;
            }
            let mut until = end;
            if let Some(rate) = self.options.rate {
                loop {
                    let due = started + Duration::from_secs_f64(issued as f64 / rate);
                    if due > now {
                        until = until.min(due);
                        break;
                    }
                    issued += 1;
                    match self.free.pop() {
                        Some(index) => self.send(index, due),
                        None => self.queue.push_back(due),
                    }
                }
            }
            let mut timeout = timespec(until.saturating_duration_since(Instant::now()));
            if self.options.rate.is_some() {
                // `epoll::wait` rounds up to milliseconds.
                match poll(&mut [PollFd::new(&self.epoll, PollFlags::IN)], Some(&timeout)) {
                    Ok(_) | Err(rustix::io::Errno::INTR) => timeout = timespec(Duration::ZERO),
                    Err(error) => return Err(error.into()),
                }
            }
            match epoll::wait(&self.epoll, spare_capacity(&mut events), Some(&timeout)) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            for event in events.drain(..) {
                self.receive(usize::try_from(event.data.u64()).unwrap_or(0), &mut scratch);
            }
        }
        let lateness = self.queue.front().map_or(0, |due| due.elapsed().as_micros());
        self.count.report(started.elapsed(), self.queue.len(), lateness)
    }

    /// Opens connections, makes one request on each, and keeps them open.
    fn hold(mut self) -> io::Result<()> {
        let started = Instant::now();
        let mut scratch = vec![0; 64 << 10];
        for index in 0..self.connections.len() {
            self.send(index, Instant::now());
            if let Some(stream) = &self.connections[index].stream {
                stream.set_nonblocking(false)?;
                stream.set_read_timeout(Some(Duration::from_secs(5)))?;
            }
            while self.connections[index].busy {
                self.receive(index, &mut scratch);
            }
            if self.count.errors >= TRIES {
                break;
            }
        }
        self.count.report(started.elapsed(), 0, 0)?;
        std::thread::sleep(self.options.duration);
        Ok(())
    }

    /// Sends the next request on a connection.
    fn send(&mut self, index: usize, due: Instant) {
        let request = &self.options.requests[self.next_request];
        self.next_request = (self.next_request + 1) % self.options.requests.len();
        let connection = &mut self.connections[index];
        (connection.due, connection.busy) = (due, true);
        if connection.stream.is_none() {
            match dial(self.options, &self.epoll, index) {
                Ok(stream) => {
                    self.count.connects += 1;
                    connection.stream = Some(stream);
                    connection.switched = false;
                }
                Err(_) => return self.fail(index),
            }
        }
        let bytes = match &self.options.message {
            Some(message) if connection.switched => {
                connection.answer.body = Body::Echo(0);
                &message.frame
            }
            _ => request,
        };
        // A request is far smaller than any send buffer, and so is a message.
        let written = connection.stream.as_mut().map(|stream| stream.write(bytes));
        if !matches!(written, Some(Ok(length)) if length == bytes.len()) {
            self.fail(index);
        }
    }

    fn fail(&mut self, index: usize) {
        self.count.errors += 1;
        let connection = &mut self.connections[index];
        connection.stream = None;
        connection.answer = Answer::default();
        connection.busy = false;
        if self.options.rate.is_some() {
            self.free.push(index);
        } else if !self.options.idle && self.count.errors < 10_000 {
            self.send(index, Instant::now());
        }
    }

    fn receive(&mut self, index: usize, scratch: &mut [u8]) {
        let connection = &mut self.connections[index];
        let echo = self.options.message.as_ref().map_or(&[][..], |message| &message.echo);
        let Some(stream) = &mut connection.stream else { return };
        match stream.read(scratch) {
            Ok(0) if !connection.busy => connection.stream = None,
            Ok(0) => self.fail(index),
            Ok(read) => match connection.answer.take(&scratch[..read], echo) {
                Ok(true) => self.answered(index),
                Ok(false) => {}
                Err(_) => self.fail(index),
            },
            // Idle connections block, with a limit.
            Err(error) if error.kind() == ErrorKind::WouldBlock && !self.options.idle => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => self.fail(index),
        }
    }

    fn answered(&mut self, index: usize) {
        let now = Instant::now();
        let connection = &mut self.connections[index];
        if connection.answer.status == SWITCHING && self.options.message.is_some() && !connection.switched {
            connection.switched = true;
            let due = connection.due;
            return self.send(index, due);
        }
        let micros = now.saturating_duration_since(connection.due).as_micros();
        self.count.latencies.push(u32::try_from(micros).unwrap_or(u32::MAX));
        let good = match self.options.message {
            Some(_) => connection.switched,
            None => (200..300).contains(&connection.answer.status),
        };
        *(if good { &mut self.count.ok } else { &mut self.count.bad }) += 1;
        connection.busy = false;
        connection.answer = Answer { head: std::mem::take(&mut connection.answer.head), ..Answer::default() };
        connection.answer.head.clear();
        if self.options.new_connection {
            connection.stream = None;
        }
        match self.options.rate {
            _ if self.options.idle => {}
            None => self.send(index, now),
            Some(_) => match self.queue.pop_front() {
                Some(due) => self.send(index, due),
                None => self.free.push(index),
            },
        }
    }
}

impl Count {
    fn report(&mut self, elapsed: Duration, queued: usize, late: u128) -> io::Result<()> {
        self.latencies.sort_unstable();
        let quantile = |quantile: f64| {
            let last = self.latencies.len().checked_sub(1)?;
            self.latencies.get((last as f64 * quantile).round() as usize).copied()
        };
        let done = self.ok + self.bad;
        let line = serde_json::json!({
            "done": done,
            "ok": self.ok,
            "bad": self.bad,
            "errors": self.errors,
            "connects": self.connects,
            "seconds": elapsed.as_secs_f64(),
            "rps": done as f64 / elapsed.as_secs_f64(),
            "p50": quantile(0.5),
            "p99": quantile(0.99),
            "p999": quantile(0.999),
            "max": quantile(1.0),
            "queued": queued,
            "late": u64::try_from(late).unwrap_or(u64::MAX),
        });
        writeln!(io::stdout().lock(), "{line}")
    }
}

impl Answer {
    /// Takes what came; says whether the answer is complete. `echo` is what a message is answered with.
    fn take(&mut self, bytes: &[u8], echo: &[u8]) -> io::Result<bool> {
        match self.body {
            Body::Left(left) => self.take_body(left, bytes.len()),
            Body::Chunked(tail) => Ok(self.take_chunks(tail, bytes)),
            Body::Echo(had) => self.take_echo(had, bytes, echo),
            Body::NotYet => self.take_head(bytes),
        }
    }

    fn take_head(&mut self, bytes: &[u8]) -> io::Result<bool> {
        if self.head.is_empty()
            && let Some(end) = memmem::find(bytes, b"\r\n\r\n")
        {
            let length = self.read_head(&bytes[..end + 2])?;
            return self.begin_body(length, &bytes[end + 4..]);
        }
        self.head.extend_from_slice(bytes);
        let Some(end) = memmem::find(&self.head, b"\r\n\r\n") else {
            return if self.head.len() > MAX_HEAD { Err(ErrorKind::InvalidData.into()) } else { Ok(false) };
        };
        let head = std::mem::take(&mut self.head);
        let length = self.read_head(&head[..end + 2])?;
        self.begin_body(length, &head[end + 4..])
    }

    fn begin_body(&mut self, length: Option<u64>, got: &[u8]) -> io::Result<bool> {
        match length {
            Some(length) => self.take_body(length, got.len()),
            None => Ok(self.take_chunks([0; LAST_CHUNK.len()], got)),
        }
    }

    /// One request is under way at a time: where what came ends like the last chunk, it is that.
    fn take_chunks(&mut self, mut tail: [u8; LAST_CHUNK.len()], bytes: &[u8]) -> bool {
        let new = &bytes[bytes.len().saturating_sub(tail.len())..];
        tail.rotate_left(new.len() % LAST_CHUNK.len());
        tail[LAST_CHUNK.len() - new.len()..].copy_from_slice(new);
        self.body = Body::Chunked(tail);
        tail == *LAST_CHUNK
    }

    fn take_echo(&mut self, had: usize, bytes: &[u8], echo: &[u8]) -> io::Result<bool> {
        let has = had + bytes.len();
        if echo.get(had..has) != Some(bytes) {
            return Err(ErrorKind::InvalidData.into());
        }
        self.body = Body::Echo(has);
        Ok(has == echo.len())
    }

    fn take_body(&mut self, left: u64, got: usize) -> io::Result<bool> {
        let left = left.checked_sub(got as u64).ok_or(ErrorKind::InvalidData)?;
        self.body = Body::Left(left);
        Ok(left == 0)
    }

    /// Reads status and length, which chunks have not; an answer without either is an error here.
    fn read_head(&mut self, head: &[u8]) -> io::Result<Option<u64>> {
        let status = head.get(9..12).and_then(|status| std::str::from_utf8(status).ok()?.parse().ok());
        self.status = status.ok_or(ErrorKind::InvalidData)?;
        let mut rest = head;
        while let Some(end) = memchr::memchr(b'\n', rest) {
            let line = &rest[..end];
            if line.len() > 16 && line[..15].eq_ignore_ascii_case(b"content-length:") {
                let length = std::str::from_utf8(&line[15..]).ok().and_then(|length| length.trim().parse().ok());
                return length.map(Some).ok_or_else(|| ErrorKind::InvalidData.into());
            }
            if line.trim_ascii().eq_ignore_ascii_case(b"transfer-encoding: chunked") {
                return Ok(None);
            }
            rest = &rest[end + 1..];
        }
        if [SWITCHING, 204, 304].contains(&self.status) { Ok(Some(0)) } else { Err(ErrorKind::InvalidData.into()) }
    }
}

fn dial(options: &Options, epoll: &OwnedFd, index: usize) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(options.address)?;
    if options.new_connection {
        // Tens of thousands of connections a second would leave no port free otherwise. One small write and reads after
        // an event do not block, so two system calls are saved.
        set_socket_linger(&stream, Some(Duration::ZERO))?;
    } else {
        set_tcp_nodelay(&stream, true)?;
        stream.set_nonblocking(true)?;
    }
    epoll::add(epoll, &stream, epoll::EventData::new_u64(index as u64), epoll::EventFlags::IN)?;
    Ok(stream)
}

fn lines(file: &str) -> io::Result<Vec<String>> {
    Ok(std::fs::read_to_string(file)?.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect())
}

fn timespec(duration: Duration) -> Timespec {
    Timespec { tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX), tv_nsec: duration.subsec_nanos().into() }
}
