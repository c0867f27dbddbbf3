//! A server that can be at fault.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, sleep};
use std::time::Duration;

/// Of a stream, and the time between two of them, which is less than any gateway waits for more.
const EVENTS: u32 = 20;
const EVENT_PAUSE: Duration = Duration::from_millis(100);

/// What a replica does with requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Mood {
    Well,
    /// It answers after half a second.
    Slow,
    /// It never answers.
    Hanging,
    /// No process listens; open connections are cut.
    Refusing,
    /// It resets a connection on which a request comes.
    Resetting,
    /// 503.
    Unavailable,
    /// It finishes what runs, and takes nothing more.
    Leaving,
}

impl Mood {
    const ALL: [Self; 7] =
        [Self::Well, Self::Slow, Self::Hanging, Self::Refusing, Self::Resetting, Self::Unavailable, Self::Leaving];

    fn listens(self) -> bool {
        !matches!(self, Self::Refusing | Self::Leaving)
    }
}

/// A server at a port of its own.
pub(super) struct Replica {
    shared: Arc<Shared>,
}

struct Shared {
    port: u16,
    mood: AtomicU8,
    is_over: AtomicBool,
    /// Those that are open, and whether a request is being answered there.
    connections: Mutex<Vec<(Arc<AtomicBool>, TcpStream)>>,
}

impl Shared {
    fn mood(&self) -> Mood {
        Mood::ALL[usize::from(self.mood.load(Relaxed)) % Mood::ALL.len()]
    }
}

impl Replica {
    pub(super) fn start(port: u16) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            port,
            mood: AtomicU8::new(Mood::Well as u8),
            is_over: AtomicBool::new(false),
            connections: Mutex::default(),
        });
        let listener = listen(port)?;
        let serving = Arc::clone(&shared);
        thread::spawn(move || serve(&serving, Some(listener)));
        Ok(Self { shared })
    }

    pub(super) fn turn(&self, mood: Mood) {
        self.shared.mood.store(mood as u8, Relaxed);
        // The listener follows in a moment.
        sleep(Duration::from_millis(10));
        let connections = self.shared.connections.lock().unwrap_or_else(PoisonError::into_inner);
        for (is_busy, stream) in &*connections {
            let ends = match mood {
                Mood::Refusing => true,
                Mood::Leaving => !is_busy.load(Relaxed),
                _ => false,
            };
            if ends {
                let _ = stream.shutdown(Shutdown::Both);
            }
        }
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Relaxed);
        self.turn(Mood::Refusing);
    }
}

fn listen(port: u16) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(("127.0.0.1", port))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

fn serve(shared: &Arc<Shared>, mut listener: Option<TcpListener>) {
    while !shared.is_over.load(Relaxed) {
        if !shared.mood().listens() {
            listener = None;
        } else if listener.is_none() {
            listener = listen(shared.port).ok();
        }
        match listener.as_ref().map(TcpListener::accept) {
            Some(Ok((stream, _))) => {
                let shared = Arc::clone(shared);
                thread::spawn(move || drop(talk(&shared, stream)));
            }
            _ => sleep(Duration::from_millis(1)),
        }
    }
}

/// Answers requests until the connection ends.
fn talk(shared: &Shared, mut stream: TcpStream) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_nodelay(true)?;
    let is_busy = Arc::new(AtomicBool::new(false));
    {
        let mut connections = shared.connections.lock().unwrap_or_else(PoisonError::into_inner);
        connections.retain(|(_, stream)| stream.peer_addr().is_ok());
        connections.push((Arc::clone(&is_busy), stream.try_clone()?));
    }
    let (mut received, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        if shared.mood() == Mood::Resetting {
            // What is there and was not read turns the end into a reset.
            stream.read_exact(&mut [0])?;
            return Ok(());
        }
        let (length, events) = loop {
            if let Some(found) = request(&received) {
                break found;
            }
            match stream.read(&mut buffer)? {
                0 => return Ok(()),
                count => received.extend_from_slice(&buffer[..count]),
            }
        };
        is_busy.store(true, Relaxed);
        received.drain(..length);
        let mood = shared.mood();
        match mood {
            Mood::Slow => sleep(Duration::from_millis(500)),
            Mood::Hanging => sleep(Duration::from_secs(3600)),
            Mood::Resetting | Mood::Refusing => return Ok(()),
            _ => {}
        }
        if events {
            send_events(&mut stream, || shared.mood() != Mood::Leaving)?;
            is_busy.store(false, Relaxed);
            if shared.mood() == Mood::Leaving {
                return stream.shutdown(Shutdown::Both);
            }
            continue;
        }
        let (status, body) = if mood == Mood::Unavailable { ("503 Unavailable", "no") } else { ("200 OK", "ok") };
        let close = if shared.mood() == Mood::Leaving { "Connection: close\r\n" } else { "" };
        write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 2\r\n{close}\r\n{body}")?;
        is_busy.store(false, Relaxed);
        if !close.is_empty() {
            return stream.shutdown(Shutdown::Both);
        }
    }
}

/// A stream of two seconds, or until the replica leaves.
fn send_events(stream: &mut TcpStream, goes_on: impl Fn() -> bool) -> io::Result<()> {
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")?;
    for _ in 0..EVENTS {
        if !goes_on() {
            break;
        }
        stream.write_all(b"9\r\ndata: 1\n\n\r\n")?;
        sleep(EVENT_PAUSE);
    }
    stream.write_all(b"0\r\n\r\n")
}

/// Where a request ends, and whether it asks for events.
fn request(received: &[u8]) -> Option<(usize, bool)> {
    let end = received.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&received[..end]).ok()?.to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok()).unwrap_or(0);
    let events = head.starts_with("get /replica/events ");
    Some((end + length, events)).filter(|(end, _)| received.len() >= *end)
}
