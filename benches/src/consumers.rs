//! A million consumers: what it costs to read them, and what requests notice of it.

use std::io;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::callers::CredentialKind;
use crate::lab::{Lab, Running, Sample};
use crate::measure::arguments;
use crate::peer::{Peer, Work};
use crate::scenarios::{LoadShape, Paths, SATURATION};

/// Requests a second while the file is read again.
const RATE: u32 = 3_000;

/// What a start has cost.
pub(crate) struct Loaded {
    pub(crate) peer: &'static str,
    /// Until the first answer.
    pub(crate) seconds: f64,
    pub(crate) cpu_seconds: f64,
    pub(crate) peak_kib: u64,
    pub(crate) pss_kib: u64,
}

/// Seconds of a load, one by one.
pub(crate) struct Phase {
    pub(crate) name: String,
    pub(crate) seconds: Vec<Sample>,
    pub(crate) peak_kib: u64,
    pub(crate) pss_kib: u64,
}

pub(crate) fn load(lab: &Lab, peers: &[Peer], rounds: usize) -> io::Result<Vec<Loaded>> {
    let mut loaded = Vec::new();
    for _ in 0..rounds {
        for peer in peers.iter().filter(|peer| peer.name.ends_with("-1m")) {
            match lab.start(peer, Work::Key) {
                Ok(running) => {
                    loaded.push(Loaded {
                        peer: peer.name,
                        seconds: running.first_answer.as_secs_f64(),
                        cpu_seconds: running.cpu_seconds(),
                        peak_kib: running.peak_kib(),
                        pss_kib: running.pss_kib(),
                    });
                    running.stop();
                }
                Err(error) => println!("{}: {error}", peer.name),
            }
        }
    }
    Ok(loaded)
}

/// Before, while and after the gateway reads the file again, three times.
pub(crate) fn reload(lab: &Lab, peers: &[Peer]) -> io::Result<Vec<Phase>> {
    let Some(peer) = peers.iter().find(|peer| peer.name == "gateway-1m") else { return Ok(Vec::new()) };
    let running = lab.start(peer, Work::Key)?;
    let result = phases(lab, peer, &running);
    running.stop();
    result
}

fn phases(lab: &Lab, peer: &Peer, running: &Running) -> io::Result<Vec<Phase>> {
    let port = peer.port(Work::Key).ok_or_else(|| io::Error::other("no port"))?;
    let shape = LoadShape {
        work: Work::Key,
        paths: Paths::One(Work::Key.path()),
        kind: CredentialKind::Key,
        rate: Some(RATE),
        ..SATURATION
    };
    let second = || lab.load(running, port, &arguments(lab, peer, &shape, 1.0)?);
    let phase = |name, seconds| Phase { name, seconds, peak_kib: running.peak_kib(), pss_kib: running.pss_kib() };
    second()?;
    let mut phases = vec![phase("before".to_owned(), (0..6).map(|_| second()).collect::<io::Result<_>>()?)];
    for time in 1..=3 {
        running.send(Signal::HUP);
        let (begun, mut seconds) = (Instant::now(), Vec::new());
        while running.said().matches("consumers now").count() < time {
            if begun.elapsed() > Duration::from_secs(120) {
                return Err(io::Error::other("the consumers are not read again"));
            }
            seconds.push(second()?);
        }
        phases.push(phase(format!("read again, {:.0} s", begun.elapsed().as_secs_f64()), seconds));
    }
    phases.push(phase("after".to_owned(), (0..6).map(|_| second()).collect::<io::Result<_>>()?));
    Ok(phases)
}
