//! `url` and `endpoints` of an upstream: its addresses.

use gateway_terms::upstream::{LAST_PRIORITY, MOST_WEIGHT, ServiceName, UpstreamScheme};
use gateway_yaml::{Entry, Node, Span};

use crate::address::Address;
use crate::diagnostic::{Diagnostic, GW523, GW528};
use crate::ir::UpstreamEndpoint;
use crate::vocabulary::authority::is_authority;
use crate::vocabulary::reader::Reader;

/// `endpoints`: a list of URLs, or of mappings with one. `None` where something is wrong, which has been reported.
pub(super) fn endpoints(reader: &mut Reader<'_>, node: &Node) -> Option<Vec<UpstreamEndpoint>> {
    let items = reader.list(node, "`endpoints`");
    if items.is_empty() {
        if node.as_sequence().is_some() {
            reader.wrong(node, "`endpoints`", "expected one address or more");
        }
        return None;
    }
    let mut found: Vec<(UpstreamEndpoint, Span)> = Vec::new();
    let mut is_whole = true;
    for item in items {
        match endpoint(reader, item) {
            Some(endpoint) => is_whole &= add(reader, &mut found, endpoint, item.span),
            None => is_whole = false,
        }
    }
    if is_whole && found.iter().all(|(endpoint, _)| endpoint.weight == 0) {
        reader.report(
            Diagnostic::error(GW528, "the weights of these endpoints sum to nothing: no request could go anywhere")
                .at(node.span, "each has the weight 0")
                .help("give at least one of them a `weight` of 1 or more"),
        );
        return None;
    }
    is_whole.then(|| found.into_iter().map(|(endpoint, _)| endpoint).collect())
}

/// Adds an endpoint that fits to the others.
fn add(
    reader: &mut Reader<'_>,
    found: &mut Vec<(UpstreamEndpoint, Span)>,
    endpoint: UpstreamEndpoint,
    span: Span,
) -> bool {
    let way = |endpoint: &UpstreamEndpoint| {
        UpstreamScheme::of(&endpoint.url).map(|(scheme, _)| (scheme.has_tls, scheme.is_http2))
    };
    let address = Address::of(&endpoint.url);
    if let Some((_, twin)) = found.iter().find(|(other, _)| Address::of(&other.url) == address) {
        reader.report(
            Diagnostic::error(GW528, format!("the endpoint `{}` is listed twice", endpoint.url))
                .at(span, "the same address")
                .also(*twin, "here already")
                .help("list each once; one that should get more requests has a larger `weight`"),
        );
        return false;
    }
    if let Some((first, at)) = found.first()
        && (way(first) != way(&endpoint) || Address::of(&first.url).prefix != address.prefix)
    {
        reader.report(
            Diagnostic::error(GW528, "the endpoints of one upstream differ in more than host and port")
                .at(span, "another scheme or another path than the first")
                .also(*at, "the first endpoint")
                .help("all are spoken to in one way, and get one path; what differs is another upstream"),
        );
        return false;
    }
    found.push((endpoint, span));
    true
}

/// A URL, or `{url, weight, priority}`.
fn endpoint(reader: &mut Reader<'_>, node: &Node) -> Option<UpstreamEndpoint> {
    const KNOWN: [&str; 3] = ["url", "weight", "priority"];
    if node.as_text().is_some() {
        return Some(UpstreamEndpoint { url: upstream_url(reader, node)?, weight: 1, priority: 0 });
    }
    let (mut url, mut weight, mut priority) = (None, Some(1), Some(0));
    let mut weighed = None;
    for Entry { key, value } in reader.known(node, "an endpoint", &KNOWN) {
        match &*key.name {
            "url" => url = Some(upstream_url(reader, value)),
            "weight" => (weight, weighed) = (number(reader, value, "`weight`", MOST_WEIGHT), Some(value.span)),
            _ => priority = number(reader, value, "`priority`", u32::from(LAST_PRIORITY)),
        }
    }
    if url.is_none() && node.as_mapping().is_some() && !Reader::has_unknown(node, &KNOWN) {
        reader.report(
            Diagnostic::error(GW523, "this endpoint has no `url`")
                .at(node.span, "where is it?")
                .help("write `{url: \"http://10.0.0.1:8080\"}`"),
        );
    }
    let url = url??;
    if let Some(at) = weighed
        && UpstreamScheme::is_of_service(&url)
    {
        reader.report(
            Diagnostic::error(GW528, "a `weight` for what has weights of its own")
                .at(at, "each SRV record has a weight (RFC 2782)")
                .help("remove it: write the weights into the records; `priority` may stand here"),
        );
        return None;
    }
    Some(UpstreamEndpoint { url, weight: weight?, priority: u8::try_from(priority?).ok()? })
}

/// A whole number from 0 on.
pub(super) fn number(reader: &mut Reader<'_>, node: &Node, what: &str, most: u32) -> Option<u32> {
    let number = node.as_number().and_then(|number| number.as_u64()).and_then(|number| u32::try_from(number).ok());
    let number = number.filter(|number| *number <= most);
    if number.is_none() {
        reader.wrong(node, what, &format!("expected a whole number from 0 to {most}"));
    }
    number
}

/// `http://host[:port][/prefix]`, or the same with another [`UpstreamScheme`].
pub(super) fn upstream_url(reader: &mut Reader<'_>, node: &Node) -> Option<String> {
    let url = reader.text(node, "`url`")?;
    let problem = |url: &str| -> Option<&'static str> {
        let Some((scheme, rest)) = UpstreamScheme::of(url) else {
            return Some(
                "expected `http://host:port`, or the same with `https://`, `h2c://` or `h2://`; `dns+srv://` for SRV records",
            );
        };
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        if authority.contains('@') {
            return Some("credentials do not belong into an address");
        }
        if scheme.is_service && ServiceName::of(authority).is_none() {
            return Some("expected the name of a service, such as `_http._tcp.orders.internal`, and no port");
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
