//! How the signature of a request is checked.

use std::time::Duration;

pub use gateway_terms::hmac::{HmacAlgorithm, HmacProfile};

use crate::ir::location::CredentialLocation;
use crate::units::ByteSize;

/// How the signature of a request is checked.
#[derive(Debug, Clone)]
pub struct Hmac {
    /// The name of the HTTP authentication scheme.
    pub scheme: String,
    /// What is signed, and how it is written.
    pub profile: HmacProfile,
    /// The accepted algorithms.
    pub algorithms: Vec<HmacAlgorithm>,
    /// How far the time of signing may be from now, in whole seconds.
    pub clock_skew: Duration,
    /// Headers or components that every signature must cover, in lower case.
    pub signed_headers: Vec<String>,
    /// The largest body, where a digest of it is required.
    pub digest_of: Option<ByteSize>,
    /// A signature counts for one request.
    pub refuses_replay: bool,
    /// What the upstream does not see.
    pub hidden: Vec<CredentialLocation>,
}
