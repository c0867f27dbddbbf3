//! Three replicas are replaced, one after the other, while clients read, write and listen to streams.

#[path = "../../support/mod.rs"]
mod support;

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread::sleep;
use std::time::Duration;

use support::{Gateway, ReservedPort, eventually};

/// How long a replica is away while it is replaced by a new one.
const AWAY: Duration = Duration::from_millis(300);

/// The time between two events of a stream.
const TICK: Duration = Duration::from_millis(20);

/// A server that ends politely and comes back: it takes no more connections, finishes what runs, and closes what is idle.
struct Replica {
    /// Holds the port while nobody listens.
    port: ReservedPort,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    port: u16,
    is_away: AtomicBool,
    /// How often it has left. A connection belongs to the process that accepted it.
    generation: AtomicUsize,
    /// Long streams that run.
    streams: AtomicUsize,
    /// Requests that came on a connection that was closed already.
    late: AtomicUsize,
    is_over: AtomicBool,
}

impl Replica {
    fn start() -> Self {
        let port = ReservedPort::new();
        let shared = Arc::new(Shared { port: port.number(), ..Shared::default() });
        let serving = Arc::clone(&shared);
        let listener = serving.listen();
        std::thread::spawn(move || serving.serve(listener));
        Self { port, shared }
    }

    fn leave(&self) {
        self.shared.is_away.store(true, SeqCst);
        eventually("nobody listens", || TcpStream::connect(self.port.address).err());
        self.shared.generation.fetch_add(1, SeqCst);
    }

    fn come_back(&self) {
        self.shared.is_away.store(false, SeqCst);
        eventually("somebody listens", || TcpStream::connect(self.port.address).ok());
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        self.shared.is_over.store(true, SeqCst);
    }
}

impl Shared {
    fn listen(&self) -> TcpListener {
        let listener = TcpListener::bind(("127.0.0.1", self.port)).expect("nothing else listens");
        listener.set_nonblocking(true).expect("an option");
        listener
    }

    fn serve(self: &Arc<Self>, listener: TcpListener) {
        let mut listener = Some(listener);
        while !self.is_over.load(SeqCst) {
            match listener.as_ref().map(TcpListener::accept) {
                Some(Ok((stream, _))) => {
                    let shared = Arc::clone(self);
                    std::thread::spawn(move || drop(shared.talk(stream)));
                }
                // All that were waiting have been accepted.
                Some(Err(_)) if self.is_away.load(SeqCst) => listener = None,
                None if !self.is_away.load(SeqCst) => listener = Some(self.listen()),
                _ => sleep(Duration::from_millis(1)),
            }
        }
    }

    /// Answers requests until the connection or the process ends.
    fn talk(&self, mut stream: TcpStream) -> std::io::Result<()> {
        let generation = self.generation.load(SeqCst);
        let has_left = || self.generation.load(SeqCst) != generation || self.is_away.load(SeqCst);
        stream.set_nonblocking(false)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_millis(5)))?;
        let (mut received, mut buffer, mut is_used) = (Vec::new(), [0; 4096], false);
        // What was accepted gets an answer.
        while !(is_used && received.is_empty() && has_left()) {
            if let Some((length, events)) = request(&received) {
                received.drain(..length);
                is_used = true;
                if events == 0 {
                    let close = if has_left() { "Connection: close\r\n" } else { "" };
                    write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n{close}\r\nok")?;
                } else {
                    let is_long = usize::from(events > 1);
                    self.streams.fetch_add(is_long, SeqCst);
                    let ended = send_events(&mut stream, self.port, events, has_left);
                    self.streams.fetch_sub(is_long, SeqCst);
                    ended?;
                }
                continue;
            }
            match stream.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(count) => received.extend_from_slice(&buffer[..count]),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(error) => return Err(error),
            }
        }
        stream.shutdown(Shutdown::Write)?;
        stream.set_read_timeout(Some(support::PATIENCE))?;
        if stream.read(&mut buffer)? > 0 {
            self.late.fetch_add(1, SeqCst);
        }
        Ok(())
    }
}

/// Events that name the replica. The last one says why there are no more: `done`, or `left` where the replica ends.
fn send_events(stream: &mut TcpStream, port: u16, count: usize, has_left: impl Fn() -> bool) -> std::io::Result<()> {
    write!(stream, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")?;
    let mut send = |text: &str| write!(stream, "{:x}\r\n{text}\r\n", text.len());
    for _ in 0..count {
        if has_left() {
            break;
        }
        send(&format!("data: {port}\n\n"))?;
        sleep(TICK);
    }
    send(if has_left() { "event: left\n\n" } else { "event: done\n\n" })?;
    write!(stream, "0\r\n\r\n")
}

/// The length of a whole request, and how many events it asks for.
fn request(received: &[u8]) -> Option<(usize, usize)> {
    let end = received.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&received[..end]).expect("text").to_ascii_lowercase();
    let field = |name: &str| {
        head.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<usize>().ok()).unwrap_or_default()
    };
    let length = end + field("content-length:");
    (received.len() >= length).then(|| (length, field("x-events:")))
}

#[test]
fn a_rolling_restart_fails_nothing_that_was_not_sent() {
    let replicas = [Replica::start(), Replica::start(), Replica::start()];
    let urls: Vec<String> = replicas.iter().map(|replica| format!("\"http://{}\"", replica.port.address)).collect();
    let retry = "retry: {attempts: 3, on: [connect, reset]}";
    let upstream = format!("upstreams.notes.default={{endpoints: [{}], {retry}}}", urls.join(", "));
    let gateway = Gateway::start(&[&upstream, "workers=2"], replicas[0].port.address);
    let is_over = AtomicBool::new(false);
    let goes_on = || !is_over.load(SeqCst);

    let read = || {
        let mut connection = gateway.connect();
        while goes_on() {
            connection.send("GET /v1/health HTTP/1.1\r\nHost: h\r\n\r\n");
            assert_eq!(connection.response(false).status, 200);
            sleep(Duration::from_millis(2));
        }
    };
    let write = || {
        let (mut connection, mut count, mut failed) = (gateway.connect(), 0_usize, 0_usize);
        while goes_on() {
            connection.send("POST /v1/login HTTP/1.1\r\nHost: h\r\nContent-Length: 1024\r\n\r\n");
            connection.send([b'x'; 1024]);
            failed += usize::from(connection.response(false).status != 200);
            count += 1;
            sleep(Duration::from_millis(2));
        }
        (count, failed)
    };
    let listen = || {
        let (mut connection, mut left) = (gateway.connect(), 0_usize);
        while goes_on() {
            connection.send("GET /v1/health HTTP/1.1\r\nHost: h\r\nX-Events: 50\r\n\r\n");
            // One that breaks off has no last chunk, which is a failure.
            let stream = connection.response(false);
            assert_eq!(stream.status, 200);
            let (events, end) = stream.body.trim_end().rsplit_once("\n\n").unwrap_or(("", &stream.body));
            let sources: std::collections::BTreeSet<&str> = events.split("\n\n").collect();
            assert!(sources.len() == 1 && ["event: done", "event: left"].contains(&end.trim_end()), "{}", stream.body);
            left += usize::from(end.trim_end() == "event: left");
        }
        left
    };
    let (mut writes, mut failed, mut left) = (0, 0, 0);
    std::thread::scope(|scope| {
        let _end = End(&is_over);
        let readers: Vec<_> = (0..4).map(|_| scope.spawn(read)).collect();
        let writers: Vec<_> = (0..4).map(|_| scope.spawn(write)).collect();
        let listeners: Vec<_> = (0..6).map(|_| scope.spawn(listen)).collect();
        for replica in &replicas {
            eventually("a stream of each", || (replica.shared.streams.load(SeqCst) > 0).then_some(()));
            replica.leave();
            eventually("its streams end", || (replica.shared.streams.load(SeqCst) == 0).then_some(()));
            for _ in 0..4 {
                let stream = gateway.get("/v1/health", "X-Events: 1\r\n");
                assert_eq!(stream.status, 200);
                assert!(!stream.body.contains(&replica.port.number().to_string()), "it is away: {}", stream.body);
            }
            sleep(AWAY);
            replica.come_back();
        }
        is_over.store(true, SeqCst);
        readers.into_iter().for_each(|reader| reader.join().expect("no failed GET"));
        for writer in writers {
            let (count, of_them) = writer.join().expect("an answer to each POST");
            (writes, failed) = (writes + count, failed + of_them);
        }
        left = listeners.into_iter().map(|listener| listener.join().expect("no broken stream")).sum();
    });
    let late: usize = replicas.iter().map(|replica| replica.shared.late.load(SeqCst)).sum();
    assert!(writes > 100, "{writes} POST");
    assert!(failed <= late, "{failed} POST failed, and {late} requests were sent to a replica that had closed");
    assert!(left >= replicas.len(), "{left} streams ended with their replica");
}

/// Lets the clients stop, also where the test fails.
struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, SeqCst);
    }
}
