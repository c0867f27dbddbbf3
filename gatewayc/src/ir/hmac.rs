//! How the signature of a request is checked.

use std::time::Duration;

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

/// What is signed, and how it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HmacProfile {
    /// As APISIX 3.11 and later.
    CavageApisix,
    /// As APISIX 3.10 and before.
    ApisixV1,
    /// HTTP Message Signatures.
    Rfc9421,
}

/// Algorithms of HMAC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HmacAlgorithm {
    /// `hmac-sha1`.
    HmacSha1,
    /// `hmac-sha256`.
    HmacSha256,
    /// `hmac-sha512`.
    HmacSha512,
}

impl HmacProfile {
    /// All of them.
    pub const ALL: &'static [Self] = &[Self::CavageApisix, Self::ApisixV1, Self::Rfc9421];

    /// In documents.
    pub fn name(self) -> &'static str {
        match self {
            Self::CavageApisix => "cavage-apisix",
            Self::ApisixV1 => "apisix-v1",
            Self::Rfc9421 => "rfc9421",
        }
    }

    /// What it can be signed with.
    pub fn algorithms(self) -> &'static [HmacAlgorithm] {
        match self {
            Self::CavageApisix | Self::ApisixV1 => {
                &[HmacAlgorithm::HmacSha1, HmacAlgorithm::HmacSha256, HmacAlgorithm::HmacSha512]
            }
            Self::Rfc9421 => &[HmacAlgorithm::HmacSha256],
        }
    }

    /// What is accepted where the document does not say.
    pub fn default_algorithms(self) -> &'static [HmacAlgorithm] {
        match self {
            Self::CavageApisix => self.algorithms(),
            Self::ApisixV1 | Self::Rfc9421 => &[HmacAlgorithm::HmacSha256],
        }
    }

    /// The headers that hold the signature.
    pub fn signature_headers(self) -> &'static [&'static str] {
        match self {
            Self::CavageApisix => &["Authorization"],
            Self::ApisixV1 => {
                &["Authorization", "X-HMAC-ACCESS-KEY", "X-HMAC-SIGNATURE", "X-HMAC-ALGORITHM", "X-HMAC-SIGNED-HEADERS"]
            }
            Self::Rfc9421 => &["Signature", "Signature-Input"],
        }
    }

    /// The header that holds the digest of the body, in lower case.
    pub fn digest_header(self) -> &'static str {
        match self {
            Self::CavageApisix => "digest",
            Self::ApisixV1 => "x-hmac-digest",
            Self::Rfc9421 => "content-digest",
        }
    }

    /// What every signature covers, whatever the document asks for.
    pub fn always_signed(self) -> &'static [&'static str] {
        match self {
            Self::CavageApisix => &[],
            Self::ApisixV1 => &["method", "path", "query", "date"],
            Self::Rfc9421 => &["time of signing"],
        }
    }

    /// What can be signed beside headers.
    pub fn derived_components(self) -> &'static [&'static str] {
        match self {
            Self::CavageApisix => &["@request-target"],
            Self::ApisixV1 => &[],
            Self::Rfc9421 => &["@method", "@target-uri", "@authority", "@scheme", "@request-target", "@path", "@query"],
        }
    }

    /// Whether every signature over `signed` covers the time at which it was made.
    pub fn covers_time(self, signed: &[String]) -> bool {
        match self {
            Self::CavageApisix => signed.iter().any(|name| name == "date"),
            Self::ApisixV1 | Self::Rfc9421 => true,
        }
    }

    /// Whether every signature over `signed` covers method, path and query.
    pub fn covers_request_line(self, signed: &[String]) -> bool {
        let has = |wanted: &str| signed.iter().any(|name| name == wanted);
        match self {
            Self::CavageApisix => has("@request-target"),
            Self::ApisixV1 => true,
            Self::Rfc9421 => {
                let target = has("@target-uri") || has("@request-target") || (has("@path") && has("@query"));
                has("@method") && target
            }
        }
    }
}

impl HmacAlgorithm {
    /// In documents.
    pub fn name(self) -> &'static str {
        match self {
            Self::HmacSha1 => "hmac-sha1",
            Self::HmacSha256 => "hmac-sha256",
            Self::HmacSha512 => "hmac-sha512",
        }
    }
}
