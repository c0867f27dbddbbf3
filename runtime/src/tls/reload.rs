//! Certificates that change while the gateway runs: their files are looked at, and a broken pair changes nothing.

use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::time::Instant;

use super::Tls;
use crate::config::Problem;
use crate::consumers::FileState;
use crate::live::Live;
use crate::timestamp;

/// How often the files are looked at.
const WATCH_INTERVAL: Duration = Duration::from_secs(1);

/// How long what was refused stays unread, at most: it may have become good.
const RETRY_INTERVAL: Duration = Duration::from_secs(60);

type States = Vec<Option<FileState>>;

/// What became of reading the files again.
#[derive(Debug, Default)]
pub(super) struct Reloaded {
    /// New connections get something else than before.
    pub(super) changed: bool,
    /// What is wrong, and what stays as it was.
    refusals: Vec<String>,
    /// When to read the files again even if they stay the same.
    again: Option<Duration>,
}

impl Reloaded {
    /// What is at `name` stays as it was.
    pub(super) fn refuse(&mut self, problems: &[Problem], name: &str) {
        self.refusals.extend(problems.iter().map(ToString::to_string));
        self.refusals.push(format!("what came from {name} before stays as it was"));
        self.again_in(Some(RETRY_INTERVAL));
    }

    /// Time makes something good.
    pub(super) fn again_in(&mut self, wait: Option<Duration>) {
        let waits = [self.again, wait];
        self.again = waits.into_iter().flatten().min();
    }
}

/// Reads the files of a listener again when they change, and all on SIGHUP; runs until it is dropped.
pub(crate) async fn watch(live: &'static Live) {
    struct Watched {
        name: &'static str,
        tls: &'static Tls,
        known: States,
        pending: Option<States>,
        again: Option<Instant>,
        /// What was refused last.
        told: Vec<String>,
    }
    let listeners = live.listeners.iter().filter_map(|listener| Some((&*listener.name, listener.tls.as_ref()?)));
    let watched = listeners.map(|(name, tls)| Watched {
        name,
        tls,
        known: tls.first_states.clone(),
        pending: None,
        again: None,
        told: Vec::new(),
    });
    let mut watched: Vec<_> = watched.collect();
    let Ok(mut hangup) = signal(SignalKind::hangup()) else { return };
    while !watched.is_empty() {
        let asked = tokio::time::timeout(WATCH_INTERVAL, hangup.recv()).await.is_ok();
        for Watched { name, tls, known, pending, again, told } in &mut watched {
            let now = tls.states();
            let (same, due) = (now == *known, again.is_some_and(|at| Instant::now() >= at));
            if !asked && same && !due {
                continue;
            }
            // Somebody may still be writing the other half: wait until both look the same twice.
            if !asked && !same && pending.replace(now.clone()).as_ref() != Some(&now) {
                continue;
            }
            (*known, *pending) = (now, None);
            let tls = *tls;
            // Reading may block, and checking a key takes a while.
            let reloaded = tokio::task::spawn_blocking(move || tls.reload()).await;
            let reloaded = reloaded.unwrap_or_else(|_| Reloaded { again: Some(RETRY_INTERVAL), ..Reloaded::default() });
            *again = reloaded.again.map(|wait| Instant::now() + wait.max(WATCH_INTERVAL));
            if asked || reloaded.changed {
                tell_certificates(name, tls);
            }
            // The same refusal is told once, until the files change or somebody asks.
            if asked || !same || reloaded.refusals != *told {
                reloaded.refusals.iter().for_each(|line| tell!("listener `{name}`: {line}"));
            }
            *told = reloaded.refusals;
        }
    }
}

fn tell_certificates(name: &str, tls: &Tls) {
    for shown in &tls.current.load().certificates {
        let until = timestamp::format(shown.not_after);
        tell!("listener `{name}`: certificate for {} in use, valid until {until}", shown.name);
    }
}
