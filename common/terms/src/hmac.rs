//! Signatures of requests: what can be signed, how, and with what.

/// What is signed, and how it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HmacProfile {
    /// In the manner of draft-cavage-http-signatures, as APISIX 3.11 and later.
    CavageApisix,
    /// `X-HMAC-…` headers, as APISIX 3.10 and before.
    ApisixV1,
    /// HTTP Message Signatures (RFC 9421).
    Rfc9421,
}

/// Algorithms of HMAC (RFC 2104).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HmacAlgorithm {
    /// `hmac-sha1`, for clients that have nothing else.
    HmacSha1,
    /// `hmac-sha256`.
    HmacSha256,
    /// `hmac-sha512`.
    HmacSha512,
}

impl HmacProfile {
    /// All of them.
    pub const ALL: &'static [Self] = &[Self::CavageApisix, Self::ApisixV1, Self::Rfc9421];

    /// In documents and in requests.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::CavageApisix => "cavage-apisix",
            Self::ApisixV1 => "apisix-v1",
            Self::Rfc9421 => "rfc9421",
        }
    }

    /// What it can be signed with.
    #[must_use]
    pub fn algorithms(self) -> &'static [HmacAlgorithm] {
        match self {
            Self::CavageApisix | Self::ApisixV1 => {
                &[HmacAlgorithm::HmacSha1, HmacAlgorithm::HmacSha256, HmacAlgorithm::HmacSha512]
            }
            Self::Rfc9421 => &[HmacAlgorithm::HmacSha256],
        }
    }

    /// What is accepted where the document does not say.
    #[must_use]
    pub fn default_algorithms(self) -> &'static [HmacAlgorithm] {
        match self {
            Self::CavageApisix => self.algorithms(),
            Self::ApisixV1 | Self::Rfc9421 => &[HmacAlgorithm::HmacSha256],
        }
    }

    /// The headers that hold the signature.
    #[must_use]
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
    #[must_use]
    pub fn digest_header(self) -> &'static str {
        match self {
            Self::CavageApisix => "digest",
            Self::ApisixV1 => "x-hmac-digest",
            Self::Rfc9421 => "content-digest",
        }
    }

    /// What every signature covers, whatever the document asks for.
    #[must_use]
    pub fn always_signed(self) -> &'static [&'static str] {
        match self {
            Self::CavageApisix => &[],
            Self::ApisixV1 => &["method", "path", "query", "date"],
            Self::Rfc9421 => &["time of signing"],
        }
    }

    /// What can be signed beside headers.
    #[must_use]
    pub fn derived_components(self) -> &'static [&'static str] {
        match self {
            Self::CavageApisix => &["@request-target"],
            Self::ApisixV1 => &[],
            Self::Rfc9421 => &["@method", "@target-uri", "@authority", "@scheme", "@request-target", "@path", "@query"],
        }
    }

    /// Whether every signature over `signed` covers the time at which it was made.
    #[must_use]
    pub fn covers_time(self, signed: &[String]) -> bool {
        match self {
            Self::CavageApisix => signed.iter().any(|name| name == "date"),
            Self::ApisixV1 | Self::Rfc9421 => true,
        }
    }

    /// Whether every signature over `signed` covers method, path and query.
    #[must_use]
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
    /// In documents and in requests.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::HmacSha1 => "hmac-sha1",
            Self::HmacSha256 => "hmac-sha256",
            Self::HmacSha512 => "hmac-sha512",
        }
    }
}
