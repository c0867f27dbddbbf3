//! Interleaved rounds: what is compared is measured within seconds of each other, each peer started afresh.

use std::fs;
use std::io;

use crate::callers::{self, CredentialKind, ORDER};
use crate::lab::{Lab, Sample};
use crate::oauth::{self, TOKEN_FORM};
use crate::peer::{Peer, Work};
use crate::scenarios::{LoadShape, Paths, Scenario, routes};

/// Idle clients.
const IDLE: usize = 5_000;

/// Idle WebSockets, where the limit of open files allows them.
const TUNNELS: usize = 10_000;

/// A request for a WebSocket, and what the answer has in its head, in small letters (RFC 6455, section 1.3).
const HANDSHAKE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
const SWITCHED: &str = "\r\nsec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=\r\n";

/// Cores that something else may use before a measurement is repeated, and how often it is made at most.
const DISTURBED: f64 = 0.15;
const ATTEMPTS: usize = 4;

/// One peer in one round.
pub(crate) struct Measured {
    pub(crate) peer: &'static str,
    pub(crate) round: usize,
    pub(crate) sample: Sample,
}

pub(crate) struct Started {
    pub(crate) peer: &'static str,
    pub(crate) millis: Vec<f64>,
}

pub(crate) struct Footprint {
    pub(crate) peer: &'static str,
    pub(crate) started_rss: u64,
    pub(crate) started_pss: u64,
    pub(crate) loaded_rss: u64,
    pub(crate) loaded_pss: u64,
    /// KiB for each, and how many.
    pub(crate) idle: (f64, u64),
}

pub(crate) struct TunnelFootprint {
    pub(crate) peer: &'static str,
    /// KiB for each.
    pub(crate) rss: f64,
    pub(crate) pss: f64,
    /// How many.
    pub(crate) held: u64,
}

/// Every peer of a scenario once a round; odd rounds go backwards.
pub(crate) fn rounds(
    lab: &Lab,
    peers: &[Peer],
    scenario: &Scenario,
    shape: &LoadShape,
    rounds: usize,
    seconds: f64,
) -> io::Result<Vec<Measured>> {
    let mut measured = Vec::new();
    let peers: Vec<&Peer> = peers.iter().filter(|peer| scenario.peers.contains(&peer.name)).collect();
    for round in 0..rounds {
        let mut order = peers.clone();
        if round % 2 == 1 {
            order.reverse();
        }
        for peer in order {
            match undisturbed(lab, peer, shape, seconds) {
                Ok(sample) => measured.push(Measured { peer: peer.name, round, sample }),
                Err(error) => println!("{} in round {round}: {error}", peer.name),
            }
        }
    }
    Ok(measured)
}

/// Measures again while something else is busy on the machine; takes the quietest of a few.
fn undisturbed(lab: &Lab, peer: &Peer, shape: &LoadShape, seconds: f64) -> io::Result<Sample> {
    let mut quietest = once(lab, peer, shape, seconds)?;
    for _ in 1..ATTEMPTS {
        if quietest.other < DISTURBED {
            break;
        }
        let again = once(lab, peer, shape, seconds)?;
        if again.other < quietest.other {
            quietest = again;
        }
    }
    Ok(quietest)
}

fn once(lab: &Lab, peer: &Peer, shape: &LoadShape, seconds: f64) -> io::Result<Sample> {
    let port = peer.port(shape.work).ok_or_else(|| io::Error::other("cannot do this"))?;
    // Whether it has started is asked in the clear.
    let running = lab.start(peer, if shape.tls.is_some() { Work::Plain } else { shape.work })?;
    if let Some(problem) = problem(lab, peer, shape, port)? {
        running.stop();
        return Err(io::Error::other(problem));
    }
    let warm = LoadShape { rate: None, ..*shape };
    let result = arguments(lab, peer, &warm, 0.5)
        .and_then(|arguments| lab.load(&running, port, &arguments))
        .and_then(|_| lab.load(&running, port, &arguments(lab, peer, shape, seconds)?));
    running.stop();
    result
}

/// What a peer does not do, and has to: who does less is fast.
fn problem(lab: &Lab, peer: &Peer, shape: &LoadShape, port: u16) -> io::Result<Option<&'static str>> {
    let path = shape.work.path();
    let does_it = match shape.kind {
        _ if shape.message.is_some() => lab.answers_with(port, path, HANDSHAKE, SWITCHED)?,
        _ if shape.work == Work::Stored => lab.is_stored(port, path)? != peer.name.ends_with("-uncached"),
        CredentialKind::Nothing | CredentialKind::Order => true,
        CredentialKind::Page | CredentialKind::Gzip => {
            let fields = callers::fields(shape.kind, peer.consumers)?.join("\r\n");
            lab.answers_with(port, path, &fields, shape.kind.answer_has())? != peer.name.ends_with("-unshared")
        }
        _ => {
            let refuses = lab.refuses(port, path)?;
            return Ok((!refuses).then_some("lets requests without a credential through"));
        }
    };
    Ok((!does_it).then_some("does not do what is measured"))
}

pub(crate) fn arguments(lab: &Lab, peer: &Peer, shape: &LoadShape, seconds: f64) -> io::Result<Vec<String>> {
    let mut arguments: Vec<String> = shape.tls.map(str::to_owned).into_iter().collect();
    arguments.extend([
        "--connections".to_owned(),
        shape.connections.to_string(),
        "--seconds".to_owned(),
        seconds.to_string(),
    ]);
    let (own_path, fields) = match shape.kind {
        CredentialKind::Own => oauth::use_of(peer).map(|(path, fields)| (Some(path), fields))?,
        CredentialKind::Client(_) => {
            arguments.extend(["--post".to_owned(), TOKEN_FORM.to_owned()]);
            (None, callers::fields(shape.kind, peer.consumers)?)
        }
        CredentialKind::Order => {
            arguments.extend(["--post".to_owned(), ORDER.to_owned()]);
            (None, callers::fields(shape.kind, peer.consumers)?)
        }
        _ => (None, callers::fields(shape.kind, peer.consumers)?),
    };
    match own_path.map_or(shape.paths, Paths::One) {
        Paths::One(path) => arguments.extend(["--path".to_owned(), path.to_owned()]),
        Paths::Routes => {
            let file = lab.folder.join("paths");
            fs::write(&file, routes().join("\n"))?;
            arguments.extend(["--paths".to_owned(), file.display().to_string()]);
        }
    }
    if !fields.is_empty() {
        let file = lab.folder.join("fields");
        fs::write(&file, fields.join("\n"))?;
        arguments.extend(["--headers".to_owned(), file.display().to_string()]);
    }
    if shape.new_connection {
        arguments.push("--new-connection".to_owned());
    }
    if let Some(length) = shape.message {
        arguments.extend(["--websocket".to_owned(), length.to_string()]);
    }
    if let Some(rate) = shape.rate {
        arguments.extend(["--rate".to_owned(), rate.to_string()]);
    }
    Ok(arguments)
}

/// From `exec` to the first answer.
pub(crate) fn start(lab: &Lab, peers: &[Peer], rounds: usize) -> Vec<Started> {
    let mut started = Vec::new();
    for peer in peers.iter().filter(|peer| is_main(peer)) {
        let mut millis = Vec::new();
        for _ in 0..rounds.max(5) {
            match lab.start(peer, Work::Routes) {
                Ok(running) => {
                    millis.push(running.first_answer.as_secs_f64() * 1e3);
                    running.stop();
                }
                Err(error) => println!("{}: {error}", peer.name),
            }
        }
        started.push(Started { peer: peer.name, millis });
    }
    started
}

/// With routes, and no variant of another peer but the gateway that has nothing else.
fn is_main(peer: &Peer) -> bool {
    peer.port(Work::Routes).is_some() && (!peer.name.contains('-') || peer.name == "gateway-routes")
}

/// At the start, after a load, and for each of many idle clients that have made one request.
pub(crate) fn memory(lab: &Lab, peers: &[Peer]) -> io::Result<Vec<Footprint>> {
    let shape = LoadShape {
        work: Work::Routes,
        paths: Paths::Routes,
        kind: CredentialKind::Nothing,
        connections: 64,
        new_connection: false,
        rate: None,
        tls: None,
        message: None,
    };
    let mut footprints = Vec::new();
    for peer in peers.iter().filter(|peer| is_main(peer)) {
        let Some(port) = peer.port(Work::Routes) else { continue };
        let running = lab.start(peer, Work::Routes)?;
        let (started_rss, started_pss) = (running.rss_kib(), running.pss_kib());
        let loaded = lab.load(&running, port, &arguments(lab, peer, &shape, 2.0)?)?;
        running.stop();

        // Started afresh: what the load has left behind would hide some of it.
        let running = lab.start(peer, Work::Routes)?;
        let before = running.pss_kib();
        let idle = ["--idle", &IDLE.to_string(), "--seconds", "60", "--path", Work::Routes.path()].map(str::to_owned);
        let (mut holder, line) = lab.hold(port, &idle)?;
        let held = line["ok"].as_u64().unwrap_or(0);
        std::thread::sleep(std::time::Duration::from_millis(500));
        let grown = running.pss_kib().saturating_sub(before);
        holder.kill()?;
        holder.wait()?;
        running.stop();
        footprints.push(Footprint {
            peer: peer.name,
            started_rss,
            started_pss,
            loaded_rss: loaded.rss_kib,
            loaded_pss: loaded.pss_kib,
            idle: (grown as f64 / held.max(1) as f64, held),
        });
    }
    Ok(footprints)
}

/// For each of many idle clients inside TLS that have made one request: the peer, KiB for each, and how many.
pub(crate) fn tls_memory(lab: &Lab, peers: &[Peer]) -> io::Result<Vec<(&'static str, f64, usize)>> {
    let mut footprints = Vec::new();
    for peer in peers.iter().filter(|peer| is_main(peer)) {
        let Some(port) = peer.port(Work::Tls) else { continue };
        // Whether it has started is asked in the clear.
        let running = lab.start(peer, Work::Plain)?;
        let before = running.pss_kib();
        let (mut holder, held) = lab.hold_tls(port, IDLE)?;
        std::thread::sleep(std::time::Duration::from_millis(500));
        let grown = running.pss_kib().saturating_sub(before);
        holder.kill()?;
        holder.wait()?;
        running.stop();
        footprints.push((peer.name, grown as f64 / held.max(1) as f64, held));
    }
    Ok(footprints)
}

/// For each of many idle WebSockets that have had one message; what the kernel keeps for connections is not in it.
pub(crate) fn tunnels(lab: &Lab, peers: &[Peer]) -> io::Result<Vec<TunnelFootprint>> {
    // Those that watch a proxy are connections too.
    let tunnels = TUNNELS.min(lab.most_connections().saturating_sub(50));
    let arguments = ["--idle", &tunnels.to_string(), "--websocket", "125", "--seconds", "60", "--path", "/echo"];
    let arguments = arguments.map(str::to_owned);
    let mut footprints = Vec::new();
    for peer in peers.iter().filter(|peer| ["gateway", "haproxy", "envoy"].contains(&peer.name)) {
        let Some(port) = peer.port(Work::Socket) else { continue };
        let running = lab.start(peer, Work::Socket)?;
        let before = (running.rss_kib(), running.pss_kib());
        let (mut holder, line) = lab.hold(port, &arguments)?;
        let held = line["ok"].as_u64().unwrap_or(0);
        std::thread::sleep(std::time::Duration::from_millis(500));
        let grown = [running.rss_kib().saturating_sub(before.0), running.pss_kib().saturating_sub(before.1)];
        holder.kill()?;
        holder.wait()?;
        running.stop();
        let [rss, pss] = grown.map(|kib| kib as f64 / held.max(1) as f64);
        footprints.push(TunnelFootprint { peer: peer.name, rss, pss, held });
    }
    Ok(footprints)
}
