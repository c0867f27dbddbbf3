//! What the gateway does: inheritance done, defaults explicit, units typed, nothing left to decide.

mod access;
mod browsers;
mod cache;
mod compression;
mod contract;
mod error_body;
mod hmac;
mod https;
mod jwt;
mod limit;
mod location;
mod oauth;
mod operation;
mod rule;
mod scheme;
mod secret;
mod split;
mod static_files;
mod upgrade;
mod upstream;
mod upstream_auth;

use std::collections::BTreeMap;

use gateway_yaml::Span;

use crate::schema::Json;

pub use access::{Access, Anonymous, ConsumerRules, Requirement};
pub use browsers::{Cors, CorsPolicy, OriginPattern, Origins};
pub use cache::{Cache, CacheKey};
pub use compression::{Compression, ContentCoding};
pub use contract::{
    Content, Contract, DescribedParameter, Details, Mode, ParameterLocation, Part, RequestBody, Response,
    ResponseField, Responses, StatusKey, Style, Unknown, Written,
};
pub use error_body::{ErrorBody, ErrorClass, ErrorFormat};
pub use hmac::{Hmac, HmacAlgorithm, HmacProfile};
pub use https::{Hsts, Https, Origin};
pub use jwt::{ConsumerJwt, Introspection, Jwt, JwtAlgorithm, JwtKey, KeyFamily, SCOPE_CLAIMS};
pub use limit::{
    FailureLimit, Limit, LimitAlgorithm, LimitHeaders, LimitKey, LimitStore, LimitUse, OnStoreError, StoreMode,
};
pub use location::CredentialLocation;
pub use oauth::{
    AuthorizationServer, ClientPath, Endpoint, Grant, LoginSession, PkceRequirement, RegistryAction, Resource, Scope,
    TokenFormat,
};
pub use operation::{Action, Builtin, HeaderEdits, Operation, ParameterKind, PathParameter, Preflight, Rewrite, Route};
pub use rule::{Rule, RuleEffect, RulePattern};
pub use scheme::{Credential, Scheme};
pub use secret::{SecretReference, SecretSource};
pub use split::{Mirror, Share, SplitEntry};
pub use static_files::{StaticFile, StaticFiles, content_type};
pub use upgrade::Upgrade;
pub use upstream::{
    Balance, Breaker, CookieDomain, CookiePath, Cookies, ForwardedFields, HashKey, Health, KeepAlive, Locations,
    Outlier, Retry, RetryBudget, RetryCause, Upstream, UpstreamEndpoint,
};
pub use upstream_auth::{AwsSigV4, ClientCertificate, ClientCredentials, UpstreamAuth, UpstreamCredential};

/// Everything that one binary serves, ordered by name.
#[derive(Debug, Clone)]
pub struct Gateway {
    /// One API per document.
    pub apis: Vec<Api>,
    /// What says which documents there are: `specs` or `gatewayc.yaml`.
    pub place: &'static str,
}

/// One document.
#[derive(Debug, Clone)]
pub struct Api {
    /// The stem of the file name, or what `gatewayc.yaml` calls the document.
    pub name: String,
    /// `info.title`.
    pub title: String,
    /// The document's path as shown to people.
    pub source: String,
    /// Those of its overlays, in the order in which they are applied.
    pub overlays: Vec<String>,
    /// Ordered by template and conditions.
    pub routes: Vec<Route>,
    /// What is tried where no path matches, in the order of the document.
    pub rules: Vec<Rule>,
    /// Those that operations use, ordered by name.
    pub upstreams: Vec<Upstream>,
    /// Those that operations use, ordered by name.
    pub schemes: Vec<Scheme>,
    /// The schemas that contracts refer to by name, ordered by it.
    pub schemas: Vec<(String, Json)>,
    /// The names of the headers that tell the upstream who calls.
    pub identity_headers: IdentityHeaders,
    /// How the bodies of refusals look.
    pub error_format: ErrorFormat,
    /// Ordered by class.
    pub error_bodies: Vec<ErrorBody>,
    /// Those that operations charge, ordered by name.
    pub limits: Vec<Limit>,
    /// Where the limits that documents share are described.
    pub limit_places: BTreeMap<String, Span>,
    /// Requests must come over TLS.
    pub https: Option<Https>,
    /// Which pages may read the answers to requests that no path matches.
    pub cors: Option<Cors>,
    /// What these answers tell browsers: names and values, ordered by name.
    pub security_headers: Vec<(String, String)>,
    /// It gives tokens itself.
    pub authorization_server: Option<AuthorizationServer>,
    /// What `acceptRisk` accepts, ordered by code and place.
    pub accepted_risks: Vec<AcceptedRisk>,
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
