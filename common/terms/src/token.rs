//! Tokens of HTTP (RFC 9110 §5.6.2): names of fields, of methods and of authentication schemes.

/// Which bytes a token may have (RFC 9110 §5.6.2).
const TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 128_u8 {
        table[byte as usize] = byte.is_ascii_alphanumeric()
            || matches!(byte, b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.')
            || matches!(byte, b'^' | b'_' | b'`' | b'|' | b'~');
        byte += 1;
    }
    table
};

/// Whether a text is a token.
#[must_use]
pub const fn is_token(text: &[u8]) -> bool {
    let mut at = 0;
    while at < text.len() {
        if !TOKEN[text[at] as usize] {
            return false;
        }
        at += 1;
    }
    !text.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_those_of_http() {
        for byte in 0..=u8::MAX {
            let is_delimiter = b"\"(),/:;<=>?@[\\]{}".contains(&byte);
            assert_eq!(is_token(&[byte]), byte.is_ascii_graphic() && !is_delimiter, "{byte}");
        }
    }
}
