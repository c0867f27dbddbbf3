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
    tag: u64,
    /// The client's name for the gateway, with its port.
    host: String,
}

impl Purging {
    /// A request of this method for a path, where the method is not safe (RFC 9110 §9.2.1).
    pub(crate) fn of(
        cache: &'static ResponseCache,
        method: &str,
        path: &RequestPath<'_>,
        host: Option<&str>,
    ) -> Option<Self> {
        if matches!(method, "GET" | "HEAD" | "OPTIONS" | "TRACE" | "QUERY") {
            return None;
        }
        Some(Self { cache, tag: tag_of(path.canonical()), host: host.unwrap_or_default().to_owned() })
    }

    /// The upstream has answered.
    pub(crate) fn answered(&self, status: u16, fields: &[Field<'_>], locations: Option<&Locations>) {
        if !(200..400).contains(&status) {
            return;
        }
        self.cache.purge_tag(self.tag);
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
        let rest = match reference.split_once("://") {
            Some((_, rest)) => {
                let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
                if !authority.eq_ignore_ascii_case(&self.host) {
                    return None;
                }
                path
            }
            None if reference.starts_with("//") => return None,
            None => reference,
        };
        let path = rest.split(['?', '#']).next().unwrap_or_default();
        let path = if path.is_empty() && rest.len() != reference.len() { "/" } else { path };
        canonical(path)
    }
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
