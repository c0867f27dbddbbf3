//! Servers at many addresses of the loopback network, in one thread.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread::JoinHandle;

use tokio::net::TcpStream;
use tokio::sync::oneshot;

/// The same at all addresses.
const PORT: u16 = 18921;

/// Servers that answer 200; they end when this is dropped.
pub(super) struct Servers {
    answered: Arc<AtomicU64>,
    over: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Servers {
    pub(super) fn start(count: usize) -> io::Result<Self> {
        let listeners: Vec<TcpListener> = addresses(count).map(TcpListener::bind).collect::<io::Result<_>>()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        let answered = Arc::new(AtomicU64::new(0));
        let (over, ended) = oneshot::channel();
        let counter = Arc::clone(&answered);
        let serve = move || {
            runtime.block_on(async move {
                for listener in listeners {
                    tokio::spawn(accept(listener, Arc::clone(&counter)));
                }
                // Its end is the signal.
                let _ = ended.await;
            });
        };
        Ok(Self { answered, over: Some(over), thread: Some(std::thread::spawn(serve)) })
    }

    /// How many requests so far.
    pub(super) fn answered(&self) -> u64 {
        self.answered.load(Relaxed)
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        drop(self.over.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Where so many servers are.
pub(super) fn urls(count: usize) -> Vec<String> {
    addresses(count).map(|address| format!("http://{address}")).collect()
}

fn addresses(count: usize) -> impl Iterator<Item = SocketAddrV4> {
    (0..=u8::MAX)
        .flat_map(|group| (1..=250).map(move |host| Ipv4Addr::new(127, 1, group, host)))
        .map(|ip| SocketAddrV4::new(ip, PORT))
        .take(count)
}

async fn accept(listener: TcpListener, answered: Arc<AtomicU64>) {
    if listener.set_nonblocking(true).is_err() {
        return;
    }
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
    while let Ok((stream, _)) = listener.accept().await {
        let answered = Arc::clone(&answered);
        // An error is the end of a connection.
        tokio::spawn(async move { drop(talk(&stream, &answered).await) });
    }
}

/// Answers requests without content until the connection ends.
async fn talk(stream: &TcpStream, answered: &AtomicU64) -> io::Result<()> {
    const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    let (mut received, mut buffer) = (Vec::new(), [0; 1024]);
    loop {
        stream.readable().await?;
        match stream.try_read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => received.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
            Err(error) => return Err(error),
        }
        if received.ends_with(b"\r\n\r\n") {
            received.clear();
            stream.writable().await?;
            if stream.try_write(ANSWER)? < ANSWER.len() {
                return Err(io::ErrorKind::WriteZero.into());
            }
            answered.fetch_add(1, Relaxed);
        }
    }
}
