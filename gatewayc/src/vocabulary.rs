//! `x-gateway`, read into types: what stands where, and what each member may be.

mod accepted_risk;
mod authority;
mod authorization_server;
mod balance;
mod builtin;
mod cache;
mod claims;
mod compression;
mod consumers;
mod cors;
mod endpoints;
mod headers;
mod health;
mod https;
mod json;
mod limit;
mod literals;
mod origin;
mod preflight;
mod provider;
mod reader;
mod retry;
mod rewrite;
mod rules;
mod scheme;
mod secret;
mod security_headers;
mod split;
mod upgrade;
mod upstream;
mod upstream_auth;
mod validation;

use gateway_route::{Allowance, Ambiguous};
use gateway_yaml::{Entry, Node, Spanned};

use crate::diagnostic::{Diagnostic, Diagnostics, GW104};
use crate::ir::{
    Anonymous, Cache, Compression, ConsumerRules, ErrorBody, ErrorClass, ErrorFormat, FailureLimit, HeaderEdits,
    IdentityHeaders, Limit, Upstream,
};
use crate::units::{self, ByteSize};

pub use accepted_risk::AcceptedRisk;
pub use authorization_server::AuthorizationServerPolicy;
pub use builtin::BuiltinPolicy;
pub use cors::CorsChoice;
pub(crate) use headers::{canonical, in_order, no_place_for_credentials, not_forwarded};
pub use https::HttpsPolicy;
pub(crate) use limit::failed_authentication;
pub use limit::{LimitChoice, LimitEntry};
pub(crate) use literals::{check_url, check_urls};
pub use preflight::PreflightPolicy;
pub(crate) use provider::{UrlProblem, check_discovery_url, in_the_clear};
pub(crate) use reader::Reader;
pub use reader::{MEMBERS, Member, Place};
pub use rewrite::RewritePolicy;
pub use rules::{RuleChoice, RulePolicy};
pub(crate) use scheme::{HmacPolicy, JwtPolicy, JwtSigner, OwnCredential, SchemeExtension, Verification, scheme};
pub use split::{MirrorPolicy, SplitPolicy};
pub use upgrade::UpgradeChoice;
pub use upstream::UpstreamChoice;
pub use validation::ValidationPolicy;

/// What `x-gateway` at the root says.
#[derive(Debug, Default)]
pub struct Root {
    /// `upstreams`, in the order of the document.
    pub upstreams: Vec<(Spanned<String>, Upstream)>,
    /// `identityHeaders`, with the defaults for those that it leaves out.
    pub identity_headers: IdentityHeaders,
    /// `errors.format`.
    pub error_format: Option<ErrorFormat>,
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
    /// `public`: operations that another file makes public, such as `GET /health`.
    pub public: Vec<Spanned<String>>,
    /// The names in `serverVariables`.
    pub server_variables: Vec<Spanned<String>>,
    /// `rules`, in the order of the document; nothing where one is broken.
    pub rules: Vec<Option<RulePolicy>>,
    /// What operations inherit.
    pub inheritable: Inheritable,
}

/// Members that an operation inherits from its path item, and that from the root: the nearest stands, as a whole.
#[derive(Debug, Default, Clone)]
pub struct Inheritable {
    /// `upstream`.
    pub upstream: Option<UpstreamChoice>,
    /// `split`; without entries for `off`.
    pub split: Option<SplitPolicy>,
    /// `mirror`; `Some(None)` for `off`.
    pub mirror: Option<Option<MirrorPolicy>>,
    /// `rewrite`.
    pub rewrite: Option<RewritePolicy>,
    /// `requestHeaders`.
    pub request_headers: Option<HeaderEdits>,
    /// `responseHeaders`.
    pub response_headers: Option<HeaderEdits>,
    /// `compress`; `Some(None)` for `off`.
    pub compression: Option<Option<Compression>>,
    /// `cache`; `Some(None)` for `off`.
    pub cache: Option<Option<Cache>>,
    /// `maxBody`.
    pub max_body: Option<ByteSize>,
    /// `consumers`.
    pub consumers: Option<ConsumerRules>,
    /// `anonymous`.
    pub anonymous: Option<Spanned<Anonymous>>,
    /// `rateLimit`.
    pub rate_limit: Option<Vec<LimitEntry>>,
    /// `validation`; each of its members is inherited by itself.
    pub validation: ValidationPolicy,
    /// `cors`; `Some(None)` for `off`.
    pub cors: Option<Option<CorsChoice>>,
    /// `securityHeaders`: names and values; none for `off`.
    pub security_headers: Option<Vec<(String, String)>>,
    /// `builtin`, with its arguments; not inherited.
    pub builtin: Option<Spanned<Option<BuiltinPolicy>>>,
    /// `retry.methods`: what may be repeated although it is not idempotent; not inherited.
    pub repeatable: Vec<String>,
    /// `upgrade`; not inherited.
    pub upgrade: Option<Spanned<UpgradeChoice>>,
    /// `acceptRisk`; not inherited.
    pub accepted: Vec<AcceptedRisk>,
}

impl Inheritable {
    /// What holds here, given what holds around.
    pub(crate) fn or(self, outer: &Self) -> Self {
        let is_elsewhere = self.upstream.is_some();
        let inherited = || {
            outer.split.clone().map(|split| SplitPolicy { is_elsewhere: split.is_elsewhere || is_elsewhere, ..split })
        };
        Self {
            split: self.split.or_else(inherited),
            mirror: self.mirror.or_else(|| outer.mirror.clone()),
            upstream: self.upstream.or_else(|| outer.upstream.clone()),
            rewrite: self.rewrite.or_else(|| outer.rewrite.clone()),
            request_headers: self.request_headers.or_else(|| outer.request_headers.clone()),
            response_headers: self.response_headers.or_else(|| outer.response_headers.clone()),
            compression: self.compression.or_else(|| outer.compression.clone()),
            cache: self.cache.or_else(|| outer.cache.clone()),
            max_body: self.max_body.or(outer.max_body),
            consumers: self.consumers.or_else(|| outer.consumers.clone()),
            anonymous: self.anonymous.or_else(|| outer.anonymous.clone()),
            rate_limit: self.rate_limit.or_else(|| outer.rate_limit.clone()),
            validation: self.validation.or(&outer.validation),
            cors: self.cors.or_else(|| outer.cors.clone()),
            security_headers: self.security_headers.or_else(|| outer.security_headers.clone()),
            builtin: self.builtin,
            repeatable: self.repeatable,
            upgrade: self.upgrade,
            accepted: self.accepted,
        }
    }
}

/// Reads `x-gateway` at the root.
pub(crate) fn root(node: &Node, diagnostics: &mut Diagnostics) -> Root {
    let mut root = Root::default();
    let mut reader = Reader::new(diagnostics);
    let Some(members) = reader.members(node, Place::Root) else { return root };
    // The names of identity headers decide which header changes are allowed.
    if let Some(entry) = members.iter().find(|entry| &*entry.key.name == "identityHeaders") {
        root.identity_headers = headers::identity_headers(&mut reader, &entry.value);
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
                    let policy = upstream::upstream(&mut reader, &entry.value).unwrap_or_else(|| Upstream::at(""));
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
            "public" => root.public = public(&mut reader, &entry.value),
            "rules" => root.rules = rules::rules(&mut reader, &entry.value),
            "serverVariables" => root.server_variables = server_variables(&mut reader, &entry.value),
            "errors" => errors(&mut reader, &entry.value, &mut root),
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

fn public(reader: &mut Reader<'_>, node: &Node) -> Vec<Spanned<String>> {
    let mut operations = Vec::new();
    for item in reader.list(node, "`public`") {
        let is_operation = |text: &&str| {
            text.split_once(' ').is_some_and(|(method, path)| !method.is_empty() && path.starts_with('/'))
        };
        match item.as_str().filter(is_operation) {
            Some(text) => operations.push(Spanned::new(item.span, text.to_owned())),
            None => {
                reader.wrong(item, "an operation in `public`", "expected a method and a path, such as `GET /health`")
            }
        }
    }
    operations
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
            "upstream" => found.upstream = Some(upstream::upstream_choice(reader, value, place)),
            "split" => found.split = split::split(reader, key.span, value, identity),
            "mirror" => found.mirror = split::mirror(reader, key.span, value),
            "rewrite" => found.rewrite = rewrite::rewrite(reader, value),
            "requestHeaders" => found.request_headers = Some(headers::header_edits(reader, value, Some(identity))),
            "responseHeaders" => found.response_headers = Some(headers::header_edits(reader, value, None)),
            "cache" => found.cache = cache::cache(reader, key.span, value),
            "compress" => found.compression = compression::compression(reader, key.span, value),
            "maxBody" => found.max_body = reader.unit(value, "`maxBody`", units::size),
            "consumers" => found.consumers = Some(consumers::consumers(reader, value)),
            "anonymous" => found.anonymous = Some(Spanned::new(key.span, consumers::anonymous(reader, value))),
            name if builtin::ARGUMENTS.iter().any(|(argument, _)| *argument == name) => {
                builtin::check_argument(reader, key, members);
            }
            "validation" => found.validation = validation::validation(reader, value),
            "cors" => found.cors = Some(cors::cors(reader, key.span, value)),
            "securityHeaders" => {
                found.security_headers = Some(security_headers::security_headers(reader, value));
            }
            "rateLimit" => found.rate_limit = Some(limit::entries(reader, value)),
            "builtin" => found.builtin = Some(Spanned::new(key.span, builtin::builtin(reader, value, members))),
            "retry" => found.repeatable = retry::repeatable(reader, value),
            "upgrade" => {
                found.upgrade = upgrade::upgrade(reader, value).map(|choice| Spanned::new(key.span, choice));
            }
            "acceptRisk" => found.accepted = accepted_risk::accept_risk(reader, value),
            _ => {}
        }
    }
    found
}

fn errors(reader: &mut Reader<'_>, node: &Node, root: &mut Root) {
    for entry in reader.known(node, "`errors`", &["bodies", "format"]) {
        if &*entry.key.name == "format" {
            let choices = [("message", ErrorFormat::Message), ("problem", ErrorFormat::Problem)];
            root.error_format = reader.choice(&entry.value, "`format`", &choices);
            continue;
        }
        for Entry { key, value } in reader.mapping(&entry.value, "`bodies`") {
            match ErrorClass::ALL.iter().copied().find(|class| class.name() == &*key.name) {
                Some(class) => root.error_bodies.push(ErrorBody { class, json: json::json(value) }),
                None => reader.unknown(key, "`bodies`", ErrorClass::ALL.iter().map(|class| class.name())),
            }
        }
    }
    root.error_bodies.sort_by_key(|body| body.class.name());
}

/// Scopes stand in challenges and in tokens, separated by blanks (RFC 6749 §3.3).
pub(crate) fn is_scope(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\')
}
