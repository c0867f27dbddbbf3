//! What responses say to browsers: which pages may read them, and what pages may do with them.

use std::time::Duration;

/// Which pages of other origins may call, and how (Fetch Standard, CORS protocol).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CorsPolicy {
    /// Serialised origins (RFC 6454 §6.2), ordered.
    pub origins: Vec<String>,
    /// All hosts below a domain, ordered.
    pub patterns: Vec<OriginPattern>,
    /// Every origin.
    pub any: bool,
    /// The browser sends cookies and the like.
    pub credentials: bool,
    /// How long browsers remember the answer to a preflight request, in whole seconds; as long as they like if `None`.
    pub max_age: Option<Duration>,
    /// Pages of public networks may call an address of a private one.
    pub private_network: bool,
    /// Requests of pages of other origins are refused.
    pub enforce: bool,
}

/// Pages, by where they come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origins {
    /// Serialised origins (RFC 6454 §6.2), ordered.
    pub origins: Vec<String>,
    /// All hosts below a domain, ordered.
    pub patterns: Vec<OriginPattern>,
    /// Every origin.
    pub any: bool,
}

/// The origins of all hosts below a domain.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct OriginPattern {
    /// With `://`.
    pub scheme: String,
    /// The domain with a dot in front of it, and the port where it is not the usual one.
    pub domain: String,
}

/// [`CorsPolicy`] with what a document describes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cors {
    /// Who may call.
    pub policy: CorsPolicy,
    /// The methods of the path that the same policy holds for, ordered.
    pub methods: Vec<String>,
    /// The header fields that scripts may set, ordered without regard to case.
    pub headers: Vec<String>,
    /// Those of the response that scripts may read, ordered without regard to case.
    pub exposed: Vec<String>,
}

impl CorsPolicy {
    /// Who may call.
    #[must_use]
    pub fn who(&self) -> Origins {
        let Self { origins, patterns, any, .. } = self;
        Origins { origins: origins.clone(), patterns: patterns.clone(), any: *any }
    }

    /// Its origins as a document may write them.
    #[must_use]
    pub fn shown(&self) -> Vec<String> {
        self.who().shown()
    }
}

impl Origins {
    /// As a document may write them.
    #[must_use]
    pub fn shown(&self) -> Vec<String> {
        let patterns = self.patterns.iter().map(|OriginPattern { scheme, domain }| format!("{scheme}*{domain}"));
        self.any.then(|| "*".to_owned()).into_iter().chain(self.origins.iter().cloned()).chain(patterns).collect()
    }
}
