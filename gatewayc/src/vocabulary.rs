//! `x-gateway`, read into types: what stands where, and what each member may be.

mod authorization_server;
mod builtin;
mod https;
mod limit;
mod literals;
mod provider;
mod reader;
mod rules;
mod scheme;

use std::time::Duration;

use gateway_route::{Allowance, Ambiguous, EmptySegments, PathCase, Template, TrailingSlash, UpstreamPaths};
use gateway_yaml::{Entry, Node, Span, Spanned};

use crate::diagnostic::*;
use crate::ir::{
    Anonymous, ConsumerRules, ERROR_CLASSES, ErrorBody, FailureLimit, HeaderEdits, IdentityHeaders, Limit, Locations,
    Preflight,
};
use crate::units::{self, ByteSize};

pub use authorization_server::AuthorizationServerPolicy;
pub use builtin::BuiltinPolicy;
pub use https::HttpsPolicy;
pub(crate) use limit::failed_authentication;
pub use limit::{LimitChoice, LimitEntry};
pub(crate) use literals::{check_url, check_urls};
pub(crate) use provider::{UrlProblem, check_discovery_url, in_the_clear};
pub(crate) use reader::Reader;
pub use reader::{MEMBERS, Member, Place};
pub use rules::{RuleChoice, RulePolicy};
pub(crate) use scheme::{
    HmacPolicy, JwtPolicy, JwtSigner, OwnCredential, SchemeExtension, Verification, is_token, scheme,
};

/// What `x-gateway` at the root says.
#[derive(Debug, Default)]
pub struct Root {
    /// `upstreams`, in the order of the document.
    pub upstreams: Vec<(Spanned<String>, UpstreamPolicy)>,
    /// `identityHeaders`, with the defaults for those that it leaves out.
    pub identity_headers: IdentityHeaders,
    /// `errors.bodies`.
    pub error_bodies: Vec<ErrorBody>,
    /// `limits`, in the order of the document; nothing where one is broken.
    pub limits: Vec<(Spanned<String>, Option<Limit>)>,
    /// `preflight`.
    pub preflight: PreflightPolicy,
    /// `https`.
    pub https: Option<HttpsPolicy>,
    /// `authorizationServer`.
    pub authorization_server: Option<AuthorizationServerPolicy>,
    /// `failedAuthentication`: what holds for every scheme that says nothing itself; `Some(None)` for `off`.
    pub failed_authentication: Option<Option<FailureLimit>>,
    /// The names in `serverVariables`.
    pub server_variables: Vec<Spanned<String>>,
    /// `rules`, in the order of the document; nothing where one is broken.
    pub rules: Vec<Option<RulePolicy>>,
    /// What operations inherit.
    pub inheritable: Inheritable,
}

/// `preflight`.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum PreflightPolicy {
    /// To the upstream, without a credential.
    Forward,
    /// By the gateway.
    Answer,
    /// 405.
    #[default]
    Deny,
}

impl PreflightPolicy {
    /// What is left to decide at run time: forwarding is an operation of its own.
    pub(crate) fn without_operation(self) -> Preflight {
        if self == Self::Answer { Preflight::Answer } else { Preflight::Deny }
    }
}

/// Members that an operation inherits from its path item, and that from the root: the nearest stands, as a whole.
#[derive(Debug, Default, Clone)]
pub struct Inheritable {
    /// `upstream`.
    pub upstream: Option<UpstreamChoice>,
    /// `rewrite`.
    pub rewrite: Option<RewritePolicy>,
    /// `requestHeaders`.
    pub request_headers: Option<HeaderEdits>,
    /// `responseHeaders`.
    pub response_headers: Option<HeaderEdits>,
    /// `maxBody`.
    pub max_body: Option<ByteSize>,
    /// `consumers`.
    pub consumers: Option<ConsumerRules>,
    /// `anonymous`.
    pub anonymous: Option<Spanned<Anonymous>>,
    /// `rateLimit`.
    pub rate_limit: Option<Vec<LimitEntry>>,
    /// `builtin`, with its arguments; not inherited.
    pub builtin: Option<Spanned<Option<BuiltinPolicy>>>,
    /// `acceptRisk`; not inherited.
    pub accepted: Vec<AcceptedRisk>,
}

impl Inheritable {
    /// What holds here, given what holds around.
    pub(crate) fn or(self, outer: &Self) -> Self {
        Self {
            upstream: self.upstream.or_else(|| outer.upstream.clone()),
            rewrite: self.rewrite.or_else(|| outer.rewrite.clone()),
            request_headers: self.request_headers.or_else(|| outer.request_headers.clone()),
            response_headers: self.response_headers.or_else(|| outer.response_headers.clone()),
            max_body: self.max_body.or(outer.max_body),
            consumers: self.consumers.or_else(|| outer.consumers.clone()),
            anonymous: self.anonymous.or_else(|| outer.anonymous.clone()),
            rate_limit: self.rate_limit.or_else(|| outer.rate_limit.clone()),
            builtin: self.builtin,
            accepted: self.accepted,
        }
    }
}

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

/// `rewrite`.
#[derive(Debug, Clone)]
pub enum RewritePolicy {
    /// `path`.
    Path(Spanned<Template>),
    /// `regex` and `to`, which fit each other.
    Regex {
        /// The expression.
        pattern: String,
        /// The replacement.
        to: String,
    },
}

/// Reads `x-gateway` at the root.
pub(crate) fn root(node: &Node, diagnostics: &mut Diagnostics) -> Root {
    let mut root = Root::default();
    let mut reader = Reader::new(diagnostics);
    let Some(members) = reader.members(node, Place::Root) else { return root };
    // The names of identity headers decide which header changes are allowed.
    if let Some(entry) = members.iter().find(|entry| &*entry.key.name == "identityHeaders") {
        root.identity_headers = identity_headers(&mut reader, &entry.value);
    }
    if !members.iter().any(|entry| &*entry.key.name == "version") {
        let at = members.first().map_or(node.span, |entry| entry.key.span);
        reader.report(
            Diagnostic::error(GW104, "`x-gateway` does not say which version of its vocabulary it uses")
                .at(at, "`version` is missing")
                .help("write `version: 1`"),
        );
    }
    for entry in &members {
        match &*entry.key.name {
            "version" if entry.value.as_number().and_then(|number| number.as_u64()) != Some(1) => {
                reader.wrong(&entry.value, "`version`", "expected 1, the only version there is");
            }
            "upstreams" => {
                for entry in reader.mapping(&entry.value, "`upstreams`") {
                    let name = Spanned::new(entry.key.span, entry.key.name.to_string());
                    // What is broken has been reported, and its name is known all the same.
                    let policy = upstream(&mut reader, &entry.value).unwrap_or_else(|| UpstreamPolicy::at(""));
                    root.upstreams.push((name, policy));
                }
            }
            "limits" => root.limits = limit::registry(&mut reader, &entry.value),
            "failedAuthentication" => {
                root.failed_authentication = Some(limit::failed_authentication(&mut reader, &entry.value));
            }
            "https" => root.https = https::https(&mut reader, entry.key.span, &entry.value),
            "authorizationServer" => {
                let policy = authorization_server::authorization_server(&mut reader, entry.key.span, &entry.value);
                root.authorization_server = Some(policy);
            }
            "rules" => root.rules = rules::rules(&mut reader, &entry.value),
            "serverVariables" => root.server_variables = server_variables(&mut reader, &entry.value),
            "errors" => root.error_bodies = error_bodies(&mut reader, &entry.value),
            "preflight" => {
                let choices = [
                    ("forward", PreflightPolicy::Forward),
                    ("answer", PreflightPolicy::Answer),
                    ("deny", PreflightPolicy::Deny),
                ];
                root.preflight = reader.choice(&entry.value, "`preflight`", &choices).unwrap_or_default();
            }
            _ => {}
        }
    }
    root.inheritable = inheritable(&mut reader, &members, Place::Root, &root.identity_headers);
    root
}

/// Reads `x-gateway` at a server: the names in `serverVariables`, whose values the parser has put into the server.
pub(crate) fn server(node: &Node, diagnostics: &mut Diagnostics) -> Vec<Spanned<String>> {
    let mut reader = Reader::new(diagnostics);
    let members = reader.members(node, Place::Server).unwrap_or_default();
    members.iter().flat_map(|entry| server_variables(&mut reader, &entry.value)).collect()
}

fn server_variables(reader: &mut Reader<'_>, node: &Node) -> Vec<Spanned<String>> {
    let mut names = Vec::new();
    for Entry { key, value } in reader.mapping(node, "`serverVariables`") {
        let what = format!("the variable `{}`", key.name);
        if value.as_text().is_none_or(str::is_empty) {
            reader.wrong(value, &what, "expected the text that stands for it in the `url` of a server");
        }
        names.push(Spanned::new(key.span, key.name.to_string()));
    }
    names
}

/// Reads `x-gateway` at a path item or an operation.
pub(crate) fn nested(
    node: &Node,
    place: Place,
    identity: &IdentityHeaders,
    diagnostics: &mut Diagnostics,
) -> Inheritable {
    let mut reader = Reader::new(diagnostics);
    match reader.members(node, place) {
        Some(members) => inheritable(&mut reader, &members, place, identity),
        None => Inheritable::default(),
    }
}

/// What `x-gateway` at a path parameter says.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct ParameterPolicy {
    /// `greedy`.
    pub(crate) is_greedy: bool,
    /// `encodedSlash`, `encodedPercent`, `backslash`, `semicolon`.
    pub(crate) allowance: Allowance,
}

/// Reads `x-gateway` at a parameter.
pub(crate) fn parameter(node: &Node, place: Place, diagnostics: &mut Diagnostics) -> ParameterPolicy {
    let mut reader = Reader::new(diagnostics);
    let mut policy = ParameterPolicy::default();
    for entry in reader.members(node, place).unwrap_or_default() {
        let name = &*entry.key.name;
        match Ambiguous::ALL.into_iter().find(|one| one.member() == name) {
            Some(one) => {
                let choices = [("allow", true), ("refuse", false)];
                if reader.choice(&entry.value, &format!("`{name}`"), &choices) == Some(true) {
                    policy.allowance = policy.allowance.and(Allowance::of(&[one]));
                }
            }
            None => policy.is_greedy = reader.boolean(&entry.value, "`greedy`") == Some(true),
        }
    }
    policy
}

fn inheritable(reader: &mut Reader<'_>, members: &[&Entry], place: Place, identity: &IdentityHeaders) -> Inheritable {
    let mut found = Inheritable::default();
    for Entry { key, value } in members.iter().copied() {
        match &*key.name {
            "upstream" => found.upstream = Some(upstream_choice(reader, value, place)),
            "rewrite" => found.rewrite = rewrite(reader, value),
            "requestHeaders" => found.request_headers = Some(header_edits(reader, value, Some(identity))),
            "responseHeaders" => found.response_headers = Some(header_edits(reader, value, None)),
            "maxBody" => found.max_body = reader.unit(value, "`maxBody`", units::size),
            "consumers" => found.consumers = Some(consumers(reader, value)),
            "anonymous" => found.anonymous = Some(Spanned::new(key.span, anonymous(reader, value))),
            name if builtin::ARGUMENTS.iter().any(|(argument, _)| *argument == name) => {
                builtin::check_argument(reader, key, members);
            }
            "rateLimit" => found.rate_limit = Some(limit::entries(reader, value)),
            "builtin" => found.builtin = Some(Spanned::new(key.span, builtin::builtin(reader, value, members))),
            "acceptRisk" => found.accepted = accept_risk(reader, value),
            _ => {}
        }
    }
    found
}

/// The claim that names a consumer's credential, where a document does not say.
pub(crate) const DEFAULT_KEY_CLAIM: &str = "key";

/// The name of a claim that can name a credential.
pub(crate) fn claim(reader: &mut Reader<'_>, node: &Node) -> Option<String> {
    let name = reader.text(node, "`keyClaim`")?;
    let good = !name.is_empty() && !["exp", "nbf", "iat", "aud"].contains(&name);
    if !good {
        reader.wrong(node, "`keyClaim`", "a claim of one text, such as `key` or `iss`");
    }
    good.then(|| name.to_owned())
}

fn consumers(reader: &mut Reader<'_>, node: &Node) -> ConsumerRules {
    let mut rules = ConsumerRules::default();
    // Without a rule it would only take away what is inherited.
    if node.as_mapping().is_some_and(|mapping| mapping.is_empty()) {
        reader.wrong(node, "`consumers`", "one rule or more: `allow`, `groups`, `deny` or `methods`");
    }
    for Entry { key, value } in reader.known(node, "`consumers`", &["allow", "groups", "deny", "methods"]) {
        match &*key.name {
            "allow" => rules.allow = user_names(reader, value, "`allow`"),
            "groups" => rules.groups = names(reader, value, "`groups`"),
            "deny" => rules.deny = user_names(reader, value, "`deny`"),
            _ => {
                if value.as_mapping().is_some_and(|mapping| mapping.is_empty()) {
                    reader.wrong(value, "`methods`", "one user name or more, each with its methods");
                }
                for entry in reader.mapping(value, "`methods`") {
                    let methods = names(reader, &entry.value, "a list of methods");
                    for method in &methods {
                        if method.is_empty() || !method.bytes().all(|byte| byte.is_ascii_uppercase()) {
                            reader.wrong(&entry.value, "a list of methods", "methods in upper case, such as GET");
                        }
                    }
                    if !is_user_name(&entry.key.name) {
                        reader.wrong(&entry.value, "`methods`", USER_NAME);
                    }
                    rules.methods.push((entry.key.name.to_string(), methods));
                }
                rules.methods.sort();
            }
        }
    }
    rules
}

const USER_NAME: &str = "user names: letters, digits, `_` and `-`";

fn is_user_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

/// A name that no consumer can have would be a rule about nobody.
fn user_names(reader: &mut Reader<'_>, node: &Node, what: &str) -> Vec<String> {
    let names = names(reader, node, what);
    if names.iter().any(|name| !is_user_name(name)) {
        reader.wrong(node, what, USER_NAME);
    }
    names
}

/// An empty list would look like a rule and admit everybody, so there is none.
fn names(reader: &mut Reader<'_>, node: &Node, what: &str) -> Vec<String> {
    let mut names = reader.texts(node, what);
    let is_empty = node.as_sequence().is_some_and(<[Node]>::is_empty);
    if is_empty || names.iter().any(|name| name.trim().is_empty()) {
        reader.wrong(node, what, "one name or more; leave the list out to admit everybody");
    }
    names.sort();
    names.dedup();
    names
}

fn anonymous(reader: &mut Reader<'_>, node: &Node) -> Anonymous {
    let mut anonymous = Anonymous::default();
    for Entry { key, value } in reader.known(node, "`anonymous`", &["consumer", "onInvalid"]) {
        match &*key.name {
            "consumer" => {
                anonymous.consumer = reader.text(value, "`consumer`").unwrap_or_default().to_owned();
                if !is_user_name(&anonymous.consumer) && value.as_str().is_some() {
                    reader.wrong(value, "`consumer`", USER_NAME);
                }
            }
            _ => {
                let choices = [("refuse", false), ("fallback", true)];
                anonymous.despite_invalid = reader.choice(value, "`onInvalid`", &choices).unwrap_or_default();
            }
        }
    }
    anonymous
}

fn upstream_choice(reader: &mut Reader<'_>, node: &Node, place: Place) -> UpstreamChoice {
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

fn upstream(reader: &mut Reader<'_>, node: &Node) -> Option<UpstreamPolicy> {
    const KNOWN: [&str; 5] = ["url", "timeout", "preserveHost", "paths", "locations"];
    let entries = reader.known(node, "an upstream", &KNOWN);
    let mut policy = UpstreamPolicy {
        url: String::new(),
        connect_timeout: Duration::from_secs(5),
        response_timeout: Duration::from_secs(60),
        idle_timeout: Duration::from_secs(60),
        preserve_host: false,
        paths: UpstreamPaths::UNKNOWN,
        locations: Locations::Translate,
    };
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
const UPSTREAM_SCHEMES: &[&str] = &["http://", "https://", "h2c://", "h2://"];

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

/// Whether this is a host, and perhaps a port.
pub(crate) fn is_authority(authority: &str) -> bool {
    let (host_ok, port) = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, port)) => (host.parse::<std::net::Ipv6Addr>().is_ok(), port),
        None => {
            let (host, port) = authority.split_at(authority.find(':').unwrap_or(authority.len()));
            let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
            (host.bytes().all(allowed) && host.trim_end_matches('.').split('.').all(|label| !label.is_empty()), port)
        }
    };
    let digits = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
    let port_ok = port.is_empty()
        || port
            .strip_prefix(':')
            .filter(|port| digits(port))
            .and_then(|port| port.parse::<u16>().ok())
            .is_some_and(|port| port > 0);
    host_ok && port_ok
}

fn identity_headers(reader: &mut Reader<'_>, node: &Node) -> IdentityHeaders {
    let mut headers = IdentityHeaders::default();
    let names = ["consumer", "credential", "customId", "client", "user"];
    for Entry { key, value } in reader.known(node, "`identityHeaders`", &names) {
        let Some(name) = header_name(reader, value.span, value.as_str()) else { continue };
        const OTHERS: [&str; 4] = ["authorization", "cookie", "host", "x-request-id"];
        let has_meaning = OTHERS.contains(&&*canonical(&name))
            || canonical(&name).starts_with("x-forwarded-")
            || canonical(&name).starts_with("x-client-cert-");
        if is_managed(&name) || has_meaning {
            reader.report(
                Diagnostic::error(GW525, format!("`{name}` cannot carry an identity"))
                    .at(value.span, "the gateway writes this header itself"),
            );
            continue;
        }
        *match &*key.name {
            "consumer" => &mut headers.consumer,
            "credential" => &mut headers.credential,
            "customId" => &mut headers.custom_id,
            "client" => &mut headers.client,
            _ => &mut headers.user,
        } = name;
    }
    let all = [&headers.consumer, &headers.credential, &headers.custom_id, &headers.client, &headers.user];
    let twice = all
        .iter()
        .enumerate()
        .find(|(index, name)| all[..*index].iter().any(|other| canonical(other) == canonical(name)));
    if let Some((_, name)) = twice {
        reader.report(
            Diagnostic::error(GW525, format!("`{name}` would carry two identities"))
                .at(node.span, "each of the five needs a header of its own"),
        );
    }
    headers
}

fn error_bodies(reader: &mut Reader<'_>, node: &Node) -> Vec<ErrorBody> {
    let mut bodies = Vec::new();
    for entry in reader.known(node, "`errors`", &["bodies"]) {
        for Entry { key, value } in reader.mapping(&entry.value, "`bodies`") {
            match ERROR_CLASSES.iter().find(|class| class.name == &*key.name) {
                Some(class) => bodies.push(ErrorBody { class, json: json(value) }),
                None => reader.unknown(key, "`bodies`", ERROR_CLASSES.iter().map(|class| class.name)),
            }
        }
    }
    bodies.sort_by_key(|body| body.class.name);
    bodies
}

fn rewrite(reader: &mut Reader<'_>, node: &Node) -> Option<RewritePolicy> {
    let entries = reader.known(node, "`rewrite`", &["path", "regex", "to"]);
    let member = |name: &str| entries.iter().find(|entry| &*entry.key.name == name).map(|entry| &entry.value);
    match (member("path"), member("regex"), member("to")) {
        (Some(path), None, None) => {
            let text = reader.text(path, "`path`")?;
            match Template::parse(text) {
                Ok(template) => Some(RewritePolicy::Path(Spanned::new(path.span, template))),
                Err(error) => {
                    reader.report(
                        Diagnostic::error(GW524, format!("`{text}` is not a path to forward"))
                            .at(path.span, error.to_string()),
                    );
                    None
                }
            }
        }
        (None, Some(regex), Some(to)) => {
            let (pattern, replacement) = (reader.text(regex, "`regex`")?, reader.text(to, "`to`")?);
            let compiled = match regex_lite::Regex::new(pattern) {
                Ok(compiled) => compiled,
                Err(error) => {
                    reader.report(
                        Diagnostic::error(GW502, format!("`{pattern}` is not a regular expression"))
                            .at(regex.span, error.to_string())
                            .help("the syntax is that of Rust's `regex-lite`: linear time, no look-around, no back-references"),
                    );
                    return None;
                }
            };
            if let Some(problem) = bad_replacement(pattern, replacement) {
                reader.report(
                    Diagnostic::error(GW524, format!("`{replacement}` does not make a path to forward"))
                        .at(to.span, problem),
                );
                return None;
            }
            if let Some(group) = missing_group(&compiled, replacement) {
                reader.report(
                    Diagnostic::error(
                        GW502,
                        format!("`{replacement}` refers to group `{group}`, which the expression does not have"),
                    )
                    .at(to.span, "no such group")
                    .also(regex.span, format!("has {} groups", compiled.captures_len() - 1)),
                );
                return None;
            }
            Some(RewritePolicy::Regex { pattern: pattern.to_owned(), to: replacement.to_owned() })
        }
        _ if node.as_mapping().is_some() => {
            reader.wrong(node, "`rewrite`", "expected either `path`, or `regex` with `to`");
            None
        }
        _ => None,
    }
}

/// Why a replacement gives no path, whatever the groups hold. What they do hold is checked for every request.
fn bad_replacement(pattern: &str, to: &str) -> Option<&'static str> {
    if to.contains(['?', '#']) {
        return Some("only the path is rewritten; the query is forwarded as received");
    }
    if !to.bytes().all(|byte| (0x21..0x7f).contains(&byte)) {
        return Some("only visible ASCII; anything else is percent-encoded");
    }
    // Braces name groups here, and cannot stand in a path.
    if to
        .replace(['{', '}'], "x")
        .split('/')
        .any(|segment| gateway_route::RequestPath::parse(&format!("/{segment}")).is_err())
    {
        return Some("no dot segments, and `%` only before two hexadecimal digits");
    }
    if pattern.starts_with("^/") && !to.starts_with(['/', '$']) {
        return Some("a path starts with `/`");
    }
    None
}

/// The first `$1`, `${1}` or `${name}` without a group.
fn missing_group(regex: &regex_lite::Regex, to: &str) -> Option<String> {
    let mut rest = to;
    while let Some(at) = rest.find('$') {
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            rest = after;
            continue;
        }
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let group = match rest.strip_prefix('{') {
            Some(braced) => braced.split_once('}').map_or(braced, |(name, _)| name),
            None if digits > 0 => &rest[..digits],
            None => return Some(rest.chars().take(1).collect()),
        };
        let known = match group.parse::<usize>() {
            Ok(number) => number < regex.captures_len(),
            Err(_) => regex.capture_names().flatten().any(|name| name == group),
        };
        if !known {
            return Some(group.to_owned());
        }
    }
    None
}

/// Reads `{set, add, remove}`. With identity headers, the edits are for requests, where more is refused.
fn header_edits(reader: &mut Reader<'_>, node: &Node, request: Option<&IdentityHeaders>) -> HeaderEdits {
    let mut edits = HeaderEdits::default();
    for Entry { key, value } in reader.known(node, "header changes", &["set", "add", "remove"]) {
        if &*key.name == "remove" {
            for name in reader.words(value, "`remove`") {
                if let Some(name) = editable(reader, name.span, name.as_str(), request) {
                    edits.remove.push(name.to_ascii_lowercase());
                }
            }
            continue;
        }
        let mut names: Vec<String> = Vec::new();
        for entry in reader.mapping(value, "header changes") {
            let lower = entry.key.name.to_ascii_lowercase();
            if &*key.name == "set" && names.contains(&lower) {
                reader.report(
                    Diagnostic::error(GW525, format!("`{}` is set twice", entry.key.name))
                        .at(entry.key.span, "letter case does not tell headers apart"),
                );
            }
            names.push(lower);
            let Some(name) = editable(reader, entry.key.span, Some(&entry.key.name), request) else { continue };
            let Some(text) = header_value(reader, &name, &entry.value, request.is_some()) else { continue };
            if &*key.name == "set" { &mut edits.set } else { &mut edits.add }.push((name, text));
        }
    }
    edits.remove.sort_unstable();
    edits.remove.dedup();
    edits.set.sort_by_key(|(name, _)| name.to_ascii_lowercase());
    edits.add.sort_by_key(|(name, _)| name.to_ascii_lowercase());
    edits
}

fn header_value(reader: &mut Reader<'_>, name: &str, node: &Node, request: bool) -> Option<String> {
    let Some(text) = node.as_text() else {
        reader.wrong(node, &format!("the value of `{name}`"), "expected text");
        return None;
    };
    let is_credential = request && ["authorization", "cookie"].contains(&&*name.to_ascii_lowercase());
    let secret = literals::secret_in_header(name, text);
    if is_credential || secret.is_some() {
        let diagnostic = Diagnostic::error(GW101, format!("the credential in `{name}` is written out; a secret reference is required, which header changes cannot hold"))
            .at(node.span, "anyone who can read the document can use it");
        reader.report(match secret {
            Some(why) => diagnostic.help(format!("{why}: remove it from the document, and change it")),
            None => diagnostic,
        });
        return None;
    }
    let visible = text.bytes().all(|byte| (0x20..0x7f).contains(&byte)) && text.trim() == text;
    if !visible {
        reader.report(
            Diagnostic::error(GW525, format!("the value of `{name}` cannot be sent"))
                .at(node.span, "only visible ASCII, and no space at the ends"),
        );
    }
    visible.then(|| text.to_owned())
}

/// A header name that documents may change.
fn editable(
    reader: &mut Reader<'_>,
    span: Span,
    text: Option<&str>,
    request: Option<&IdentityHeaders>,
) -> Option<String> {
    let name = header_name(reader, span, text)?;
    let identity = request.is_some_and(|headers| {
        let same = |identity: &String| canonical(identity) == canonical(&name);
        [&headers.consumer, &headers.credential, &headers.custom_id, &headers.client, &headers.user]
            .into_iter()
            .any(same)
    });
    let lower = canonical(&name);
    let about_client =
        request.is_some() && (lower == "host" || lower == "forwarded" || lower.starts_with("x-forwarded-"));
    let identity = identity || (request.is_some() && lower.starts_with("x-client-cert-"));
    let why = if identity {
        "tells the upstream who calls"
    } else if about_client {
        "tells the upstream where the request came from; see `preserveHost` for `Host`"
    } else if is_managed(&name) {
        "belongs to the connection, not to the message"
    } else {
        return Some(name);
    };
    reader.report(Diagnostic::error(GW525, format!("`{name}` cannot be changed")).at(span, why));
    None
}

fn header_name(reader: &mut Reader<'_>, span: Span, text: Option<&str>) -> Option<String> {
    let token = |text: &str| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
    };
    match text {
        Some(name) if token(name) => Some(name.to_owned()),
        _ => {
            reader.report(
                Diagnostic::error(GW525, "this is not the name of a header").at(span, "letters, digits and hyphens"),
            );
            None
        }
    }
}

/// Scopes stand in challenges and in tokens, separated by blanks (RFC 6749 §3.3).
pub(crate) fn is_scope(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\')
}

/// Why a credential cannot stand in a header of this name.
pub(crate) fn no_place_for_credentials(name: &str, identity: &IdentityHeaders) -> Option<&'static str> {
    let is_token =
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte));
    let IdentityHeaders { consumer, credential, custom_id, client, user } = identity;
    let same = |other: &&String| canonical(other) == canonical(name);
    if !is_token {
        Some("no header can be called that")
    } else if is_managed(name) || ["host", "cookie"].contains(&&*canonical(name)) {
        Some("the header means something else to HTTP")
    } else if [consumer, credential, custom_id, client, user].iter().any(same) {
        Some("the header tells the upstream who calls, and is never taken from clients")
    } else {
        None
    }
}

/// Why the upstream does not see a header of this name as a client sends it: what selects an operation here must select
/// it there.
pub(crate) fn not_forwarded(name: &str) -> Option<&'static str> {
    const BEGINNINGS: [&str; 18] = [
        "x-forwarded-",
        "x-original-",
        "x-rewrite-",
        "x-override-",
        "x-middleware-",
        "x-client-cert-",
        "x-http-method",
        "x-http-host-",
        "x-real-ip",
        "x-client-ip",
        "x-cluster-client-ip",
        "x-remote-",
        "true-client-ip",
        "x-host",
        "proxy",
        "remote-",
        "script-",
        "server-",
    ];
    const NAMES: [&str; 16] = [
        "forwarded",
        "via",
        "x-request-id",
        "traceparent",
        "tracestate",
        "authorization",
        "expect",
        "auth-type",
        "path-info",
        "path-translated",
        "query-string",
        "request-method",
        "request-uri",
        "x-method-override",
        "date",
        "content-length",
    ];
    let name = canonical(name);
    let is_changed = BEGINNINGS.iter().any(|begin| name.starts_with(begin)) || NAMES.contains(&&*name);
    is_changed
        .then_some("the gateway writes or removes this header, so that the upstream would not see what was selected")
}

/// Headers that frame a message or belong to one connection (RFC 9110 §7.6.1), which a proxy writes itself.
fn is_managed(name: &str) -> bool {
    const MANAGED: [&str; 12] = [
        "connection",
        "content-length",
        "expect",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "via",
    ];
    MANAGED.contains(&&*canonical(name))
}

/// A name as CGI and its descendants see it: they take `X_User_ID` for `X-User-ID`.
pub(crate) fn canonical(name: &str) -> String {
    let plain = |byte: u8| if byte.is_ascii_alphanumeric() { byte.to_ascii_lowercase().into() } else { '-' };
    name.bytes().map(plain).collect()
}

/// A risk that `acceptRisk` names, and why.
#[derive(Debug, Clone)]
pub struct AcceptedRisk {
    /// The code.
    pub code: Code,
    /// Why.
    pub reason: String,
    /// Where the code stands.
    pub at: Span,
}

/// Errors that say "not without your word for it".
const ACCEPTABLE_ERRORS: &[Code] = &[GW301, GW302, GW312];

fn accept_risk(reader: &mut Reader<'_>, node: &Node) -> Vec<AcceptedRisk> {
    let mut accepted = Vec::new();
    for item in reader.list(node, "`acceptRisk`") {
        let entries = reader.known(item, "an accepted risk", &["lint", "reason"]);
        let member = |name: &str| entries.iter().find(|entry| &*entry.key.name == name).map(|entry| &entry.value);
        let (Some(lint), Some(reason)) = (member("lint"), member("reason")) else {
            reader.wrong(item, "an accepted risk", "expected `lint` and `reason`");
            continue;
        };
        let code = lint.as_str().filter(|text| text.starts_with("GW")).and_then(Code::find);
        let can_be_accepted =
            |code: &Code, usual: Severity| usual == Severity::Warning || ACCEPTABLE_ERRORS.contains(code);
        match code {
            Some(info) if can_be_accepted(&info.code, info.severity) => match reason.as_str().map(str::trim) {
                Some(reason) if !reason.is_empty() => {
                    accepted.push(AcceptedRisk { code: info.code, reason: reason.to_owned(), at: lint.span });
                }
                _ => reader.wrong(reason, "`reason`", "expected a reason"),
            },
            Some(info) => reader.wrong(lint, "`lint`", &format!("{} is a mistake, not a risk", info.code)),
            None => reader.wrong(lint, "`lint`", "expected a code such as `GW312`"),
        }
    }
    accepted
}

/// A node as JSON text.
fn json(node: &Node) -> String {
    fn value(node: &Node) -> serde_json::Value {
        use gateway_yaml::Value;
        match &node.value {
            Value::Null => serde_json::Value::Null,
            Value::Bool(flag) => (*flag).into(),
            Value::Number(number) => match (number.as_i64(), number.as_u64()) {
                (Some(number), _) => number.into(),
                (None, Some(number)) => number.into(),
                (None, None) => number.as_f64().into(),
            },
            Value::String(text) => (&**text).into(),
            Value::Sequence(items) => items.iter().map(value).collect(),
            Value::Mapping(entries) => {
                entries.iter().map(|entry| (entry.key.name.to_string(), value(&entry.value))).collect()
            }
        }
    }
    value(node).to_string()
}
