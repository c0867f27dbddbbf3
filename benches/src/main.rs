//! Measures the gateway against nginx, HAProxy and Envoy on the same machine; `docs/performance.md` says how to read it.
//!
//! ```text
//! cargo run --profile dist -p gateway-benches -- [SCENARIO…] [--rounds N] [--seconds S] [--peers a,b]
//! cargo run --profile dist -p gateway-benches -- scale
//! ```

#![allow(clippy::print_stdout, reason = "the tables are what this program is for")]

mod build;
mod callers;
mod clients;
mod consumers;
mod database;
mod flood;
mod lab;
mod measure;
mod oauth;
mod peers;
mod report;
mod scale;
mod scenarios;

use std::io;
use std::process::exit;

use lab::Lab;
use scenarios::{Kind, SCENARIOS, Scenario};

/// What to do, from the command line.
struct Plan {
    scenarios: Vec<String>,
    rounds: usize,
    seconds: f64,
    peers: Option<Vec<String>>,
}

fn main() {
    if let Err(problem) = run() {
        eprintln!("gateway-benches: {problem}");
        exit(1);
    }
}

fn run() -> io::Result<()> {
    let plan = Plan::from_arguments()?;
    if plan.scenarios.iter().any(|name| name == "list") {
        for scenario in SCENARIOS {
            println!("{:15} {}", scenario.name, scenario.what);
        }
        println!("{:15} the compiler and rustc with 1,000 and 20,000 operations", "scale");
        return Ok(());
    }
    let (scale, scenarios): (Vec<_>, Vec<_>) = plan.scenarios.iter().partition(|name| *name == "scale");
    if !scale.is_empty() {
        scale::run()?;
    }
    if !scale.is_empty() && scenarios.is_empty() {
        return Ok(());
    }
    let gateway = build::gateway()?;
    let mut lab = Lab::open()?;
    let chosen: Vec<&Scenario> = SCENARIOS
        .iter()
        .filter(|scenario| scenarios.is_empty() || scenarios.iter().any(|name| *name == scenario.name))
        .collect();
    let is_wanted = |peer: &str| plan.peers.as_ref().is_none_or(|wanted| wanted.iter().any(|name| name == peer));
    let wanted: Vec<&str> =
        chosen.iter().flat_map(|scenario| scenario.peers).copied().filter(|peer| is_wanted(peer)).collect();
    if wanted.iter().any(|peer| peer.contains("postgres")) {
        lab.add_database()?;
    }
    let (peers, missing) = peers::find(&lab, &gateway, &wanted)?;
    println!("{}\n", report::machine());
    for peer in &peers {
        println!("* {} {}", peer.name, peer.version);
    }
    for name in missing {
        println!("* {name} is not installed, and left out");
    }
    for scenario in chosen {
        println!("\n### {}: {}\n", scenario.name, scenario.what);
        match scenario.kind {
            Kind::Load(load) => {
                let samples = measure::rounds(&lab, &peers, scenario, &load, plan.rounds, plan.seconds)?;
                report::load(scenario, &samples);
            }
            Kind::Start => report::start(&measure::start(&lab, &peers, plan.rounds)),
            Kind::Memory => report::memory(&measure::memory(&lab, &peers)?),
            Kind::TlsMemory => report::tls_memory(&measure::tls_memory(&lab, &peers)?),
            Kind::Flood => report::flood(&flood::rounds(&lab, &peers, plan.rounds, plan.seconds)?),
            Kind::Clients => report::clients(&clients::rounds(&lab, &peers, scenario, plan.rounds)?),
            Kind::Consumers => {
                report::loaded(&consumers::load(&lab, &peers, plan.rounds)?);
                report::reloaded(&consumers::reload(&lab, &peers)?);
            }
        }
    }
    Ok(())
}

impl Plan {
    fn from_arguments() -> io::Result<Self> {
        let mut plan = Self { scenarios: Vec::new(), rounds: 5, seconds: 2.5, peers: None };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(|| wrong(&format!("{argument} lacks its value")));
            match argument.as_str() {
                "--rounds" => plan.rounds = value()?.parse().map_err(|_| wrong("--rounds takes a number"))?,
                "--seconds" => plan.seconds = value()?.parse().map_err(|_| wrong("--seconds takes a number"))?,
                "--peers" => plan.peers = Some(value()?.split(',').map(str::to_owned).collect()),
                name if scenarios::is_known(name) => plan.scenarios.push(name.to_owned()),
                other => return Err(wrong(&format!("`{other}` is no scenario; `list` lists them"))),
            }
        }
        Ok(plan)
    }
}

fn wrong(text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, text)
}
