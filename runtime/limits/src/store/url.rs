//! Where a store is: `redis://`, `rediss://` and `unix://`.

use std::fmt;

use gateway_base::encoding::percent_decode;
use gateway_base::secret::Secret;

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

impl StoreUrl {
    /// Takes a URL apart; what it says on errors quotes nothing of it.
    pub fn parse(url: &str) -> Result<Self, String> {
        const FORM: &str = "expected `redis://[user:password@]host[:port][/database]`, `rediss://…` for TLS, or \
                            `unix:///path`";
        let (scheme, rest) = url.split_once("://").ok_or(FORM)?;
        let (authority, database) = match scheme {
            "redis" | "rediss" => rest.split_once('/').unwrap_or((rest, "")),
            "unix" => (rest, ""),
            _ => return Err(FORM.to_owned()),
        };
        let (who, host) = authority.rsplit_once('@').map_or((None, authority), |(who, host)| (Some(who), host));
        let (user, password) = match who.map(|who| who.split_once(':').unwrap_or((who, ""))) {
            None => (None, None),
            Some((user, password)) => (Some(decoded(user)?), Some(decoded(password)?)),
        };
        let (user, password) = (user.filter(|user| !user.is_empty()), password.filter(|password| !password.is_empty()));
        if user.is_some() && password.is_none() {
            return Err("it has a user and no password".to_owned());
        }
        let place = if scheme == "unix" {
            ServerAddress::Unix(host.to_owned()).checked(!host.is_empty())?
        } else {
            let (name, port) = match host.rsplit_once(':') {
                Some((name, port)) if !port.contains(']') => {
                    (name, port.parse().ok().filter(|port| *port != 0).ok_or("invalid port")?)
                }
                _ => (host, 6379),
            };
            let good = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte));
            let name = name.trim_start_matches('[').trim_end_matches(']');
            ServerAddress::Tcp { host: name.to_owned(), port, tls: scheme == "rediss" }
                .checked(good && !name.is_empty())?
        };
        let database = match database {
            "" => 0,
            number => number.parse().ok().filter(|number| *number >= 0).ok_or("its database is not a number")?,
        };
        Ok(Self { place, user, password: password.as_deref().map(Secret::from), database })
    }
}

impl ServerAddress {
    fn checked(self, good: bool) -> Result<Self, String> {
        if good { Ok(self) } else { Err("it has no host".to_owned()) }
    }
}

/// Without percent-encoding (RFC 3986 §2.1).
fn decoded(text: &str) -> Result<String, String> {
    let bytes = percent_decode(text.as_bytes())
        .ok_or("a `%` in its user or password is not followed by two hexadecimal digits")?;
    String::from_utf8(bytes).map_err(|_| "its user or password is not UTF-8".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart() {
        let parse = |url: &str| {
            let url = StoreUrl::parse(url)?;
            let password = url.password.map(|password| String::from_utf8_lossy(password.expose()).into_owned());
            Ok::<_, String>((url.place, url.user, password, url.database))
        };
        let tcp = |host: &str, port, tls| ServerAddress::Tcp { host: host.to_owned(), port, tls };
        assert_eq!(parse("redis://cache"), Ok((tcp("cache", 6379, false), None, None, 0)));
        assert_eq!(
            parse("rediss://app:p%40ss:w@cache.example:6380/2"),
            Ok((tcp("cache.example", 6380, true), Some("app".into()), Some("p@ss:w".into()), 2))
        );
        assert_eq!(parse("redis://:secret@[::1]:7000"), Ok((tcp("::1", 7000, false), None, Some("secret".into()), 0)));
        assert_eq!(parse("unix:///run/redis.sock"), Ok((ServerAddress::Unix("/run/redis.sock".into()), None, None, 0)));
        for bad in
            ["cache", "http://cache", "redis://", "redis://app@cache", "redis://c:0", "redis://c/x", "redis://a%zz:b@c"]
        {
            let problem = parse(bad).expect_err(bad);
            assert!(!problem.contains("cache") && !problem.contains("zz"), "{problem}");
        }
    }
}
