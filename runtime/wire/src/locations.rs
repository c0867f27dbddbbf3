//! `Location` and `Content-Location` of responses: an upstream knows its own addresses, clients know the gateway's.

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
}

impl Locations {
    /// Whether the field called `name` says where something is.
    pub(crate) fn concerns(name: &str) -> bool {
        name.eq_ignore_ascii_case("location") || name.eq_ignore_ascii_case("content-location")
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
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, port.parse().unwrap_or(0)),
            _ => (authority, default_port),
        };
        self.addresses.has(host, port)
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
        }
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
