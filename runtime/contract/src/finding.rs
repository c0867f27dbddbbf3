//! What is not as described, and how refusals and the access log say it.

use std::borrow::Cow;
use std::fmt::Write;

use crate::tables::{Details, Mode, ParameterLocation};

/// Findings that are kept of a request; a refusal lists as many.
pub const MOST_FINDINGS: usize = 10;

/// Characters that are kept of a name or a pointer that the client chose.
const MOST_OF_NAME: usize = 100;

/// Bytes of the text for the access log.
const MOST_OF_LOG: usize = 500;

/// What stands in place of a message that would say too much.
const NEUTRAL: &str = "is not as described";

/// Something that is not as described.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Where.
    pub place: Place,
    /// What is expected there: "must be at least 1". It holds no value.
    pub message: String,
    /// The keyword of the schema that says so; `""` for what no schema says.
    pub keyword: &'static str,
}

/// Where something is not as described.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A parameter, or a field of a response.
    Parameter {
        /// Where the parameter is.
        location: ParameterLocation,
        /// Its name.
        name: String,
    },
    /// A value in the body (RFC 6901); `""` for all of it.
    Body {
        /// Which one.
        pointer: String,
    },
    /// The status of a response.
    Status,
}

impl Finding {
    /// A finding about a parameter. What is too long of a name is cut off.
    #[must_use]
    pub fn parameter(location: ParameterLocation, name: &str, message: impl Into<String>) -> Self {
        let place = Place::Parameter { location, name: cut(name) };
        Self { place, message: message.into(), keyword: "" }
    }

    /// A finding about the body.
    #[must_use]
    pub fn body(pointer: &str, message: impl Into<String>) -> Self {
        Self { place: Place::Body { pointer: cut(pointer) }, message: message.into(), keyword: "" }
    }

    /// The same one, which a keyword of a schema says.
    #[must_use]
    pub fn by(self, keyword: &'static str) -> Self {
        Self { keyword, ..self }
    }
}

/// What was found about the parameters of a request: [`MOST_FINDINGS`] of each kind at most.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings {
    /// What the request is refused for.
    pub refused: Vec<Finding>,
    /// What is counted and stands in the log.
    pub observed: Vec<Finding>,
}

impl Findings {
    /// Whether all is as described.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.refused.is_empty() && self.observed.is_empty()
    }

    /// Adds a finding, unless nothing is to be found.
    pub(crate) fn add(&mut self, mode: Mode, finding: impl FnOnce() -> Finding) {
        let list = match mode {
            Mode::Off => return,
            Mode::Observe => &mut self.observed,
            Mode::Enforce => &mut self.refused,
        };
        if list.len() < MOST_FINDINGS {
            list.push(finding());
        }
    }
}

/// The `errors` of a refusal, as a JSON array; [`None`] where nothing is to be said.
#[must_use]
pub fn errors(findings: &[Finding], details: Details) -> Option<String> {
    if details == Details::Nothing || findings.is_empty() {
        return None;
    }
    let mut json = String::from("[");
    for finding in findings.iter().take(MOST_FINDINGS) {
        if json.len() > 1 {
            json.push(',');
        }
        json.push_str("{\"in\":");
        quote(&mut json, finding.place.location());
        match &finding.place {
            Place::Parameter { name, .. } => {
                json.push_str(",\"name\":");
                quote(&mut json, name);
            }
            Place::Body { pointer } => {
                json.push_str(",\"pointer\":");
                quote(&mut json, pointer);
            }
            Place::Status => {}
        }
        json.push_str(",\"message\":");
        quote(&mut json, if details == Details::Full { &finding.message } else { NEUTRAL });
        json.push('}');
    }
    json.push(']');
    Some(json)
}

/// The findings as one short text, for the access log: `query limit: must be at least 1; body /items/0: must have sku`.
#[must_use]
pub fn summary<'f>(findings: impl IntoIterator<Item = &'f Finding>) -> String {
    let mut text = String::new();
    for Finding { place, message, .. } in findings {
        let separator = if text.is_empty() { "" } else { "; " };
        let what = match place {
            Place::Parameter { name, .. } => name.as_str(),
            Place::Body { pointer } => pointer.as_str(),
            Place::Status => "",
        };
        let space = if what.is_empty() { "" } else { " " };
        // Writing to a text cannot fail.
        let _ = write!(text, "{separator}{}{space}{}: {message}", place.location(), shown(what));
        if text.len() > MOST_OF_LOG {
            let end = text.floor_char_boundary(MOST_OF_LOG - "…".len());
            text.truncate(end);
            text.push('…');
            break;
        }
    }
    text
}

impl Place {
    /// As the document says it: the value of `in`.
    #[must_use]
    pub fn location(&self) -> &'static str {
        match self {
            Self::Parameter { location: ParameterLocation::Path, .. } => "path",
            Self::Parameter { location: ParameterLocation::Query | ParameterLocation::QueryString, .. } => "query",
            Self::Parameter { location: ParameterLocation::Header, .. } => "header",
            Self::Parameter { location: ParameterLocation::Cookie, .. } => "cookie",
            Self::Body { .. } => "body",
            Self::Status => "status",
        }
    }
}

/// A name that the client chose, for people: what would steer their terminal, or turn the text around, is written as its code.
#[must_use]
pub fn shown(name: &str) -> Cow<'_, str> {
    if name.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Cow::Borrowed(name);
    }
    let is_quote = |character| matches!(character, '"' | '\'' | '\\');
    let escaped = name.chars().flat_map(|character| {
        let (plain, code) = match is_quote(character) {
            true => (Some(character), None),
            false => (None, Some(character.escape_debug())),
        };
        plain.into_iter().chain(code.into_iter().flatten())
    });
    Cow::Owned(escaped.collect())
}

fn cut(name: &str) -> String {
    match name.char_indices().nth(MOST_OF_NAME) {
        Some((end, _)) => format!("{}…", name.get(..end).unwrap_or_default()),
        None => name.to_owned(),
    }
}

/// A text as JSON (RFC 8259 §7).
fn quote(json: &mut String, text: &str) {
    json.push('"');
    for character in text.chars() {
        match character {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            ' '..='~' => json.push(character),
            other if other.escape_debug().len() == 1 => json.push(other),
            // What would steer a terminal, or turn a text around.
            other => {
                for unit in other.encode_utf16(&mut [0; 2]) {
                    // Writing to a text cannot fail.
                    let _ = write!(json, "\\u{unit:04x}");
                }
            }
        }
    }
    json.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some() -> Vec<Finding> {
        vec![
            Finding::parameter(ParameterLocation::Query, "limit", "must be at least 1").by("minimum"),
            Finding::parameter(ParameterLocation::Header, "X-\"\u{1}\u{9b}\u{202e}é", "is required"),
            Finding::body("/items/0", "must have \"sku\"").by("required"),
        ]
    }

    #[test]
    fn refusals_say_as_much_as_they_may() {
        assert_eq!(
            errors(&some(), Details::Full).as_deref(),
            Some(
                r#"[{"in":"query","name":"limit","message":"must be at least 1"},{"in":"header","name":"X-\"\u0001\u009b\u202eé","message":"is required"},{"in":"body","pointer":"/items/0","message":"must have \"sku\""}]"#
            )
        );
        assert_eq!(
            errors(&some()[..1], Details::Location).as_deref(),
            Some(r#"[{"in":"query","name":"limit","message":"is not as described"}]"#)
        );
        assert_eq!(errors(&some(), Details::Nothing), None);
        assert_eq!(errors(&[], Details::Full), None);
    }

    #[test]
    fn the_log_gets_a_short_text() {
        assert_eq!(
            summary(&some()),
            "query limit: must be at least 1; header X-\"\\u{1}\\u{9b}\\u{202e}é: is required; body /items/0: must have \"sku\""
        );
        let many = vec![Finding::body(&"é".repeat(1_000), "is long"); 10];
        assert!(summary(&many).len() <= MOST_OF_LOG, "{}", summary(&many).len());
        assert_eq!(summary(&many[..1]), format!("body {}…: is long", "é".repeat(100)));
        assert_eq!(summary(&[]), "");
    }
}
