//! `upstream` and `upstreams`: where requests are forwarded to.

use gateway_route::{EmptySegments, PathCase, TrailingSlash, UpstreamPaths};
use gateway_terms::upstream::UpstreamScheme;
use gateway_yaml::{Entry, Node, Spanned};

use crate::diagnostic::{Diagnostic, GW521, GW523, GW528, GW532};
use crate::ir::{CookieDomain, CookiePath, Cookies, ForwardedFields, Locations, Upstream, UpstreamEndpoint};
use crate::units;
use crate::vocabulary::balance::{balance, outlier, resolve};
use crate::vocabulary::endpoints::{endpoints, upstream_url};
use crate::vocabulary::health::health;
use crate::vocabulary::reader::{Place, Reader};
use crate::vocabulary::retry::{breaker, keep_alive, retry};
use crate::vocabulary::upstream_auth::upstream_auth;

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
        policy: Box<Upstream>,
    },
    /// Something that has been reported.
    Broken,
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
    let authority = policy.first_url().split_once("://").map_or("", |(_, authority)| authority).to_owned();
    let name = if place == Place::Root { "default".to_owned() } else { authority };
    UpstreamChoice::Inline { name, policy: Box::new(policy) }
}

pub(super) fn upstream(reader: &mut Reader<'_>, node: &Node) -> Option<Upstream> {
    const KNOWN: [&str; 16] = [
        "url",
        "endpoints",
        "balance",
        "resolve",
        "outlier",
        "health",
        "retry",
        "breaker",
        "timeout",
        "keepAlive",
        "upstreamAuth",
        "preserveHost",
        "paths",
        "locations",
        "cookies",
        "forwarded",
    ];
    let entries = reader.known(node, "an upstream", &KNOWN);
    let mut policy = Upstream::at("");
    let mut addresses = None;
    let member = |name: &str| entries.iter().find(|entry| &*entry.key.name == name);
    if let (Some(url), Some(endpoints)) = (member("url"), member("endpoints")) {
        reader.report(
            Diagnostic::error(GW528, "an upstream has `url` or `endpoints`, not both")
                .at(url.key.span, "beside `endpoints`")
                .also(endpoints.key.span, "the list")
                .help("write all addresses under `endpoints`"),
        );
    }
    for Entry { key, value } in entries.iter().copied() {
        match &*key.name {
            "url" => {
                let endpoint = |url| vec![UpstreamEndpoint { url, weight: 1, priority: 0 }];
                addresses = Some(upstream_url(reader, value).map(endpoint));
            }
            "endpoints" => addresses = Some(endpoints(reader, value)),
            "balance" => policy.balance = balance(reader, value).unwrap_or(policy.balance),
            "resolve" => policy.resolve = resolve(reader, value).unwrap_or(policy.resolve),
            "outlier" => policy.outlier = outlier(reader, value),
            "health" => policy.health = health(reader, value),
            "retry" => policy.retry = Some(retry(reader, value)),
            "breaker" => policy.breaker = Some(breaker(reader, value)),
            "keepAlive" => policy.keep_alive = keep_alive(reader, value),
            "upstreamAuth" => policy.auth = upstream_auth(reader, value),
            "preserveHost" => policy.preserve_host = reader.boolean(value, "`preserveHost`").unwrap_or_default(),
            "paths" => policy.paths = upstream_paths(reader, value),
            "locations" => {
                let choices = [("translate", Locations::Translate), ("keep", Locations::Keep)];
                policy.locations = reader.choice(value, "`locations`", &choices).unwrap_or(Locations::Translate);
            }
            "cookies" => policy.cookies = cookies(reader, value),
            "forwarded" => {
                let choices = [
                    ("x-forwarded", ForwardedFields::XForwarded),
                    ("rfc7239", ForwardedFields::Rfc7239),
                    ("both", ForwardedFields::Both),
                ];
                policy.forwarded = reader.choice(value, "`forwarded`", &choices).unwrap_or(policy.forwarded);
            }
            _ if value.as_mapping().is_some() => {
                for Entry { key, value } in reader.known(value, "`timeout`", &["connect", "response", "idle", "total"])
                {
                    let Some(time) = reader.unit(value, "a timeout", units::duration) else { continue };
                    match &*key.name {
                        "connect" => policy.connect_timeout = time,
                        "response" => policy.response_timeout = time,
                        "total" => policy.total_timeout = Some(time),
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
    if addresses.is_none() && node.as_mapping().is_some() && !Reader::has_unknown(node, &KNOWN) {
        reader.report(
            Diagnostic::error(GW523, "this upstream has no `url`")
                .at(node.span, "where should requests go?")
                .help("write `url: http://127.0.0.1:8080`, or a list of several under `endpoints`"),
        );
    }
    check_total(reader, node, &policy);
    policy.endpoints = addresses??;
    if let Some(off) = member("resolve").filter(|_| policy.resolve.is_none())
        && policy.endpoints.iter().any(|endpoint| UpstreamScheme::is_of_service(&endpoint.url))
    {
        reader.report(
            Diagnostic::error(GW528, "`resolve: off` of an upstream that SRV records lead to")
                .at(off.value.span, "the records would be asked for by every connection")
                .help("write how often they are asked for, such as `resolve: 30s`"),
        );
        return None;
    }
    Some(policy)
}

/// Tries that `total` cuts off.
fn check_total(reader: &mut Reader<'_>, node: &Node, policy: &Upstream) {
    let Some((retry, total)) = policy.retry.as_ref().zip(policy.total_timeout) else { return };
    let Some(needed) = retry.per_try.and_then(|each| each.checked_mul(retry.attempts)) else { return };
    if needed > total {
        let (needed, total) = (units::show_duration(needed), units::show_duration(total));
        reader.report(
            Diagnostic::warning(GW532, format!("`perTry` of all tries is {needed}, and `total` is {total}"))
                .at(node.span, "the last tries are cut off")
                .help("make `total` longer, or `perTry` or `attempts` smaller"),
        );
    }
}

/// What becomes of the cookies that an upstream sets.
fn cookies(reader: &mut Reader<'_>, node: &Node) -> Cookies {
    let mut cookies = Cookies::KEEP;
    for Entry { key, value } in reader.known(node, "`cookies`", &["path", "domain"]) {
        if &*key.name == "path" {
            let choices = [("keep", CookiePath::Keep), ("rewrite", CookiePath::Rewrite)];
            cookies.path = reader.choice(value, "`path`", &choices).unwrap_or(cookies.path);
        } else {
            let choices = [("keep", CookieDomain::Keep), ("remove", CookieDomain::Remove)];
            cookies.domain = reader.choice(value, "`domain`", &choices).unwrap_or(cookies.domain);
        }
    }
    cookies
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
