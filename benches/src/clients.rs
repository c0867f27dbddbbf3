//! A million clients that a limit counts one by one: what a new one costs, and how much memory all of them take.

use std::fs;
use std::io::{self, BufWriter, Write as _};

use crate::lab::{Lab, Sample};
use crate::peer::{Peer, Work};
use crate::scenarios::Scenario;

const CLIENTS: usize = 1_000_000;

/// Requests before memory is looked at for the first time: connections and buffers are there by then.
const WARM: usize = 50_000;

/// Seconds for a million requests, at most.
const PATIENCE: &str = "120";

/// One peer in one round.
pub(crate) struct Counted {
    pub(crate) peer: &'static str,
    /// After a load without clients.
    pub(crate) warm_kib: u64,
    /// Each client for the first time.
    pub(crate) new: Sample,
    /// And again.
    pub(crate) known: Sample,
}

impl Counted {
    /// How many came.
    pub(crate) fn clients(&self) -> f64 {
        self.new.load["done"].as_f64().unwrap_or(0.0).clamp(1.0, CLIENTS as f64)
    }
}

/// Every peer of the scenario once a round, started afresh; odd rounds go backwards.
pub(crate) fn rounds(lab: &Lab, peers: &[Peer], scenario: &Scenario, rounds: usize) -> io::Result<Vec<Counted>> {
    let file = lab.folder.join("clients");
    let mut out = BufWriter::new(fs::File::create(&file)?);
    (0..CLIENTS).try_for_each(|client| writeln!(out, "X-Client: client-{client:06}"))?;
    out.flush()?;
    let file = file.display().to_string();
    let arguments = |work: Work, requests: usize| -> Vec<String> {
        ["--path", work.path(), "--seconds", PATIENCE, "--requests", &requests.to_string()].map(str::to_owned).to_vec()
    };
    let warm_up = arguments(Work::Limit, WARM);
    let all = [arguments(Work::Clients, CLIENTS), vec!["--headers".to_owned(), file]].concat();
    let mut counted = Vec::new();
    for round in 0..rounds {
        let mut order: Vec<&Peer> = peers.iter().filter(|peer| scenario.peers.contains(&peer.name)).collect();
        if round % 2 == 1 {
            order.reverse();
        }
        for peer in order {
            let (Some(port), Some(warm_port)) = (peer.port(Work::Clients), peer.port(Work::Limit)) else { continue };
            let running = lab.start(peer, Work::Clients)?;
            let warm = lab.load(&running, warm_port, &warm_up)?;
            let new = lab.load(&running, port, &all)?;
            let known = lab.load(&running, port, &all)?;
            running.stop();
            counted.push(Counted { peer: peer.name, warm_kib: warm.pss_kib, new, known });
        }
    }
    Ok(counted)
}
