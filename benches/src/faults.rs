//! One of three replicas is at fault: how many requests fail, and how long the others take. The gateway, Envoy, HAProxy and
//! nginx have the same times and counts, as far as each has them.

mod client;
mod replica;

use std::io;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use crate::lab::Lab;
use crate::peer::{Peer, Work};
use crate::peers;
use client::Clients;
use replica::{Mood, Replica};

/// Before anything is wrong, and while it is.
const WELL: Duration = Duration::from_secs(3);
const AT_FAULT: Duration = Duration::from_secs(6);

/// How long a replica is away while it is replaced by a new one.
const AWAY: Duration = Duration::from_millis(300);

/// What is done to the replicas while requests come in.
enum Fault {
    /// One is in this mood.
    One(Mood),
    /// Each ends politely and comes back, one after the other.
    RollingRestart,
}

static FAULTS: &[(&str, Fault)] = &[
    ("rolling restart", Fault::RollingRestart),
    ("hangs", Fault::One(Mood::Hanging)),
    ("refuses connections", Fault::One(Mood::Refusing)),
    ("resets connections", Fault::One(Mood::Resetting)),
    ("answers 503", Fault::One(Mood::Unavailable)),
    ("slow by 500 ms", Fault::One(Mood::Slow)),
];

/// Prints a table for each fault.
pub(crate) fn run(lab: &Lab, gateway: &Path, is_wanted: impl Fn(&str) -> bool) -> io::Result<()> {
    let (peers, missing) = peers::before_replicas(lab, gateway, is_wanted)?;
    for peer in &peers {
        println!("* {} {}", peer.name, peer.version);
    }
    for name in missing {
        println!("* {name} is not installed, and left out");
    }
    for (name, fault) in FAULTS {
        println!("\n### One of three replicas: {name}\n");
        println!("| | GET | failed | POST | failed | streams | failed | p50 | p99 | p99 while all are well |");
        println!("|---|---|---|---|---|---|---|---|---|---|");
        for peer in &peers {
            measure(lab, peer, fault)?;
        }
    }
    Ok(())
}

fn measure(lab: &Lab, peer: &Peer, fault: &Fault) -> io::Result<()> {
    let replicas: Vec<Replica> = [18911, 18912, 18913].map(Replica::start).into_iter().collect::<io::Result<_>>()?;
    let running = lab.start_anywhere(peer, Work::Replicas)?;
    // The first checks.
    sleep(Duration::from_millis(1500));
    let port = peer.port(Work::Replicas).unwrap_or_default();
    // Where a replica breaks its connections, so do its streams, whatever is in front of it.
    let clients = Clients::start(port, matches!(fault, Fault::RollingRestart));
    sleep(WELL);
    clients.next_part();
    match fault {
        Fault::One(mood) => {
            replicas[1].turn(*mood);
            sleep(AT_FAULT);
        }
        Fault::RollingRestart => {
            for replica in &replicas {
                sleep(AT_FAULT / 4);
                replica.turn(Mood::Leaving);
                sleep(AWAY);
                replica.turn(Mood::Well);
            }
            sleep(AT_FAULT / 4);
        }
    }
    let [well, fault] = clients.stop();
    let shown = |time: Duration| format!("{:.1} ms", time.as_secs_f64() * 1e3);
    println!(
        "| {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |",
        peer.name,
        fault.gets,
        fault.failed_gets,
        fault.posts,
        fault.failed_posts,
        fault.streams,
        fault.failed_streams,
        shown(fault.percentile(0.5)),
        shown(fault.percentile(0.99)),
        shown(well.percentile(0.99)),
    );
    running.stop();
    Ok(())
}
