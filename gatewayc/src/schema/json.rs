//! JSON that is written into generated code: in the order in which it was made, laid out for a reader.

use std::fmt::Write as _;

/// A JSON value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Json {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number, as JSON writes it.
    Number(String),
    /// A text.
    String(String),
    /// A list.
    Array(Vec<Json>),
    /// Members in their order.
    Object(Vec<(String, Json)>),
}

/// The longest line, where a value can be broken.
const WIDTH: usize = 116;

impl Json {
    /// A text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::String(text.into())
    }

    /// On one line.
    #[must_use]
    pub fn compact(&self) -> String {
        let mut out = String::new();
        self.write_compact(&mut out, "", "");
        out
    }

    /// Over several lines where it is long, without an end of line at its end.
    #[must_use]
    pub fn pretty(&self) -> String {
        let mut out = String::new();
        self.write_pretty(&mut out, 0, 0);
        out
    }

    /// As it stands in tables: on one line where it is short.
    #[must_use]
    pub fn for_tables(&self) -> String {
        const SHORT: usize = 90;
        let compact = self.compact();
        if compact.len() <= SHORT { compact } else { self.pretty() }
    }

    fn write_compact(&self, out: &mut String, space: &str, pad: &str) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Self::Number(digits) => out.push_str(digits),
            Self::String(text) => write_text(out, text),
            Self::Array(items) => {
                out.push('[');
                for (at, item) in items.iter().enumerate() {
                    if at > 0 {
                        out.push(',');
                        out.push_str(space);
                    }
                    item.write_compact(out, space, pad);
                }
                out.push(']');
            }
            Self::Object(members) => {
                out.push('{');
                for (at, (name, value)) in members.iter().enumerate() {
                    out.push_str(if at > 0 { "," } else { pad });
                    out.push_str(if at > 0 { space } else { "" });
                    write_text(out, name);
                    out.push(':');
                    out.push_str(space);
                    value.write_compact(out, space, pad);
                }
                out.push_str(if members.is_empty() { "" } else { pad });
                out.push('}');
            }
        }
    }

    fn write_pretty(&self, out: &mut String, indent: usize, before: usize) {
        let mut flat = String::new();
        self.write_compact(&mut flat, " ", "");
        if before + flat.chars().count() <= WIDTH {
            return out.push_str(&flat);
        }
        match self {
            Self::Array(items) if !items.is_empty() => {
                out.push_str("[\n");
                for (at, item) in items.iter().enumerate() {
                    let _ = write!(out, "{:indent$}", "", indent = indent + 2);
                    item.write_pretty(out, indent + 2, indent + 3);
                    out.push_str(if at + 1 < items.len() { ",\n" } else { "\n" });
                }
                let _ = write!(out, "{:indent$}]", "");
            }
            Self::Object(members) if !members.is_empty() => {
                out.push_str("{\n");
                for (at, (name, value)) in members.iter().enumerate() {
                    let mut key = String::new();
                    write_text(&mut key, name);
                    let _ = write!(out, "{:indent$}{key}: ", "", indent = indent + 2);
                    value.write_pretty(out, indent + 2, indent + 5 + key.chars().count());
                    out.push_str(if at + 1 < members.len() { ",\n" } else { "\n" });
                }
                let _ = write!(out, "{:indent$}}}", "");
            }
            _ => out.push_str(&flat),
        }
    }
}

/// Writes a JSON string in ASCII: letters that look alike are distinct, and nothing is hidden.
fn write_text(out: &mut String, text: &str) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            ' '..='~' => out.push(character),
            other => {
                for unit in other.encode_utf16(&mut [0; 2]) {
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_laid_out_for_a_reader() {
        let short = Json::Object(vec![
            ("a".into(), Json::Array(vec![Json::Number("1".into()), Json::Null])),
            ("b".into(), Json::text("x\u{202e}\u{e0001}\"\\\n")),
        ]);
        assert_eq!(short.compact(), r#"{"a":[1,null],"b":"x\u202e\udb40\udc01\"\\\n"}"#);
        assert_eq!(short.pretty(), r#"{"a": [1, null], "b": "x\u202e\udb40\udc01\"\\\n"}"#);
        let long = Json::Object(vec![
            ("one".into(), Json::text("x".repeat(60))),
            ("two".into(), Json::Array(vec![Json::text("y".repeat(60)), Json::Bool(true)])),
        ]);
        let (x, y) = ("x".repeat(60), "y".repeat(60));
        assert_eq!(long.pretty(), format!("{{\n  \"one\": \"{x}\",\n  \"two\": [\"{y}\", true]\n}}"));
    }
}
