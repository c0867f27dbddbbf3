//! Where a store is: `redis://`, `rediss://` and `unix://`.

use std::fmt;

use gateway_base::encoding::percent_decode;
use gateway_base::secret::Secret;
use gateway_terms::authority::{Authority, AuthorityError};

/// A store's URL, taken apart.
pub struct StoreUrl {
    pub(crate) place: ServerAddress,
    pub(crate) user: Option<String>,
    pub(crate) password: Option<Secret>,
    pub(crate) database: i64,
}

/// The server's address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ServerAddress {
    Tcp { host: String, port: u16, tls: bool },
    Unix(String),
}

impl fmt::Debug for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoreUrl({:?})", self.place)
    }
}

/// Why a URL is not one of a store. It quotes nothing of the URL, which may have a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreUrlError {
    /// It has no scheme, or one of something else.
    Form,
    /// It has a user, and no password.
    NoPassword,
    /// Its host or its port is not valid.
    Authority(AuthorityError),
    /// It names no socket.
    NoPath,
    /// What stands for the number of the database is none.
    Database,
    /// Percent-encoding of the user or the password is not that of RFC 3986 §2.1.
    PercentEncoding,
    /// The user or the password is not UTF-8.
    Encoding,
}

impl fmt::Display for StoreUrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Authority(error) => return write!(f, "it {error}"),
            Self::Form => {
                "expected `redis://[user:password@]host[:port][/database]`, `rediss://…` for TLS, or `unix:///path`"
            }
            Self::NoPassword => "it has a user and no password",
            Self::NoPath => "it has no path",
            Self::Database => "its database is not a number",
            Self::PercentEncoding => "a `%` in its user or password is not followed by two hexadecimal digits",
            Self::Encoding => "its user or password is not UTF-8",
        })
    }
}

impl std::error::Error for StoreUrlError {}

/// The port of Redis.
const USUAL_PORT: u16 = 6379;

impl StoreUrl {
    /// Takes a URL apart.
    ///
    /// # Errors
    /// It is not one of a store.
    pub fn parse(url: &str) -> Result<Self, StoreUrlError> {
        let (scheme, rest) = url.split_once("://").ok_or(StoreUrlError::Form)?;
        let (authority, database) = match scheme {
            "redis" | "rediss" => rest.split_once('/').unwrap_or((rest, "")),
            "unix" => (rest, ""),
            _ => return Err(StoreUrlError::Form),
        };
        let (who, host) = authority.rsplit_once('@').map_or((None, authority), |(who, host)| (Some(who), host));
        let (user, password) = match who.map(|who| who.split_once(':').unwrap_or((who, ""))) {
            None => (None, None),
            Some((user, password)) => (Some(decoded(user)?), Some(decoded(password)?)),
        };
        let (user, password) = (user.filter(|user| !user.is_empty()), password.filter(|password| !password.is_empty()));
        if user.is_some() && password.is_none() {
            return Err(StoreUrlError::NoPassword);
        }
        let place = if scheme == "unix" {
            if host.is_empty() {
                return Err(StoreUrlError::NoPath);
            }
            ServerAddress::Unix(host.to_owned())
        } else {
            let address = Authority::parse(host).map_err(StoreUrlError::Authority)?;
            let port = address.port.unwrap_or(USUAL_PORT);
            ServerAddress::Tcp { host: address.bare_host().to_owned(), port, tls: scheme == "rediss" }
        };
        let database = match database {
            "" => 0,
            number => number.parse().ok().filter(|number| *number >= 0).ok_or(StoreUrlError::Database)?,
        };
        Ok(Self { place, user, password: password.as_deref().map(Secret::from), database })
    }
}

/// Without percent-encoding (RFC 3986 §2.1).
fn decoded(text: &str) -> Result<String, StoreUrlError> {
    let bytes = percent_decode(text.as_bytes()).ok_or(StoreUrlError::PercentEncoding)?;
    String::from_utf8(bytes).map_err(|_| StoreUrlError::Encoding)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart() {
        let parse = |url: &str| {
            let url = StoreUrl::parse(url)?;
            let password = url.password.map(|password| String::from_utf8_lossy(password.expose()).into_owned());
            Ok::<_, StoreUrlError>((url.place, url.user, password, url.database))
        };
        let tcp = |host: &str, port, tls| ServerAddress::Tcp { host: host.to_owned(), port, tls };
        assert_eq!(parse("redis://cache"), Ok((tcp("cache", 6379, false), None, None, 0)));
        assert_eq!(
            parse("rediss://app:p%40ss:w@cache.example:6380/2"),
            Ok((tcp("cache.example", 6380, true), Some("app".into()), Some("p@ss:w".into()), 2))
        );
        assert_eq!(parse("redis://:secret@[::1]:7000"), Ok((tcp("::1", 7000, false), None, Some("secret".into()), 0)));
        assert_eq!(parse("unix:///run/redis.sock"), Ok((ServerAddress::Unix("/run/redis.sock".into()), None, None, 0)));
        for (bad, why) in [
            ("cache", StoreUrlError::Form),
            ("http://cache", StoreUrlError::Form),
            ("redis://", StoreUrlError::Authority(AuthorityError::NoHost)),
            ("redis://a..b", StoreUrlError::Authority(AuthorityError::Host)),
            ("redis://192.0.2.999", StoreUrlError::Authority(AuthorityError::Ipv4)),
            ("unix://", StoreUrlError::NoPath),
            ("redis://app@cache", StoreUrlError::NoPassword),
            ("redis://c:0", StoreUrlError::Authority(AuthorityError::Port)),
            ("redis://c/x", StoreUrlError::Database),
            ("redis://a%zz:b@c", StoreUrlError::PercentEncoding),
            ("redis://a%ff:b@c", StoreUrlError::Encoding),
        ] {
            assert_eq!(parse(bad), Err(why), "{bad}");
        }
    }
}
