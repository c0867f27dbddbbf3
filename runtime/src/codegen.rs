//! The contract between the compiler and the gateway: everything that generated code may name, and nothing else.
//!
//! Generated modules are inert tables of these types. Every field is spelt out there, so a new field must be decided
//! for every operation; whatever differs in code, not in data (kinds of credential, rewrites that need an engine), is
//! reached through `&'static dyn …`, so that the linker drops what no document uses.

pub use std::time::Duration;

pub use gateway_route::{Ambiguous, EmptySegments, PathCase, TrailingSlash, UpstreamPaths};

pub use gateway_access::api_key::ApiKey;
pub use gateway_access::basic::Basic;
pub use gateway_access::hmac::HmacSignature;
pub use gateway_access::hmac::tables::{BodyDigest, HmacAlgorithm, HmacProfile, Replay};
pub use gateway_access::jwt::bearer::{JwtBearer, JwtKey};
pub use gateway_access::jwt::consumer::ConsumerJwt;
pub use gateway_access::jwt::sign::JwtSign;
pub use gateway_access::mutual_tls::MutualTls;
pub use gateway_access::provider::introspection::Introspection;
pub use gateway_access::provider::keys::{JwksUrl, OpenIdConnect};
pub use gateway_access::request_view::CredentialLocation;
pub use gateway_access::tables::{Access, Anonymous, ConsumerRules, FailureLimit, Requirement};
pub use gateway_access::upstream_auth::client_credentials::ClientCredentials;
pub use gateway_access::upstream_auth::credentials::{BasicCredential, BearerCredential, HeaderCredential};
pub use gateway_access::upstream_auth::sigv4::AwsSigV4;
pub use gateway_access::upstream_auth::{ClientCertificate, UpstreamAuth};
pub use gateway_base::jose::keys::JwtAlgorithm;
pub use gateway_base::secret::{Encoding, SecretReference, SecretSource};
pub use gateway_base::units::ByteSize;
pub use gateway_contract::tables::{
    Content, Contract, Details, Explode, Field, Mode, NamedSchema, Parameter, ParameterLocation, Part, RequestBody,
    Response, Responses, StatusKey, Style, Unknown, Written,
};
pub use gateway_limits::algorithm::Algorithm;
#[cfg(feature = "redis")]
pub use gateway_limits::store::redis::Redis;
pub use gateway_limits::tables::{Limit, LimitHeaders, LimitKey, LimitStore, LimitUse, OnStoreError, StoreMode};
#[cfg(feature = "oauth")]
pub use gateway_oauth::tables::{AdminKey, Endpoint, LoginSession, OauthEndpoint, OwnToken, Registry, RegistryAction};
pub use gateway_parties::server::{
    AccessTokenTerms, AuthorizationServer, ClientPath, EndpointPaths, Grant, PkceRequirement, RefreshTokenTerms,
    Resource, Scope, TokenFormat,
};
pub use gateway_proxy::compression::Compression;
#[cfg(feature = "compress")]
pub use gateway_proxy::compression::{brotli::Brotli, gzip::Gzip, zstd::Zstd};
pub use gateway_proxy::mock::{Mock, MockContent, MockResponse};
pub use gateway_proxy::rewrite::RegexRewrite;
pub use gateway_proxy::rule_pattern::RulePattern;
pub use gateway_proxy::static_files::{StaticFile, StaticFiles};
pub use gateway_proxy::tables::{
    AcceptedRisk, Action, Allowed, Api, Balance, Breaker, Cache, CacheKey, Condition, CookieDomain, CookiePath,
    Cookies, Cors, CorsPolicy, ErrorBody, ForwardedFields, Gateway, HashKey, Health, Https, IdentityHeaders, KeepAlive,
    Locations, Mirror, Operation, Origin, OriginPattern, Origins, Outlier, Preflight, Retry, RetryBudget, RetryCause,
    Rewrite, Route, Rule, RuleEffect, SecurityHeaders, Share, SplitEntry, Upgrade, Upstream, UpstreamEndpoint,
};
pub use gateway_terms::compression::USUAL_TYPES;
pub use gateway_terms::refusal::{ErrorClass, ErrorFormat};
pub use gateway_wire::header_edits::HeaderEdits;

/// Stands for a document that needs a feature of this crate that is not there, beside the message that says so.
#[cfg(not(all(feature = "compress", feature = "oauth", feature = "redis")))]
#[doc(hidden)]
pub const LEFT_OUT: Api = Api {
    name: "",
    title: "",
    source: "",
    routes: &[],
    rules: &[],
    upstreams: &[],
    schemes: &[],
    identity_headers: IdentityHeaders { consumer: "", credential: "", custom_id: "", client: "", user: "" },
    schemas: &[],
    error_format: ErrorFormat::Message,
    error_bodies: &[],
    failed_authentication: &[],
    https: Https::Optional,
    cors: None,
    security_headers: None,
    accepted_risks: &[],
};
