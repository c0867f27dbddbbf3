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

/// Why a text cannot be decoded. The message goes to the client, behind the name of the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DecodeError {
    /// A `%` is not followed by two hexadecimal digits (RFC 3986 §2.1).
    #[error("has a percent escape that cannot be decoded")]
    Escape,
    /// What the escapes stand for is not UTF-8.
    #[error("is not UTF-8")]
    NotUtf8,
}

impl From<DecodeError> for Cow<'static, str> {
    fn from(error: DecodeError) -> Self {
        Cow::Owned(error.to_string())
    }
}

impl Encoding {
    /// The text that an encoded one stands for.
    pub(crate) fn decode(self, raw: &str) -> Result<Cow<'_, str>, DecodeError> {
        if self == Self::Plain {
            return Ok(Cow::Borrowed(raw.trim_matches([' ', '\t'])));
        }
        let has_plus = self == Self::Form && raw.contains('+');
        if !has_plus && !raw.contains('%') {
            return Ok(Cow::Borrowed(raw));
        }
        let spaced = if has_plus { Cow::Owned(raw.replace('+', " ")) } else { Cow::Borrowed(raw) };
        let decoded = encoding::percent_decode(spaced.as_bytes()).ok_or(DecodeError::Escape)?;
        String::from_utf8(decoded).map(Cow::Owned).map_err(|_| DecodeError::NotUtf8)
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
            (Encoding::Form, "%zz", Err(DecodeError::Escape)),
            (Encoding::Form, "a%", Err(DecodeError::Escape)),
            (Encoding::Percent, "%f", Err(DecodeError::Escape)),
            (Encoding::Form, "%ff%fe", Err(DecodeError::NotUtf8)),
            (Encoding::Percent, "%C3%28", Err(DecodeError::NotUtf8)),
        ] {
            assert_eq!(encoding.decode(raw).as_deref(), expected.as_ref().map(|text: &&str| *text), "{raw}");
        }
    }
}
