//! Percent-encoding, forms, and numbers.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

/// What forms keep as it is (the URL Standard, "application/x-www-form-urlencoded percent-encode set").
const FORM: &AsciiSet = &NON_ALPHANUMERIC.remove(b'*').remove(b'-').remove(b'.').remove(b'_');

/// A number in 16 hexadecimal digits, in lower case. All digits are made at once: each request has five such numbers.
pub fn hexadecimal(number: u64) -> [u8; 16] {
    let mut digits = [0; 16];
    for (half, digits) in [number >> 32, number & 0xffff_ffff].into_iter().zip(digits.chunks_exact_mut(8)) {
        // Each digit of the number gets a byte of its own.
        let mut bytes = (half << 16 | half) & 0x0000_ffff_0000_ffff;
        bytes = (bytes << 8 | bytes) & 0x00ff_00ff_00ff_00ff;
        bytes = (bytes << 4 | bytes) & 0x0f0f_0f0f_0f0f_0f0f;
        // 1 in the bytes of the digits from ten on.
        let letters = ((bytes + 0x0606_0606_0606_0606) >> 4) & 0x0101_0101_0101_0101;
        let text = bytes + 0x3030_3030_3030_3030 + letters * u64::from(b'a' - b'0' - 10);
        digits.copy_from_slice(&text.to_be_bytes());
    }
    digits
}

/// Bytes in hexadecimal, in lower case.
pub fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for part in bytes.chunks(8) {
        let mut word = [0; 8];
        word[..part.len()].copy_from_slice(part);
        let digits = hexadecimal(u64::from_be_bytes(word));
        text.extend(digits.iter().take(part.len() * 2).copied().map(char::from));
    }
    text
}

/// Decodes percent-encoding (RFC 3986 §2.1); `None` if a `%` is not followed by two hexadecimal digits.
pub fn percent_decode(encoded: &[u8]) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(encoded.len());
    let mut bytes = encoded.iter();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => {
                let mut digit = || bytes.next().and_then(|byte| char::from(*byte).to_digit(16));
                let (high, low) = (digit()?, digit()?);
                u8::try_from(high << 4 | low).ok()?
            }
            other => *other,
        });
    }
    Some(decoded)
}

/// As [`percent_decode`], but keeps a `%` that is not followed by two hexadecimal digits.
pub fn percent_decode_lenient(encoded: &[u8]) -> Vec<u8> {
    percent_encoding::percent_decode(encoded).collect()
}

/// Decodes a name or a value of `application/x-www-form-urlencoded`; `None` if it is not UTF-8 or badly escaped.
pub fn form_decode(raw: &str) -> Option<Cow<'_, str>> {
    if !raw.bytes().any(|byte| byte == b'%' || byte == b'+') {
        return Some(Cow::Borrowed(raw));
    }
    let decoded = percent_decode(raw.replace('+', " ").as_bytes())?;
    String::from_utf8(decoded).ok().map(Cow::Owned)
}

/// As a value of `application/x-www-form-urlencoded`.
pub fn form_encode(bytes: &[u8]) -> String {
    percent_encode(bytes, FORM).to_string().replace("%20", "+")
}

/// As [`form_encode`], with `%20` for a space.
pub fn form_encode_without_plus(bytes: &[u8]) -> String {
    percent_encode(bytes, FORM).to_string()
}

/// The query without the parameters called one of `names`, in its raw form otherwise; `None` when nothing is left.
pub fn query_without<'a>(query: &'a str, names: &[&str]) -> Option<Cow<'a, str>> {
    let hidden = |pair: &&str| {
        let key = pair.split('=').next().unwrap_or("");
        form_decode(key).is_some_and(|key| names.contains(&key.as_ref()))
    };
    if !query.split('&').any(|pair| hidden(&pair)) {
        return Some(Cow::Borrowed(query));
    }
    let kept: Vec<&str> = query.split('&').filter(|pair| !hidden(pair)).collect();
    (!kept.is_empty()).then(|| Cow::Owned(kept.join("&")))
}

/// A `Cookie` field's value without the cookies called one of `names`; `None` when nothing is left.
pub fn cookies_without(value: &[u8], names: &[&str]) -> Option<Vec<u8>> {
    let kept: Vec<&[u8]> = value
        .split(|byte| *byte == b';')
        .map(<[u8]>::trim_ascii)
        .filter(|pair| {
            let name = pair.split(|byte| *byte == b'=').next().unwrap_or(b"");
            !pair.is_empty() && !names.iter().any(|hidden| hidden.as_bytes() == name)
        })
        .collect();
    (!kept.is_empty()).then(|| kept.join(&b"; "[..]))
}

/// Appends a number in decimal.
pub fn write_number(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_hexadecimal_are_those_of_the_standard_library() {
        let mut number = 0x0123_4567_89ab_cdef_u64;
        for known in [0, 1, 9, 10, 15, 16, u64::MAX, u64::MAX - 0xf0, 0xa0a0_a0a0_9999_9999] {
            assert_eq!(hexadecimal(known), *format!("{known:016x}").as_bytes(), "{known}");
        }
        for _ in 0..1000 {
            number = number.rotate_left(9).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            assert_eq!(hexadecimal(number), *format!("{number:016x}").as_bytes(), "{number}");
        }
        let bytes: Vec<u8> = (0..=255).rev().collect();
        for length in [0, 1, 7, 8, 9, 32, 256] {
            let expected: String = bytes[..length].iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(hex(&bytes[..length]), expected);
        }
    }

    #[test]
    fn percent_encoding_is_read_strictly_or_leniently() {
        for (encoded, strict, lenient) in [
            ("a%2Fb", Some("a/b"), "a/b"),
            ("%41%5a", Some("AZ"), "AZ"),
            ("+", Some("+"), "+"),
            ("%zz", None, "%zz"),
            ("%+1", None, "%+1"),
            ("%4", None, "%4"),
            ("%", None, "%"),
        ] {
            assert_eq!(percent_decode(encoded.as_bytes()).as_deref(), strict.map(str::as_bytes), "{encoded}");
            assert_eq!(percent_decode_lenient(encoded.as_bytes()), lenient.as_bytes(), "{encoded}");
        }
        assert_eq!(form_decode("a+b%2B%20").as_deref(), Some("a b+ "));
        assert_eq!(form_encode(b"a b+*-._~\xff"), "a+b%2B*-._%7E%FF");
    }
}
