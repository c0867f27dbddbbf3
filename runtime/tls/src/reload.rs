//! Certificates that change while the gateway runs: their files are checked, and a broken pair changes nothing.

use tokio::signal::unix::{SignalKind, signal};
use tokio::time::Instant;

use super::Tls;
use crate::reloaded::{RETRY_INTERVAL, Reloaded, States};
use gateway_base::file_state::{WATCH_INTERVAL, Watch};
use gateway_base::timestamp;
use gateway_base::{error, info};

/// Reads the files of a listener again when they change, and all on SIGHUP; runs until it is dropped.
pub async fn watch(listeners: Vec<(&'static str, &'static Tls)>) {
    struct Watched {
        name: &'static str,
        tls: &'static Tls,
        watch: Watch<States>,
        again: Option<Instant>,
        /// What was refused last.
        reported: Vec<String>,
    }
    let watched = listeners.into_iter().map(|(name, tls)| Watched {
        name,
        tls,
        watch: Watch::new(tls.first_states.clone()),
        again: None,
        reported: Vec::new(),
    });
    let mut watched: Vec<_> = watched.collect();
    let Ok(mut hangup) = signal(SignalKind::hangup()) else { return };
    while !watched.is_empty() {
        let asked = tokio::time::timeout(WATCH_INTERVAL, hangup.recv()).await.is_ok();
        for Watched { name, tls, watch, again, reported } in &mut watched {
            let now = tls.states();
            let same = !watch.differs(&now);
            let is_again = same && again.is_some_and(|at| Instant::now() >= at);
            // Certificate and key are two files: both have to settle.
            if !watch.is_due(now, asked || is_again) {
                continue;
            }
            let tls = *tls;
            // Reading may block, and checking a key takes a while.
            let reloaded = tokio::task::spawn_blocking(move || tls.reload()).await;
            let reloaded = reloaded.unwrap_or_else(|_| Reloaded { again: Some(RETRY_INTERVAL), ..Reloaded::default() });
            *again = reloaded.again.map(|wait| Instant::now() + wait.max(WATCH_INTERVAL));
            if asked || reloaded.changed {
                log_certificates(name, tls);
            }
            // The same refusal is logged once, until the files change or SIGHUP asks.
            if asked || !same || reloaded.refusals != *reported {
                reloaded.refusals.iter().for_each(|line| error!(format_args!("listener {name}"), "{line}"));
            }
            *reported = reloaded.refusals;
        }
    }
}

fn log_certificates(name: &str, tls: &Tls) {
    for shown in &tls.current.load().certificates {
        let until = timestamp::format(shown.not_after);
        info!(format_args!("listener {name}"), "certificate for {} in use, valid until {until}", shown.name);
    }
}
