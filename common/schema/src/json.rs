//! JSON (RFC 8259) into a tape: one allocation for all values, and texts that stay where they are.
//!
//! What two parsers could read differently is refused: members that stand twice, text that is not UTF-8, anything behind the
//! value, and lone surrogates.

mod builder;
mod document;
mod fault;
mod reader;
mod scan;
mod tape;

pub use builder::Builder;
pub use document::{Document, Items, Members, Value, is_number};
pub use fault::{JsonError, JsonFault};
pub use reader::DEEPEST;
pub use tape::Kind;
pub(crate) use tape::Name;

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        format!("{:?}", Document::read(text.as_bytes()).expect("JSON").root())
    }

    fn fault(bytes: &[u8]) -> (usize, JsonFault) {
        Document::read(bytes).map(|_| ()).map_err(|error| (error.at, error.fault)).expect_err("no JSON")
    }

    #[test]
    fn values_are_read() {
        for text in [
            "null",
            "true",
            "-0.5e+10",
            "\"\"",
            "[]",
            "{}",
            "[[], {}, [[1]]]",
            "{\"a\": [1, {\"b\": null}], \"c\": false}",
        ] {
            assert_eq!(shown(text), text);
        }
        assert_eq!(shown(" [ 1 ,\n2 ] "), "[1, 2]");
        let escaped = Document::read(br#"["a\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00z", "b"]"#).expect("JSON");
        let texts: Vec<&str> = escaped.root().items().map(Value::text).collect();
        assert_eq!(texts, ["a\"\\/\u{8}\u{c}\n\r\té😀z", "b"]);
        let object = Document::read(br#"{"a\u0062": 1, "c": {"d": [2, 3]}}"#).expect("JSON");
        assert_eq!(object.root().get("ab").map(Value::text), Some("1"));
        assert_eq!(object.root().get("c").and_then(|c| c.get("d")).map(Value::len), Some(2));
        assert!(object.root().get("d").is_none());
    }

    #[test]
    fn malformed_json_is_refused_with_its_place() {
        use JsonFault::{Duplicate, Ends, NotUtf8, Syntax, TooDeep, Trailing};
        for (text, at, expected) in [
            ("", 0, Ends),
            ("{", 1, Ends),
            ("[1,", 3, Ends),
            ("\"a", 2, Ends),
            ("tru", 0, Ends),
            ("truth", 0, Syntax),
            ("'a'", 0, Syntax),
            ("[1,]", 3, Syntax),
            ("{\"a\":1,}", 7, Syntax),
            ("{a:1}", 1, Syntax),
            ("01", 1, Trailing),
            ("1.", 0, Syntax),
            (".5", 0, Syntax),
            ("+1", 0, Syntax),
            ("1e", 0, Syntax),
            ("NaN", 0, Syntax),
            ("\"\u{1}\"", 1, Syntax),
            ("\"\\x\"", 2, Syntax),
            ("\"\\ud800\"", 7, Syntax),
            ("\"\\udc00\"", 7, Syntax),
            ("{} {}", 3, Trailing),
            ("{\"a\":1,\"a\":2}", 13, Duplicate),
            ("{\"a\":1,\"\\u0061\":2}", 18, Duplicate),
            ("\u{feff}{}", 0, Syntax),
        ] {
            assert_eq!(fault(text.as_bytes()), (at, expected), "{text}");
        }
        assert_eq!(fault(b"\"\xff\""), (1, NotUtf8));
        assert!(Document::read("[".repeat(128).as_bytes()).is_err_and(|error| error.fault == Ends));
        assert_eq!(fault("[".repeat(129).as_bytes()).1, TooDeep);
        let many: String = (0..20).map(|number| format!("\"m{number}\":0,")).collect();
        assert!(Document::read(format!("{{{many}\"x\":0}}").as_bytes()).is_ok());
        assert_eq!(fault(format!("{{{many}\"m3\":0}}").as_bytes()).1, Duplicate);
    }
}
