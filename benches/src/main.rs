//! Measures the gateway against nginx, HAProxy and Envoy on the same machine; `docs/performance.md` says how to read it.
//!
//! ```text
//! cargo run --profile dist -p gateway-benches -- [SCENARIO…] [--rounds N] [--seconds S] [--peers a,b]
//! cargo run --profile dist -p gateway-benches -- scale
//! cargo run --profile dist -p gateway-benches -- faults
//! cargo run --profile dist -p gateway-benches -- endpoints
//! ```

#![allow(clippy::print_stdout, reason = "the tables are what this program is for")]

mod build;
mod callers;
mod clients;
mod consumers;
mod database;
mod endpoints;
mod faults;
mod flood;
mod lab;
mod measure;
mod oauth;
mod peer;
mod peers;
mod report;
mod scale;
mod scenarios;

use std::io;
use std::process::ExitCode;

use clap::Parser;

use lab::Lab;
use scenarios::{Kind, SCENARIOS, Scenario};

/// Measures the gateway against other gateways on this machine.
#[derive(Parser)]
#[command(name = "gateway-benches")]
struct Plan {
    /// What to measure, everything if left out; `list` lists what there is.
    #[arg(value_name = "SCENARIO", value_parser = known)]
    scenarios: Vec<String>,
    /// How often each peer is measured.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// How long each time.
    #[arg(long, default_value_t = 2.5)]
    seconds: f64,
    /// The peers to measure, separated by commas.
    #[arg(long, value_delimiter = ',')]
    peers: Option<Vec<String>>,
}

fn main() -> ExitCode {
    match run(&Plan::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("gateway-benches: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn run(plan: &Plan) -> io::Result<()> {
    if plan.scenarios.iter().any(|name| name == "list") {
        for scenario in SCENARIOS {
            println!("{:15} {}", scenario.name, scenario.what);
        }
        println!("{:15} one of three replicas is at fault", "faults");
        println!("{:15} health checks of 1,000 endpoints", "endpoints");
        println!("{:15} the compiler and rustc with 1,000 and 20,000 operations", "scale");
        return Ok(());
    }
    let has = |name: &str| plan.scenarios.iter().any(|chosen| chosen == name);
    let (has_scale, has_faults, has_endpoints) = (has("scale"), has("faults"), has("endpoints"));
    let scenarios: Vec<&String> =
        plan.scenarios.iter().filter(|name| !scenarios::APART.contains(&name.as_str())).collect();
    if has_scale {
        scale::run()?;
    }
    if has_scale && !has_faults && !has_endpoints && scenarios.is_empty() {
        return Ok(());
    }
    let gateway = build::gateway()?;
    let mut lab = Lab::open()?;
    let chosen: Vec<&Scenario> = SCENARIOS
        .iter()
        .filter(|scenario| scenarios.is_empty() || scenarios.iter().any(|name| *name == scenario.name))
        .collect();
    let is_wanted = |peer: &str| plan.peers.as_ref().is_none_or(|wanted| wanted.iter().any(|name| name == peer));
    if has_faults || has_endpoints {
        println!("{}\n", report::machine());
        if has_faults {
            faults::run(&lab, &gateway, is_wanted)?;
        }
        if has_endpoints {
            endpoints::run(&lab, &gateway)?;
        }
        if scenarios.is_empty() {
            return Ok(());
        }
    }
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
            Kind::Tunnels => report::tunnels(&measure::tunnels(&lab, &peers)?),
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

fn known(name: &str) -> Result<String, String> {
    if scenarios::is_known(name) { Ok(name.to_owned()) } else { Err("no such scenario; `list` lists them".to_owned()) }
}
