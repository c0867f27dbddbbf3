//! The bodies of refusals for which a document gives none.

use gateway_terms::refusal::ErrorFormat;
use gateway_wire::answer::JSON;
use gateway_wire::reject::{Reject, reason_phrase};

/// Problem details (RFC 9457).
const PROBLEM: &str = "application/problem+json";

/// The type and the text of a refusal's body.
pub(super) fn body(reject: &Reject, format: ErrorFormat) -> (&'static str, Vec<u8>) {
    let errors = match reject {
        Reject::InvalidParameter(findings) | Reject::InvalidBody(findings) => &findings.errors[..],
        _ => &[],
    };
    let message = reject.message();
    let (content_type, mut body) = match format {
        ErrorFormat::Message => (JSON, serde_json::json!({"message": message}).to_string()),
        ErrorFormat::Problem => {
            let status = reject.status();
            let title = reason_phrase(status);
            let mut members = serde_json::Map::new();
            members.insert("type".to_owned(), "about:blank".into());
            members.insert("title".to_owned(), title.into());
            members.insert("status".to_owned(), status.into());
            // A problem without a type of its own has the phrase of its status as title (RFC 9457 §4.2.1).
            if !message.eq_ignore_ascii_case(title) {
                members.insert("detail".to_owned(), message.into());
            }
            (PROBLEM, serde_json::Value::Object(members).to_string())
        }
    };
    if !errors.is_empty() {
        body.pop();
        body.push_str(",\"errors\":");
        body.push_str(&String::from_utf8_lossy(errors));
        body.push('}');
    }
    (content_type, body.into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use gateway_wire::reject::NotAsDescribed;

    fn text(reject: &Reject, format: ErrorFormat) -> String {
        String::from_utf8(body(reject, format).1).expect("text")
    }

    #[test]
    fn refusals_are_written_in_both_forms() {
        use ErrorFormat::{Message, Problem};
        let errors = br#"[{"in":"query","name":"n"}]"#.to_vec();
        let invalid = NotAsDescribed { status: 400, message: "It does not fit".into(), errors, detail: String::new() };
        let invalid = Reject::InvalidParameter(Box::new(invalid));
        let expected = r#"{"message":"It does not fit","errors":[{"in":"query","name":"n"}]}"#;
        assert_eq!(text(&invalid, Message), expected);
        let expected = r#"{"detail":"It does not fit","status":400,"title":"Bad Request","type":"about:blank","errors":[{"in":"query","name":"n"}]}"#;
        assert_eq!(text(&invalid, Problem), expected);
        assert_eq!(text(&Reject::NotFound, Message), r#"{"message":"Not found"}"#);
        assert_eq!(text(&Reject::NotFound, Problem), r#"{"status":404,"title":"Not Found","type":"about:blank"}"#);
        assert_eq!(body(&Reject::NotFound, Problem).0, "application/problem+json");
    }
}
