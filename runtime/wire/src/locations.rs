//! `Location`, `Content-Location` and `Set-Cookie` of responses: an upstream knows its own addresses, clients know the
//! gateway's.

use std::borrow::Cow;

use gateway_terms::authority::Authority;
use gateway_terms::operation::{CookieDomain, CookiePath, Cookies};

/// What an upstream is called.
pub trait OwnAddresses: std::fmt::Debug + Sync {
    /// Whether this host, whose letter case does not count, and this TCP port are the upstream's.
    fn has(&self, host: &str, port: u16) -> bool;
}

/// How the addresses of one upstream look to the client of one request.
#[derive(Debug)]
pub struct Locations {
    /// Where the upstream is.
    pub addresses: &'static dyn OwnAddresses,
    /// The path in front of all that it is asked for.
    pub prefix: &'static str,
    /// The base path that the upstream does not see, with what trusted proxies have taken off before it.
    pub base: String,
    /// The client's `Host`, where the upstream sees it.
    pub preserved_host: Option<String>,
    /// Whether addresses are translated at all.
    pub translates: bool,
    /// What becomes of cookies.
    pub cookies: Cookies,
}

impl Locations {
    /// The value that the client is to get instead of `value` of the field called `name`; `None` where it is right already.
    pub(crate) fn rewritten(&self, name: &str, value: &[u8]) -> Option<Vec<u8>> {
        // In the order of their lengths, so that most names are told apart at once.
        match name.len() {
            8 | 16 if self.translates && is_location(name) => self.public(value).map(String::into_bytes),
            10 if self.cookies != Cookies::KEEP && name.eq_ignore_ascii_case("set-cookie") => self.public_cookie(value),
            _ => None,
        }
    }

    /// The cookie as the client is to keep it (RFC 6265 §5.2); `None` where that is as it is.
    fn public_cookie(&self, cookie: &[u8]) -> Option<Vec<u8>> {
        // Browsers take such a cookie with `Path=/` only, and without a domain.
        let is_bound_to_host = cookie.trim_ascii_start().get(..7).is_some_and(|it| it.eq_ignore_ascii_case(b"__Host-"));
        let mut parts = cookie.split(|byte| *byte == b';');
        let mut public = parts.next().unwrap_or_default().to_vec();
        let mut is_changed = false;
        for part in parts {
            let (name, value) = match part.iter().position(|byte| *byte == b'=') {
                Some(at) => (part[..at].trim_ascii(), part[at + 1..].trim_ascii()),
                None => (part.trim_ascii(), &part[..0]),
            };
            if self.cookies.domain == CookieDomain::Remove && name.eq_ignore_ascii_case(b"domain") {
                is_changed = true;
                continue;
            }
            let rewrites = self.cookies.path == CookiePath::Rewrite && !is_bound_to_host;
            let path = if rewrites && name.eq_ignore_ascii_case(b"path") { self.cookie_path(value) } else { None };
            public.push(b';');
            match path {
                Some(path) => {
                    is_changed = true;
                    public.extend_from_slice(b" Path=");
                    public.extend_from_slice(path.as_bytes());
                }
                None => public.extend_from_slice(part),
            }
        }
        is_changed.then_some(public)
    }

    /// The path below which the client sends a cookie, so that it comes with the requests that the upstream means; `None`
    /// where that is as it is said.
    fn cookie_path(&self, path: &[u8]) -> Option<String> {
        let path = std::str::from_utf8(path).ok().filter(|path| path.starts_with('/'))?;
        let covers = |of: &str| of.strip_prefix(path).is_some_and(|rest| path.ends_with('/') || rest.starts_with('/'));
        // All that the gateway forwards is below the prefix, and for the client below the base path.
        let public: Cow<'_, str> = if path == "/" || path == self.prefix || covers(self.prefix) {
            if self.base.is_empty() { "/".into() } else { self.base.as_str().into() }
        } else {
            self.path(path)?.into()
        };
        (public != path).then(|| public.into_owned())
    }

    /// What the client is to read instead of `value`; `None` where it is right already, or not the upstream's to say.
    pub fn public(&self, value: &[u8]) -> Option<String> {
        let value = std::str::from_utf8(value).ok()?;
        if value.starts_with('/') {
            // `//host/path` is another host.
            return (!value.starts_with("//")).then(|| self.path(value)).flatten().map(on_this_host);
        }
        let (scheme, rest) = value.split_once("://")?;
        let default_port = match scheme {
            _ if scheme.eq_ignore_ascii_case("http") => 80,
            _ if scheme.eq_ignore_ascii_case("https") => 443,
            _ => return None,
        };
        let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        if self.is_endpoint(authority, default_port) {
            // Without a host: the client keeps the name that it used for the gateway.
            return Some(on_this_host(self.path(&path).unwrap_or(path)));
        }
        let is_own = self.preserved_host.as_ref().is_some_and(|host| host.eq_ignore_ascii_case(authority));
        is_own.then(|| self.path(&path)).flatten().map(|path| format!("{scheme}://{authority}{path}"))
    }

    fn is_endpoint(&self, authority: &str, default_port: u16) -> bool {
        let address = Authority::parse(authority);
        address.is_ok_and(|found| self.addresses.has(found.host, found.port.unwrap_or(default_port)))
    }

    /// The public path for a path of the upstream; `None` where they are the same.
    fn path(&self, path: &str) -> Option<String> {
        let below = if self.prefix.is_empty() {
            path
        } else {
            match path.strip_prefix(self.prefix) {
                Some(rest) if rest.is_empty() || rest.starts_with(['/', '?', '#']) => rest,
                // The gateway forwards nothing to paths outside the prefix.
                _ => return None,
            }
        };
        // An upstream that reads `X-Forwarded-Prefix` has already put it in front.
        let is_public = below
            .strip_prefix(self.base.as_str())
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?', '#']));
        let public = if is_public { below.to_owned() } else { format!("{}{below}", self.base) };
        let public = if public.starts_with('/') { public } else { format!("/{public}") };
        (public != path).then_some(public)
    }
}

/// Whether the field called `name` says where something is.
fn is_location(name: &str) -> bool {
    name.eq_ignore_ascii_case("location") || name.eq_ignore_ascii_case("content-location")
}

/// A path as a reference that names no other host: `//host` would, and browsers read `/\host` and a tab between the
/// slashes like that. They take the `.` away again.
fn on_this_host(path: String) -> String {
    let behind = path.strip_prefix('/').unwrap_or(&path);
    if behind.trim_start_matches('\t').starts_with(['/', '\\']) { format!("/.{path}") } else { path }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Internal;

    impl OwnAddresses for Internal {
        fn has(&self, host: &str, port: u16) -> bool {
            host.eq_ignore_ascii_case("up.internal") && port == 3900
        }
    }

    fn locations(prefix: &str, base: &str, host: Option<&str>) -> Locations {
        Locations {
            addresses: &Internal,
            prefix: prefix.to_owned().leak(),
            base: base.to_owned(),
            preserved_host: host.map(str::to_owned),
            translates: true,
            cookies: Cookies { path: CookiePath::Rewrite, domain: CookieDomain::Remove },
        }
    }

    #[test]
    fn cookies_of_the_upstream_become_the_gateways() {
        for (prefix, base, cookie, expected) in [
            ("", "/v1", "a=b; Path=/; HttpOnly", Some("a=b; Path=/v1; HttpOnly")),
            ("", "/v1", "a=b;path=/admin;Secure", Some("a=b; Path=/v1/admin;Secure")),
            ("", "/v1", "a=b; Path = /admin/ ", Some("a=b; Path=/v1/admin/")),
            // Its own work, and what a browser takes from the request.
            ("", "/v1", "a=b; Path=/v1/admin", None),
            ("", "/v1", "a=b; Path=/v1", None),
            ("", "/v1", "a=b; Path=admin", None),
            ("", "/v1", "a=b; Path=", None),
            ("", "/v1", "a=b; Path", None),
            ("", "/v1", "a=b; Secure", None),
            ("", "/v1", "path=/x", None),
            ("", "", "a=b; Path=/", None),
            ("", "", "a=b; Path=/x", None),
            // A prefix of the upstream's own.
            ("/api", "", "a=b; Path=/api", Some("a=b; Path=/")),
            ("/api", "", "a=b; Path=/api/", Some("a=b; Path=/")),
            ("/api", "/v1", "a=b; Path=/api/admin", Some("a=b; Path=/v1/admin")),
            ("/api", "/v1", "a=b; Path=/", Some("a=b; Path=/v1")),
            ("/api/x", "/v1", "a=b; Path=/api", Some("a=b; Path=/v1")),
            ("/api/x", "/v1", "a=b; Path=/api/", Some("a=b; Path=/v1")),
            ("/api/x", "/v1", "a=b; Path=/ap", None),
            ("/api", "/v1", "a=b; Path=/other", None),
            // The domain goes, wherever it stands and whatever it is.
            ("", "", "a=b; Domain=up.internal; Path=/", Some("a=b; Path=/")),
            ("", "", "a=b;DOMAIN = .example ; Domain=x; Secure", Some("a=b; Secure")),
            ("", "/v1", "Domain=x; Path=/; Domain=y", Some("Domain=x; Path=/v1")),
            // The last one counts, and all of them are rewritten.
            ("", "/v1", "a=b; Path=/x; Path=/y", Some("a=b; Path=/v1/x; Path=/v1/y")),
            ("", "/v1", "a=b; Path=/v1/x; Path=/y", Some("a=b; Path=/v1/x; Path=/v1/y")),
            ("", "/v1", "__Host-a=b; Path=/; Secure", None),
            ("", "/v1", "__host-a=b; Path=/; Secure", None),
            ("", "/v1", "__Secure-a=b; Path=/; Secure; Domain=x", Some("__Secure-a=b; Path=/v1; Secure")),
            ("", "/v1", "\u{e9}=\u{e9}; Path=/", Some("\u{e9}=\u{e9}; Path=/v1")),
        ] {
            let public = locations(prefix, base, None).rewritten("Set-Cookie", cookie.as_bytes());
            let public = public.map(|value| String::from_utf8(value).expect("text"));
            assert_eq!(public.as_deref(), expected, "{cookie} with prefix {prefix:?} and base {base:?}");
        }
        let kept = Locations { cookies: Cookies::KEEP, ..locations("", "/v1", None) };
        assert_eq!(kept.rewritten("Set-Cookie", b"a=b; Path=/; Domain=x"), None);
        assert!(kept.rewritten("Location", b"/a").is_some() && kept.rewritten("Link", b"/a").is_none());
        let kept = Locations { translates: false, ..locations("", "/v1", None) };
        assert_eq!(kept.rewritten("Location", b"/a"), None);
    }

    #[test]
    fn addresses_of_the_upstream_become_the_gateways() {
        for (prefix, base, value, expected) in [
            ("", "/v1", "http://up.internal:3900/session", Some("/v1/session")),
            ("", "/v1", "HTTP://UP.internal:3900/session?a#b", Some("/v1/session?a#b")),
            ("", "/v1", "http://up.internal:3900", Some("/v1/")),
            ("", "/v1", "http://up.internal:3900?a=b", Some("/v1/?a=b")),
            ("", "/v1", "/session", Some("/v1/session")),
            ("", "/v1", "/", Some("/v1/")),
            // Its own work.
            ("", "/v1", "/v1/session", None),
            ("", "/v1", "/v1", None),
            ("", "/v1", "/v12", Some("/v1/v12")),
            ("", "/v1", "http://up.internal:3900/v1/session", Some("/v1/session")),
            // Relative to the request, which differs at its beginning only.
            ("", "/v1", "session", None),
            ("", "/v1", "?page=2", None),
            ("", "/v1", "../a", None),
            // Elsewhere.
            ("", "/v1", "https://up.internal:3900x/session", None),
            ("", "/v1", "http://up.internal/session", None),
            ("", "/v1", "http://other.example/session", None),
            ("", "/v1", "//other.example/session", None),
            ("", "/v1", "mailto:a@up.internal", None),
            ("", "/v1", "ftp://up.internal:3900/a", None),
            ("", "/v1", "http://up.internal:3900@evil.example/", None),
            // A prefix of the upstream's own.
            ("/api", "", "http://up.internal:3900/api/session", Some("/session")),
            ("/api", "", "/api", Some("/")),
            ("/api", "/v1", "/api/session", Some("/v1/session")),
            ("/api", "/v1", "/apis", None),
            ("/api", "/v1", "/other", None),
            // What was a path of the upstream does not become another host.
            ("", "", "http://up.internal:3900//evil.example/a", Some("/.//evil.example/a")),
            ("", "", "http://up.internal:3900/\\evil.example", Some("/./\\evil.example")),
            ("/api", "", "/api//evil.example/a", Some("/.//evil.example/a")),
            ("/api", "", "/api/\t/evil.example", Some("/./\t/evil.example")),
            ("/api", "", "http://up.internal:3900/api//evil.example", Some("/.//evil.example")),
            ("/api", "/v1", "/api//evil.example", Some("/v1//evil.example")),
            ("", "", "/session", None),
            ("", "", "http://up.internal:3900/session", Some("/session")),
        ] {
            let public = locations(prefix, base, None).public(value.as_bytes());
            assert_eq!(public.as_deref(), expected, "{value} with prefix {prefix:?} and base {base:?}");
        }
    }

    #[test]
    fn an_upstream_that_knows_the_host_may_not_know_the_base_path() {
        let locations = locations("", "/v1", Some("api.example"));
        for (value, expected) in [
            ("https://api.example/session", Some("https://api.example/v1/session")),
            ("https://api.example/v1/session", None),
            ("https://other.example/session", None),
            ("http://up.internal:3900/session", Some("/v1/session")),
        ] {
            assert_eq!(locations.public(value.as_bytes()).as_deref(), expected, "{value}");
        }
    }
}
