//! `health` of an upstream: how the gateway finds out which endpoints are well.

use gateway_terms::upstream::{
    MOST_IN_A_ROW, USUAL_CHECK_INTERVAL, USUAL_CHECK_TIMEOUT, USUAL_HEALTHY, USUAL_STATUSES, USUAL_UNHEALTHY,
    status_range,
};
use gateway_yaml::{Entry, Node};

use crate::diagnostic::{Diagnostic, GW104};
use crate::ir::Health;
use crate::units;
use crate::vocabulary::endpoints::number;
use crate::vocabulary::reader::Reader;

/// The checks of the endpoints.
pub(super) fn health(reader: &mut Reader<'_>, node: &Node) -> Option<Health> {
    const KNOWN: [&str; 6] = ["path", "every", "timeout", "healthy", "unhealthy", "status"];
    let mut found = Health {
        path: String::new(),
        every: USUAL_CHECK_INTERVAL,
        timeout: USUAL_CHECK_TIMEOUT,
        healthy: USUAL_HEALTHY,
        unhealthy: USUAL_UNHEALTHY,
        status: vec![USUAL_STATUSES],
    };
    let mut path = None;
    for Entry { key, value } in reader.known(node, "`health`", &KNOWN) {
        match &*key.name {
            "path" => path = Some(target(reader, value)),
            "every" => found.every = reader.unit(value, "`every`", units::duration).unwrap_or(found.every),
            "timeout" => found.timeout = reader.unit(value, "`timeout`", units::duration).unwrap_or(found.timeout),
            "healthy" => found.healthy = in_a_row(reader, value, "`healthy`").unwrap_or(found.healthy),
            "unhealthy" => found.unhealthy = in_a_row(reader, value, "`unhealthy`").unwrap_or(found.unhealthy),
            _ => {
                let statuses = reader.list(value, "`status`").iter().map(|item| statuses(reader, item));
                found.status = statuses.collect::<Vec<_>>().into_iter().flatten().collect();
                if value.as_sequence().is_some_and(<[Node]>::is_empty) {
                    reader.wrong(value, "`status`", "expected one status or more, such as `200-299`");
                }
            }
        }
    }
    if path.is_none() && node.as_mapping().is_some() && !Reader::has_unknown(node, &KNOWN) {
        let diagnostic = Diagnostic::error(GW104, "`health` has no `path`").at(node.span, "what should be asked for?");
        reader.report(diagnostic.help("write `health: {path: /healthz}`"));
    }
    Some(Health { path: path??, ..found })
}

/// A path on each endpoint, perhaps with a query.
fn target(reader: &mut Reader<'_>, node: &Node) -> Option<String> {
    let path = reader.text(node, "`path`")?;
    if path.starts_with('/') && path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#') {
        return Some(path.to_owned());
    }
    reader.wrong(node, "`path`", "expected an absolute path on the endpoint, such as `/healthz`");
    None
}

fn in_a_row(reader: &mut Reader<'_>, node: &Node, what: &str) -> Option<u32> {
    let number = number(reader, node, what, MOST_IN_A_ROW)?;
    if number == 0 {
        reader.wrong(node, what, "expected one check or more in a row");
    }
    (number > 0).then_some(number)
}

/// `200`, or `200-299`.
fn statuses(reader: &mut Reader<'_>, node: &Node) -> Option<(u16, u16)> {
    let range = node.as_text().and_then(status_range);
    if range.is_none() {
        reader.wrong(node, "a part of `status`", "expected a status such as `200`, or a range such as `200-299`");
    }
    range
}
