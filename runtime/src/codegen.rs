//! The contract between the compiler and the gateway: everything that generated code may name, and nothing else.
//!
//! Generated modules are inert tables of these types. Every field is spelt out there, so a new field must be decided
//! for every operation; whatever differs in code, not in data (kinds of credential, rewrites that need an engine), is
//! reached through `&'static dyn …`, so that the linker drops what no document uses.

pub use std::time::Duration;

pub use gateway_route::{Ambiguous, EmptySegments, PathCase, TrailingSlash, UpstreamPaths};

pub use crate::access::api_key::ApiKey;
pub use crate::access::basic::Basic;
pub use crate::access::hmac::HmacSignature;
pub use crate::access::hmac::tables::{BodyDigest, HmacAlgorithm, HmacProfile, Replay};
pub use crate::access::jwt::bearer::{JwtBearer, JwtKey};
pub use crate::access::jwt::consumer::ConsumerJwt;
pub use crate::access::jwt::sign::JwtSign;
pub use crate::access::mutual_tls::MutualTls;
pub use crate::access::provider::introspection::Introspection;
pub use crate::access::provider::keys::{JwksUrl, OpenIdConnect};
pub use crate::access::request_view::CredentialLocation;
pub use crate::base::jose::keys::JwtAlgorithm;
pub use crate::base::secret::{Encoding, SecretReference, SecretSource};
pub use crate::limits::algorithm::Algorithm;
pub use crate::limits::store::redis::Redis;
pub use crate::oauth::tables::{AdminKey, Endpoint, LoginSession, OauthEndpoint, OwnToken, Registry, RegistryAction};
pub use crate::parties::server::{
    AccessTokenTerms, AuthorizationServer, ClientPath, EndpointPaths, Grant, PkceRequirement, RefreshTokenTerms,
    Resource, Scope, TokenFormat,
};
pub use crate::proxy::rewrite::RegexRewrite;
pub use crate::proxy::rule_pattern::RulePattern;
pub use crate::proxy::static_files::{StaticFile, StaticFiles};
