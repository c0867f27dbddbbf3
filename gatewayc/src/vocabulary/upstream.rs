//! `upstream` and `upstreams`: where requests are forwarded to.

use std::time::Duration;

use gateway_route::{EmptySegments, PathCase, TrailingSlash, UpstreamPaths};
use gateway_yaml::{Entry, Node, Spanned};

use crate::diagnostic::{Diagnostic, GW521, GW523};
use crate::ir::Locations;
use crate::units;
use crate::vocabulary::authority::is_authority;
use crate::vocabulary::reader::{Place, Reader};

/// `upstream`: by name, or described in place.
#[derive(Debug, Clone)]
pub enum UpstreamChoice {
    /// A name under `upstreams`.
    Named(Spanned<String>),
    /// A description; the name is derived from it.
    Inline {
        /// `default` at the root, otherwise the URL's authority.
        name: String,
        /// The description.
        policy: UpstreamPolicy,
    },
    /// Something that has been reported.
    Broken,
}

/// The description of an upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamPolicy {
    /// `url`.
    pub url: String,
    /// `timeout.connect`, 5 s.
    pub connect_timeout: Duration,
    /// `timeout` or `timeout.response`, 60 s.
    pub response_timeout: Duration,
    /// `timeout.idle`, 60 s.
    pub idle_timeout: Duration,
    /// `preserveHost`, false.
    pub preserve_host: bool,
    /// `paths`.
    pub paths: UpstreamPaths,
    /// `locations`, `translate`.
    pub locations: Locations,
}

impl UpstreamPolicy {
    /// With the usual timeouts.
    pub(super) fn at(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            connect_timeout: Duration::from_secs(5),
            response_timeout: Duration::from_secs(60),
            idle_timeout: Duration::from_secs(60),
            preserve_host: false,
            paths: UpstreamPaths::UNKNOWN,
            locations: Locations::Translate,
        }
    }
}

pub(super) fn upstream_choice(reader: &mut Reader<'_>, node: &Node, place: Place) -> UpstreamChoice {
    if let Some(name) = node.as_str() {
        if name.contains("://") {
            reader.report(
                Diagnostic::error(GW521, format!("no upstream is called `{name}`"))
                    .at(node.span, "an address, not a name")
                    .suggest(
                        "an address stands under `url`",
                        node.span,
                        format!("{{url: {}}}", serde_json::json!(name)),
                    ),
            );
            return UpstreamChoice::Broken;
        }
        return UpstreamChoice::Named(Spanned::new(node.span, name.to_owned()));
    }
    let Some(policy) = upstream(reader, node) else { return UpstreamChoice::Broken };
    let authority =
        policy.url.split_once("://").map_or("", |(_, authority)| authority).trim_end_matches('/').to_owned();
    let name = if place == Place::Root { "default".to_owned() } else { authority };
    UpstreamChoice::Inline { name, policy }
}

pub(super) fn upstream(reader: &mut Reader<'_>, node: &Node) -> Option<UpstreamPolicy> {
    const KNOWN: [&str; 5] = ["url", "timeout", "preserveHost", "paths", "locations"];
    let entries = reader.known(node, "an upstream", &KNOWN);
    let mut policy = UpstreamPolicy::at("");
    let mut url = None;
    for Entry { key, value } in entries.iter().copied() {
        match &*key.name {
            "url" => url = Some(upstream_url(reader, value)),
            "preserveHost" => policy.preserve_host = reader.boolean(value, "`preserveHost`").unwrap_or_default(),
            "paths" => policy.paths = upstream_paths(reader, value),
            "locations" => {
                let choices = [("translate", Locations::Translate), ("keep", Locations::Keep)];
                policy.locations = reader.choice(value, "`locations`", &choices).unwrap_or(Locations::Translate);
            }
            _ if value.as_mapping().is_some() => {
                for Entry { key, value } in reader.known(value, "`timeout`", &["connect", "response", "idle"]) {
                    let Some(time) = reader.unit(value, "a timeout", units::duration) else { continue };
                    match &*key.name {
                        "connect" => policy.connect_timeout = time,
                        "response" => policy.response_timeout = time,
                        _ => policy.idle_timeout = time,
                    }
                }
            }
            _ => {
                if let Some(time) = reader.unit(value, "`timeout`", units::duration) {
                    policy.response_timeout = time;
                }
            }
        }
    }
    if url.is_none() && node.as_mapping().is_some() && !Reader::has_unknown(node, &KNOWN) {
        reader.report(
            Diagnostic::error(GW523, "this upstream has no `url`")
                .at(node.span, "where should requests go?")
                .help("write `url: http://127.0.0.1:8080`"),
        );
    }
    policy.url = url??;
    Some(policy)
}

/// How an upstream reads paths.
fn upstream_paths(reader: &mut Reader<'_>, node: &Node) -> UpstreamPaths {
    let mut paths = UpstreamPaths::UNKNOWN;
    for Entry { key, value } in reader.known(node, "`paths`", &["case", "trailingSlash", "emptySegments"]) {
        match &*key.name {
            "case" => {
                let choices = [("sensitive", PathCase::Sensitive), ("insensitive", PathCase::Insensitive)];
                paths.case = reader.choice(value, "`case`", &choices).unwrap_or(paths.case);
            }
            "trailingSlash" => {
                let choices = [("distinct", TrailingSlash::Distinct), ("same", TrailingSlash::Same)];
                paths.trailing_slash =
                    reader.choice(value, "`trailingSlash`", &choices).unwrap_or(paths.trailing_slash);
            }
            _ => {
                let choices = [("distinct", EmptySegments::Distinct), ("merged", EmptySegments::Merged)];
                paths.empty_segments =
                    reader.choice(value, "`emptySegments`", &choices).unwrap_or(paths.empty_segments);
            }
        }
    }
    paths
}

/// How an upstream can be spoken to: HTTP/1.1, HTTP/2, each in the clear and inside TLS.
pub(super) const UPSTREAM_SCHEMES: &[&str] = &["http://", "https://", "h2c://", "h2://"];

/// `http://host[:port][/prefix]`, or the same with another of [`UPSTREAM_SCHEMES`].
fn upstream_url(reader: &mut Reader<'_>, node: &Node) -> Option<String> {
    let url = reader.text(node, "`url`")?;
    let problem = |url: &str| -> Option<&'static str> {
        let Some(rest) = UPSTREAM_SCHEMES.iter().find_map(|scheme| url.strip_prefix(scheme)) else {
            return Some("expected `http://host:port`, or the same with `https://`, `h2c://` or `h2://`");
        };
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        if authority.contains('@') {
            return Some("credentials do not belong into an address");
        }
        if !is_authority(authority) {
            return Some("expected a host and perhaps a port after `://`");
        }
        if !path.is_empty() && gateway_route::RequestPath::parse(path).is_err() {
            return Some("only a plain path may follow the host: no query, no fragment, no dot segments");
        }
        None
    };
    match problem(url) {
        Some(problem) => {
            reader.report(
                Diagnostic::error(GW523, format!("`{url}` is not the address of an upstream")).at(node.span, problem),
            );
            None
        }
        None => Some(url.trim_end_matches('/').to_owned()),
    }
}
