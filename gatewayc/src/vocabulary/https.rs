//! `https`: requests must come over TLS.

use std::time::Duration;

use gateway_yaml::{Entry, Node, Span};

use crate::ir::Hsts;
use crate::units;
use crate::vocabulary::reader::Reader;

/// `https`, with its defaults.
#[derive(Debug, Clone)]
pub struct HttpsPolicy {
    /// `redirect`, true: plain requests are sent on, not refused.
    pub redirect: bool,
    /// `port`, that of `servers`.
    pub port: Option<u16>,
    /// `hsts`.
    pub hsts: Option<Hsts>,
    /// The key.
    pub span: Span,
}

pub(super) fn https(reader: &mut Reader<'_>, key: Span, node: &Node) -> Option<HttpsPolicy> {
    let mut policy = HttpsPolicy { redirect: true, port: None, hsts: None, span: key };
    for Entry { key, value } in reader.known(node, "`https`", &["redirect", "port", "hsts"]) {
        match &*key.name {
            "redirect" => policy.redirect = reader.boolean(value, "`redirect`")?,
            "port" => {
                let number = value.as_number().and_then(|number| number.as_u64());
                policy.port = number.and_then(|number| u16::try_from(number).ok()).filter(|port| *port > 0);
                if policy.port.is_none() {
                    reader.wrong(value, "`port`", "expected a number from 1 to 65535");
                }
            }
            _ => policy.hsts = hsts(reader, value),
        }
    }
    if let Some(port) = policy.port
        && !policy.redirect
    {
        reader.wrong(node, "`https`", &format!("nothing is redirected to port {port}: leave `port` out"));
    }
    node.as_mapping().map(|_| policy)
}

fn hsts(reader: &mut Reader<'_>, node: &Node) -> Option<Hsts> {
    let mut hsts = Hsts { max_age: Duration::ZERO, include_subdomains: false };
    let entries = reader.known(node, "`hsts`", &["maxAge", "includeSubdomains"]);
    for Entry { key, value } in &entries {
        match &*key.name {
            "maxAge" => hsts.max_age = reader.unit(value, "`maxAge`", whole_seconds)?,
            _ => hsts.include_subdomains = reader.boolean(value, "`includeSubdomains`").unwrap_or_default(),
        }
    }
    if !entries.iter().any(|entry| &*entry.key.name == "maxAge") {
        if Reader::has_unknown(node, &["maxAge", "includeSubdomains"]) || node.as_mapping().is_none() {
            return None;
        }
        reader.wrong(node, "`hsts`", "expected `maxAge`, such as `maxAge: 180d`");
        return None;
    }
    Some(hsts)
}

/// The header has no smaller unit, and with `max-age=0` browsers forget what they know (RFC 6797 §6.1.1).
fn whole_seconds(text: &str) -> Result<Duration, &'static str> {
    units::duration(text).and_then(|duration| match duration.subsec_nanos() {
        0 => Ok(duration),
        _ => Err("browsers count in whole seconds, such as `180d`"),
    })
}
