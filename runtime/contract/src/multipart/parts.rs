//! The parts of a multipart body (RFC 2046 §5.1, RFC 7578 §4).

use gateway_terms::token::is_token;

use crate::media_type::{MediaType, unquote};

/// Parts of a body; more are refused.
const MOST_PARTS: usize = 1_000;

/// Bytes of the head of a part; more are refused.
const MOST_OF_HEAD: usize = 8 << 10;

/// Bytes of a boundary (RFC 2046 §5.1.1).
const LONGEST_BOUNDARY: usize = 70;

/// A part of a form.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct FormPart<'b> {
    pub(super) name: String,
    /// It has a name of a file.
    pub(super) is_file: bool,
    pub(super) media_type: MediaType<'b>,
    pub(super) content: &'b [u8],
}

/// Reads the parts of a body. What stands before the first and behind the last boundary is refused: some readers would look
/// for parts there.
///
/// # Errors
/// Why they cannot be read.
pub(super) fn read<'b>(boundary: &str, bytes: &'b [u8]) -> Result<Vec<FormPart<'b>>, &'static str> {
    if boundary.is_empty() || boundary.len() > LONGEST_BOUNDARY || boundary.contains(['\r', '\n']) {
        return Err("has no valid boundary in its Content-Type");
    }
    let delimiter = format!("\r\n--{boundary}");
    let delimiter = delimiter.as_bytes();
    let opening = delimiter.get(2..).unwrap_or_default();
    let start = bytes.strip_prefix(b"\r\n").unwrap_or(bytes);
    let mut rest = start.strip_prefix(opening).ok_or("does not begin with its boundary")?;
    let mut parts = Vec::new();
    loop {
        if let Some(end) = rest.strip_prefix(b"--") {
            let is_end = end.iter().all(|byte| matches!(byte, b'\r' | b'\n' | b' ' | b'\t'));
            return if is_end { Ok(parts) } else { Err("has something behind its last boundary") };
        }
        let padding = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        let line_end = rest.get(padding..).and_then(|rest| rest.strip_prefix(b"\r\n"));
        let part = line_end.ok_or("has a boundary with something behind it")?;
        if parts.len() >= MOST_PARTS {
            return Err("has more than 1000 parts");
        }
        let (head, content) = split_head(part)?;
        let length = find(content, delimiter).ok_or("ends before its last boundary")?;
        let (content, behind) = content.split_at_checked(length).ok_or("ends before its last boundary")?;
        parts.push(with_head(head, content)?);
        rest = behind.get(delimiter.len()..).unwrap_or_default();
    }
}

/// The lines of a part's head, and what follows the empty line behind it.
fn split_head(part: &[u8]) -> Result<(&str, &[u8]), &'static str> {
    let (head, content) = match part.strip_prefix(b"\r\n") {
        Some(content) => (&b""[..], content),
        None => {
            let near = part.get(..MOST_OF_HEAD).unwrap_or(part);
            let end = find(near, b"\r\n\r\n").ok_or("has a part whose head does not end, or is too long")?;
            let (head, content) = part.split_at_checked(end).ok_or("has a part without an end")?;
            (head, content.get(4..).unwrap_or_default())
        }
    };
    Ok((std::str::from_utf8(head).map_err(|_| "has a part whose head is not UTF-8")?, content))
}

fn with_head<'b>(head: &'b str, content: &'b [u8]) -> Result<FormPart<'b>, &'static str> {
    let mut disposition = None;
    let mut media_type = None;
    for line in head.split("\r\n") {
        let (name, value) = line.split_once(':').ok_or("has a part with a head that is malformed")?;
        if !is_token(name.as_bytes()) || value.contains(['\r', '\n', '\0']) {
            return Err("has a part with a head that is malformed");
        }
        let value = value.trim_matches([' ', '\t']);
        if name.eq_ignore_ascii_case("Content-Disposition") {
            if disposition.replace(value).is_some() {
                return Err("has a part with two fields Content-Disposition");
            }
        } else if name.eq_ignore_ascii_case("Content-Type") {
            let read = MediaType::parse(value).ok_or("has a part whose Content-Type is none")?;
            if media_type.replace(read).is_some() {
                return Err("has a part with two fields Content-Type");
            }
        } else if name.eq_ignore_ascii_case("Content-Transfer-Encoding") {
            let plain = ["7bit", "8bit", "binary"];
            if !plain.iter().any(|plain| plain.eq_ignore_ascii_case(value)) {
                return Err("has a part with a Content-Transfer-Encoding, which RFC 7578 has no more");
            }
        }
    }
    let (name, is_file) = disposition.and_then(names).ok_or("has a part without a name")?;
    Ok(FormPart { name, is_file, media_type: media_type.unwrap_or(MediaType::PLAIN_TEXT), content })
}

/// The name of a part, and whether it has a name of a file: of `form-data; name="a"; filename="b"`.
fn names(disposition: &str) -> Option<(String, bool)> {
    let (kind, mut rest) = disposition.split_at_checked(disposition.find(';')?)?;
    if !kind.trim_matches([' ', '\t']).eq_ignore_ascii_case("form-data") {
        return None;
    }
    let (mut name, mut is_file) = (None, false);
    while let Some(behind) = rest.strip_prefix(';') {
        let (own, value) = behind.trim_matches([' ', '\t']).split_once('=')?;
        let value_and_rest = match value.strip_prefix('"') {
            Some(quoted) => unquote(quoted).map(|(value, rest)| (value.into_owned(), rest))?,
            None => {
                let (value, rest) = value.split_at_checked(value.find(';').unwrap_or(value.len()))?;
                (value.trim_matches([' ', '\t']).to_owned(), rest)
            }
        };
        rest = value_and_rest.1.trim_matches([' ', '\t']);
        if own.eq_ignore_ascii_case("name") {
            // Readers differ in which of two names they take.
            if name.replace(value_and_rest.0).is_some() {
                return None;
            }
        } else if own.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("name*")) {
            // Some readers take it for the name (RFC 8187); forms have no such thing (RFC 7578 §4.2).
            return None;
        } else if own.eq_ignore_ascii_case("filename") || own.eq_ignore_ascii_case("filename*") {
            is_file = true;
        }
    }
    if rest.is_empty() { Some((name?, is_file)) } else { None }
}

/// Where a text that begins with a carriage return, and has no other that could begin it, stands in another one.
fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    let mut from = 0;
    loop {
        let rest = bytes.get(from..)?;
        let at = from + rest.iter().position(|byte| *byte == b'\r')?;
        if bytes.get(at..)?.starts_with(wanted) {
            return Some(at);
        }
        from = at + 1;
    }
}
