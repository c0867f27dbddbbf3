//! The contract between the compiler and the gateway: everything that generated code may name, and nothing else.
//!
//! Generated modules are inert tables of these types. Every field is spelt out there, so a new field must be decided
//! for every operation; whatever differs in code, not in data (kinds of credential, rewrites that need an engine), is
//! reached through `&'static dyn …`, so that the linker drops what no document uses.

pub use std::time::Duration;

pub use gateway_route::{Ambiguous, EmptySegments, PathCase, TrailingSlash, UpstreamPaths};

/// All APIs that one binary serves, in the order of their names.
#[derive(Debug)]
pub struct Gateway {
    /// One entry per document in `specs/`.
    pub apis: &'static [&'static Api],
}

/// One OpenAPI document.
#[derive(Debug)]
pub struct Api {
    /// The stem of the document's file name: how `gateway.yaml` refers to it.
    pub name: &'static str,
    /// `info.title`.
    pub title: &'static str,
    /// The document's path, relative to the workspace.
    pub source: &'static str,
    /// Every path template with its operations, ordered by template.
    pub routes: &'static [Route],
    /// What is tried, in this order, where no path matches.
    pub rules: &'static [Rule],
    /// Everything that an operation of this API may call, ordered by name.
    pub upstreams: &'static [&'static Upstream],
    /// Every security scheme that an operation of this API refers to, ordered by name.
    pub schemes: &'static [&'static dyn crate::access::Scheme],
    /// The names of the headers that tell the upstream who calls; never accepted from a client.
    pub identity_headers: IdentityHeaders,
    /// Response bodies that replace the default `{"message": …}`.
    pub error_bodies: &'static [ErrorBody],
    /// How many wrong credentials are looked at, by scheme; unlimited for the others.
    pub failed_authentication: &'static [FailureLimit],
    /// Whether requests must come over TLS.
    pub https: Https,
    /// What the document's `acceptRisk` accepts; listed by `gateway routes`.
    pub accepted_risks: &'static [AcceptedRisk],
}

impl Api {
    /// Every operation: of the paths, then of the rules.
    pub(crate) fn operations(&self) -> impl Iterator<Item = &'static Operation> + use<> {
        let of_rules = self.rules.iter().filter_map(|rule| match &rule.effect {
            RuleEffect::Proxy { operation, .. } => Some(*operation),
            RuleEffect::Rewrite { .. } | RuleEffect::Redirect { .. } | RuleEffect::Respond { .. } => None,
        });
        self.routes.iter().flat_map(|route| route.operations.iter().copied()).chain(of_rules)
    }
}

/// Whether the requests of an API must come over TLS.
#[derive(Debug)]
pub enum Https {
    /// The deployment decides.
    Optional,
    /// Plain HTTP is refused before anything else is looked at.
    Required {
        /// Where plain requests are sent on to, by the host that they name; with none, they get 403.
        redirect_to: &'static [Origin],
        /// The value of `Strict-Transport-Security` (RFC 6797 §6.1) in responses over TLS; `""` for none.
        hsts: &'static str,
    },
}

/// A host that speaks TLS.
#[derive(Debug)]
pub struct Origin {
    /// In lower case.
    pub host: &'static str,
    /// The port of its URL.
    pub port: u16,
}

/// A risk that a document accepts.
#[derive(Debug)]
pub struct AcceptedRisk {
    /// The code of the compiler's message, such as `GW312`.
    pub lint: &'static str,
    /// What takes it, such as "operation `sign`".
    pub what: &'static str,
    /// Why.
    pub reason: &'static str,
}

/// A path template and the operations under it.
#[derive(Debug)]
pub struct Route {
    /// The template with the base path of `servers`, such as `/v1/notes/{id}`; `{+rest}` matches across `/`.
    pub template: &'static str,
    /// What a request must say beside its path.
    pub when: &'static [Condition],
    /// What its parameters take that servers read differently; by default nothing.
    pub allows: &'static [Allowed],
    /// What `OPTIONS` gets where no operation describes it.
    pub preflight: Preflight,
    /// One operation per method, ordered by method.
    pub operations: &'static [&'static Operation],
}

/// Characters that a path parameter takes although servers read them differently.
#[derive(Debug)]
pub struct Allowed {
    /// The name in the template.
    pub parameter: &'static str,
    /// Which of them.
    pub characters: &'static [Ambiguous],
}

/// Something that a request must say exactly once to select a route.
#[derive(Debug)]
pub enum Condition {
    /// A query parameter.
    Query {
        /// The decoded name.
        name: &'static str,
        /// The decoded value; any where there is none.
        value: Option<&'static str>,
    },
    /// A header field.
    Header {
        /// The name, whose letter case does not count.
        name: &'static str,
        /// The value; any where there is none.
        value: Option<&'static str>,
    },
}

impl std::fmt::Display for Condition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (mark, name, value) = match self {
            Self::Query { name, value } => ("?", name, value),
            Self::Header { name, value } => ("#", name, value),
        };
        match value {
            Some(value) => write!(f, "{mark}{name}={value}"),
            None => write!(f, "{mark}{name}"),
        }
    }
}

/// What an `OPTIONS` request gets on a described path that has no `options` operation.
///
/// `preflight: forward` needs no variant: the compiler writes an `OPTIONS` operation, so that a reviewer sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preflight {
    /// 204 with the described methods, for CORS preflight requests.
    Answer,
    /// 405, as for every method that is not described.
    Deny,
}

/// What becomes of requests that no path matches.
#[derive(Debug)]
pub struct Rule {
    /// `rule 1` for the first in the document.
    pub id: &'static str,
    /// Which requests.
    pub matcher: &'static dyn crate::rules::Matcher,
    /// What becomes of them.
    pub effect: RuleEffect,
}

/// What a rule does. `to` may contain `$1` to `$9`, and `$$` for a dollar.
#[derive(Debug)]
pub enum RuleEffect {
    /// Goes on with another target: with the following rules, and after them with the paths.
    Rewrite {
        /// The new path and query.
        to: &'static str,
        /// Without the following rules.
        last: bool,
    },
    /// Sends the client elsewhere.
    Redirect {
        /// A path on this host, or a URL whose host is written out.
        to: &'static str,
        /// 301, 302, 303, 307 or 308.
        status: u16,
    },
    /// Answers.
    Respond {
        /// The status.
        status: u16,
        /// Of the body.
        content_type: &'static str,
        /// The whole body.
        body: &'static str,
    },
    /// Forwards, with any method but TRACE.
    Proxy {
        /// The path and query that the upstream sees.
        to: &'static str,
        /// Who may call, and what else holds.
        operation: &'static Operation,
    },
}

/// One operation: who may call it, what it is forwarded to, and how.
#[derive(Debug)]
pub struct Operation {
    /// `operationId`, or the method and the template where the document gives none.
    pub id: &'static str,
    /// The method, in upper case as on the wire; `ANY` for a rule's.
    pub method: &'static str,
    /// Who may call.
    pub access: Access,
    /// What is done with a permitted request.
    pub action: Action,
    /// Path parameters whose type is more than a string.
    pub parameters: &'static [PathParameter],
    /// Changes to the request on its way to the upstream.
    pub request_headers: HeaderEdits,
    /// Changes to the response on its way to the client.
    pub response_headers: HeaderEdits,
    /// A larger request body is refused with 413.
    pub max_body: ByteSize,
    /// Which consumers may call, beside having a good credential.
    pub consumers: ConsumerRules,
    /// What an empty alternative (`{}`) of `access` means.
    pub anonymous: Anonymous,
    /// What each request is charged to: all of these, or none if one refuses.
    pub limits: &'static [LimitUse],
    /// The upstream may read some of its paths as those of an operation that others may call; the stricter of the two
    /// answers these.
    pub contested: bool,
}

/// What an operation does with a permitted request.
#[derive(Debug)]
pub enum Action {
    /// Sends it to an upstream.
    Forward {
        /// Who is called.
        to: &'static Upstream,
        /// The path that the upstream sees.
        path: Rewrite,
    },
    /// Answers it.
    Answer(&'static dyn crate::builtin::Builtin),
}

/// Which consumers an operation admits; without any rule, all of them.
#[derive(Debug, PartialEq, Eq)]
pub struct ConsumerRules {
    /// Only these user names, and
    pub allow: &'static [&'static str],
    /// the members of these groups.
    pub groups: &'static [&'static str],
    /// Not these user names, whatever else holds.
    pub deny: &'static [&'static str],
    /// These user names with these methods only.
    pub methods: &'static [(&'static str, &'static [&'static str])],
}

impl ConsumerRules {
    /// Every consumer may call.
    pub const NONE: Self = Self { allow: &[], groups: &[], deny: &[], methods: &[] };

    /// Whether there is no rule.
    pub(crate) fn is_none(&self) -> bool {
        *self == Self::NONE
    }
}

/// A limit that an operation charges.
#[derive(Debug)]
pub struct LimitUse {
    /// The limit.
    pub limit: &'static Limit,
    /// What one request costs.
    pub cost: u64,
}

/// A rate limit with a counter for each key.
#[derive(Debug)]
pub struct Limit {
    /// What clients are told.
    pub name: &'static str,
    /// One counter for all who use the name, in all APIs; otherwise for all who use this static.
    pub shared: bool,
    /// How requests are admitted.
    pub algorithm: Algorithm,
    /// Whose requests are counted together: all parts make one key.
    pub key: &'static [LimitKey],
    /// Requests that have no part of the key are not counted; otherwise by address.
    pub skips_missing_key: bool,
    /// Of a refusal.
    pub status: u16,
    /// JSON text of a refusal; `""` for the usual.
    pub body: &'static str,
    /// What clients are told in headers.
    pub headers: LimitHeaders,
    /// Who counts for all gateways together; each for itself without.
    pub store: Option<LimitStore>,
}

/// A store that counts for several gateways.
#[derive(Debug)]
pub struct LimitStore {
    /// Its name in `gateway.yaml`.
    pub name: &'static str,
    /// What speaks to it.
    pub client: &'static dyn crate::store::StoreClient,
    /// How often it is asked.
    pub mode: StoreMode,
    /// What becomes of a request when it does not answer.
    pub on_error: OnStoreError,
}

/// How often a store is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StoreMode {
    /// For each request.
    Exact,
    /// For many requests at once, ahead of them.
    Fast,
}

/// What becomes of a request whose store does not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OnStoreError {
    /// It is refused with 503.
    Deny,
    /// This limit does not count.
    Allow,
    /// This gateway counts for itself.
    Local,
}

/// How many wrong credentials of a scheme are looked at before 429.
#[derive(Debug)]
pub struct FailureLimit {
    /// The key under `components/securitySchemes`.
    pub scheme: &'static str,
    /// So many
    pub limit: u64,
    /// in so long, from the first on; in whole seconds.
    pub interval: Duration,
    /// Whose failures are counted together: [`LimitKey::Ip`], [`LimitKey::Header`] and [`LimitKey::Const`] only.
    pub key: &'static [LimitKey],
}

/// A part of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitKey {
    /// The consumer, or else the user, or else the OAuth client, or else the address.
    Caller,
    /// The client's address, as far as trusted proxies tell; of IPv6, the /64.
    Ip,
    /// The OAuth client.
    Client,
    /// The consumer's name.
    Consumer,
    /// The user whom an issuer's token names.
    User,
    /// The credential that was used.
    Credential,
    /// A header's value.
    Header(&'static str),
    /// A query parameter's value.
    Query(&'static str),
    /// The request's path as received.
    Path,
    /// The same for all.
    Const(&'static str),
}

/// What clients are told in headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitHeaders {
    /// Nothing but `Retry-After`.
    None,
    /// `RateLimit`, `RateLimit-Policy` and `X-RateLimit-…`.
    Default,
    /// `X-<prefix>-RateLimit-…`.
    Prefixed(&'static str),
}

/// How a request without credentials goes on where `{}` admits it.
#[derive(Debug)]
pub struct Anonymous {
    /// The consumer as whom it counts, or `""` for none.
    pub consumer: &'static str,
    /// A credential that is not good counts as none.
    pub despite_invalid: bool,
}

/// Who may call an operation: OpenAPI's `security` with its inheritance done.
#[derive(Debug)]
pub enum Access {
    /// No credential is asked for.
    Anyone {
        /// Where the document says so, for the access log and the reviewer, such as `security: []`.
        because: &'static str,
    },
    /// One of these alternatives must hold, each with all of its requirements. An empty alternative (`{}`) admits a
    /// request that brings no credential at all.
    OneOf(&'static [&'static [Requirement]]),
}

impl Anonymous {
    /// A request without credentials counts as no consumer.
    pub const NOBODY: Self = Self { consumer: "", despite_invalid: false };
}

/// A scheme and the scopes (or roles) that are all needed.
#[derive(Debug)]
pub struct Requirement {
    /// How the caller proves who it is.
    pub scheme: &'static dyn crate::access::Scheme,
    /// What it must be allowed to do: every one of these.
    pub scopes: &'static [&'static str],
}

/// A server that requests are forwarded to. Its address can be replaced per deployment.
#[derive(Debug)]
pub struct Upstream {
    /// The name under `x-gateway.upstreams`, or `default` for the unnamed one.
    pub name: &'static str,
    /// `http://host[:port][/prefix]`.
    pub url: &'static str,
    /// Send the client's `Host` instead of the upstream's own.
    pub preserve_host: bool,
    /// What it takes for the same when it reads a path.
    pub paths: UpstreamPaths,
    /// What becomes of `Location` and `Content-Location` in its responses.
    pub locations: Locations,
    /// To establish a connection; 504 when it passes.
    pub connect_timeout: Duration,
    /// From the end of the request to the head of the response; 504 when it passes.
    pub response_timeout: Duration,
    /// Between two pieces of a body, in either direction.
    pub idle_timeout: Duration,
}

/// What becomes of an upstream's own addresses in the fields of its responses that say where something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Locations {
    /// They become the gateway's.
    Translate,
    /// They stay as they are.
    Keep,
}

/// How the path of the forwarded request is made.
#[derive(Debug)]
pub enum Rewrite {
    /// The path as it was received, less the base path of `servers`.
    Received {
        /// The base path, `""` for none.
        base: &'static str,
    },
    /// A template filled with the path parameters.
    Path(&'static str),
    /// Something that needs an engine.
    With(&'static dyn crate::rewrite::Rewriter),
}

/// A path parameter with a type that its value must have; anything else is answered with 400.
#[derive(Debug)]
pub struct PathParameter {
    /// The name in the template.
    pub name: &'static str,
    /// What the decoded value must look like.
    pub kind: ParameterKind,
}

/// The JSON Schema types that a path parameter is checked against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParameterKind {
    /// An optional sign and digits.
    Integer,
    /// A JSON number.
    Number,
    /// `true` or `false`.
    Boolean,
}

/// Changes to the headers of a message: first `remove`, then `set` (replacing), then `add` (beside what is there).
#[derive(Debug)]
pub struct HeaderEdits {
    /// Names, in lower case.
    pub remove: &'static [&'static str],
    /// Names as written by the author, and values.
    pub set: &'static [(&'static str, &'static str)],
    /// Names as written by the author, and values.
    pub add: &'static [(&'static str, &'static str)],
}

/// The headers that carry the caller's identity to the upstream.
#[derive(Debug)]
pub struct IdentityHeaders {
    /// The consumer's user name.
    pub consumer: &'static str,
    /// The credential that was used.
    pub credential: &'static str,
    /// The consumer's label `customId`.
    pub custom_id: &'static str,
    /// The OAuth client.
    pub client: &'static str,
    /// The user.
    pub user: &'static str,
}

/// A refusal's body, as `x-gateway.errors.bodies` gives it.
#[derive(Debug)]
pub struct ErrorBody {
    /// Which refusals carry it.
    pub class: ErrorClass,
    /// The JSON text.
    pub json: &'static str,
}

/// The classes of refusals whose body a document may choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorClass {
    /// `auth.missing`, 401: no credential.
    AuthMissing,
    /// `auth.invalid`, 401: a credential that is not good.
    AuthInvalid,
    /// `auth.forbidden`, 403: a good credential that is not enough.
    AuthForbidden,
    /// `parameter.invalid`, 400: a path parameter that does not fit its schema.
    ParameterInvalid,
    /// `method.notAllowed`, 405.
    MethodNotAllowed,
    /// `body.tooLarge`, 413.
    BodyTooLarge,
    /// `limit.exceeded`, 429 unless the limit says otherwise.
    LimitExceeded,
    /// `upstream.failed`, 502.
    UpstreamFailed,
    /// `upstream.unavailable`, 503: credentials cannot be checked, or the gateway is overloaded.
    Unavailable,
    /// `upstream.timeout`, 504.
    UpstreamTimeout,
}

/// A size in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(pub u64);

impl ByteSize {
    /// Whole bytes.
    pub const fn bytes(count: u64) -> Self {
        Self(count)
    }

    /// Multiples of 1,024 bytes.
    pub const fn kib(count: u64) -> Self {
        Self(count << 10)
    }

    /// Multiples of 1,048,576 bytes.
    pub const fn mib(count: u64) -> Self {
        Self(count << 20)
    }
}

pub use crate::api_key::ApiKey;
pub use crate::basic::Basic;
pub use crate::credential::CredentialLocation;
pub use crate::hmac::{BodyDigest, HmacAlgorithm, HmacProfile, HmacSignature, Replay};
pub use crate::jwt::consumer::ConsumerJwt;
pub use crate::jwt::sign::JwtSign;
pub use crate::jwt::{JwtAlgorithm, JwtBearer, JwtKey};
pub use crate::limits::Algorithm;
pub use crate::mutual_tls::MutualTls;
pub use crate::oauth::{
    AccessTokenTerms, AdminKey, AuthorizationServer, ClientPath, Endpoint, EndpointPaths, Grant, LoginSession,
    OauthEndpoint, OwnToken, PkceRequirement, RefreshTokenTerms, Registry, RegistryAction, Resource, Scope,
    TokenFormat,
};
pub use crate::provider::{Introspection, JwksUrl, OpenIdConnect};
pub use crate::rewrite::RegexRewrite;
pub use crate::rules::RulePattern;
pub use crate::secret::{Encoding, SecretReference, SecretSource};
pub use crate::static_files::{StaticFile, StaticFiles};
pub use crate::store::Redis;
