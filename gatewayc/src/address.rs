//! Where an upstream is, however its address is written.

use gateway_route::RequestPath;
use gateway_terms::authority::Authority;
use gateway_terms::upstream::UpstreamScheme;

/// Of a usable address: equal for all that lead to one server.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Address {
    /// As [`Authority::canonical_host`] has it.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// The path, without a slash at its end.
    pub(crate) prefix: String,
}

impl Address {
    /// The address in the `url` of an upstream.
    pub(crate) fn of(url: &str) -> Self {
        let (usual_port, rest) =
            UpstreamScheme::of(url).map_or((80, url), |(scheme, rest)| (scheme.usual_port(), rest));
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (host, port) = match Authority::parse(authority) {
            Ok(found) => (found.canonical_host(), found.port),
            Err(_) => (authority.to_ascii_lowercase(), None),
        };
        let path = path.trim_end_matches('/');
        let prefix = RequestPath::parse(path).map_or_else(|_| path.to_owned(), |path| path.wire().to_owned());
        Self { host, port: port.unwrap_or(usual_port), prefix }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_server_has_one_address() {
        let cases = [
            ("http://h", "h", 80, ""),
            ("http://H.:80/", "h", 80, ""),
            ("https://h/a%41/", "h", 443, "/aA"),
            ("h2://h", "h", 443, ""),
            ("h2c://h:8080/a", "h", 8080, "/a"),
            ("http://[0:0::1]:81", "[::1]", 81, ""),
            ("http://[::1]", "[::1]", 80, ""),
        ];
        for (url, host, port, prefix) in cases {
            let expected = Address { host: host.to_owned(), port, prefix: prefix.to_owned() };
            assert_eq!(Address::of(url), expected, "{url}");
        }
    }
}
