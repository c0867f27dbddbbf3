//! Responses that are stored and used again (RFC 9111).

use std::time::Duration;

use gateway_yaml::Span;

use crate::units::ByteSize;

/// Which responses of an operation are stored, and for which callers.
#[derive(Debug, Clone)]
pub struct Cache {
    /// How long a response is fresh; as the upstream says, if `None`.
    pub ttl: Option<Duration>,
    /// The methods whose responses are stored. HEAD is served from those to GET.
    pub methods: Vec<String>,
    /// What tells requests for one path apart; all of the query if `None`.
    pub key: Option<Vec<CacheKey>>,
    /// A larger content passes without being stored.
    pub max_body: ByteSize,
    /// So long after its end a response is given away while another one is fetched.
    pub stale_while_revalidate: Option<Duration>,
    /// So long after its end a response stands in for an upstream that fails.
    pub stale_if_error: Option<Duration>,
    /// Where it is described.
    pub span: Span,
}

/// A part of a request that tells it from others for the same path.
pub type CacheKey = gateway_terms::key::CacheKey<String>;
