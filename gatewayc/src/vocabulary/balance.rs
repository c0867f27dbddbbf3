//! `balance`, `resolve` and `outlier` of an upstream: which of its endpoints a request goes to.

use std::time::Duration;

use gateway_terms::upstream::{MOST_IN_A_ROW, Outlier};
use gateway_yaml::{Entry, Node};

use crate::ir::{Balance, HashKey};
use crate::units;
use crate::vocabulary::endpoints::number;
use crate::vocabulary::reader::Reader;

/// `round-robin`, `least-request` or `{hash: […]}`.
pub(super) fn balance(reader: &mut Reader<'_>, node: &Node) -> Option<Balance> {
    if node.as_mapping().is_none() {
        let choices = [("round-robin", true), ("least-request", false)];
        let in_turn = reader.choice(node, "`balance`", &choices)?;
        return Some(if in_turn { Balance::RoundRobin } else { Balance::LeastRequest });
    }
    let entries = reader.known(node, "`balance`", &["hash"]);
    if entries.is_empty() && !Reader::has_unknown(node, &["hash"]) {
        reader.wrong(node, "`balance`", "expected `round-robin`, `least-request` or `{hash: [header:X-Tenant]}`");
    }
    let keys = entries.first().map(|entry| hash_keys(reader, &entry.value, "`hash`"))?;
    (!keys.is_empty()).then_some(Balance::Hash(keys))
}

/// Parts of a request that choose for it; `what` is the member that lists them.
pub(super) fn hash_keys(reader: &mut Reader<'_>, node: &Node, what: &str) -> Vec<HashKey> {
    let part = format!("a part of {what}");
    if node.as_sequence().is_some_and(<[Node]>::is_empty) {
        reader.wrong(node, what, "expected one part of the request or more, such as `header:X-Tenant`");
    }
    let mut keys = Vec::new();
    for item in reader.words(node, what) {
        let Some(text) = reader.text(item, &part) else { continue };
        match hash_key(text) {
            Some(key) => keys.push(key),
            None => reader.wrong(
                item,
                &part,
                "expected `ip`, `caller`, `client`, `consumer`, `user`, `credential`, `path`, `header:X`, `query:x` or `cookie:x`",
            ),
        }
    }
    keys
}

/// A part of a request, such as `header:X-Tenant`.
pub(super) fn hash_key(text: &str) -> Option<HashKey> {
    gateway_terms::key::HashKey::named(text).map(|key| key.map(|text| (*text).to_owned()))
}

/// How often names are looked up again; `off` for each connection.
pub(super) fn resolve(reader: &mut Reader<'_>, node: &Node) -> Option<Option<Duration>> {
    if node.is_off() {
        return Some(None);
    }
    reader.unit(node, "`resolve`", units::duration).map(Some)
}

/// When an endpoint is ejected; `off` for never.
pub(super) fn outlier(reader: &mut Reader<'_>, node: &Node) -> Option<Outlier> {
    if node.is_off() {
        return None;
    }
    let mut outlier = Outlier::USUAL;
    for Entry { key, value } in reader.known(node, "`outlier`", &["consecutive", "eject", "maxEjected"]) {
        match &*key.name {
            "consecutive" => match number(reader, value, "`consecutive`", MOST_IN_A_ROW) {
                Some(0) => reader.wrong(
                    value,
                    "`consecutive`",
                    "expected one failure or more; `outlier: off` ejects no endpoint",
                ),
                Some(consecutive) => outlier.consecutive = consecutive,
                None => {}
            },
            "eject" => outlier.eject = reader.unit(value, "`eject`", units::duration).unwrap_or(outlier.eject),
            _ => {
                outlier.max_ejected = reader.unit(value, "`maxEjected`", units::percent).unwrap_or(outlier.max_ejected);
            }
        }
    }
    Some(outlier)
}
