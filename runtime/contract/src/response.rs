//! Responses, compared with what is described.

use gateway_base::units::ByteSize;
use gateway_schema::schemas::{Direction, Kinds, Schemas};

use crate::body::{self, BodyCheck, BodyHead, BodyNeed};
use crate::encoding::Encoding;
use crate::field::{FieldValues, check_values};
use crate::finding::{Finding, MOST_FINDINGS, Place};
use crate::parameter::check_content;
use crate::prepared::{Field, PreparedContract, Response};
use crate::style::{self, Format, Problem};
use crate::tables::{Mode, ParameterLocation, StatusKey, Written};

/// The head of a response.
#[derive(Debug, Clone, Copy)]
pub struct ResponseHead<F> {
    /// Its status.
    pub status: u16,
    /// Its fields.
    pub fields: F,
    /// It has no content, as all answers to HEAD.
    pub is_empty: bool,
    /// It must have none: an answer to HEAD, 204, or 304.
    pub is_always_empty: bool,
}

/// What is known of a response when its head is there.
#[derive(Debug, Clone)]
pub struct CheckedHead<'c> {
    /// What is not as described.
    pub findings: Vec<Finding>,
    /// The check of the content, which waits for all of it.
    pub content: Option<BodyCheck<'c>>,
}

impl PreparedContract {
    /// Compares the head of a response with its description, and says what is needed of its content.
    pub fn check_response<'r, F>(&self, schemas: &Schemas, head: &ResponseHead<F>) -> CheckedHead<'_>
    where
        F: Iterator<Item = (&'r str, &'r [u8])> + Clone,
    {
        let mut checked = CheckedHead { findings: Vec::new(), content: None };
        if self.response_mode() == Mode::Off {
            return checked;
        }
        let Some(response) = find(&self.responses, head.status) else {
            // What a condition, or a range, makes of 200 (RFC 9110 §15.3.7, §15.4.5).
            if matches!(head.status, 206 | 304) && find(&self.responses, 200).is_some() {
                return checked;
            }
            let message = format!("{} is not described", head.status);
            checked.findings.push(Finding { place: Place::Status, message, keyword: "" });
            return checked;
        };
        let mut body = BodyHead { is_empty: head.is_empty, ..BodyHead::default() };
        let mut values = vec![FieldValues::default(); response.fields.len()];
        for (name, value) in head.fields.clone() {
            let own = response.fields.iter().position(|field| field.name.eq_ignore_ascii_case(name));
            if let Some(values) = own.and_then(|own| values.get_mut(own)) {
                values.push(value);
            }
            if name.eq_ignore_ascii_case("Content-Type") {
                if body.content_type.replace(value).is_some() {
                    checked.findings.push(Finding::parameter(
                        ParameterLocation::Header,
                        name,
                        "is there more than once",
                    ));
                }
            } else if name.eq_ignore_ascii_case("Content-Encoding")
                && !value.trim_ascii().eq_ignore_ascii_case(b"identity")
            {
                body.content_encoding = Some(value);
            }
        }
        for (field, values) in response.fields.iter().zip(values) {
            check_field(schemas, field, &values, &mut checked.findings);
        }
        if response.contents.is_empty() || head.is_always_empty {
            return checked;
        }
        if head.is_empty {
            checked.findings.push(Finding::body("", "is missing"));
            return checked;
        }
        match body::need(&response.contents, body, true, Direction::Response) {
            BodyNeed::Nothing => {}
            BodyNeed::All(check) => checked.content = Some(check),
            BodyNeed::Decided(result) => checked.findings.extend(result.findings()),
        }
        checked.findings.truncate(MOST_FINDINGS);
        checked
    }

    /// The content of a larger response is not checked.
    #[must_use]
    pub fn response_max(&self) -> Option<ByteSize> {
        self.table.responses.as_ref().map(|responses| responses.max)
    }
}

/// The description of a status: its own, that of its class, or the one for all others.
fn find(described: &[Response], status: u16) -> Option<&Response> {
    let class = u8::try_from(status / 100).unwrap_or(0);
    let keys = [StatusKey::Exactly(status), StatusKey::Class(class), StatusKey::Default];
    keys.iter().find_map(|key| described.iter().find(|response| response.status == *key))
}

fn check_field(schemas: &Schemas, field: &Field, values: &FieldValues<'_>, findings: &mut Vec<Finding>) {
    let mut report = |message: String, keyword| {
        findings.push(Finding::parameter(ParameterLocation::Header, field.name, message).by(keyword));
    };
    if values.is_empty() {
        if field.required {
            report("is missing".to_owned(), "");
        }
        return;
    }
    let is_list = field.kinds.overlaps(Kinds::ARRAY | Kinds::OBJECT | Kinds::STRING);
    let checked = check_values(values, is_list, |text, encoding| check_text(schemas, field, text, encoding));
    match checked {
        Ok(()) => {}
        Err(Problem::Text(message)) => report(message.into_owned(), ""),
        Err(Problem::Violations(violations)) => {
            violations.into_iter().for_each(|violation| report(violation.message, violation.keyword));
        }
    }
}

fn check_text(schemas: &Schemas, field: &Field, text: &str, encoding: Encoding) -> Result<(), Problem> {
    match field.written {
        Written::As(style, explode) => {
            let format = Format { name: field.name, style, explode, encoding };
            let shapes = style::shapes(format, field.kinds, text).map_err(Problem::Text)?;
            style::check(schemas, field.schema, shapes, encoding, Direction::Response)
        }
        Written::Content(media_type) => {
            check_content(schemas, field.schema, field.kinds, media_type, text, encoding, Direction::Response)
        }
    }
}
