//! Certificates that change while the gateway runs: their files are looked at, and a broken pair changes nothing.

use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

use super::Tls;
use crate::consumers::FileState;
use crate::live::Live;
use crate::timestamp;

/// How often the files are looked at.
const WATCH_INTERVAL: Duration = Duration::from_secs(1);

type States = Vec<Option<FileState>>;

/// Reads the files of a listener again when they change, and all on SIGHUP; runs until it is dropped.
pub(crate) async fn watch(live: &'static Live) {
    struct Watched {
        name: &'static str,
        tls: &'static Tls,
        known: States,
        pending: Option<States>,
    }
    let listeners = live.listeners.iter().filter_map(|listener| Some((&*listener.name, listener.tls.as_ref()?)));
    let mut watched: Vec<_> =
        listeners.map(|(name, tls)| Watched { name, tls, known: tls.first_states.clone(), pending: None }).collect();
    let Ok(mut hangup) = signal(SignalKind::hangup()) else { return };
    while !watched.is_empty() {
        let asked = tokio::time::timeout(WATCH_INTERVAL, hangup.recv()).await.is_ok();
        for Watched { name, tls, known, pending } in &mut watched {
            let now = tls.states();
            if !asked && now == *known {
                continue;
            }
            // Somebody may still be writing the other half: wait until both look the same twice.
            if !asked && pending.replace(now.clone()).as_ref() != Some(&now) {
                continue;
            }
            (*known, *pending) = (now, None);
            let (name, tls) = (*name, *tls);
            // Reading may block, and checking a key takes a while.
            let _ = tokio::task::spawn_blocking(move || tell(name, tls)).await;
        }
    }
}

fn tell(name: &str, tls: &Tls) {
    match tls.reload() {
        Ok(()) => {
            for shown in &tls.current.load().certificates {
                let until = timestamp::format(shown.not_after);
                eprintln!("gateway: listener `{name}` shows {} now, valid until {until}", shown.name);
            }
        }
        Err(problems) => {
            problems.iter().for_each(|problem| eprintln!("gateway: {problem}"));
            eprintln!("gateway: the certificates of listener `{name}` stay as they were");
        }
    }
}
