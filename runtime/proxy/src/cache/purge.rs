//! What is stored of a path goes when a request has changed it (RFC 9111 §4.4), and when an operator says so.

use gateway_route::RequestPath;

use crate::cache::store::ResponseCache;
use crate::upstream::hash::of_text;
use gateway_wire::http1::head::Field;
use gateway_wire::locations::Locations;

/// What all entries of a path have in common. The path is in the form that routes are found by.
pub(crate) fn tag_of(canonical_path: &str) -> u64 {
    of_text(canonical_path)
}

/// A request with which something may change.
#[derive(Debug)]
pub(crate) struct Purging {
    cache: &'static ResponseCache,
    /// Of the path as it was sent, and as rules have made it.
    tags: [u64; 2],
    /// In the form that routes are found by.
    path: String,
    /// The client's name for the gateway, with its port.
    host: String,
}

impl Purging {
    /// A request of this method for a path, which rules have made `rewritten`, where the method is not safe (RFC 9110 §9.2.1).
    pub(crate) fn of(
        cache: &'static ResponseCache,
        method: &str,
        path: &RequestPath<'_>,
        rewritten: &RequestPath<'_>,
        host: Option<&str>,
    ) -> Option<Self> {
        if matches!(method, "GET" | "HEAD" | "OPTIONS" | "TRACE" | "QUERY") {
            return None;
        }
        let path = path.canonical();
        let tags = [tag_of(path), tag_of(rewritten.canonical())];
        Some(Self { cache, tags, path: path.to_owned(), host: host.unwrap_or_default().to_owned() })
    }

    /// The upstream has answered.
    pub(crate) fn answered(&self, status: u16, fields: &[Field<'_>], locations: Option<&Locations>) {
        if !(200..400).contains(&status) {
            return;
        }
        let [sent, rewritten] = self.tags;
        self.cache.purge_tag(sent);
        if rewritten != sent {
            self.cache.purge_tag(rewritten);
        }
        for field in fields {
            let says_where = ["location", "content-location"].iter().any(|name| field.name.eq_ignore_ascii_case(name));
            let Ok(value) = std::str::from_utf8(field.value) else { continue };
            if !says_where {
                continue;
            }
            let public = locations.and_then(|locations| locations.public(field.value));
            if let Some(path) = self.own_path(public.as_deref().unwrap_or(value.trim())) {
                self.cache.purge_tag(tag_of(&path));
            }
        }
    }

    /// The path of a reference to this host, in the form that routes are found by. What is elsewhere is not this client's to
    /// purge.
    fn own_path(&self, reference: &str) -> Option<String> {
        let (scheme, rest) = match reference.split_once("://") {
            Some((scheme, rest)) if is_scheme(scheme) => (Some(scheme), rest),
            _ if reference.starts_with("//") => (None, &reference[2..]),
            // Another scheme, such as `urn:`.
            _ if reference.split(['/', '?', '#']).next().is_some_and(|first| first.contains(':')) => return None,
            _ => return self.below(reference.split(['?', '#']).next().unwrap_or_default()),
        };
        let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        if !same_host(scheme, authority, &self.host) {
            return None;
        }
        let path = path.split(['?', '#']).next().unwrap_or_default();
        canonical(if path.is_empty() { "/" } else { path })
    }

    /// A path that is relative to the request's (RFC 3986 §5.2).
    fn below(&self, reference: &str) -> Option<String> {
        if reference.is_empty() || reference.starts_with('/') {
            return canonical(if reference.is_empty() { &self.path } else { reference });
        }
        let folder = &self.path[..self.path.rfind('/')?];
        let mut segments: Vec<&str> = folder.split('/').collect();
        let mut pieces = reference.split('/').peekable();
        while let Some(piece) = pieces.next() {
            match piece {
                "." | ".." => {
                    if piece == ".." && segments.len() > 1 {
                        segments.pop();
                    }
                    if pieces.peek().is_none() {
                        segments.push("");
                    }
                }
                piece => segments.push(piece),
            }
        }
        canonical(&segments.join("/"))
    }
}

/// Whether this begins a URL (RFC 3986 §3.1).
fn is_scheme(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

/// Whether two authorities are one host, where a port may be said or be the scheme's own (RFC 3986 §6.2.3).
fn same_host(scheme: Option<&str>, one: &str, other: &str) -> bool {
    let usual: &[&str] = match scheme {
        Some(scheme) if scheme.eq_ignore_ascii_case("http") => &[":80"],
        Some(scheme) if scheme.eq_ignore_ascii_case("https") => &[":443"],
        Some(_) => &[],
        None => &[":80", ":443"],
    };
    let bare = |authority: &str| -> String {
        let port = usual.iter().find_map(|port| authority.strip_suffix(port));
        port.or_else(|| authority.strip_suffix(':')).unwrap_or(authority).to_ascii_lowercase()
    };
    bare(one) == bare(other)
}

/// An absolute path in the form that routes are found by.
fn canonical(path: &str) -> Option<String> {
    Some(RequestPath::parse(path).ok().filter(|_| path.starts_with('/'))?.canonical().to_owned())
}

impl ResponseCache {
    /// Takes out all; says how many entries that were.
    pub fn purge_everything(&self) -> u64 {
        self.purge_operations(|_| true)
    }

    /// Takes out what is stored of a path, or of the path of a URL, with every query; says how many entries that were, or
    /// nothing if it is none.
    pub fn purge_url(&self, url: &str) -> Option<u64> {
        let path = match url.split_once("://") {
            Some((_, rest)) => &rest[rest.find('/').unwrap_or(rest.len())..],
            None => url,
        };
        let path = path.split(['?', '#']).next().unwrap_or_default();
        let path = if path.is_empty() && url.contains("://") { "/" } else { path };
        Some(self.purge_tag(tag_of(&canonical(path)?)))
    }

    /// Takes out what is stored of these operations, by their numbers; says how many entries that were.
    pub fn purge_numbers(&self, numbers: &[usize]) -> u64 {
        self.purge_operations(|number| numbers.contains(&number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_read_as_the_client_reads_them() {
        let cache: &'static ResponseCache = Box::leak(Box::new(ResponseCache::new(1 << 20)));
        let path = RequestPath::parse("/news/minute").expect("a path");
        for (host, reference, expected) in [
            ("gw.test", "/a?b", Some("/a")),
            ("gw.test", "http://gw.test/a", Some("/a")),
            ("gw.test", "http://gw.test:80/a", Some("/a")),
            ("gw.test:443", "https://GW.test/a", Some("/a")),
            ("gw.test", "https://gw.test:80/a", None),
            ("gw.test", "http://gw.test:8080/a", None),
            ("gw.test", "http://other.test/a", None),
            ("gw.test", "//gw.test/a", Some("/a")),
            ("gw.test", "//other.test/a", None),
            ("gw.test", "http://gw.test?x", Some("/")),
            ("gw.test", "minute/p", Some("/news/minute/p")),
            ("gw.test", "./p?x", Some("/news/p")),
            ("gw.test", "../p", Some("/p")),
            ("gw.test", "../../../p", Some("/p")),
            ("gw.test", "?x", Some("/news/minute")),
            ("gw.test", "p?at=http://other.test/", Some("/news/p")),
            ("gw.test", "urn:isbn:1", None),
        ] {
            let purging = Purging::of(cache, "PUT", &path, &path, Some(host)).expect("it changes something");
            assert_eq!(purging.own_path(reference).as_deref(), expected, "{host} {reference}");
        }
    }
}
