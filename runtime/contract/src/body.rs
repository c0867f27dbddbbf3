//! Bodies, compared with the contents that are described.

use gateway_base::units::ByteSize;
use gateway_schema::json::Document;
use gateway_schema::schemas::{Direction, SchemaId, Schemas, Violation};

use crate::content::Content;
use crate::finding::Finding;
use crate::form;
use crate::media_type::{Kind, MediaType};
use crate::multipart;
use crate::prepared::PreparedContract;
use crate::style;
use crate::tables::Mode;
use crate::text;

/// What a head says about the body.
#[derive(Debug, Clone, Copy, Default)]
pub struct BodyHead<'r> {
    /// The value of `Content-Type`.
    pub content_type: Option<&'r [u8]>,
    /// The value of `Content-Encoding`.
    pub content_encoding: Option<&'r [u8]>,
    /// There is no body, or one without content.
    pub is_empty: bool,
}

/// What is needed of a body.
#[derive(Debug, Clone)]
pub enum BodyNeed<'c> {
    /// Nothing: it is not checked.
    Nothing,
    /// All of it, for this check.
    All(BodyCheck<'c>),
    /// Nothing: it is not as described, whatever it contains.
    Decided(BodyResult),
}

/// A check that waits for a body.
#[derive(Debug, Clone)]
pub struct BodyCheck<'c> {
    content: &'c Content,
    /// What stands between the parts, where there are parts.
    boundary: String,
    kind: Kind,
    schema: SchemaId,
    required: bool,
    direction: Direction,
}

/// What a body is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BodyResult {
    /// It is as described.
    Good,
    /// It is of a media type that is not described: 415.
    NotDescribed {
        /// The types that are, as a field `Accept` lists them (RFC 9110 §15.5.16).
        accept: String,
    },
    /// It is not there, and must be: 400.
    Missing,
    /// It cannot be read as what it says that it is: 400.
    Unreadable(String),
    /// Its schema refuses it: 400 or 422.
    Violations(Vec<Finding>),
}

impl BodyResult {
    /// The findings, for a refusal and the log; none for a good body.
    #[must_use]
    pub fn findings(&self) -> Vec<Finding> {
        match self {
            Self::Good => Vec::new(),
            Self::NotDescribed { .. } => vec![Finding::body("", "has a media type that is not described")],
            Self::Missing => vec![Finding::body("", "is required")],
            Self::Unreadable(message) => vec![Finding::body("", message)],
            Self::Violations(findings) => findings.clone(),
        }
    }

    /// The status of the refusal; `None` for a good body. `for_violations` is that of the contract.
    #[must_use]
    pub fn status(&self, for_violations: u16) -> Option<u16> {
        match self {
            Self::Good => None,
            Self::NotDescribed { .. } => Some(415),
            Self::Missing | Self::Unreadable(_) => Some(400),
            Self::Violations(_) => Some(for_violations),
        }
    }
}

impl PreparedContract {
    /// What is needed of the body of a request.
    #[must_use]
    pub fn needs_body(&self, head: BodyHead<'_>) -> BodyNeed<'_> {
        let Some(body) = self.table.body.as_ref().filter(|body| body.mode != Mode::Off) else {
            return BodyNeed::Nothing;
        };
        if head.is_empty && !body.required {
            return BodyNeed::Nothing;
        }
        if head.is_empty {
            // A form of no fields has no bytes.
            return match need(&self.request, head, true, Direction::Request) {
                BodyNeed::All(check) if check.kind == Kind::Form => BodyNeed::All(check),
                _ => BodyNeed::Decided(BodyResult::Missing),
            };
        }
        if self.request.is_empty() {
            return BodyNeed::Nothing;
        }
        need(&self.request, head, body.required, Direction::Request)
    }

    /// A larger body of a request is refused with 413 where its content is checked.
    #[must_use]
    pub fn body_max(&self) -> Option<ByteSize> {
        self.table.body.as_ref().map(|body| body.max)
    }

    /// The status of the refusal of a body that can be read and is not as described.
    #[must_use]
    pub fn refused_with(&self) -> u16 {
        self.table.body.as_ref().map_or(400, |body| body.refused_with)
    }
}

/// What is needed of a body that is there.
pub(crate) fn need<'c>(
    contents: &'c crate::content::Contents,
    head: BodyHead<'_>,
    required: bool,
    direction: Direction,
) -> BodyNeed<'c> {
    let not_described = || BodyNeed::Decided(BodyResult::NotDescribed { accept: contents.accepted() });
    // What says nothing may be anything (RFC 9110 §8.3).
    let actual = head.content_type.unwrap_or(b"application/octet-stream");
    let actual = std::str::from_utf8(actual).ok().and_then(MediaType::parse);
    let Some(actual) = actual else { return not_described() };
    let Some(content) = contents.find(&actual) else { return not_described() };
    let Some((schema, kind)) = content.kind(&actual) else { return BodyNeed::Nothing };
    let unreadable = |message: &str| BodyNeed::Decided(BodyResult::Unreadable(message.to_owned()));
    if head.content_encoding.is_some_and(|coding| !coding.trim_ascii().eq_ignore_ascii_case(b"identity")) {
        return unreadable("has a Content-Encoding, so that its content cannot be checked");
    }
    if !actual.is_utf8() {
        return unreadable("has a charset other than UTF-8");
    }
    let boundary = actual.parameter("boundary").unwrap_or_default().to_owned();
    BodyNeed::All(BodyCheck { content, boundary, kind, schema, required, direction })
}

impl BodyCheck<'_> {
    /// Compares the whole body with its description.
    #[must_use]
    pub fn check(&self, schemas: &Schemas, bytes: &[u8]) -> BodyResult {
        if bytes.is_empty() && self.kind != Kind::Form {
            return if self.required { BodyResult::Missing } else { BodyResult::Good };
        }
        let Self { content, schema, direction, .. } = *self;
        let checked = match self.kind {
            Kind::Json => match Document::read(bytes) {
                Ok(document) => Ok(schemas.check(schema, document.root(), direction)),
                Err(error) => Err(style::unreadable(&error).into_owned()),
            },
            Kind::Text => text::check(schemas, schema, bytes, direction).map_err(str::to_owned),
            Kind::Form => match std::str::from_utf8(bytes) {
                Ok(form) => form::check(schemas, schema, &content.parts, form, direction).map_or_else(
                    |problem| match problem {
                        form::Problem::Unreadable(message) => Err(message.into_owned()),
                        form::Problem::Violations(violations) => Ok(violations),
                    },
                    |()| Ok(Vec::new()),
                ),
                Err(_) => Err("is not UTF-8".to_owned()),
            },
            Kind::Multipart => multipart::check(schemas, schema, &content.parts, &self.boundary, bytes, direction)
                .map_err(str::to_owned),
        };
        match checked {
            Ok(violations) if violations.is_empty() => BodyResult::Good,
            Ok(violations) => BodyResult::Violations(violations.into_iter().map(finding).collect()),
            Err(message) => BodyResult::Unreadable(message),
        }
    }
}

fn finding(violation: Violation) -> Finding {
    Finding::body(&violation.pointer, violation.message).by(violation.keyword)
}
