//! The algorithms of signed tokens.

/// The signature algorithms of RFC 7518 §3, RFC 8037 and RFC 9864 that tokens may use. There is no `none`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are those of the RFCs")]
pub enum JwtAlgorithm {
    HS256,
    HS384,
    HS512,
    RS256,
    RS384,
    RS512,
    PS256,
    PS384,
    PS512,
    ES256,
    ES384,
    ES512,
    EdDSA,
    Ed25519,
}

impl JwtAlgorithm {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::HS256,
        Self::HS384,
        Self::HS512,
        Self::RS256,
        Self::RS384,
        Self::RS512,
        Self::PS256,
        Self::PS384,
        Self::PS512,
        Self::ES256,
        Self::ES384,
        Self::ES512,
        Self::EdDSA,
        Self::Ed25519,
    ];

    /// The value of `alg`.
    pub fn name(self) -> &'static str {
        match self {
            Self::HS256 => "HS256",
            Self::HS384 => "HS384",
            Self::HS512 => "HS512",
            Self::RS256 => "RS256",
            Self::RS384 => "RS384",
            Self::RS512 => "RS512",
            Self::PS256 => "PS256",
            Self::PS384 => "PS384",
            Self::PS512 => "PS512",
            Self::ES256 => "ES256",
            Self::ES384 => "ES384",
            Self::ES512 => "ES512",
            Self::EdDSA => "EdDSA",
            Self::Ed25519 => "Ed25519",
        }
    }

    /// The least bytes of an HMAC key: as many as the hash has (RFC 7518 §3.2); 0 for other algorithms.
    pub fn min_secret(self) -> usize {
        match self {
            Self::HS256 => 32,
            Self::HS384 => 48,
            Self::HS512 => 64,
            _ => 0,
        }
    }

    /// What kind of key it needs.
    pub fn family(self) -> KeyFamily {
        match self {
            Self::HS256 | Self::HS384 | Self::HS512 => KeyFamily::Secret,
            Self::RS256 | Self::RS384 | Self::RS512 | Self::PS256 | Self::PS384 | Self::PS512 => KeyFamily::Rsa,
            Self::ES256 | Self::ES384 | Self::ES512 => KeyFamily::EllipticCurve,
            Self::EdDSA | Self::Ed25519 => KeyFamily::Edwards,
        }
    }

    /// Signed and checked with one shared secret.
    pub fn is_hmac(self) -> bool {
        self.family() == KeyFamily::Secret
    }

    /// Signed with RSA: PKCS #1 v1.5 or PSS (RFC 7518 §3.3 and §3.5).
    pub fn is_rsa(self) -> bool {
        self.family() == KeyFamily::Rsa
    }

    /// Signed with ECDSA (RFC 7518 §3.4); Ed25519 is not among them.
    pub fn is_elliptic_curve(self) -> bool {
        self.family() == KeyFamily::EllipticCurve
    }
}

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
