//! Clients that send requests at a constant rate, and say what became of each.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread::{self, JoinHandle, sleep};
use std::time::{Duration, Instant};

/// Connections, and the time between two requests on each: 2,000 requests a second in all.
const CLIENTS: u32 = 32;
const INTERVAL: Duration = Duration::from_millis(16);

/// One of this number of requests has a body.
const POSTS: u32 = 10;

/// Connections on which one stream follows the other, beside those.
const LISTENERS: u32 = 16;

/// Longer than any gateway takes with all its tries.
const PATIENCE: Duration = Duration::from_secs(12);

/// What became of the requests of one part.
#[derive(Debug, Default, Clone)]
pub(super) struct Part {
    pub(super) gets: usize,
    pub(super) failed_gets: usize,
    pub(super) posts: usize,
    pub(super) failed_posts: usize,
    pub(super) streams: usize,
    /// They did not begin, or broke off.
    pub(super) failed_streams: usize,
    /// Of the requests that did not fail.
    times: Vec<Duration>,
}

impl Part {
    pub(super) fn percentile(&self, share: f64) -> Duration {
        let mut times = self.times.clone();
        times.sort_unstable();
        let at = (times.len() as f64 * share) as usize;
        times.get(at.min(times.len().saturating_sub(1))).copied().unwrap_or_default()
    }

    fn add(&mut self, other: Self) {
        self.gets += other.gets;
        self.failed_gets += other.failed_gets;
        self.posts += other.posts;
        self.failed_posts += other.failed_posts;
        self.streams += other.streams;
        self.failed_streams += other.failed_streams;
        self.times.extend(other.times);
    }

    fn note(&mut self, is_post: bool, is_good: bool, time: Duration) {
        let (count, failed) =
            if is_post { (&mut self.posts, &mut self.failed_posts) } else { (&mut self.gets, &mut self.failed_gets) };
        *count += 1;
        *failed += usize::from(!is_good);
        if is_good {
            self.times.push(time);
        }
    }
}

/// Clients at work.
pub(super) struct Clients {
    part: Arc<AtomicUsize>,
    is_over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<[Part; 2]>>,
}

impl Clients {
    /// Clients of the gateway at this port; some of them follow streams, if wanted.
    pub(super) fn start(port: u16, has_streams: bool) -> Self {
        let (part, is_over) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let client = |number| {
            let (part, is_over) = (Arc::clone(&part), Arc::clone(&is_over));
            thread::spawn(move || work(port, number, &part, &is_over))
        };
        let mut threads: Vec<_> = (0..CLIENTS).map(client).collect();
        if has_streams {
            let listener = |number| {
                let (part, is_over) = (Arc::clone(&part), Arc::clone(&is_over));
                thread::spawn(move || listen(port, number, &part, &is_over))
            };
            threads.extend((0..LISTENERS).map(listener));
        }
        Self { threads, part, is_over }
    }

    /// Requests that begin from now on are of the next part.
    pub(super) fn next_part(&self) {
        self.part.fetch_add(1, Relaxed);
    }

    pub(super) fn stop(self) -> [Part; 2] {
        self.is_over.store(true, Relaxed);
        let mut all = [Part::default(), Part::default()];
        for [first, second] in self.threads.into_iter().filter_map(|thread| thread.join().ok()) {
            all[0].add(first);
            all[1].add(second);
        }
        all
    }
}

fn work(port: u16, number: u32, part: &AtomicUsize, is_over: &AtomicBool) -> [Part; 2] {
    let mut parts = [Part::default(), Part::default()];
    let mut connection = None;
    let mut due = Instant::now() + INTERVAL * number / CLIENTS;
    for count in number.. {
        if is_over.load(Relaxed) {
            break;
        }
        sleep(due.saturating_duration_since(Instant::now()));
        // A request that waits for its turn has waited: its time counts from when it was due.
        let (is_post, now) = (count % POSTS == 0, part.load(Relaxed).min(1));
        let answer = connection.take().map_or_else(|| connect(port), Ok).and_then(|stream| ask(stream, is_post));
        let is_good = matches!(answer, Ok((200, _)));
        parts[now].note(is_post, is_good, due.elapsed());
        connection = answer.ok().map(|(_, stream)| stream);
        due += INTERVAL;
    }
    parts
}

/// One stream after the other. They begin at different times, so that a fault meets them at any point.
fn listen(port: u16, number: u32, part: &AtomicUsize, is_over: &AtomicBool) -> [Part; 2] {
    let mut parts = [Part::default(), Part::default()];
    sleep(Duration::from_millis(120) * number);
    while !is_over.load(Relaxed) {
        let now = part.load(Relaxed).min(1);
        let end = connect(port).and_then(follow);
        parts[now].streams += 1;
        if end.is_err() {
            parts[now].failed_streams += 1;
            sleep(INTERVAL);
        }
    }
    parts
}

/// Reads a stream to its last chunk.
fn follow(mut stream: TcpStream) -> io::Result<()> {
    stream.write_all(b"GET /replica/events HTTP/1.1\r\nHost: replicas.test\r\n\r\n")?;
    let (mut received, mut buffer) = (Vec::new(), [0; 4096]);
    while !received.ends_with(b"\r\n0\r\n\r\n") {
        match stream.read(&mut buffer)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => received.extend_from_slice(&buffer[..count]),
        }
        if !received.starts_with(&b"HTTP/1.1 200"[..received.len().min(12)]) {
            return Err(io::ErrorKind::InvalidData.into());
        }
    }
    Ok(())
}

fn connect(port: u16) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// The status of the answer, and the connection for the next request.
fn ask(mut stream: TcpStream, is_post: bool) -> io::Result<(u16, TcpStream)> {
    const GET: &[u8] = b"GET /replica HTTP/1.1\r\nHost: replicas.test\r\n\r\n";
    const POST: &[u8] =
        b"POST /replica HTTP/1.1\r\nHost: replicas.test\r\nContent-Type: text/plain\r\nContent-Length: 1024\r\n\r\n";
    if is_post {
        stream.write_all(&[POST, &[b'x'; 1024]].concat())?;
    } else {
        stream.write_all(GET)?;
    }
    let (mut received, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        if let Some(end) = received.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&received[..end]).to_ascii_lowercase();
            let field =
                |name: &str| head.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<usize>().ok());
            let length = field("content-length:").ok_or(io::ErrorKind::InvalidData)?;
            if received.len() >= end + 4 + length {
                let status = head.get(9..12).and_then(|status| status.parse().ok()).unwrap_or(0);
                if head.contains("connection: close") {
                    return Ok((status, connect(stream.peer_addr()?.port())?));
                }
                return Ok((status, stream));
            }
        }
        match stream.read(&mut buffer)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => received.extend_from_slice(&buffer[..count]),
        }
    }
}
