//! The chunked transfer coding (RFC 9112 §7.1), decoded without leniency.

use crate::field_lines::is_token;

/// The most bytes for all chunk extensions of a body together, and for its trailers: nothing here has a use for
/// them.
const MAX_EXTENSION: usize = 16 * 1024;
const MAX_TRAILERS: usize = 8 * 1024;

/// A body that is not in the chunked coding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadChunk;

/// What one step of decoding found.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// This many bytes of the input were framing.
    Framing(usize),
    /// This many bytes at the start of the input are content.
    Data(usize),
    /// This many bytes were framing, and the body ends there.
    End(usize),
    /// The input is used up.
    NeedMore,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Size {
        digits: u8,
    },
    /// White space before `;`.
    SizeSpace,
    /// After `;`.
    BeforeName,
    Name,
    /// White space after a name.
    AfterName,
    /// After `=`.
    BeforeValue,
    Value,
    /// Within quotation marks.
    Quoted,
    /// After a backslash within them.
    Escaped,
    /// After the second quotation mark.
    QuotedEnd,
    /// White space after a value.
    AfterValue,
    SizeLf,
    Data,
    DataCr,
    DataLf,
    TrailerStart,
    TrailerLine,
    TrailerLf,
    EndLf,
    Ended,
}

/// Decodes one chunked body, in pieces of any size.
#[derive(Debug)]
pub struct Decoder {
    state: State,
    left: u64,
    extension: usize,
    trailers: Vec<u8>,
}

impl Default for Decoder {
    fn default() -> Self {
        Self { state: State::Size { digits: 0 }, left: 0, extension: 0, trailers: Vec::new() }
    }
}

impl Decoder {
    /// Reads on in `input`; call again with what is left of it until it is used up or the body ends.
    ///
    /// # Errors
    /// [`BadChunk`] for a size that is not 1 to 15 hexadecimal digits, for line ends other than CRLF, for extensions that
    /// are not in the grammar of RFC 9112 §7.1.1, and for extensions and trailers beyond reason.
    pub fn step(&mut self, input: &[u8]) -> Result<Step, BadChunk> {
        if self.state == State::Data {
            return Ok(self.data(input));
        }
        for (index, &byte) in input.iter().enumerate() {
            self.state = self.next(byte)?;
            match self.state {
                State::Data => return Ok(Step::Framing(index + 1)),
                State::Ended => return Ok(Step::End(index + 1)),
                _ => {}
            }
        }
        Ok(if input.is_empty() { Step::NeedMore } else { Step::Framing(input.len()) })
    }

    /// The trailer section as received, each line with its CRLF; whole once the body has ended.
    pub fn trailers(&self) -> &[u8] {
        &self.trailers
    }

    fn data(&mut self, input: &[u8]) -> Step {
        if input.is_empty() {
            return Step::NeedMore;
        }
        let take = usize::try_from(self.left).unwrap_or(usize::MAX).min(input.len());
        self.left -= take as u64;
        if self.left == 0 {
            self.state = State::DataCr;
        }
        Step::Data(take)
    }

    fn next(&mut self, byte: u8) -> Result<State, BadChunk> {
        let state = match (self.state, byte) {
            (State::Size { digits }, _) if byte.is_ascii_hexdigit() => {
                // 15 digits: beyond that the sum could overflow in another server.
                if digits == 15 {
                    return Err(BadChunk);
                }
                self.left = self.left << 4 | u64::from((byte as char).to_digit(16).unwrap_or(0));
                State::Size { digits: digits + 1 }
            }
            (State::Size { digits: 0 }, _) => return Err(BadChunk),
            (State::Size { .. } | State::Name | State::Value | State::QuotedEnd, b'\r') => State::SizeLf,
            (State::Size { .. } | State::SizeSpace, b' ' | b'\t') => State::SizeSpace,
            (State::BeforeName | State::BeforeValue, b' ' | b'\t') => self.state,
            (State::Name | State::AfterName, b' ' | b'\t') => State::AfterName,
            (State::Value | State::QuotedEnd | State::AfterValue, b' ' | b'\t') => State::AfterValue,
            (
                State::Size { .. }
                | State::SizeSpace
                | State::Name
                | State::AfterName
                | State::Value
                | State::QuotedEnd
                | State::AfterValue,
                b';',
            ) => State::BeforeName,
            (State::BeforeName | State::Name, _) if is_token(&[byte]) => State::Name,
            (State::Name | State::AfterName, b'=') => State::BeforeValue,
            (State::BeforeValue, b'"') => State::Quoted,
            (State::BeforeValue | State::Value, _) if is_token(&[byte]) => State::Value,
            (State::Quoted, b'"') => State::QuotedEnd,
            (State::Quoted, b'\\') => State::Escaped,
            (State::Quoted | State::Escaped, b' '..=b'~' | b'\t' | 0x80..) => State::Quoted,
            (State::SizeLf, b'\n') if self.left == 0 => State::TrailerStart,
            (State::SizeLf, b'\n') => State::Data,
            (State::DataCr, b'\r') => State::DataLf,
            (State::DataLf, b'\n') => State::Size { digits: 0 },
            (State::TrailerStart, b'\r') => State::EndLf,
            (State::TrailerStart | State::TrailerLine, b' '..=b'~' | b'\t' | 0x80..) => State::TrailerLine,
            (State::TrailerLine, b'\r') => State::TrailerLf,
            (State::TrailerLf, b'\n') => State::TrailerStart,
            (State::EndLf, b'\n') => State::Ended,
            _ => return Err(BadChunk),
        };
        match state {
            State::SizeSpace
            | State::BeforeName
            | State::Name
            | State::AfterName
            | State::BeforeValue
            | State::Value
            | State::Quoted
            | State::Escaped
            | State::QuotedEnd
            | State::AfterValue => {
                self.extension += 1;
                if self.extension > MAX_EXTENSION {
                    return Err(BadChunk);
                }
            }
            State::TrailerLine | State::TrailerLf => self.keep_trailer(byte)?,
            State::TrailerStart if self.state == State::TrailerLf => self.keep_trailer(byte)?,
            _ => {}
        }
        Ok(state)
    }

    fn keep_trailer(&mut self, byte: u8) -> Result<(), BadChunk> {
        if self.trailers.len() >= MAX_TRAILERS {
            return Err(BadChunk);
        }
        self.trailers.push(byte);
        Ok(())
    }
}

/// Appends the line that opens a chunk of `length` bytes.
pub fn open_chunk(out: &mut Vec<u8>, length: usize) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let significant = (usize::BITS - length.leading_zeros()).div_ceil(4).max(1);
    for digit in (0..significant).rev() {
        out.push(DIGITS[length >> (digit * 4) & 15]);
    }
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Content, trailers, bytes used.
    fn decode(input: &[u8], piece: usize) -> Result<(Vec<u8>, Vec<u8>, usize), BadChunk> {
        let mut decoder = Decoder::default();
        let (mut content, mut used) = (Vec::new(), 0);
        while used < input.len() {
            let part = &input[used..input.len().min(used + piece)];
            match decoder.step(part)? {
                Step::Framing(n) => used += n,
                Step::Data(n) => {
                    content.extend_from_slice(&part[..n]);
                    used += n;
                }
                Step::End(n) => return Ok((content, decoder.trailers().to_vec(), used + n)),
                Step::NeedMore => {}
            }
        }
        Err(BadChunk)
    }

    #[test]
    fn bodies_decode_alike_in_pieces_of_any_size() {
        let input =
            b"4\r\nWiki\r\n6;x=\"y\"\r\npedia \r\nE \t;z\r\nin \r\n\r\nchunks.\r\n000\r\nX-Sum: 1\r\nB: 2\r\n\r\nrest";
        for piece in 1..input.len() {
            let (content, trailers, used) = decode(input, piece).expect("well formed");
            assert_eq!(content, b"Wikipedia in \r\n\r\nchunks.");
            assert_eq!(trailers, b"X-Sum: 1\r\nB: 2\r\n");
            assert_eq!(&input[used..], b"rest");
        }
    }

    #[test]
    fn extensions_are_names_with_values() {
        for extension in [
            ";a",
            ";a=b",
            ";a=\"\"",
            ";a=\"b;c\\\"d\"",
            " ; a = b",
            "\t;\ta\t=\t\"b\"",
            ";a;b;c=d",
            ";a=b ;c",
            ";a=\"b\" ; c",
            ";a=b;c=\"\u{e9}\"",
        ] {
            let input = format!("4{extension}\r\nWiki\r\n0{extension}\r\n\r\n");
            for piece in 1..input.len() {
                let decoded = decode(input.as_bytes(), piece).map(|(content, ..)| content);
                assert_eq!(decoded, Ok(b"Wiki".to_vec()), "{extension:?}");
            }
        }
    }

    #[test]
    fn ambiguous_chunks_are_refused() {
        for input in [
            "4\nWiki\r\n0\r\n\r\n",
            "4\r\nWiki0\r\n\r\n",
            "4\r\nWiki\n0\r\n\r\n",
            "0x4\r\nWiki\r\n0\r\n\r\n",
            "+4\r\nWiki\r\n",
            "-1\r\n",
            " 4\r\nWiki\r\n",
            "4 \r\nWiki\r\n0\r\n\r\n",
            "\r\n4\r\nWiki\r\n",
            "4;\n\r\nWiki",
            "4;a\0\r\n",
            "4;\r\nWiki\r\n0\r\n\r\n",
            "4; \r\nWiki\r\n0\r\n\r\n",
            "4;a=b \r\nWiki\r\n0\r\n\r\n",
            "4;a=\"b\" \r\nWiki\r\n0\r\n\r\n",
            "4;a \r\nWiki\r\n0\r\n\r\n",
            "4;;a\r\nWiki\r\n0\r\n\r\n",
            "4;=a\r\nWiki\r\n0\r\n\r\n",
            "4;a=\r\nWiki\r\n0\r\n\r\n",
            "4;a=b=c\r\nWiki\r\n0\r\n\r\n",
            "4;a=\"b\r\nWiki\r\n0\r\n\r\n",
            "4;a=\"b\\\r\nWiki\r\n0\r\n\r\n",
            "4;a=\"b\"c\r\nWiki\r\n0\r\n\r\n",
            "4;a=\"b\nc\"\r\nWiki\r\n0\r\n\r\n",
            "4;a=\"b\rc\"\r\nWiki\r\n0\r\n\r\n",
            "4;a b\r\nWiki\r\n0\r\n\r\n",
            "4;a,b\r\nWiki\r\n0\r\n\r\n",
            "4;{a}\r\nWiki\r\n0\r\n\r\n",
            "4;\x7f\r\nWiki\r\n0\r\n\r\n",
            "4\r\r\nWiki",
            "10000000000000000\r\n",
            "ffffffffffffffff\r\n",
            "g\r\n",
            ";a\r\n",
            "0\r\nX: a\nY: b\r\n\r\n",
            "0\r\n\n",
        ] {
            assert_eq!(decode(input.as_bytes(), 7), Err(BadChunk), "{input:?}");
        }
        let extension = format!("4;{}\r\nWiki\r\n0\r\n\r\n", "a".repeat(20_000));
        assert_eq!(decode(extension.as_bytes(), 7), Err(BadChunk));
    }

    #[test]
    fn sizes_are_written_in_hexadecimal() {
        for (length, line) in [(0, "0\r\n"), (9, "9\r\n"), (16, "10\r\n"), (0xdead, "dead\r\n"), (65536, "10000\r\n")] {
            let mut out = Vec::new();
            open_chunk(&mut out, length);
            assert_eq!(out, line.as_bytes());
        }
    }
}
