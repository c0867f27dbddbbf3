//! Chooses one of the responses that an operation describes.

use gatewayc::examples::{DescribedContent, DescribedResponse};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{ACCEPT, CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{HeaderMap, Response, StatusCode};

/// `Prefer` (RFC 7240) with `code=404` and `example=name` asks for one of them.
const PREFER: &str = "prefer";

/// Fields that are the server's own to write.
const OWN_FIELDS: &[&str] = &[
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

/// The response that the request prefers, or else the first success.
pub(super) fn answer(described: &[DescribedResponse], fields: &HeaderMap) -> Response<Full<Bytes>> {
    let wanted = preference(fields, "code");
    let Some((status, response)) = choose(described, wanted.as_deref()) else {
        return match wanted {
            Some(code) => plain(StatusCode::BAD_REQUEST, &format!("The document describes no response {code}")),
            None => plain(StatusCode::OK, ""),
        };
    };
    let has_body = !matches!(status.as_u16(), 204 | 205 | 304);
    let mut answer = match content(response, fields).filter(|_| has_body) {
        None => Response::new(Full::default()),
        Some(content) => {
            let name = preference(fields, "example");
            let named = name.and_then(|name| content.examples.iter().find(|(known, _)| *known == name));
            let text = named.or(content.examples.first()).map_or("", |(_, text)| text);
            let mut answer = Response::new(Full::new(Bytes::from(text.to_owned())));
            let media_type = concrete(&content.media_type);
            if let Ok(media_type) = HeaderValue::from_str(&media_type) {
                answer.headers_mut().insert(CONTENT_TYPE, media_type);
            }
            answer
        }
    };
    *answer.status_mut() = status;
    for (name, value) in &response.fields {
        let is_own = OWN_FIELDS.iter().any(|own| name.eq_ignore_ascii_case(own));
        if let (false, Ok(name), Ok(value)) =
            (is_own, HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value))
        {
            answer.headers_mut().insert(name, value);
        }
    }
    answer
}

/// A short answer of the server's own.
pub(super) fn plain(status: StatusCode, text: &str) -> Response<Full<Bytes>> {
    let mut response =
        Response::new(Full::new(Bytes::from(if text.is_empty() { String::new() } else { format!("{text}\n") })));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

/// The value of one preference.
fn preference(fields: &HeaderMap, name: &str) -> Option<String> {
    let values = fields.get_all(PREFER).iter().filter_map(|value| value.to_str().ok());
    let mut preferences = values.flat_map(|value| value.split([',', ';'])).filter_map(|one| one.split_once('='));
    let (_, value) = preferences.find(|(known, _)| known.trim().eq_ignore_ascii_case(name))?;
    Some(value.trim().trim_matches('"').to_owned())
}

/// A response with its status; ranges and `default` count where no code fits.
fn choose<'d>(described: &'d [DescribedResponse], wanted: Option<&str>) -> Option<(StatusCode, &'d DescribedResponse)> {
    let exactly = |response: &DescribedResponse| {
        response.status.parse::<StatusCode>().ok().filter(|status| status.as_u16() >= 200)
    };
    if let Some(wanted) = wanted {
        let code = wanted.parse::<StatusCode>().ok().filter(|code| code.as_u16() >= 200)?;
        let range = format!("{}XX", code.as_u16() / 100);
        let keys = [wanted, &range, "default"];
        let fits = |key: &&str| described.iter().find(|response| response.status.eq_ignore_ascii_case(key));
        return keys.iter().find_map(fits).map(|response| (code, response));
    }
    let mut codes: Vec<_> = described.iter().filter_map(|response| Some((exactly(response)?, response))).collect();
    codes.sort_by_key(|(status, _)| *status);
    let success = codes.iter().find(|(status, _)| status.is_success()).copied();
    let of_key = |key: &str| {
        let found = described.iter().find(|response| response.status.eq_ignore_ascii_case(key));
        found.map(|response| (StatusCode::OK, response))
    };
    success.or_else(|| of_key("2XX")).or_else(|| of_key("default")).or_else(|| codes.first().copied())
}

/// The content that the client accepts, or the first.
fn content<'d>(response: &'d DescribedResponse, fields: &HeaderMap) -> Option<&'d DescribedContent> {
    let accepted = fields.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut ranges = accepted.split(',').map(|range| range.split(';').next().unwrap_or_default().trim());
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
fn concrete(media_type: &str) -> String {
    match media_type {
        "*/*" | "application/*" => "application/json".to_owned(),
        range => range.replace("/*", "/plain"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(status: &str, contents: &[(&str, &[(&str, &str)])]) -> DescribedResponse {
        let content = |(media_type, examples): &(&str, &[(&str, &str)])| DescribedContent {
            media_type: (*media_type).to_owned(),
            examples: examples.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect(),
        };
        DescribedResponse {
            status: status.to_owned(),
            fields: vec![],
            contents: contents.iter().map(content).collect(),
        }
    }

    fn asked(described: &[DescribedResponse], fields: &[(&'static str, &'static str)]) -> (u16, Option<String>) {
        let fields =
            fields.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        let answer = answer(described, &fields.collect());
        let media_type = answer.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        (answer.status().as_u16(), media_type.map(str::to_owned))
    }

    #[test]
    fn the_first_success_answers_unless_another_is_preferred() {
        let json: &[(&str, &[(&str, &str)])] = &[("application/json", &[("", "{}")]), ("text/csv", &[("", "a")])];
        let described = [response("404", json), response("201", json), response("5XX", &[]), response("default", json)];
        let json = Some("application/json".to_owned());
        assert_eq!(asked(&described, &[]), (201, json.clone()));
        assert_eq!(asked(&described, &[("accept", "text/csv;q=1, */*")]), (201, Some("text/csv".to_owned())));
        assert_eq!(asked(&described, &[("accept", "image/png")]), (201, json.clone()));
        assert_eq!(asked(&described, &[("prefer", "code=404")]), (404, json.clone()));
        assert_eq!(asked(&described, &[("prefer", "respond-async, code=503")]), (503, None));
        assert_eq!(asked(&described, &[("prefer", "code=418")]), (418, json));
        assert_eq!(asked(&described[..1], &[("prefer", "code=418")]).0, 400);
        assert_eq!(asked(&described[..1], &[]).0, 404);
        assert_eq!(asked(&[], &[]).0, 200);
    }
}
