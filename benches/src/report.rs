//! Markdown tables, with the targets beside what was measured.

use std::fs;

use crate::clients::Counted;
use crate::consumers::{Loaded, Phase};
use crate::flood::Flooded;
use crate::lab::Sample;
use crate::measure::{Footprint, Measured, Started, TunnelFootprint};
use crate::scenarios::{MOST_IDLE_KIB, MOST_RSS_KIB, MOST_START_MILLIS, Scenario};

/// Median, least and most.
struct Spread {
    median: f64,
    least: f64,
    most: f64,
}

impl Spread {
    fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let middle = values.len() / 2;
        let median = match values.len() {
            0 => return None,
            length if length % 2 == 1 => values[middle],
            _ => f64::midpoint(values[middle - 1], values[middle]),
        };
        Some(Self { median, least: values[0], most: *values.last()? })
    }

    fn text(&self, digits: usize) -> String {
        format!("{:.digits$} ({:.digits$}–{:.digits$})", self.median, self.least, self.most)
    }
}

/// The machine in one line.
pub(crate) fn machine() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let model =
        cpu.lines().find_map(|line| line.strip_prefix("model name")?.split(": ").nth(1)).unwrap_or("unknown CPU");
    let kernel = read("/proc/sys/kernel/osrelease");
    let cores = cpu.matches("processor\t").count();
    format!("{cores} cores ({model}), Linux {}", kernel.trim())
}

/// One scenario: CPU time for a request, its ratios within the same round, and what the client saw.
pub(crate) fn load(scenario: &Scenario, measured: &[Measured]) {
    let peers: Vec<&str> =
        scenario.peers.iter().copied().filter(|peer| measured.iter().any(|one| one.peer == *peer)).collect();
    let bases: Vec<&str> = scenario.bases.iter().copied().filter(|base| peers.contains(base)).collect();
    let ratios: String = bases.iter().map(|base| format!(" × {base} |")).collect();
    println!(
        "| | CPU µs/request |{ratios} requests/s | p50 µs | p99 µs | p99.9 µs | PSS MiB | cores | upstream connects |"
    );
    println!("|---|---|{}---|---|---|---|---|---|---|", "---|".repeat(bases.len()));
    for peer in &peers {
        let of_peer: Vec<&Measured> = measured.iter().filter(|one| one.peer == *peer).collect();
        let median = |value: &dyn Fn(&Measured) -> f64| {
            Spread::of(of_peer.iter().map(|one| value(one)).collect()).map_or(0.0, |spread| spread.median)
        };
        let of_load = |key: &'static str| move |one: &Measured| one.sample.load[key].as_f64().unwrap_or(0.0);
        let cpu = Spread::of(of_peer.iter().map(|one| one.sample.cpu_micros).collect());
        let ratios: String = bases
            .iter()
            .map(|base| {
                ratio(measured, peer, base).map_or(" – |".to_owned(), |spread| format!(" {} |", spread.text(2)))
            })
            .collect();
        // Not every load generator reports it.
        let latency = |key| match median(&of_load(key)) {
            0.0 => "–".to_owned(),
            micros => format!("{micros:.0}"),
        };
        println!(
            "| {peer} | {} |{ratios} {:.0} | {} | {} | {} | {:.1} | {:.2} | {:.4} |",
            cpu.map_or_else(String::new, |spread| spread.text(1)),
            median(&of_load("rps")),
            latency("p50"),
            latency("p99"),
            latency("p999"),
            median(&|one| one.sample.pss_kib as f64 / 1024.0),
            median(&|one| one.sample.cores),
            median(&|one| one.sample.upstream_connects),
        );
    }
    println!();
    for target in scenario.targets {
        let Some(spread) = ratio(measured, "gateway", target.base) else { continue };
        let verdict = match target.stretch {
            Some(stretch) if spread.median <= stretch => format!("met, and the stretch of {stretch:.2} too"),
            Some(stretch) if spread.median <= target.at_most => format!("met; the stretch of {stretch:.2} is not"),
            _ => met(spread.median <= target.at_most).to_owned(),
        };
        println!("Target ≤ {:.2} × {}: {:.2}, {verdict}.", target.at_most, target.base, spread.median);
    }
    let other = Spread::of(measured.iter().map(|one| one.sample.other).collect());
    println!("Other load on the machine, in cores: {}.", other.map_or_else(String::new, |spread| spread.text(2)));
    problems(measured);
}

/// A result with wrong answers is not a result; neither is one that makes connections all the time.
fn problems(measured: &[Measured]) {
    for one in measured {
        let load = &one.sample.load;
        let (bad, errors) = (load["bad"].as_u64().unwrap_or(0), load["errors"].as_u64().unwrap_or(0));
        if bad + errors > 0 {
            println!(
                "**Wrong answers**: {} in round {}: {bad} of another status, {errors} broken.",
                one.peer, one.round
            );
        }
        if one.sample.upstream_connects > 0.01 {
            let connects = one.sample.upstream_connects;
            println!(
                "**Reconnects**: {} in round {}: {connects:.2} upstream connections a request.",
                one.peer, one.round
            );
        }
        if load["queued"].as_u64().unwrap_or(0) > 64 {
            println!(
                "**Rate not reached**: {} in round {}: {} requests were waiting.",
                one.peer, one.round, load["queued"]
            );
        }
    }
}

fn ratio(measured: &[Measured], peer: &str, base: &str) -> Option<Spread> {
    let of = |name: &str, round: usize| {
        measured.iter().find(|one| one.peer == name && one.round == round).map(|one| one.sample.cpu_micros)
    };
    let rounds = measured.iter().filter(|one| one.peer == peer).map(|one| one.round);
    Spread::of(rounds.filter_map(|round| Some(of(peer, round)? / of(base, round)?)).collect())
}

pub(crate) fn start(started: &[Started]) {
    println!("| | ms |\n|---|---|");
    for one in started {
        let Some(spread) = Spread::of(one.millis.clone()) else { continue };
        let target = if one.peer == "gateway" {
            format!(" — target < {MOST_START_MILLIS:.0}: {}", met(spread.median < MOST_START_MILLIS))
        } else {
            String::new()
        };
        println!("| {} | {}{target} |", one.peer, spread.text(1));
    }
}

pub(crate) fn memory(footprints: &[Footprint]) {
    println!("| | RSS (PSS) at start, MiB | after load | KiB for an idle client | clients |\n|---|---|---|---|---|");
    let mib = |kib: u64| kib as f64 / 1024.0;
    for one in footprints {
        println!(
            "| {} | {:.1} ({:.1}) | {:.1} ({:.1}) | {:.1} | {} |",
            one.peer,
            mib(one.started_rss),
            mib(one.started_pss),
            mib(one.loaded_rss),
            mib(one.loaded_pss),
            one.idle.0,
            one.idle.1
        );
    }
    println!();
    for one in footprints.iter().filter(|one| one.peer == "gateway") {
        println!(
            "Target < 25 MiB RSS with 200 routes: {:.1}, {}.",
            mib(one.loaded_rss),
            met(one.loaded_rss < MOST_RSS_KIB)
        );
        println!("Target < 16 KiB for an idle client: {:.1}, {}.", one.idle.0, met(one.idle.0 < MOST_IDLE_KIB));
    }
}

pub(crate) fn tls_memory(footprints: &[(&'static str, f64, usize)]) {
    println!("| | KiB for an idle client | clients |\n|---|---|---|");
    for (peer, kib, clients) in footprints {
        println!("| {peer} | {kib:.1} | {clients} |");
    }
}

pub(crate) fn tunnels(footprints: &[TunnelFootprint]) {
    println!("| | KiB RSS for a tunnel | KiB PSS for a tunnel | tunnels |\n|---|---|---|---|");
    for one in footprints {
        println!("| {} | {:.1} | {:.1} | {} |", one.peer, one.rss, one.pss, one.held);
    }
}

pub(crate) fn flood(flooded: &[Flooded]) {
    println!(
        "| | requests/s | CPU µs/request, checks aside | p50 µs | p99 µs | p99.9 µs | cores | of it checks | guesses/s |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for (is_saturated, load) in [(true, "saturated"), (false, "3,000 a second")] {
        for (is_flooded, flood) in [(false, "alone"), (true, "beside the flood")] {
            let of: Vec<&Flooded> =
                flooded.iter().filter(|one| (one.is_saturated, one.is_flooded) == (is_saturated, is_flooded)).collect();
            let spread = |value: &dyn Fn(&Flooded) -> f64, digits| {
                Spread::of(of.iter().map(|one| value(one)).collect())
                    .map_or_else(String::new, |spread| spread.text(digits))
            };
            let of_load = |key: &'static str| move |one: &Flooded| one.sample.load[key].as_f64().unwrap_or(0.0);
            let plain = |one: &Flooded| {
                let checks = one.checking / one.sample.cores.max(0.01);
                one.sample.cpu_micros * (1.0 - checks)
            };
            println!(
                "| {load}, {flood} | {} | {} | {} | {} | {} | {} | {} | {} |",
                spread(&of_load("rps"), 0),
                spread(&plain, 1),
                spread(&of_load("p50"), 0),
                spread(&of_load("p99"), 0),
                spread(&of_load("p999"), 0),
                spread(&|one| one.sample.cores, 2),
                spread(&|one| one.checking, 2),
                spread(&|one| one.guesses, 0),
            );
        }
    }
    for one in flooded {
        let (bad, errors) = (one.sample.load["bad"].as_u64(), one.sample.load["errors"].as_u64());
        if bad.unwrap_or(0) + errors.unwrap_or(0) > 0 {
            println!("**Wrong answers** on the public route.");
        }
    }
}

pub(crate) fn loaded(loaded: &[Loaded]) {
    println!("| | s to the first answer | CPU s | peak RSS, MiB | PSS, MiB |\n|---|---|---|---|---|");
    let mut peers: Vec<&str> = loaded.iter().map(|one| one.peer).collect();
    peers.dedup();
    peers.truncate(peers.iter().skip(1).position(|peer| *peer == peers[0]).map_or(peers.len(), |at| at + 1));
    for peer in peers {
        let spread = |value: &dyn Fn(&Loaded) -> f64, digits| {
            let of = loaded.iter().filter(|one| one.peer == peer);
            Spread::of(of.map(value).collect()).map_or_else(String::new, |spread| spread.text(digits))
        };
        println!(
            "| {peer} | {} | {} | {} | {} |",
            spread(&|one| one.seconds, 1),
            spread(&|one| one.cpu_seconds, 1),
            spread(&|one| one.peak_kib as f64 / 1024.0, 0),
            spread(&|one| one.pss_kib as f64 / 1024.0, 0),
        );
    }
    println!();
}

pub(crate) fn reloaded(phases: &[Phase]) {
    println!("| gateway-1m | p50 µs | p99 µs | p99.9 µs | longest µs | peak RSS, MiB | PSS, MiB |");
    println!("|---|---|---|---|---|---|---|");
    for phase in phases {
        let of = |key: &str| {
            let values = phase.seconds.iter().map(|second| second.load[key].as_f64().unwrap_or(0.0));
            Spread::of(values.collect()).map_or_else(String::new, |spread| spread.text(0))
        };
        println!(
            "| {} | {} | {} | {} | {} | {:.0} | {:.0} |",
            phase.name,
            of("p50"),
            of("p99"),
            of("p999"),
            of("max"),
            phase.peak_kib as f64 / 1024.0,
            phase.pss_kib as f64 / 1024.0,
        );
        let wrong = |second: &Sample| {
            second.load["bad"].as_u64().unwrap_or(0) + second.load["errors"].as_u64().unwrap_or(0) > 0
        };
        if phase.seconds.iter().any(wrong) {
            println!("**Wrong answers** {}.", phase.name);
        }
    }
}

pub(crate) fn clients(counted: &[Counted]) {
    println!(
        "| | CPU µs/request, new clients | known clients | PSS before, MiB | after a million | after the second | bytes for each |"
    );
    println!("|---|---|---|---|---|---|---|");
    let mut peers: Vec<&str> = counted.iter().map(|one| one.peer).collect();
    peers.sort_unstable();
    peers.dedup();
    for peer in peers {
        let spread = |value: &dyn Fn(&Counted) -> f64, digits| {
            let of = counted.iter().filter(|one| one.peer == peer);
            Spread::of(of.map(value).collect()).map_or_else(String::new, |spread| spread.text(digits))
        };
        let mib = |kib: u64| kib as f64 / 1024.0;
        println!(
            "| {peer} | {} | {} | {} | {} | {} | {} |",
            spread(&|one| one.new.cpu_micros, 1),
            spread(&|one| one.known.cpu_micros, 1),
            spread(&|one| mib(one.warm_kib), 1),
            spread(&|one| mib(one.new.pss_kib), 1),
            spread(&|one| mib(one.known.pss_kib), 1),
            spread(&|one| one.new.pss_kib.saturating_sub(one.warm_kib) as f64 * 1024.0 / one.clients(), 0),
        );
    }
    println!();
    let other = counted.iter().flat_map(|one| [one.new.other, one.known.other]).collect();
    println!(
        "Other load on the machine, in cores: {}.",
        Spread::of(other).map_or_else(String::new, |spread| spread.text(2))
    );
    for one in counted {
        for load in [&one.new.load, &one.known.load] {
            let (bad, errors) = (load["bad"].as_u64().unwrap_or(0), load["errors"].as_u64().unwrap_or(0));
            if bad + errors > 0 {
                println!("**Wrong answers**: {}: {bad} of another status, {errors} broken.", one.peer);
            }
        }
    }
}

pub(crate) fn met(is_met: bool) -> &'static str {
    if is_met { "met" } else { "**missed**" }
}
