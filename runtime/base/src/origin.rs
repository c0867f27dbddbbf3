//! Origins of URLs (RFC 6454 §4).

use gateway_terms::authority::{Authority, AuthorityError};

/// Why a text is not the origin of a deployment. A password in it is not repeated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OriginError {
    /// It has another scheme, or none.
    #[error("`{0}` does not start with https://")]
    Scheme(String),
    /// It has a user name or a password.
    #[error("an origin has no user name and no password: write `https://host[:port]`")]
    User,
    /// It has no valid host, or more than a host and a port.
    #[error("`{text}` {source}")]
    Authority {
        /// The whole text.
        text: String,
        /// What is wrong behind the scheme.
        source: AuthorityError,
    },
}

/// `https://host[:port]`, as a deployment writes it.
///
/// # Errors
/// It is none.
pub fn parse_origin(text: &str) -> Result<Box<str>, OriginError> {
    let Some(rest) = text.strip_prefix("https://") else {
        return Err(if text.contains('@') { OriginError::User } else { OriginError::Scheme(text.to_owned()) });
    };
    let authority = rest.strip_suffix('/').unwrap_or(rest);
    match Authority::parse(authority) {
        Ok(_) => Ok(format!("https://{authority}").to_ascii_lowercase().into()),
        Err(AuthorityError::User) => Err(OriginError::User),
        Err(source) => Err(OriginError::Authority { text: text.to_owned(), source }),
    }
}

/// The host of `host[:port]`, in lower case and without the dot of the root.
pub fn host_of(authority: &str) -> String {
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => host,
        _ => authority,
    };
    host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase()
}
