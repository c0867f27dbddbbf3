//! How the text of a value is encoded.

use std::borrow::Cow;

use gateway_base::encoding;

/// How a text is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// Percent-encoding, and `+` for a space: in a query and a form.
    Form,
    /// Percent-encoding (RFC 3986 §2.1).
    Percent,
    /// It stands as it is, with white space around it that does not count.
    Plain,
}

/// Why a text cannot be decoded.
const BAD_ESCAPE: &str = "has a percent escape that cannot be decoded";
const NOT_UTF8: &str = "is not UTF-8";

impl Encoding {
    /// The text that an encoded one stands for.
    pub(crate) fn decode(self, raw: &str) -> Result<Cow<'_, str>, &'static str> {
        if self == Self::Plain {
            return Ok(Cow::Borrowed(raw.trim_matches([' ', '\t'])));
        }
        let has_plus = self == Self::Form && raw.contains('+');
        if !has_plus && !raw.contains('%') {
            return Ok(Cow::Borrowed(raw));
        }
        let spaced = if has_plus { Cow::Owned(raw.replace('+', " ")) } else { Cow::Borrowed(raw) };
        let decoded = encoding::percent_decode(spaced.as_bytes()).ok_or(BAD_ESCAPE)?;
        String::from_utf8(decoded).map(Cow::Owned).map_err(|_| NOT_UTF8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_decoded() {
        for (encoding, raw, expected) in [
            (Encoding::Form, "a+b%2B%C3%A9", Ok("a b+é")),
            (Encoding::Percent, "a+b%2B", Ok("a+b+")),
            (Encoding::Plain, " a+%zz\t", Ok("a+%zz")),
            (Encoding::Form, "%zz", Err(BAD_ESCAPE)),
            (Encoding::Form, "a%", Err(BAD_ESCAPE)),
            (Encoding::Percent, "%f", Err(BAD_ESCAPE)),
            (Encoding::Form, "%ff%fe", Err(NOT_UTF8)),
            (Encoding::Percent, "%C3%28", Err(NOT_UTF8)),
        ] {
            assert_eq!(encoding.decode(raw).as_deref(), expected.as_deref(), "{raw}");
        }
    }
}
