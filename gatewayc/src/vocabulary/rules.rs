//! `rules`: what becomes of requests that no path matches.

use gateway_route::{Expansion, RequestPath, is_clear};
use gateway_terms::upstream::UpstreamScheme;
use gateway_yaml::{Entry, Node, Span};
use regex_lite::RegexBuilder;

use crate::diagnostic::{Diagnostic, GW102, GW502, GW524};
use crate::ir::{RulePattern, Upstream};
use crate::vocabulary::accepted_risk::{AcceptedRisk, accept_risk};
use crate::vocabulary::authority::is_authority;
use crate::vocabulary::json::json;
use crate::vocabulary::reader::Reader;

/// A request that no path matches is matched against all of them.
const MOST_RULES: usize = 100;

/// What an expression may take, in bytes. The runtime has the same.
const SIZE_LIMIT: usize = 16 << 10;

/// Statuses that mean the same whatever was asked for, and need no field beside them.
const ANSWERS: &[(u64, &str)] = &[
    (200, "OK"),
    (204, "No Content"),
    (400, "Bad Request"),
    (403, "Forbidden"),
    (404, "Not Found"),
    (410, "Gone"),
    (451, "Unavailable For Legal Reasons"),
    (500, "Internal Server Error"),
    (501, "Not Implemented"),
    (503, "Service Unavailable"),
];

/// One of `rules`.
#[derive(Debug)]
pub struct RulePolicy {
    /// Where its `match` is.
    pub at: Span,
    /// The whole rule.
    pub scope: Span,
    /// `match`, `nocase`, `not` and `host`.
    pub pattern: RulePattern,
    /// What becomes of the request.
    pub choice: RuleChoice,
    /// `acceptRisk`.
    pub accepted: Vec<AcceptedRisk>,
}

/// What a rule does.
#[derive(Debug)]
pub enum RuleChoice {
    /// `rewrite` and `last`.
    Rewrite {
        /// The new path and query.
        to: String,
        /// Without the following rules.
        last: bool,
    },
    /// `redirect`.
    Redirect {
        /// A path, or a URL.
        to: String,
        /// The status.
        status: u16,
    },
    /// `respond` and `contentType`.
    Respond {
        /// The status.
        status: u16,
        /// Of the body.
        content_type: String,
        /// The body, which may be empty.
        body: String,
    },
    /// `proxy` and `contentType`.
    Proxy {
        /// Scheme and authority.
        upstream: Box<Upstream>,
        /// Path and query.
        to: String,
        /// Instead of the upstream's.
        content_type: Option<String>,
    },
}

/// The rules in the order of the document; nothing where one is broken.
pub(super) fn rules(reader: &mut Reader<'_>, node: &Node) -> Vec<Option<RulePolicy>> {
    let items = reader.list(node, "`rules`");
    if items.len() > MOST_RULES {
        reader.wrong(node, "`rules`", &format!("at most {MOST_RULES} rules; each is tried on every unknown path"));
    }
    items.iter().map(|item| rule(reader, item)).collect()
}

fn rule(reader: &mut Reader<'_>, node: &Node) -> Option<RulePolicy> {
    const CHOICES: &[&str] = &["proxy", "redirect", "respond", "rewrite"];
    const MEMBERS: &[&str] = &[
        "match",
        "nocase",
        "not",
        "host",
        "proxy",
        "redirect",
        "respond",
        "rewrite",
        "last",
        "contentType",
        "security",
        "acceptRisk",
    ];
    let entries = reader.known(node, "a rule", MEMBERS);
    let member = |name: &str| entries.iter().find(|entry| &*entry.key.name == name).copied();
    let chosen: Vec<&Entry> = CHOICES.iter().filter_map(|name| member(name)).collect();
    let (Some(matched), [choice]) = (member("match"), &chosen[..]) else {
        if node.as_mapping().is_some() {
            reader.wrong(node, "a rule", "expected `match`, and one of `proxy`, `redirect`, `respond` and `rewrite`");
        }
        return None;
    };
    let name = &*choice.key.name;
    let mut stray = false;
    for (other, with) in [("security", &["proxy"][..]), ("last", &["rewrite"]), ("contentType", &["proxy", "respond"])]
    {
        if let Some(entry) = member(other).filter(|_| !with.contains(&name)) {
            stray = true;
            reader.report(
                Diagnostic::error(GW102, format!("`{other}` means nothing beside `{name}`"))
                    .at(entry.key.span, "would not be enforced")
                    .help(format!("it belongs to `{}`: remove it", with.join("` and `"))),
            );
        }
    }
    let flag = |reader: &mut Reader<'_>, name: &str| {
        member(name).map_or(Some(false), |entry| reader.boolean(&entry.value, &format!("`{name}`")))
    };
    let (ignores_case, negated, last) = (flag(reader, "nocase"), flag(reader, "not"), flag(reader, "last"));
    let pattern = reader.text(&matched.value, "`match`").map(str::to_owned);
    let groups = pattern.as_ref().and_then(|pattern| compile(reader, &matched.value, pattern));
    let host = match member("host") {
        Some(entry) => {
            let host = reader.text(&entry.value, "`host`").map(str::to_owned);
            host.filter(|host| compile(reader, &entry.value, host).is_some())
        }
        None => Some(String::new()),
    };
    let content_type = match member("contentType") {
        Some(entry) => Some(media_type(reader, &entry.value)?),
        None => None,
    };
    let accepted = member("acceptRisk").map(|entry| accept_risk(reader, &entry.value)).unwrap_or_default();
    let groups = Groups { count: groups?, negated: negated?, at: matched.value.span };
    let choice = match name {
        "proxy" => proxy(reader, &choice.value, &groups, content_type),
        "redirect" => redirect(reader, &choice.value, &groups),
        "respond" => respond(reader, &choice.value, content_type),
        _ => {
            let to = reader.text(&choice.value, "`rewrite`")?;
            target(reader, &choice.value, to, &groups).map(|to| RuleChoice::Rewrite { to, last: last.unwrap_or(false) })
        }
    };
    last?;
    if stray {
        return None;
    }
    let pattern = RulePattern { pattern: pattern?, ignores_case: ignores_case?, negated: negated?, host: host? };
    Some(RulePolicy { at: matched.value.span, scope: node.span, pattern, choice: choice?, accepted })
}

/// The groups that a rule's targets may name.
struct Groups {
    count: usize,
    negated: bool,
    at: Span,
}

/// How many groups an expression has, if it is one.
fn compile(reader: &mut Reader<'_>, node: &Node, pattern: &str) -> Option<usize> {
    // As the runtime does, at the larger of the two sizes.
    match RegexBuilder::new(pattern).case_insensitive(true).size_limit(SIZE_LIMIT).build() {
        Ok(compiled) => Some(compiled.captures_len() - 1),
        Err(error) => {
            reader.report(
                Diagnostic::error(GW502, format!("`{pattern}` is not a regular expression"))
                    .at(node.span, error.to_string())
                    .help("the syntax is that of Rust's `regex-lite`: linear time, no look-around, no back-references"),
            );
            None
        }
    }
}

/// Text with groups; what it says about them holds.
fn expansion(reader: &mut Reader<'_>, node: &Node, text: &str, groups: &Groups) -> Option<Expansion> {
    let expansion = match Expansion::parse(text) {
        Ok(expansion) => expansion,
        Err(error) => {
            bad_target(reader, node, text, &error.to_string());
            return None;
        }
    };
    let most = if groups.negated { 0 } else { groups.count };
    let Some(missing) = expansion.groups().find(|group| *group > most) else { return Some(expansion) };
    let why = if groups.negated {
        "with `not`, nothing is captured".to_owned()
    } else {
        format!("has {} groups", groups.count)
    };
    reader.report(
        Diagnostic::error(GW502, format!("`{text}` refers to group `{missing}`, which the expression does not have"))
            .at(node.span, "no such group")
            .also(groups.at, why),
    );
    None
}

fn bad_target(reader: &mut Reader<'_>, node: &Node, text: &str, problem: &str) {
    reader.report(Diagnostic::error(GW524, format!("`{text}` does not make a target")).at(node.span, problem));
}

/// A path and perhaps a query, with groups.
fn target(reader: &mut Reader<'_>, node: &Node, text: &str, groups: &Groups) -> Option<String> {
    let sample = expansion(reader, node, text, groups)?.with("x");
    let (path, query) = sample.split_once('?').unwrap_or((&sample, ""));
    let problem = if !text.starts_with('/') {
        "a path starts with `/`"
    } else if query.contains(['#', '"', '<', '>', '\\', '`']) || !query.bytes().all(|byte| byte.is_ascii_graphic()) {
        "the query has characters that have to be percent-encoded"
    } else if RequestPath::parse(path).is_err() {
        "a path of visible ASCII without dot segments and `#`, and `%` only before two hexadecimal digits"
    } else if !RequestPath::parse(path).is_ok_and(|path| is_clear(&path)) {
        "upstreams may read `//`, `;`, `\\`, `%2F` and `%25` as other segments"
    } else {
        return Some(text.to_owned());
    };
    bad_target(reader, node, text, problem);
    None
}

fn proxy(reader: &mut Reader<'_>, node: &Node, groups: &Groups, content_type: Option<String>) -> Option<RuleChoice> {
    let url = reader.text(node, "`proxy`")?;
    let below = UpstreamScheme::of(url).filter(|(scheme, _)| !scheme.is_service).map(|(_, below)| below);
    let rest = match below.map_or(Err("expected `http://host:port/path`"), below_authority) {
        Ok(rest) => rest,
        Err(problem) => {
            bad_target(reader, node, url, problem);
            return None;
        }
    };
    let to = target(reader, node, if rest.is_empty() { "/" } else { rest }, groups)?;
    let upstream = Box::new(Upstream::at(&url[..url.len() - rest.len()]));
    Some(RuleChoice::Proxy { upstream, to, content_type })
}

/// What follows the authority of a URL without its scheme. No request decides the authority.
fn below_authority(rest: &str) -> Result<&str, &'static str> {
    let (authority, rest) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    if authority.contains('$') {
        Err("the host must be written out, with `/` behind it: no request may choose it")
    } else if authority.contains('@') {
        Err("credentials do not belong into an address")
    } else if !is_authority(authority) {
        Err("expected a host and perhaps a port after `://`")
    } else {
        Ok(rest)
    }
}

fn redirect(reader: &mut Reader<'_>, node: &Node, groups: &Groups) -> Option<RuleChoice> {
    let entries = reader.known(node, "`redirect`", &["to", "status"]);
    let member = |name: &str| entries.iter().find(|entry| &*entry.key.name == name).map(|entry| &entry.value);
    let Some(to) = member("to") else {
        reader.wrong(node, "`redirect`", "expected `to`");
        return None;
    };
    let status = match member("status") {
        None => 301,
        Some(node) => match node.as_number().and_then(|number| number.as_u64()) {
            Some(status @ (301 | 302 | 303 | 307 | 308)) => status as u16,
            _ => {
                reader.wrong(node, "`status`", "expected 301, 302, 303, 307 or 308");
                return None;
            }
        },
    };
    let text = reader.text(to, "`to`")?;
    let sample = expansion(reader, to, text, groups)?.with("x");
    let absolute = ["http://", "https://"].iter().find_map(|scheme| text.strip_prefix(scheme));
    let problem = match absolute.map(below_authority).transpose() {
        Err(problem) => problem,
        Ok(None) if !text.starts_with('/') => "expected a path, or a URL with `http://` or `https://`",
        Ok(None) if sample[1..].starts_with(['/', '\\']) => "`//` leads to another host; write the whole URL",
        Ok(_) if !sample.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"<>\\`".contains(&byte)) => {
            "only visible ASCII; anything else is percent-encoded"
        }
        Ok(_) => return Some(RuleChoice::Redirect { to: text.to_owned(), status }),
    };
    bad_target(reader, to, text, problem);
    None
}

fn respond(reader: &mut Reader<'_>, node: &Node, content_type: Option<String>) -> Option<RuleChoice> {
    let entries = reader.known(node, "`respond`", &["status", "body"]);
    let member = |name: &str| entries.iter().find(|entry| &*entry.key.name == name).map(|entry| &entry.value);
    let status = member("status");
    let number = status.and_then(|status| status.as_number()).and_then(|number| number.as_u64());
    let Some((status, reason)) = ANSWERS.iter().find(|(known, _)| Some(*known) == number) else {
        let known: Vec<String> = ANSWERS.iter().map(|(status, _)| status.to_string()).collect();
        reader.wrong(status.unwrap_or(node), "`status`", &format!("expected one of {}", known.join(", ")));
        return None;
    };
    const JSON: &str = "application/json; charset=utf-8";
    let (usual, body) = match member("body") {
        Some(body) => match body.as_str() {
            Some(text) => ("text/plain; charset=utf-8", text.to_owned()),
            None => (JSON, json(body)),
        },
        None if *status < 400 => ("text/plain; charset=utf-8", String::new()),
        None => (JSON, serde_json::json!({"message": reason}).to_string()),
    };
    if *status == 204 && (member("body").is_some() || content_type.is_some()) {
        reader.wrong(node, "`respond`", "204 has no body");
        return None;
    }
    let content_type = content_type.unwrap_or_else(|| usual.to_owned());
    Some(RuleChoice::Respond { status: *status as u16, content_type, body })
}

/// `type/subtype`, perhaps with parameters (RFC 9110 §8.3.1).
fn media_type(reader: &mut Reader<'_>, node: &Node) -> Option<String> {
    let text = reader.text(node, "`contentType`")?;
    let is_token = |text: &str| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte))
    };
    let essence = text.split(';').next().unwrap_or_default().trim_end();
    let good = essence.split_once('/').is_some_and(|(first, second)| is_token(first) && is_token(second));
    if !good || !text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        reader.wrong(node, "`contentType`", "expected a media type such as `text/html; charset=utf-8`");
        return None;
    }
    Some(text.to_owned())
}
