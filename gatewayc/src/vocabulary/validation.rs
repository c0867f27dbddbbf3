//! `validation`: what is checked of requests and responses, and what becomes of those that are not as described.

use gateway_terms::contract::{Details, Mode};
use gateway_yaml::{Entry, Node, Span};

use crate::units::{self, ByteSize};
use crate::vocabulary::reader::Reader;

/// `validation`. What a part leaves out is as around it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ValidationPolicy {
    /// Path parameters.
    pub path: Option<Mode>,
    /// Query parameters.
    pub query: Option<Mode>,
    /// Header parameters.
    pub header: Option<Mode>,
    /// Cookie parameters.
    pub cookie: Option<Mode>,
    /// Bodies of requests.
    pub body: Option<Mode>,
    /// Responses.
    pub response: Option<Mode>,
    /// Query parameters that are not described.
    pub unknown_query: Option<Mode>,
    /// Header fields named `X-…` that are not described.
    pub unknown_header: Option<Mode>,
    /// Cookies that are not described.
    pub unknown_cookie: Option<Mode>,
    /// The largest body that is checked.
    pub max_body: Option<ByteSize>,
    /// What refusals say.
    pub details: Option<Details>,
    /// What cannot be enforced does not compile.
    pub strict: Option<bool>,
    /// Where each member is that stands here and not around: its name and its key.
    pub own: Vec<(String, Span)>,
}

const MODES: [(&str, Mode); 3] = [("enforce", Mode::Enforce), ("observe", Mode::Observe), ("off", Mode::Off)];
const UNKNOWN: [(&str, Mode); 3] = [("ignore", Mode::Off), ("observe", Mode::Observe), ("refuse", Mode::Enforce)];

impl ValidationPolicy {
    /// What holds here, given what holds around.
    pub(crate) fn or(self, outer: &Self) -> Self {
        Self {
            path: self.path.or(outer.path),
            query: self.query.or(outer.query),
            header: self.header.or(outer.header),
            cookie: self.cookie.or(outer.cookie),
            body: self.body.or(outer.body),
            response: self.response.or(outer.response),
            unknown_query: self.unknown_query.or(outer.unknown_query),
            unknown_header: self.unknown_header.or(outer.unknown_header),
            unknown_cookie: self.unknown_cookie.or(outer.unknown_cookie),
            max_body: self.max_body.or(outer.max_body),
            details: self.details.or(outer.details),
            strict: self.strict.or(outer.strict),
            own: self.own,
        }
    }
}

pub(super) fn validation(reader: &mut Reader<'_>, node: &Node) -> ValidationPolicy {
    const MEMBERS: &[&str] = &["request", "response", "unknown", "maxBody", "details", "strict"];
    let mut policy = ValidationPolicy::default();
    for Entry { key, value } in reader.known(node, "`validation`", MEMBERS) {
        policy.own.push((key.name.to_string(), key.span));
        match &*key.name {
            "request" => request(reader, value, &mut policy),
            "response" => policy.response = reader.choice(value, "`response`", &MODES),
            "unknown" => unknown(reader, value, &mut policy),
            "maxBody" => policy.max_body = reader.unit(value, "`maxBody`", units::size),
            "details" => {
                let choices = [("full", Details::Full), ("location", Details::Location), ("none", Details::Nothing)];
                policy.details = reader.choice(value, "`details`", &choices);
            }
            "strict" => policy.strict = reader.boolean(value, "`strict`"),
            _ => {}
        }
    }
    policy
}

fn request(reader: &mut Reader<'_>, node: &Node, policy: &mut ValidationPolicy) {
    if node.as_mapping().is_none() {
        let mode = reader.choice(node, "`request`", &MODES);
        for part in [&mut policy.path, &mut policy.query, &mut policy.header, &mut policy.cookie, &mut policy.body] {
            *part = mode;
        }
        return;
    }
    for Entry { key, value } in reader.known(node, "`request`", &["path", "query", "header", "cookie", "body"]) {
        let mode = reader.choice(value, &format!("`{}`", key.name), &MODES);
        match &*key.name {
            "path" => policy.path = mode,
            "query" => policy.query = mode,
            "header" => policy.header = mode,
            "cookie" => policy.cookie = mode,
            _ => policy.body = mode,
        }
    }
}

fn unknown(reader: &mut Reader<'_>, node: &Node, policy: &mut ValidationPolicy) {
    for Entry { key, value } in reader.known(node, "`unknown`", &["query", "header", "cookie", "body"]) {
        let what = format!("`{}`", key.name);
        match &*key.name {
            "query" => policy.unknown_query = reader.choice(value, &what, &UNKNOWN),
            "header" => policy.unknown_header = reader.choice(value, &what, &UNKNOWN),
            "cookie" => policy.unknown_cookie = reader.choice(value, &what, &UNKNOWN),
            // Members of bodies are the business of `additionalProperties` and `unevaluatedProperties`.
            _ => {
                reader.choice(value, &what, &[("schema", ())]);
            }
        }
    }
}
