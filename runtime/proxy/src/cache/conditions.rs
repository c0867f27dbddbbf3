//! Requests that have a response already, or want a part of one: answered from what is stored (RFC 9110 §13, §14).

use std::ops::Range;

use crate::cache::freshness::{Stored, date};
use crate::cache::lines::Lines;
use gateway_wire::entity_tag::{self, EntityTag};

/// Fields of a request that are about what the client has already. The upstream does not see them where a response is
/// fetched to be stored.
pub(crate) const SET_ASIDE: [&str; 4] = ["if-none-match", "if-modified-since", "if-range", "range"];

/// Fields with which only the upstream can do something.
pub(crate) const FOR_UPSTREAM: [&str; 2] = ["if-match", "if-unmodified-since"];

/// What of a stored response a client gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    /// All of it.
    Whole,
    /// Nothing: the client has it (304).
    NotModified,
    /// These bytes of the content (206).
    Bytes(Range<usize>),
    /// Bytes that it does not have (416).
    OutOfRange,
}

/// What a client gets of a response; `conditions` are the fields of its request that were set aside.
pub(crate) fn part(stored: &Stored, conditions: &Lines) -> Part {
    if conditions.is_empty() {
        return Part::Whole;
    }
    if matches!(stored.status, 200 | 203) && is_unmodified(stored, conditions) {
        return Part::NotModified;
    }
    if stored.status != 200 || !holds_if_range(stored, conditions) {
        return Part::Whole;
    }
    let mut ranges = conditions.all("range");
    match (ranges.next(), ranges.next()) {
        (Some(range), None) => bytes(range, stored.body.len()),
        // Two fields are no range, as two ranges in one.
        _ => Part::Whole,
    }
}

/// Whether the client's copy is as good (RFC 9110 §13.1.2, §13.1.3).
fn is_unmodified(stored: &Stored, conditions: &Lines) -> bool {
    if let Some(is_known) = entity_tag::is_known(conditions.all("if-none-match"), stored.head.first("etag")) {
        return is_known;
    }
    let Some(since) = conditions.first("if-modified-since") else { return false };
    let Some(modified) = stored.head.first("last-modified").or_else(|| stored.head.first("date")) else { return false };
    // A date that is repeated needs no understanding.
    since == modified || date(since).zip(date(modified)).is_some_and(|(since, modified)| modified <= since)
}

/// Whether a part of this response fits to what the client has (RFC 9110 §13.1.5).
fn holds_if_range(stored: &Stored, conditions: &Lines) -> bool {
    let Some(condition) = conditions.first("if-range") else { return true };
    match EntityTag::of(condition) {
        Some(tag) => stored.head.first("etag").and_then(EntityTag::of).is_some_and(|etag| etag.is_same(&tag)),
        None => stored.head.first("last-modified") == Some(condition),
    }
}

/// One range of bytes. What is several ranges, or no range, gets all (RFC 9110 §14.2).
fn bytes(range: &[u8], length: usize) -> Part {
    let Some(spec) = std::str::from_utf8(range).ok().and_then(|text| text.trim().strip_prefix("bytes=")) else {
        return Part::Whole;
    };
    let Some((first, last)) = spec.split_once('-').filter(|_| !spec.contains(',')) else { return Part::Whole };
    let (first, last) = (first.trim(), last.trim());
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    // A number that is too large is beyond the end as well.
    let number = |text: &str| text.parse::<usize>().unwrap_or(usize::MAX);
    match (is_number(first), is_number(last)) {
        (true, true) if number(first) > number(last) => Part::Whole,
        (true, has_last) if has_last || last.is_empty() => {
            let end = if has_last { number(last).saturating_add(1).min(length) } else { length };
            if number(first) < length { Part::Bytes(number(first)..end) } else { Part::OutOfRange }
        }
        (false, true) if first.is_empty() => match number(last) {
            0 => Part::OutOfRange,
            suffix if length == 0 || suffix >= length => Part::Whole,
            suffix => Part::Bytes(length - suffix..length),
        },
        _ => Part::Whole,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_of_bytes_that_are_there() {
        for (range, expected) in [
            ("bytes=0-4", Part::Bytes(0..5)),
            ("bytes=5-", Part::Bytes(5..10)),
            ("bytes=-3", Part::Bytes(7..10)),
            ("bytes=8-99", Part::Bytes(8..10)),
            ("bytes=-10", Part::Whole),
            ("bytes=10-", Part::OutOfRange),
            ("bytes=99999999999999999999-", Part::OutOfRange),
            ("bytes=-0", Part::OutOfRange),
            ("bytes=4-2", Part::Whole),
            ("bytes=0-1,3-4", Part::Whole),
            ("bytes=a-b", Part::Whole),
            ("bytes=-", Part::Whole),
            ("lines=1-2", Part::Whole),
        ] {
            assert_eq!(bytes(range.as_bytes(), 10), expected, "{range}");
        }
    }
}
