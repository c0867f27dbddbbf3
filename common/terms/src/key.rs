//! Parts of a request: what limits count by, what an endpoint is chosen by, and what tells stored responses apart.
//!
//! The texts in them are a parameter: generated tables have `&'static str`, and the compiler has `String`.

use std::fmt;

use crate::token::is_token;

/// A part of a key that limits count by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitKey<T = &'static str> {
    /// The consumer, or else the user, or else the OAuth client, or else the address.
    Caller,
    /// The client's address, as far as trusted proxies tell; of IPv6, the /64.
    Ip,
    /// The OAuth client.
    Client,
    /// The consumer's name.
    Consumer,
    /// The user that an issuer's token names.
    User,
    /// The credential that was used.
    Credential,
    /// A header's value.
    Header(T),
    /// A query parameter's value.
    Query(T),
    /// The request's path as received.
    Path,
    /// The same for all.
    Const(T),
}

/// The header fields that clients get of a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitHeaders<T = &'static str> {
    /// Nothing but `Retry-After`.
    None,
    /// `RateLimit`, `RateLimit-Policy` and `X-RateLimit-…`.
    Default,
    /// `X-<prefix>-RateLimit-…`.
    Prefixed(T),
}

/// A part of a request that says which endpoint it goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HashKey<T = &'static str> {
    /// What a limit could count by.
    Part(LimitKey<T>),
    /// The value of a cookie.
    Cookie(T),
}

/// A part of a request that tells it from others for the same path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheKey<T = &'static str> {
    /// All of the query.
    Query,
    /// What an endpoint could be chosen by.
    Part(HashKey<T>),
}

impl<'t> LimitKey<&'t str> {
    /// The part with this name, such as `ip` or `header:X-Tenant`; `None` where there is none.
    #[must_use]
    pub fn named(text: &'t str) -> Option<Self> {
        Some(match text.split_once(':') {
            None => match text {
                "caller" => Self::Caller,
                "ip" => Self::Ip,
                "client" => Self::Client,
                "consumer" => Self::Consumer,
                "user" => Self::User,
                "credential" => Self::Credential,
                "path" => Self::Path,
                _ => return None,
            },
            Some(("header", name)) if is_token(name.as_bytes()) => Self::Header(name),
            Some(("query", name)) if !name.is_empty() => Self::Query(name),
            Some(("const", text)) => Self::Const(text),
            Some(_) => return None,
        })
    }
}

impl<'t> HashKey<&'t str> {
    /// As [`LimitKey::named`], and `cookie:theme`. A constant would choose the same endpoint for all.
    #[must_use]
    pub fn named(text: &'t str) -> Option<Self> {
        match text.split_once(':') {
            Some(("cookie", name)) if !name.is_empty() => Some(Self::Cookie(name)),
            Some(("const", _)) => None,
            _ => LimitKey::named(text).map(Self::Part),
        }
    }
}

impl<T> LimitKey<T> {
    /// The same part, with its text in another form.
    pub fn map<'k, U>(&'k self, text: impl FnOnce(&'k T) -> U) -> LimitKey<U> {
        match self {
            Self::Caller => LimitKey::Caller,
            Self::Ip => LimitKey::Ip,
            Self::Client => LimitKey::Client,
            Self::Consumer => LimitKey::Consumer,
            Self::User => LimitKey::User,
            Self::Credential => LimitKey::Credential,
            Self::Header(name) => LimitKey::Header(text(name)),
            Self::Query(name) => LimitKey::Query(text(name)),
            Self::Path => LimitKey::Path,
            Self::Const(constant) => LimitKey::Const(text(constant)),
        }
    }
}

impl<T> LimitHeaders<T> {
    /// The same fields, with the prefix in another form.
    pub fn map<'k, U>(&'k self, text: impl FnOnce(&'k T) -> U) -> LimitHeaders<U> {
        match self {
            Self::None => LimitHeaders::None,
            Self::Default => LimitHeaders::Default,
            Self::Prefixed(prefix) => LimitHeaders::Prefixed(text(prefix)),
        }
    }
}

impl<T> HashKey<T> {
    /// The same part, with its text in another form.
    pub fn map<'k, U>(&'k self, text: impl FnOnce(&'k T) -> U) -> HashKey<U> {
        match self {
            Self::Part(part) => HashKey::Part(part.map(text)),
            Self::Cookie(name) => HashKey::Cookie(text(name)),
        }
    }
}

impl<T> CacheKey<T> {
    /// The same part, with its text in another form.
    pub fn map<'k, U>(&'k self, text: impl FnOnce(&'k T) -> U) -> CacheKey<U> {
        match self {
            Self::Query => CacheKey::Query,
            Self::Part(part) => CacheKey::Part(part.map(text)),
        }
    }
}

/// As in documents.
impl<T: fmt::Display> fmt::Display for LimitKey<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Caller => f.write_str("caller"),
            Self::Ip => f.write_str("ip"),
            Self::Client => f.write_str("client"),
            Self::Consumer => f.write_str("consumer"),
            Self::User => f.write_str("user"),
            Self::Credential => f.write_str("credential"),
            Self::Header(name) => write!(f, "header:{name}"),
            Self::Query(name) => write!(f, "query:{name}"),
            Self::Path => f.write_str("path"),
            Self::Const(text) => write!(f, "const:{text}"),
        }
    }
}

/// As in documents.
impl<T: fmt::Display> fmt::Display for HashKey<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Part(part) => write!(f, "{part}"),
            Self::Cookie(name) => write!(f, "cookie:{name}"),
        }
    }
}

/// As in documents.
impl<T: fmt::Display> fmt::Display for CacheKey<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Query => f.write_str("query"),
            Self::Part(part) => write!(f, "{part}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_written_as_they_are_read() {
        for text in [
            "caller",
            "ip",
            "client",
            "consumer",
            "user",
            "credential",
            "path",
            "header:X-Tenant",
            "query:a b",
            "const:",
            "const:a:b",
        ] {
            assert_eq!(LimitKey::named(text).map(|key| key.to_string()).as_deref(), Some(text));
        }
        assert_eq!(HashKey::named("cookie:theme").map(|key| key.to_string()).as_deref(), Some("cookie:theme"));
        assert_eq!(HashKey::named("query:q"), Some(HashKey::Part(LimitKey::Query("q"))));
    }

    #[test]
    fn other_words_are_no_parts() {
        for text in ["", "Ip", "header:", "header:a b", "header:a:b", "query:", "cookie:", "host:a", "header"] {
            assert_eq!((LimitKey::named(text), HashKey::named(text)), (None, None), "{text}");
        }
        assert_eq!((LimitKey::named("cookie:theme"), HashKey::named("const:all")), (None, None));
    }
}
