//! What the gateway does: inheritance done, defaults explicit, units typed, nothing left to decide.

mod hmac;
mod limit;
mod oauth;
mod rule;
mod static_files;

use std::collections::BTreeMap;
use std::time::Duration;

use gateway_route::{Condition, Template, UpstreamPaths};
use gateway_yaml::Span;

use crate::units::ByteSize;

pub use hmac::{Hmac, HmacAlgorithm, HmacProfile};
pub use limit::{
    FailureLimit, Limit, LimitAlgorithm, LimitHeaders, LimitKey, LimitStore, LimitUse, OnStoreError, StoreMode,
};
pub use oauth::{
    AuthorizationServer, ClientPath, Endpoint, Grant, LoginSession, PkceRequirement, RegistryAction, Resource, Scope,
    TokenFormat,
};
pub use rule::{Rule, RuleEffect, RulePattern};
pub use static_files::{StaticFile, StaticFiles, content_type};

/// Everything that one binary serves, ordered by name.
#[derive(Debug, Clone)]
pub struct Gateway {
    /// One API per document.
    pub apis: Vec<Api>,
}

/// One document.
#[derive(Debug, Clone)]
pub struct Api {
    /// The stem of the file name.
    pub name: String,
    /// `info.title`.
    pub title: String,
    /// The document's path as shown to people.
    pub source: String,
    /// Ordered by template and conditions.
    pub routes: Vec<Route>,
    /// What is tried where no path matches, in the order of the document.
    pub rules: Vec<Rule>,
    /// Those that operations use, ordered by name.
    pub upstreams: Vec<Upstream>,
    /// Those that operations use, ordered by name.
    pub schemes: Vec<Scheme>,
    /// The names of the headers that tell the upstream who calls.
    pub identity_headers: IdentityHeaders,
    /// Ordered by class.
    pub error_bodies: Vec<ErrorBody>,
    /// Those that operations charge, ordered by name.
    pub limits: Vec<Limit>,
    /// Where the limits that documents share are described.
    pub limit_places: BTreeMap<String, Span>,
    /// Requests must come over TLS.
    pub https: Option<Https>,
    /// It gives tokens itself.
    pub authorization_server: Option<AuthorizationServer>,
    /// What `acceptRisk` accepts, ordered by code and place.
    pub accepted_risks: Vec<AcceptedRisk>,
}

/// What is done about plain HTTP where requests must come over TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Https {
    /// Where plain requests are sent on to, ordered by host; nowhere if empty: they are refused.
    pub redirect_to: Vec<Origin>,
    /// `Strict-Transport-Security`.
    pub hsts: Option<Hsts>,
}

/// A host that speaks TLS.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Origin {
    /// In lower case.
    pub host: String,
    /// Of the address.
    pub port: u16,
}

/// How long browsers are to remember that there is no plain HTTP (RFC 6797).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hsts {
    /// Whole seconds, at least one: with none, browsers forget it.
    pub max_age: Duration,
    /// For all names below as well.
    pub include_subdomains: bool,
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.port {
            443 => write!(f, "https://{}", self.host),
            port => write!(f, "https://{}:{port}", self.host),
        }
    }
}

impl Hsts {
    /// The value of the header (RFC 6797 §6.1).
    pub fn header(self) -> String {
        let subdomains = if self.include_subdomains { "; includeSubDomains" } else { "" };
        format!("max-age={}{subdomains}", self.max_age.as_secs())
    }
}

/// A risk that a document accepts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct AcceptedRisk {
    /// The code of the message, such as `GW312`.
    pub lint: String,
    /// What takes it, such as "operation `sign`".
    pub what: String,
    /// Why.
    pub reason: String,
}

/// A path template and its operations.
#[derive(Debug, Clone)]
pub struct Route {
    /// With the base path of `servers`.
    pub template: Template,
    /// What a request must say beside its path.
    pub when: Vec<Condition>,
    /// What `OPTIONS` gets where no operation describes it.
    pub preflight: Preflight,
    /// Ordered by method.
    pub operations: Vec<Operation>,
    /// Method and id of every operation in the document, ordered by method: more than `operations` where some could not
    /// be lowered.
    pub described: Vec<(String, String)>,
    /// The path's key in the document.
    pub span: Span,
}

/// What an `OPTIONS` request gets that no operation describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preflight {
    /// 204 with the described methods.
    Answer,
    /// 405.
    Deny,
}

/// One operation.
#[derive(Debug, Clone)]
pub struct Operation {
    /// `operationId`, or method and path.
    pub id: String,
    /// In upper case; [`Operation::ANY`] for a rule's.
    pub method: String,
    /// The summary, for comments only.
    pub summary: String,
    /// Who may call.
    pub access: Access,
    /// What is done with a permitted request.
    pub action: Action,
    /// Path parameters whose type is more than text, in the order of the template.
    pub parameters: Vec<PathParameter>,
    /// The values that `enum` lists for path parameters; decides about routes, and is not compiled.
    pub listed_values: Vec<(String, Vec<String>)>,
    /// Changes to the request.
    pub request_headers: HeaderEdits,
    /// Changes to the response.
    pub response_headers: HeaderEdits,
    /// The largest request body.
    pub max_body: ByteSize,
    /// Which consumers may call.
    pub consumers: ConsumerRules,
    /// What `{}` in `security` means.
    pub anonymous: Anonymous,
    /// What each request is charged to.
    pub limits: Vec<LimitUse>,
    /// The upstream may read some of its paths as those of an operation with another access.
    pub contested: bool,
    /// The operation's method in the document.
    pub span: Span,
}

impl Operation {
    /// What stands for the method of an operation that takes every one.
    pub const ANY: &'static str = "ANY";
}

/// What an operation does.
#[derive(Debug, Clone)]
pub enum Action {
    /// Sends requests to an upstream.
    Forward {
        /// The name of an upstream of the API.
        upstream: String,
        /// The path that the upstream sees.
        rewrite: Rewrite,
    },
    /// Answers them.
    Answer(Builtin),
}

/// What the gateway can answer itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Builtin {
    /// Signs tokens of consumers.
    JwtSign {
        /// The claim that names the credential.
        key_claim: String,
    },
    /// Is an endpoint of the authorization server.
    Oauth {
        /// Which.
        endpoint: Endpoint,
        /// What it gives tokens for, in the order of [`Grant`].
        grants: Vec<Grant>,
    },
    /// Registers clients and users.
    Registry {
        /// What is done.
        action: RegistryAction,
        /// The path parameter with the client's id; `""` where it is about none.
        parameter: String,
    },
    /// Serves files.
    Static(StaticFiles),
}

impl Builtin {
    /// The word after `builtin:`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::JwtSign { .. } => "jwt.sign",
            Self::Oauth { endpoint, .. } => endpoint.name(),
            Self::Registry { action, .. } => action.name(),
            Self::Static(_) => "static",
        }
    }
}

/// Which consumers may call; without any rule, all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConsumerRules {
    /// Only these user names, and
    pub allow: Vec<String>,
    /// the members of these groups.
    pub groups: Vec<String>,
    /// Not these user names.
    pub deny: Vec<String>,
    /// These user names with these methods only, ordered by name.
    pub methods: Vec<(String, Vec<String>)>,
}

/// How a request without credentials goes on where `{}` admits it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Anonymous {
    /// The consumer as whom it counts, `""` for none.
    pub consumer: String,
    /// A credential that is not good counts as none.
    pub despite_invalid: bool,
}

/// Who may call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// No credential is asked for.
    Anyone {
        /// Where the document says so.
        because: &'static str,
    },
    /// One of the alternatives must hold, each with all of its requirements.
    OneOf(Vec<Vec<Requirement>>),
}

/// A scheme and what its caller must be allowed to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    /// The name of a scheme of the API.
    pub scheme: String,
    /// All of these.
    pub scopes: Vec<String>,
}

/// How the forwarded path is made.
#[derive(Debug, Clone)]
pub enum Rewrite {
    /// As received, less the base path.
    Received {
        /// `""` for none.
        base: String,
    },
    /// A template filled with the path parameters.
    Path(Template),
    /// A regular expression and its replacement.
    Regex {
        /// The base path, which the expression does not see.
        base: String,
        /// The expression.
        pattern: String,
        /// The replacement.
        to: String,
    },
}

/// A path parameter with a type.
#[derive(Debug, Clone)]
pub struct PathParameter {
    /// The name in the template.
    pub name: String,
    /// What its value must look like.
    pub kind: ParameterKind,
}

/// The types that a path parameter is checked against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParameterKind {
    /// Digits.
    Integer,
    /// A JSON number.
    Number,
    /// `true` or `false`.
    Boolean,
}

/// Changes to the headers of a message: `remove`, then `set`, then `add`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HeaderEdits {
    /// Names in lower case.
    pub remove: Vec<String>,
    /// Names as written, and values.
    pub set: Vec<(String, String)>,
    /// Names as written, and values.
    pub add: Vec<(String, String)>,
}

/// A server that requests are forwarded to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upstream {
    /// The name in the document, `default` for the unnamed one at the root.
    pub name: String,
    /// `http://host[:port][/prefix]`, or the same with `https://`.
    pub url: String,
    /// Send the client's `Host`.
    pub preserve_host: bool,
    /// How it reads paths.
    pub paths: UpstreamPaths,
    /// What becomes of its own addresses in `Location` and `Content-Location`.
    pub locations: Locations,
    /// To connect.
    pub connect_timeout: Duration,
    /// To the head of the response.
    pub response_timeout: Duration,
    /// Between two pieces of a body.
    pub idle_timeout: Duration,
}

/// What becomes of an upstream's own addresses in the fields that say where something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Locations {
    /// They become the gateway's.
    Translate,
    /// They stay.
    Keep,
}

/// How a caller proves who it is.
#[derive(Debug, Clone)]
pub struct Scheme {
    /// The name in `components.securitySchemes`.
    pub name: String,
    /// Where the credential may stand.
    pub locations: Vec<CredentialLocation>,
    /// `realm` of the challenge.
    pub realm: String,
    /// The upstream sees the credential.
    pub forward: bool,
    /// What the credential is.
    pub credential: Credential,
    /// How many wrong ones are looked at.
    pub failures: Option<FailureLimit>,
}

/// Kinds of credential.
#[derive(Debug, Clone)]
pub enum Credential {
    /// A key that names a consumer.
    ApiKey,
    /// User name and password of a consumer.
    Basic,
    /// A JWT signed with a known key.
    Jwt(Box<Jwt>),
    /// A JWT signed by a consumer.
    ConsumerJwt(Box<ConsumerJwt>),
    /// A consumer's signature over the request.
    Hmac(Box<Hmac>),
    /// A certificate of a consumer's own.
    Certificate,
    /// A token that only its provider understands.
    Introspection(Box<Introspection>),
    /// A token that the document's authorization server gave.
    OwnToken,
    /// A session of a user who has logged in.
    Session(LoginSession),
    /// The key of the deployment's administrators.
    AdminKey,
}

impl Scheme {
    /// What a reviewer calls the kind of credential.
    pub fn kind(&self) -> &'static str {
        match self.credential {
            Credential::ApiKey => "api key",
            Credential::Basic => "basic",
            Credential::Jwt(_) => "jwt",
            Credential::ConsumerJwt(_) => "consumer jwt",
            Credential::Hmac(_) => "hmac",
            Credential::Certificate => "certificate",
            Credential::Introspection(_) => "token",
            Credential::OwnToken => "own token",
            Credential::Session(_) => "session",
            Credential::AdminKey => "admin key",
        }
    }

    /// Whether it tells which consumer calls.
    pub fn knows_consumers(&self) -> bool {
        match self.credential {
            Credential::ApiKey
            | Credential::Basic
            | Credential::ConsumerJwt(_)
            | Credential::Hmac(_)
            | Credential::Certificate => true,
            Credential::Jwt(_)
            | Credential::Introspection(_)
            | Credential::OwnToken
            | Credential::Session(_)
            | Credential::AdminKey => false,
        }
    }
}

/// How a provider is asked about a token.
#[derive(Debug, Clone)]
pub struct Introspection {
    /// A header may hold the token without `Bearer `.
    pub bare: bool,
    /// Where.
    pub url: String,
    /// As whom.
    pub client_id: String,
    /// With which secret.
    pub client_secret: SecretReference,
    /// How long a good answer is used.
    pub cache: Duration,
    /// Accepted values of `iss`; empty accepts any.
    pub issuers: Vec<String>,
    /// Accepted values of `aud`; empty accepts any.
    pub audiences: Vec<String>,
    /// Accepted values of `client_id` or `azp`; empty accepts any.
    pub client_ids: Vec<String>,
    /// Where scopes are: names of claims, or paths with dots.
    pub scope_claims: Vec<String>,
}

/// How a token is checked.
#[derive(Debug, Clone)]
pub struct Jwt {
    /// A header may hold the token without `Bearer `.
    pub bare: bool,
    /// The accepted algorithms, all of one family.
    pub algorithms: Vec<JwtAlgorithm>,
    /// What signatures are checked with.
    pub key: JwtKey,
    /// Claims that must be there.
    pub required_claims: Vec<String>,
    /// Accepted values of `iss`; empty accepts any.
    pub issuers: Vec<String>,
    /// Accepted values of `aud`; empty accepts any.
    pub audiences: Vec<String>,
    /// Accepted values of `client_id` or `azp`; empty accepts any.
    pub client_ids: Vec<String>,
    /// Where scopes are: names of claims, or paths with dots.
    pub scope_claims: Vec<String>,
    /// How far clocks may differ.
    pub leeway: Duration,
    /// Accept an HMAC key below 32 bytes.
    pub weak_secret_ok: bool,
}

/// How a consumer's token is checked.
#[derive(Debug, Clone)]
pub struct ConsumerJwt {
    /// A header may hold the token without `Bearer `.
    pub bare: bool,
    /// The claim that names the credential.
    pub key_claim: String,
    /// Claims that must be there.
    pub required_claims: Vec<String>,
    /// Accepted values of `iss`; empty accepts any.
    pub issuers: Vec<String>,
    /// Accepted values of `aud`; empty accepts any.
    pub audiences: Vec<String>,
    /// How far clocks may differ.
    pub leeway: Duration,
}

/// A place that may hold a credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CredentialLocation {
    /// A header field.
    Header(String),
    /// A query parameter.
    Query(String),
    /// A cookie.
    Cookie(String),
    /// A field of a form.
    Form(String),
}

/// Signature algorithms; see [`JwtAlgorithm::ALL`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JwtAlgorithm {
    /// As in the header of a token and in generated code.
    pub name: &'static str,
    /// What kind of key it needs.
    pub family: KeyFamily,
}

/// Where scopes are unless a document says otherwise.
pub const SCOPE_CLAIMS: &[&str] = &["scope", "scp", "roles"];

/// Kinds of key; one scheme accepts one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyFamily {
    /// A shared secret.
    Secret,
    /// An RSA key.
    Rsa,
    /// A key on an elliptic curve.
    EllipticCurve,
    /// An Edwards-curve key.
    Edwards,
}

impl JwtAlgorithm {
    /// All that tokens may use. There is no `none`.
    pub const ALL: &'static [Self] = &[
        Self { name: "HS256", family: KeyFamily::Secret },
        Self { name: "HS384", family: KeyFamily::Secret },
        Self { name: "HS512", family: KeyFamily::Secret },
        Self { name: "RS256", family: KeyFamily::Rsa },
        Self { name: "RS384", family: KeyFamily::Rsa },
        Self { name: "RS512", family: KeyFamily::Rsa },
        Self { name: "PS256", family: KeyFamily::Rsa },
        Self { name: "PS384", family: KeyFamily::Rsa },
        Self { name: "PS512", family: KeyFamily::Rsa },
        Self { name: "ES256", family: KeyFamily::EllipticCurve },
        Self { name: "ES384", family: KeyFamily::EllipticCurve },
        Self { name: "ES512", family: KeyFamily::EllipticCurve },
        Self { name: "EdDSA", family: KeyFamily::Edwards },
        Self { name: "Ed25519", family: KeyFamily::Edwards },
    ];
}

/// What signatures are checked with.
#[derive(Debug, Clone)]
pub enum JwtKey {
    /// A shared secret.
    Secret(SecretReference),
    /// A PEM public key.
    PublicKey(SecretReference),
    /// A JSON Web Key Set.
    Jwks(SecretReference),
    /// A JSON Web Key Set that a provider publishes.
    KeySetUrl {
        /// Where.
        url: String,
        /// How often it is fetched.
        refresh: Duration,
    },
    /// The keys that a provider's discovery document leads to; it names the issuer, too.
    Discovery {
        /// Where the document is.
        url: String,
    },
}

/// Where a secret comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretReference {
    /// The variable or the file.
    pub source: SecretSource,
    /// Whether its bytes are written in base64.
    pub base64: bool,
}

/// The place of a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// An environment variable.
    Env(String),
    /// A file.
    File(String),
}

/// The headers that tell the upstream who calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityHeaders {
    /// The consumer's user name.
    pub consumer: String,
    /// The credential that was used.
    pub credential: String,
    /// The consumer's label `customId`.
    pub custom_id: String,
    /// The OAuth client.
    pub client: String,
    /// The user.
    pub user: String,
}

impl Default for IdentityHeaders {
    fn default() -> Self {
        Self {
            consumer: "X-Consumer-Username".into(),
            credential: "X-Credential-Identifier".into(),
            custom_id: "X-Consumer-Custom-Id".into(),
            client: "X-Client-ID".into(),
            user: "X-User-ID".into(),
        }
    }
}

/// A refusal's body.
#[derive(Debug, Clone)]
pub struct ErrorBody {
    /// One of [`ERROR_CLASSES`].
    pub class: &'static ErrorClass,
    /// The JSON text.
    pub json: String,
}

/// A class of refusals whose body a document may choose.
#[derive(Debug, PartialEq, Eq)]
pub struct ErrorClass {
    /// In documents.
    pub name: &'static str,
    /// In generated code.
    pub variant: &'static str,
}

/// All classes.
pub static ERROR_CLASSES: &[ErrorClass] = &[
    ErrorClass { name: "auth.missing", variant: "AuthMissing" },
    ErrorClass { name: "auth.invalid", variant: "AuthInvalid" },
    ErrorClass { name: "auth.forbidden", variant: "AuthForbidden" },
    ErrorClass { name: "parameter.invalid", variant: "ParameterInvalid" },
    ErrorClass { name: "method.notAllowed", variant: "MethodNotAllowed" },
    ErrorClass { name: "body.tooLarge", variant: "BodyTooLarge" },
    ErrorClass { name: "limit.exceeded", variant: "LimitExceeded" },
    ErrorClass { name: "upstream.failed", variant: "UpstreamFailed" },
    ErrorClass { name: "upstream.unavailable", variant: "Unavailable" },
    ErrorClass { name: "upstream.timeout", variant: "UpstreamTimeout" },
];
