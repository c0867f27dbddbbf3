//! What the health checks of many endpoints cost an idle gateway, and how much memory an endpoint takes.

mod servers;

use std::io;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use crate::lab::Lab;
use crate::peer::{Peer, Work};
use crate::peers;
use crate::report::met;
use servers::Servers;

/// How many endpoints there are; the memory of those after the first line is compared with it.
const COUNTS: [usize; 2] = [1, 1_000];

/// Two rounds of checks, so that what is allocated once is there.
const SETTLING: Duration = Duration::from_secs(12);

/// Five rounds of checks.
const MEASURED: Duration = Duration::from_secs(25);

/// Of a core, for a thousand endpoints.
const MOST_PERCENT: f64 = 1.0;

/// For each endpoint.
const MOST_KIB: f64 = 4.0;

struct Cost {
    checks_per_second: f64,
    percent: f64,
    rss_kib: u64,
}

/// Prints a table with a line for each number of endpoints.
pub(crate) fn run(lab: &Lab, gateway: &Path) -> io::Result<()> {
    println!("\n### Health checks of many endpoints, while no requests come\n");
    println!("| endpoints | checks a second | CPU, percent of a core | RSS | for each endpoint |");
    println!("|---|---|---|---|---|");
    let mut base = None;
    for count in COUNTS {
        let cost = measure(lab, &peers::before_endpoints(lab, gateway, &servers::urls(count))?, count)?;
        let base = base.get_or_insert(cost.rss_kib);
        let memory = match count.checked_sub(COUNTS[0]) {
            None | Some(0) => "–".to_owned(),
            Some(more) => {
                let each = cost.rss_kib.saturating_sub(*base) as f64 / more as f64;
                format!("{each:.2} KiB (target ≤ {MOST_KIB} KiB: {})", met(each <= MOST_KIB))
            }
        };
        let target = if count == COUNTS[0] {
            String::new()
        } else {
            format!(" (target ≤ {MOST_PERCENT}: {})", met(cost.percent <= MOST_PERCENT))
        };
        println!(
            "| {count} | {:.1} | {:.2}{target} | {} KiB | {memory} |",
            cost.checks_per_second, cost.percent, cost.rss_kib
        );
    }
    Ok(())
}

fn measure(lab: &Lab, peer: &Peer, count: usize) -> io::Result<Cost> {
    let servers = Servers::start(count)?;
    let running = lab.start(peer, Work::Endpoints)?;
    sleep(SETTLING);
    let (checks, used) = (servers.answered(), running.cpu_seconds());
    sleep(MEASURED);
    let seconds = MEASURED.as_secs_f64();
    let cost = Cost {
        checks_per_second: (servers.answered() - checks) as f64 / seconds,
        percent: (running.cpu_seconds() - used) / seconds * 100.0,
        rss_kib: running.rss_kib(),
    };
    running.stop();
    Ok(cost)
}
