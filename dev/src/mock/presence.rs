//! Which upstreams are there.

use std::collections::HashMap;
use std::net::{TcpStream, ToSocketAddrs as _};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use gateway_runtime::UpstreamAddress;

/// How long a connection may take.
const PATIENCE: Duration = Duration::from_millis(500);
/// How often all of them are tried again.
const INTERVAL: Duration = Duration::from_secs(2);

/// Which upstreams the mock stands in for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Mode {
    /// Those that accept no connection, for as long as they do not
    Absent,
    /// All of them
    All,
}

/// Tries upstreams.
#[derive(Clone)]
pub(crate) struct Presence {
    mode: Mode,
    /// By host and port.
    known: Arc<Mutex<HashMap<(String, u16), bool>>>,
    /// One has come or gone since the last call of [`Presence::has_changed`].
    changed: Arc<AtomicBool>,
}

impl Presence {
    /// Begins to try them.
    ///
    /// # Errors
    /// No thread can be started.
    pub(crate) fn watch(mode: Mode) -> std::io::Result<Self> {
        let presence = Self { mode, known: Arc::default(), changed: Arc::default() };
        if mode == Mode::Absent {
            let watched = presence.clone();
            thread::Builder::new().name("mock-presence".to_owned()).spawn(move || {
                loop {
                    thread::sleep(INTERVAL);
                    watched.try_all();
                }
            })?;
        }
        Ok(presence)
    }

    /// Those of `upstreams` that the mock stands in for.
    pub(crate) fn absent(&self, upstreams: Vec<UpstreamAddress>) -> Vec<UpstreamAddress> {
        if self.mode == Mode::All {
            return upstreams;
        }
        let new: Vec<(String, u16)> = {
            let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            let mut new: Vec<_> = upstreams.iter().map(key).filter(|key| !known.contains_key(key)).collect();
            new.sort();
            new.dedup();
            new
        };
        let found = try_each(new);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.extend(found);
        upstreams.into_iter().filter(|upstream| known.get(&key(upstream)) == Some(&false)).collect()
    }

    /// Whether one has come or gone since the last call.
    pub(crate) fn has_changed(&self) -> bool {
        self.changed.swap(false, Relaxed)
    }

    fn try_all(&self) {
        let all = self.known.lock().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect();
        for (key, is_there) in try_each(all) {
            let before = self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(key, is_there);
            if before != Some(is_there) {
                self.changed.store(true, Relaxed);
            }
        }
    }
}

fn key(upstream: &UpstreamAddress) -> (String, u16) {
    (upstream.host.clone(), upstream.port)
}

/// Tries them at once.
fn try_each(all: Vec<(String, u16)>) -> Vec<((String, u16), bool)> {
    thread::scope(|scope| {
        let tries: Vec<_> = all.iter().map(|(host, port)| scope.spawn(|| is_there(host, *port))).collect();
        let found: Vec<bool> = tries.into_iter().map(|one| one.join().unwrap_or(false)).collect();
        all.iter().cloned().zip(found).collect()
    })
}

#[expect(clippy::disallowed_methods, reason = "a thread of its own, which no connection waits for")]
fn is_there(host: &str, port: u16) -> bool {
    let Ok(addresses) = (host, port).to_socket_addrs() else { return false };
    addresses.take(4).any(|address| TcpStream::connect_timeout(&address, PATIENCE).is_ok())
}
