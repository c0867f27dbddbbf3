//! `rewrite`: which path the upstream sees.

use gateway_route::Template;
use gateway_yaml::{Node, Spanned};

use crate::diagnostic::{Diagnostic, GW502, GW524};
use crate::vocabulary::reader::Reader;

/// `rewrite`.
#[derive(Debug, Clone)]
pub enum RewritePolicy {
    /// `path`.
    Path(Spanned<Template>),
    /// `regex` and `to`, which fit each other.
    Regex {
        /// The expression.
        pattern: String,
        /// The replacement.
        to: String,
    },
}

pub(super) fn rewrite(reader: &mut Reader<'_>, node: &Node) -> Option<RewritePolicy> {
    let entries = reader.known(node, "`rewrite`", &["path", "regex", "to"]);
    let member = |name: &str| entries.iter().find(|entry| &*entry.key.name == name).map(|entry| &entry.value);
    match (member("path"), member("regex"), member("to")) {
        (Some(path), None, None) => {
            let text = reader.text(path, "`path`")?;
            match Template::parse(text) {
                Ok(template) => Some(RewritePolicy::Path(Spanned::new(path.span, template))),
                Err(error) => {
                    reader.report(
                        Diagnostic::error(GW524, format!("`{text}` is not a path to forward"))
                            .at(path.span, error.to_string()),
                    );
                    None
                }
            }
        }
        (None, Some(regex), Some(to)) => {
            let (pattern, replacement) = (reader.text(regex, "`regex`")?, reader.text(to, "`to`")?);
            let compiled = match regex_lite::Regex::new(pattern) {
                Ok(compiled) => compiled,
                Err(error) => {
                    reader.report(
                        Diagnostic::error(GW502, format!("`{pattern}` is not a regular expression"))
                            .at(regex.span, error.to_string())
                            .help("the syntax is that of Rust's `regex-lite`: linear time, no look-around, no back-references"),
                    );
                    return None;
                }
            };
            if let Some(problem) = bad_replacement(pattern, replacement) {
                reader.report(
                    Diagnostic::error(GW524, format!("`{replacement}` does not make a path to forward"))
                        .at(to.span, problem),
                );
                return None;
            }
            if let Some(group) = missing_group(&compiled, replacement) {
                reader.report(
                    Diagnostic::error(
                        GW502,
                        format!("`{replacement}` refers to group `{group}`, which the expression does not have"),
                    )
                    .at(to.span, "no such group")
                    .also(regex.span, format!("has {} groups", compiled.captures_len() - 1)),
                );
                return None;
            }
            Some(RewritePolicy::Regex { pattern: pattern.to_owned(), to: replacement.to_owned() })
        }
        _ if node.as_mapping().is_some() => {
            reader.wrong(node, "`rewrite`", "expected either `path`, or `regex` with `to`");
            None
        }
        _ => None,
    }
}

/// Why a replacement gives no path, whatever the groups hold. What they do hold is checked for every request.
fn bad_replacement(pattern: &str, to: &str) -> Option<&'static str> {
    if to.contains(['?', '#']) {
        return Some("only the path is rewritten; the query is forwarded as received");
    }
    if !to.bytes().all(|byte| (0x21..0x7f).contains(&byte)) {
        return Some("only visible ASCII; anything else is percent-encoded");
    }
    // Braces name groups here, and are not allowed in a path.
    if to
        .replace(['{', '}'], "x")
        .split('/')
        .any(|segment| gateway_route::RequestPath::parse(&format!("/{segment}")).is_err())
    {
        return Some("no dot segments, and `%` only before two hexadecimal digits");
    }
    if pattern.starts_with("^/") && !to.starts_with(['/', '$']) {
        return Some("a path starts with `/`");
    }
    None
}

/// The first `$1`, `${1}` or `${name}` without a group.
fn missing_group(regex: &regex_lite::Regex, to: &str) -> Option<String> {
    let mut rest = to;
    while let Some(at) = rest.find('$') {
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            rest = after;
            continue;
        }
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let group = match rest.strip_prefix('{') {
            Some(braced) => braced.split_once('}').map_or(braced, |(name, _)| name),
            None if digits > 0 => &rest[..digits],
            None => return Some(rest.chars().take(1).collect()),
        };
        let known = match group.parse::<usize>() {
            Ok(number) => number < regex.captures_len(),
            Err(_) => regex.capture_names().flatten().any(|name| name == group),
        };
        if !known {
            return Some(group.to_owned());
        }
    }
    None
}
