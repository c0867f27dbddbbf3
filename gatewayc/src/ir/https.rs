//! What is done about plain HTTP.

use std::time::Duration;

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

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.port {
            443 => write!(f, "https://{}", self.host),
            port => write!(f, "https://{}:{port}", self.host),
        }
    }
}

/// How long browsers are to remember that there is no plain HTTP (RFC 6797).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hsts {
    /// Whole seconds, at least one: with none, browsers forget it.
    pub max_age: Duration,
    /// For all names below as well.
    pub include_subdomains: bool,
}

impl Hsts {
    /// The value of the header (RFC 6797 §6.1).
    pub fn header(self) -> String {
        let subdomains = if self.include_subdomains { "; includeSubDomains" } else { "" };
        format!("max-age={}{subdomains}", self.max_age.as_secs())
    }
}
