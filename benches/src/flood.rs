//! A public route beside a flood of wrong passwords: each costs the gateway some 20 ms of argon2id.

use std::io;

use crate::callers::CredentialKind;
use crate::lab::{Lab, Sample};
use crate::measure::arguments;
use crate::peer::{Peer, Work};
use crate::scenarios::{LoadShape, Paths, SATURATION};

/// Requests a second of the route, where it is not loaded to the limit.
const RATE: u32 = 3_000;

/// The public route, with or without the flood.
pub(crate) struct Flooded {
    pub(crate) is_flooded: bool,
    pub(crate) is_saturated: bool,
    pub(crate) sample: Sample,
    /// Answers a second to the flood: those that were checked (401), and those for which there was no room (503).
    pub(crate) guesses: f64,
    /// Cores that passwords were checked on.
    pub(crate) checking: f64,
}

pub(crate) fn rounds(lab: &Lab, peers: &[Peer], rounds: usize, seconds: f64) -> io::Result<Vec<Flooded>> {
    let mut all = Vec::new();
    let Some(peer) = peers.iter().find(|peer| peer.name == "gateway") else { return Ok(all) };
    for _ in 0..rounds {
        for is_saturated in [true, false] {
            for is_flooded in [false, true] {
                all.push(once(lab, peer, is_flooded, is_saturated, seconds)?);
            }
        }
    }
    Ok(all)
}

fn once(lab: &Lab, peer: &Peer, is_flooded: bool, is_saturated: bool, seconds: f64) -> io::Result<Flooded> {
    let port = peer.port(Work::Key).ok_or_else(|| io::Error::other("no port"))?;
    let rate = if is_saturated { None } else { Some(RATE) };
    let open = LoadShape { work: Work::Key, paths: Paths::One("/open"), rate, ..SATURATION };
    let guess = LoadShape {
        work: Work::Password,
        paths: Paths::One(Work::Password.path()),
        kind: CredentialKind::WrongPassword,
        ..SATURATION
    };
    let running = lab.start(peer, Work::Key)?;
    let result = (|| {
        lab.load(&running, port, &arguments(lab, peer, &LoadShape { rate: None, ..open }, 0.5)?)?;
        let flood =
            if is_flooded { Some(lab.begin(port, &arguments(lab, peer, &guess, seconds + 1.0)?)?) } else { None };
        std::thread::sleep(std::time::Duration::from_millis(500));
        let before = running.cpu_of("tokio-rt-worker");
        let sample = lab.load(&running, port, &arguments(lab, peer, &open, seconds)?)?;
        let checking = (running.cpu_of("tokio-rt-worker") - before) / seconds;
        let guesses = match flood {
            Some(flood) => {
                let line: serde_json::Value = serde_json::from_slice(&flood.wait_with_output()?.stdout)?;
                line["rps"].as_f64().unwrap_or(0.0)
            }
            None => 0.0,
        };
        Ok(Flooded { is_flooded, is_saturated, sample, guesses, checking })
    })();
    running.stop();
    result
}
