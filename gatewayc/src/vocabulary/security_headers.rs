//! `securityHeaders`: what responses tell browsers about what they may do with them.

use gateway_yaml::{Entry, Node};

use crate::diagnostic::{Diagnostic, GW525};
use crate::vocabulary::headers::{editable, header_value};
use crate::vocabulary::reader::Reader;

/// What `standard` is. Responses of an API are no pages: nothing guesses what they are, nothing shows them in a frame, and
/// a link in one of them does not tell where it was.
const STANDARD: [(&str, &str); 3] = [
    ("Content-Security-Policy", "frame-ancestors 'none'"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Content-Type-Options", "nosniff"),
];

/// Names and values, ordered by name; none for `off`.
pub(super) fn security_headers(reader: &mut Reader<'_>, node: &Node) -> Vec<(String, String)> {
    let mut headers: Vec<(String, String)> =
        STANDARD.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    match node.as_text() {
        Some("standard") => return headers,
        Some("off") => return Vec::new(),
        _ => {}
    }
    if node.as_mapping().is_none() {
        reader.wrong(node, "`securityHeaders`", "expected `standard`, `off`, or `{Referrer-Policy: same-origin}`");
        return Vec::new();
    }
    let mut seen: Vec<String> = Vec::new();
    for Entry { key, value } in reader.mapping(node, "`securityHeaders`") {
        let lower = key.name.to_ascii_lowercase();
        if seen.contains(&lower) {
            let diagnostic = Diagnostic::error(GW525, format!("`{}` is set twice", key.name));
            reader.report(diagnostic.at(key.span, "letter case does not tell headers apart"));
        }
        if is_about_content(&lower) {
            let diagnostic = Diagnostic::error(GW525, format!("`{}` is no member of `securityHeaders`", key.name));
            reader.report(
                diagnostic
                    .at(key.span, "says what a response is, not what browsers may do with it")
                    .help("responses of the upstream are changed by `responseHeaders`"),
            );
            continue;
        }
        if let Some(elsewhere) = said_elsewhere(&lower) {
            let diagnostic = Diagnostic::error(GW525, format!("`{}` is no member of `securityHeaders`", key.name));
            reader.report(diagnostic.at(key.span, "has a member of its own").help(elsewhere));
            continue;
        }
        let known = headers.iter().position(|(name, _)| name.eq_ignore_ascii_case(&lower));
        if value.as_text() == Some("off") {
            match known {
                Some(known) => drop(headers.remove(known)),
                None if seen.contains(&lower) => {}
                None => {
                    reader.wrong(value, &format!("`{}`", key.name), "expected a value: `standard` does not have it")
                }
            }
        } else if let Some(name) = editable(reader, key.span, Some(&key.name), None)
            && let Some(text) = header_value(reader, &name, value, false)
        {
            match known {
                Some(known) => headers[known].1 = text,
                None => headers.push((name, text)),
            }
        }
        seen.push(lower);
    }
    headers.sort_by_key(|(name, _)| name.to_ascii_lowercase());
    headers
}

/// Fields about the response itself, or about the request: those of one response would be wrong for another.
fn is_about_content(name: &str) -> bool {
    const NAMES: [&str; 17] = [
        "accept-ranges",
        "age",
        "allow",
        "cache-control",
        "date",
        "etag",
        "expires",
        "last-modified",
        "location",
        "proxy-authenticate",
        "retry-after",
        "server",
        "set-cookie",
        "vary",
        "www-authenticate",
        "x-accel-redirect",
        "x-request-id",
    ];
    let is_policy = name.starts_with("content-security-policy");
    NAMES.contains(&name) || (name.starts_with("content-") && !is_policy) || name.starts_with("grpc-")
}

fn said_elsewhere(name: &str) -> Option<&'static str> {
    if name == "strict-transport-security" {
        return Some("write `https: {hsts: {maxAge: 180d}}` at the root");
    }
    name.starts_with("access-control-").then_some("write `cors: {origins: […]}`")
}
