//! `mock`: answers from the document's examples, in place of an upstream that does not exist yet.

use gateway_access::builtin::{Answer, Builtin, Call, PreparedBuiltin};
use gateway_access::scheme::Resources;
use gateway_wire::answer::OwnAnswer;
use gateway_wire::field_lines::{FieldLines, StaticField};
use gateway_wire::http1::head::Field;

const NO_STORE: StaticField = StaticField::new("Cache-Control", "no-store");

/// Fields that are the gateway's own to write.
const OWN_FIELDS: [&str; 9] = [
    "connection",
    "content-length",
    "content-type",
    "date",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// The builtin `mock`.
#[derive(Debug)]
pub struct Mock {
    /// What the document describes, in its order.
    pub responses: &'static [MockResponse],
}

/// A response.
#[derive(Debug)]
pub struct MockResponse {
    /// `200`, `4XX` or `default`.
    pub status: &'static str,
    /// Fields with examples, by name.
    pub fields: &'static [(&'static str, &'static str)],
    /// By media type, in the order of the document.
    pub contents: &'static [MockContent],
}

/// A content of a response.
#[derive(Debug)]
pub struct MockContent {
    /// A media type, or a range of them.
    pub media_type: &'static str,
    /// Texts by the names of the examples; `""` for one without a name.
    pub examples: &'static [(&'static str, &'static str)],
}

impl Builtin for Mock {
    fn name(&self) -> &'static str {
        "mock"
    }

    fn prepare(&self, _: &Resources) -> Result<Box<dyn PreparedBuiltin>, Vec<String>> {
        Ok(Box::new(PreparedMock(self.responses)))
    }
}

#[derive(Debug)]
struct PreparedMock(&'static [MockResponse]);

impl PreparedBuiltin for PreparedMock {
    fn answer(&self, call: &Call<'_>) -> Answer {
        answer(self.0, call.view.fields).into()
    }
}

/// The response that the request prefers (RFC 7240), or else the first success that has content.
fn answer(described: &'static [MockResponse], fields: &[Field<'_>]) -> OwnAnswer {
    let wanted = preference(fields, "code");
    let Some((status, response)) = choose(described, wanted) else {
        return match wanted {
            Some(_) => OwnAnswer::message(400, "The document describes no such response"),
            None => OwnAnswer::plain(200, "", &b""[..]),
        };
    };
    let has_body = !matches!(status, 204 | 205 | 304);
    let content = content(response, fields).filter(|_| has_body);
    let mut answer = match content {
        None => OwnAnswer::plain(status, "", &b""[..]),
        Some(content) => {
            let name = preference(fields, "example");
            let named = name.and_then(|name| content.examples.iter().find(|(known, _)| *known == name));
            let text = named.or(content.examples.first()).map_or("", |(_, text)| text);
            OwnAnswer::plain(status, concrete(content.media_type), text.as_bytes())
        }
    };
    answer.defaults = FieldLines::of(&[NO_STORE]);
    for (name, value) in response.fields {
        if !OWN_FIELDS.iter().any(|own| name.eq_ignore_ascii_case(own)) {
            answer = answer.with(name, value);
        }
    }
    answer
}

/// The value of one preference.
fn preference<'a>(fields: &'a [Field<'_>], name: &str) -> Option<&'a str> {
    let values = fields.iter().filter(|field| field.name.eq_ignore_ascii_case("prefer"));
    let values = values.filter_map(|field| std::str::from_utf8(field.value).ok());
    let mut preferences = values.flat_map(|value| value.split([',', ';'])).filter_map(|one| one.split_once('='));
    let (_, value) = preferences.find(|(known, _)| known.trim().eq_ignore_ascii_case(name))?;
    Some(value.trim().trim_matches('"'))
}

/// A response with its status; ranges and `default` count where no code fits.
fn choose(described: &'static [MockResponse], wanted: Option<&str>) -> Option<(u16, &'static MockResponse)> {
    let code = |text: &str| text.parse::<u16>().ok().filter(|status| (200..600).contains(status));
    if let Some(wanted) = wanted {
        let status = code(wanted)?;
        let range = format!("{}XX", status / 100);
        let keys = [wanted, &range, "default"];
        let fits = |key: &&str| described.iter().find(|response| response.status.eq_ignore_ascii_case(key));
        return keys.iter().find_map(fits).map(|response| (status, response));
    }
    let mut codes: Vec<(u16, &MockResponse)> =
        described.iter().filter_map(|response| Some((code(response.status)?, response))).collect();
    codes.sort_by_key(|(status, _)| *status);
    let is_success = |(status, _): &&(u16, &MockResponse)| (200..300).contains(status);
    let with_content = codes.iter().filter(is_success).find(|(_, response)| !response.contents.is_empty());
    let success = with_content.or_else(|| codes.iter().find(is_success)).copied();
    let of_key = |key: &str| {
        let found = described.iter().find(|response| response.status.eq_ignore_ascii_case(key));
        found.map(|response| (200, response))
    };
    success.or_else(|| of_key("2XX")).or_else(|| of_key("default")).or_else(|| codes.first().copied())
}

/// The content that the client accepts, or the first.
fn content(response: &'static MockResponse, fields: &[Field<'_>]) -> Option<&'static MockContent> {
    let accepted = fields.iter().filter(|field| field.name.eq_ignore_ascii_case("accept"));
    let accepted = accepted.filter_map(|field| std::str::from_utf8(field.value).ok());
    let mut ranges =
        accepted.flat_map(|value| value.split(',')).map(|range| range.split(';').next().unwrap_or_default().trim());
    let fits = |range: &str| {
        response.contents.iter().find(|content| {
            let essence = content.media_type.split(';').next().unwrap_or_default().trim();
            match range.strip_suffix("/*") {
                Some("*") => true,
                Some(kind) => essence.split_once('/').is_some_and(|(known, _)| known.eq_ignore_ascii_case(kind)),
                None => essence.eq_ignore_ascii_case(range),
            }
        })
    };
    ranges.find_map(fits).or(response.contents.first())
}

/// A media type that a response can have, for a range of them.
fn concrete(media_type: &'static str) -> &'static str {
    match media_type {
        "*/*" | "application/*" => "application/json",
        range if range.ends_with("/*") => "text/plain",
        media_type => media_type,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const JSON: MockContent =
        MockContent { media_type: "application/json", examples: &[("small", "1"), ("large", "9")] };
    const CSV: MockContent = MockContent { media_type: "text/csv", examples: &[("", "a")] };

    fn asked(
        described: &'static [MockResponse],
        fields: &[(&'static str, &'static str)],
    ) -> (u16, &'static str, String) {
        let fields: Vec<Field<'_>> =
            fields.iter().map(|(name, value)| Field { name, value: value.as_bytes() }).collect();
        let answer = answer(described, &fields);
        (answer.status, answer.content_type, String::from_utf8_lossy(&answer.body).into_owned())
    }

    #[test]
    fn the_first_success_answers_unless_another_is_preferred() {
        static ALL: [MockResponse; 5] = [
            MockResponse { status: "404", fields: &[], contents: &[CSV] },
            MockResponse { status: "201", fields: &[("X-A", "b"), ("Date", "x")], contents: &[JSON, CSV] },
            MockResponse { status: "200", fields: &[], contents: &[] },
            MockResponse { status: "5XX", fields: &[], contents: &[] },
            MockResponse { status: "default", fields: &[], contents: &[JSON] },
        ];
        let json = |status, text: &str| (status, "application/json", text.to_owned());
        assert_eq!(asked(&ALL, &[]), json(201, "1"));
        assert_eq!(asked(&ALL, &[("Accept", "text/csv;q=1, */*")]), (201, "text/csv", "a".to_owned()));
        assert_eq!(asked(&ALL, &[("accept", "image/png")]), json(201, "1"));
        assert_eq!(asked(&ALL, &[("Prefer", "example=large")]), json(201, "9"));
        assert_eq!(asked(&ALL, &[("prefer", "code=404")]), (404, "text/csv", "a".to_owned()));
        assert_eq!(asked(&ALL, &[("prefer", "respond-async, code=503")]), (503, "", String::new()));
        assert_eq!(asked(&ALL, &[("prefer", "code=418; example=large")]), json(418, "9"));
        assert_eq!(asked(&ALL[..1], &[("prefer", "code=418")]).0, 400);
        assert_eq!(asked(&ALL[..1], &[]).0, 404);
        assert_eq!(asked(&[], &[]).0, 200);
        let fields = answer(&ALL, &[]).fields;
        assert!(format!("{fields:?}").contains("X-A") && !format!("{fields:?}").contains("Date"));
    }
}
