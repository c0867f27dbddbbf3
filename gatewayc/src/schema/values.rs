//! Values of documents as JSON.

use gateway_yaml::{Node, Number, Value};

use crate::schema::json::Json;

/// A value as JSON; nothing where JSON has no word for it, such as `.inf`.
pub(crate) fn json_of(node: &Node) -> Option<Json> {
    Some(match &node.value {
        Value::Null => Json::Null,
        Value::Bool(value) => Json::Bool(*value),
        Value::Number(number) => Json::Number(digits(number)?),
        Value::String(text) => Json::text(&**text),
        Value::Sequence(items) => Json::Array(items.iter().map(json_of).collect::<Option<_>>()?),
        Value::Mapping(mapping) => {
            let members = mapping.iter().map(|entry| Some((entry.key.name.to_string(), json_of(&entry.value)?)));
            Json::Object(members.collect::<Option<_>>()?)
        }
    })
}

/// A number as JSON writes it.
pub(super) fn digits(number: &Number) -> Option<String> {
    let text = number.text();
    if gateway_schema::json::is_number(text) {
        return Some(text.to_owned());
    }
    if let Some(integer) = number.as_i128() {
        return Some(integer.to_string());
    }
    // `+1`, `.5` and `1.` are numbers of YAML.
    let (sign, text) = match text.strip_prefix('-') {
        Some(text) => ("-", text),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let (mantissa, exponent) = text.split_at(text.find(['e', 'E']).unwrap_or(text.len()));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let whole = whole.trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    let point = if fraction.is_empty() { "" } else { "." };
    let written = format!("{sign}{whole}{point}{fraction}{exponent}");
    gateway_schema::json::is_number(&written).then_some(written)
}

#[cfg(test)]
mod tests {
    use super::*;
    use gateway_yaml::{FileId, load};

    #[test]
    fn numbers_of_yaml_are_written_as_in_json() {
        for (text, expected) in [
            ("1", Some("1")),
            ("-0.50", Some("-0.50")),
            ("1e400", Some("1e400")),
            ("0x10", Some("16")),
            ("+7", Some("7")),
            (".5", Some("0.5")),
            ("1.", Some("1")),
            ("-.5e3", Some("-0.5e3")),
            ("007", Some("7")),
            (".inf", None),
            (".nan", None),
            (
                "98765432109876543210987654321098765432109876543210",
                Some("98765432109876543210987654321098765432109876543210"),
            ),
        ] {
            let node = load(FileId(0), text).ok();
            let found = node.as_ref().and_then(Node::as_number).and_then(digits);
            assert_eq!(found.as_deref(), expected, "{text}");
        }
    }
}
