//! `cache`: which responses are stored and used again.

use std::time::Duration;

use gateway_yaml::{Entry, Node, Span};

use crate::diagnostic::{Diagnostic, GW104};
use crate::ir::{Cache, CacheKey};
use crate::units::{self, ByteSize};
use crate::vocabulary::balance;
use crate::vocabulary::reader::Reader;

const KNOWN: [&str; 6] = ["ttl", "methods", "key", "maxBody", "staleWhileRevalidate", "staleIfError"];

/// A larger content is not stored unless a document says otherwise.
const USUAL_MAX_BODY: ByteSize = ByteSize(1 << 20);

/// So much a document may say: more would be most of what a deployment has for all responses.
const MOST_MAX_BODY: ByteSize = ByteSize(64 << 20);

/// `cache`; `Some(None)` for `off`, nothing where it cannot be read, which has been reported.
pub(super) fn cache(reader: &mut Reader<'_>, at: Span, node: &Node) -> Option<Option<Cache>> {
    if node.is_off() {
        return Some(None);
    }
    node.as_mapping().or_else(|| {
        reader.known(node, "`cache`", &KNOWN);
        None
    })?;
    let mut read = Cache {
        ttl: None,
        methods: vec!["GET".to_owned()],
        key: None,
        max_body: USUAL_MAX_BODY,
        stale_while_revalidate: None,
        stale_if_error: None,
        span: at,
    };
    let (mut has_ttl, mut is_broken) = (false, false);
    for Entry { key, value } in reader.known(node, "`cache`", &KNOWN) {
        match &*key.name {
            "ttl" => {
                has_ttl = true;
                match ttl(reader, value) {
                    Some(ttl) => read.ttl = ttl,
                    None => is_broken = true,
                }
            }
            "methods" => match methods(reader, value) {
                Some(methods) => read.methods = methods,
                None => is_broken = true,
            },
            "key" => match keys(reader, value) {
                keys if keys.is_empty() => is_broken = true,
                keys => read.key = Some(keys),
            },
            "maxBody" => read.max_body = max_body(reader, value).unwrap_or(read.max_body),
            "staleWhileRevalidate" => {
                read.stale_while_revalidate = reader.unit(value, "`staleWhileRevalidate`", units::duration)
            }
            _ => read.stale_if_error = reader.unit(value, "`staleIfError`", units::duration),
        }
    }
    if !has_ttl && !Reader::has_unknown(node, &KNOWN) {
        let diagnostic = Diagnostic::error(GW104, "`cache` has no `ttl`").at(at, "how long is a response fresh?");
        reader.report(
            diagnostic.help("write `cache: {ttl: 60s}`, or `cache: {ttl: upstream}` for what responses say themselves"),
        );
        is_broken = true;
    }
    (!is_broken).then_some(Some(read))
}

/// A time, or nothing for `upstream`.
fn ttl(reader: &mut Reader<'_>, node: &Node) -> Option<Option<Duration>> {
    if node.as_str() == Some("upstream") {
        return Some(None);
    }
    match units::duration(node.as_str().unwrap_or_default()) {
        Ok(ttl) => Some(Some(ttl)),
        Err(expected) => {
            let or_else = "; or `upstream` for what responses say themselves, or `cache: off`";
            reader.wrong(node, "`ttl`", &format!("{expected}{or_else}"));
            None
        }
    }
}

fn max_body(reader: &mut Reader<'_>, node: &Node) -> Option<ByteSize> {
    let size = reader.unit(node, "`maxBody`", units::size)?;
    if size.0 == 0 || size.0 > MOST_MAX_BODY.0 {
        reader.wrong(node, "`maxBody`", "expected a size from 1B to 64MiB; `cache: off` stores nothing");
        return None;
    }
    Some(size)
}

/// Nothing where one of them cannot be read: what is meant is not known.
fn methods(reader: &mut Reader<'_>, node: &Node) -> Option<Vec<String>> {
    const CHOICES: [(&str, &str); 3] = [("GET", "GET"), ("HEAD", "HEAD"), ("POST", "POST")];
    if node.as_sequence().is_some_and(<[Node]>::is_empty) {
        reader.wrong(node, "`methods`", "expected one method or more; `cache: off` stores nothing");
    }
    let (mut methods, mut is_broken) = (Vec::<String>::new(), false);
    for item in reader.words(node, "`methods`") {
        if let Some(unsafe_one) = item.as_str().filter(|text| ["PUT", "PATCH", "DELETE"].contains(text)) {
            let why = format!(
                "expected `GET`, `HEAD` or `POST`: {unsafe_one} changes what it is about, and ends what is stored of it"
            );
            reader.wrong(item, "an entry of `methods`", &why);
            is_broken = true;
            continue;
        }
        let Some(method) = reader.choice(item, "an entry of `methods`", &CHOICES) else {
            is_broken = true;
            continue;
        };
        if methods.iter().any(|known| known == method) {
            twice(reader, item, method, "`methods`");
        } else {
            methods.push(method.to_owned());
        }
    }
    if methods.iter().any(|method| method == "HEAD") && !methods.iter().any(|method| method == "GET") {
        reader.wrong(node, "`methods`", "expected `GET` beside `HEAD`, which is answered from what GET has stored");
        is_broken = true;
    }
    (!is_broken && !methods.is_empty()).then_some(methods)
}

fn keys(reader: &mut Reader<'_>, node: &Node) -> Vec<CacheKey> {
    let mut keys: Vec<CacheKey> = Vec::new();
    if node.as_sequence().is_some_and(<[Node]>::is_empty) {
        reader.wrong(
            node,
            "`key`",
            "expected one part of the request or more, such as `query:page`; without `key`, all of the query counts",
        );
        return keys;
    }
    for item in reader.words(node, "`key`") {
        let Some(text) = reader.text(item, "a part of `key`") else { continue };
        let key = match text {
            "query" => Some(CacheKey::Query),
            _ => balance::hash_key(text).map(CacheKey::Part),
        };
        match key {
            Some(key) if keys.contains(&key) => twice(reader, item, text, "`key`"),
            Some(key) => keys.push(key),
            None => reader.wrong(
                item,
                "a part of `key`",
                "expected `query` for all of it, `query:x`, `header:X`, `cookie:x`, `caller`, `consumer`, `user`, `client`, `credential`, `ip` or `path`",
            ),
        }
    }
    keys
}

fn twice(reader: &mut Reader<'_>, item: &Node, entry: &str, list: &str) {
    let headline = format!("`{entry}` stands twice in {list}");
    reader.report(Diagnostic::error(GW104, headline).at(item.span, "the second").help("remove it"));
}
