//! Scalars of the core schema of YAML 1.2 (§10.3.2): which plain texts are null, booleans and numbers.

use crate::node::Value;
use crate::number::Number;

/// What a plain (unquoted) scalar is.
#[must_use]
pub fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        _ => match number(text) {
            Some(number) => Value::Number(number),
            None => Value::String(text.into()),
        },
    }
}

/// The number that a text is in the core schema.
pub(crate) fn number(text: &str) -> Option<Number> {
    // Nearly every plain scalar of a document is a word; the first byte settles it.
    if !matches!(text.as_bytes().first()?, b'0'..=b'9' | b'+' | b'-' | b'.') {
        return None;
    }
    let of_kind = |integer| Some(Number { text: text.into(), integer });
    let all = |digits: &str, allowed: fn(&u8) -> bool| !digits.is_empty() && digits.as_bytes().iter().all(allowed);
    if let Some(octal) = text.strip_prefix("0o") {
        return all(octal, |byte| matches!(byte, b'0'..=b'7')).then(|| of_kind(true)).flatten();
    }
    if let Some(hexadecimal) = text.strip_prefix("0x") {
        return all(hexadecimal, u8::is_ascii_hexdigit).then(|| of_kind(true)).flatten();
    }
    if matches!(text, ".nan" | ".NaN" | ".NAN") {
        return of_kind(false);
    }
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if all(unsigned, u8::is_ascii_digit) {
        return of_kind(true);
    }
    (matches!(unsigned, ".inf" | ".Inf" | ".INF") || is_float(unsigned)).then(|| of_kind(false)).flatten()
}

/// `(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`
fn is_float(unsigned: &str) -> bool {
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))),
        None => (unsigned, None),
    };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let mantissa_ok = digits(whole) && digits(fraction) && !(whole.is_empty() && fraction.is_empty());
    mantissa_ok && exponent.is_none_or(|exponent| !exponent.is_empty() && digits(exponent))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn core_schema() {
        for (text, expected) in [
            ("", "null"),
            ("~", "null"),
            ("NULL", "null"),
            ("nULL", "text"),
            ("True", "true"),
            ("tRUE", "text"),
            ("on", "text"),
            ("no", "text"),
            ("y", "text"),
            ("0", "int 0"),
            ("0755", "int 755"),
            ("0o17", "int 15"),
            ("0o8", "text"),
            ("0x1F", "int 31"),
            ("-5", "int -5"),
            ("+5", "int 5"),
            ("1_000", "text"),
            ("18446744073709551616", "int 18446744073709551616"),
            ("9".repeat(60).as_str(), "big"),
            ("1.0", "float 1"),
            ("1.", "float 1"),
            (".5", "float 0.5"),
            ("1e3", "float 1000"),
            ("-1.5E-3", "float -0.0015"),
            ("1e", "text"),
            (".", "text"),
            ("-", "text"),
            ("e3", "text"),
            ("-.inf", "float -inf"),
            (".nan", "float NaN"),
            ("+.nan", "text"),
            ("4xx", "text"),
            ("2024-01-01", "text"),
            ("1.2.3", "text"),
            ("12:30:45", "text"),
        ] {
            let found = match plain(text) {
                Value::Null => "null".to_owned(),
                Value::Bool(value) => value.to_string(),
                Value::Number(number) if number.is_integer() => match number.as_i128() {
                    Some(value) => format!("int {value}"),
                    None => "big".to_owned(),
                },
                Value::Number(number) => format!("float {}", number.as_f64()),
                _ => "text".to_owned(),
            };
            assert_eq!(found, expected, "{text:?}");
        }
    }
}
