//! `cors`: which pages of other origins may call.

use std::time::Duration;

use gateway_terms::token::is_token;
use gateway_yaml::{Entry, Node, Span};

use crate::diagnostic::{Diagnostic, GW104, GW540, GW541, GW542};
use crate::ir::{CorsPolicy, Origins};
use crate::units;
use crate::vocabulary::headers::in_order;
use crate::vocabulary::origin::{ListedOrigin, listed_origin};
use crate::vocabulary::reader::Reader;

/// `cors`, where it is not `off`.
#[derive(Debug, Clone)]
pub struct CorsChoice {
    /// Who may call.
    pub policy: CorsPolicy,
    /// `headers`: what scripts may set beside what is described.
    pub headers: Vec<String>,
    /// `expose`: what scripts may read beside what is described.
    pub expose: Vec<String>,
}

const MEMBERS: &[&str] = &["origins", "credentials", "maxAge", "headers", "expose", "privateNetwork", "enforce"];

/// `None` for `off`, and for what has been reported.
pub(super) fn cors(reader: &mut Reader<'_>, key: Span, node: &Node) -> Option<CorsChoice> {
    if node.as_text() == Some("off") {
        return None;
    }
    if node.as_mapping().is_none() {
        reader.wrong(node, "`cors`", "expected `{origins: [\"https://app.example\"]}` or `off`");
        return None;
    }
    let mut policy = CorsPolicy {
        origins: Vec::new(),
        patterns: Vec::new(),
        any: false,
        credentials: false,
        max_age: None,
        private_network: false,
        enforce: false,
    };
    let (mut headers, mut expose, mut has_origins) = (Vec::new(), Vec::new(), false);
    let (mut credentials_at, mut enforce_at) = (node.span, node.span);
    for Entry { key, value } in reader.known(node, "`cors`", MEMBERS) {
        match &*key.name {
            "origins" => {
                has_origins = true;
                let listed = origins(reader, value, "`cors`");
                (policy.origins, policy.patterns, policy.any) = (listed.origins, listed.patterns, listed.any);
            }
            "credentials" => {
                credentials_at = value.span;
                policy.credentials = reader.boolean(value, "`credentials`").unwrap_or_default();
            }
            "maxAge" => policy.max_age = reader.unit(value, "`maxAge`", whole_seconds),
            "headers" => headers = names(reader, value, "`headers`"),
            "expose" => expose = names(reader, value, "`expose`"),
            "privateNetwork" => {
                policy.private_network = reader.boolean(value, "`privateNetwork`").unwrap_or_default();
            }
            _ => {
                enforce_at = value.span;
                policy.enforce = reader.boolean(value, "`enforce`").unwrap_or_default();
            }
        }
    }
    if !has_origins && !Reader::has_unknown(node, MEMBERS) {
        reader.report(
            Diagnostic::error(GW104, "`cors` does not say which origins may call")
                .at(key, "`origins` is missing")
                .help("write `origins: [\"https://app.example\"]`, or `origins: [\"*\"]` for every page there is"),
        );
    }
    if policy.any && policy.credentials {
        reader.report(
            Diagnostic::error(GW541, "`*` and `credentials: true` let every page act for its visitor")
                .at(credentials_at, "browsers refuse this, too")
                .help("list the origins, or remove `credentials`"),
        );
    }
    if policy.any && policy.enforce {
        reader.report(
            Diagnostic::error(GW542, "`enforce: true` refuses no request: `*` is every origin")
                .at(enforce_at, "never applies")
                .help("list the origins, or remove `enforce`"),
        );
    }
    Some(CorsChoice { policy, headers, expose })
}

/// `origins`, a member of `of`.
pub(super) fn origins(reader: &mut Reader<'_>, node: &Node, of: &str) -> Origins {
    let mut listed = Origins { origins: Vec::new(), patterns: Vec::new(), any: false };
    let items = reader.words(node, "`origins`");
    if node.as_sequence().is_some_and(<[Node]>::is_empty) {
        let off = if of == "`cors`" { "; `cors: off` admits none" } else { "" };
        reader.wrong(node, "`origins`", &format!("expected one origin or more{off}"));
    }
    for item in items {
        let Some(text) = reader.text(item, "an origin") else { continue };
        match listed_origin(text) {
            Ok(ListedOrigin::Any) => {
                listed.any = true;
                if items.len() > 1 {
                    reader.report(
                        Diagnostic::error(GW540, "`*` is every origin, and others are listed beside it")
                            .at(item.span, "stands alone")
                            .help("remove the others, or `*`"),
                    );
                }
            }
            Ok(ListedOrigin::One(origin)) => listed.origins.push(origin),
            Ok(ListedOrigin::Below(pattern)) => listed.patterns.push(pattern),
            Err(problem) => reader.report(
                Diagnostic::error(GW540, format!("{} in {of}", problem.problem))
                    .at(item.span, problem.label)
                    .did_you_mean(problem.meant.as_deref()),
            ),
        }
    }
    listed.origins.sort_unstable();
    listed.origins.dedup();
    listed.patterns.sort_unstable();
    listed.patterns.dedup();
    listed
}

/// Names of header fields.
fn names(reader: &mut Reader<'_>, node: &Node, what: &str) -> Vec<String> {
    let mut names = Vec::new();
    for item in reader.words(node, what) {
        match item.as_text() {
            Some("*") => reader.wrong(item, what, "`*` means nothing beside credentials: expected names of headers"),
            Some(name) if is_token(name.as_bytes()) => names.push(name.to_owned()),
            _ => reader.wrong(item, what, "expected the name of a header"),
        }
    }
    in_order(names)
}

/// The header has no smaller unit.
fn whole_seconds(text: &str) -> Result<Duration, &'static str> {
    units::duration(text).and_then(|duration| match duration.subsec_nanos() {
        0 => Ok(duration),
        _ => Err("browsers count in whole seconds, such as `10m`"),
    })
}
