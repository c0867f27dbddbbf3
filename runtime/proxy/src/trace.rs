//! W3C Trace Context: which trace a request belongs to, so that logs of several programs can be joined.
//!
//! The gateway records no spans of its own, so it passes on the context of its caller as it is, and makes one where there
//! is none.

use gateway_base::encoding::hexadecimal;
use gateway_wire::http1::head::Field;
use gateway_wire::http1::names::{FieldClass, FieldTable};

/// `00-<trace-id>-<parent-id>-<trace-flags>` (Trace Context §3.2).
const LENGTH: usize = 55;

/// The context of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TraceContext {
    text: [u8; LENGTH],
    /// The caller's own.
    is_received: bool,
}

impl TraceContext {
    /// A trace that begins here. `random` gives bits that are no secret.
    pub(crate) fn new(mut random: impl FnMut() -> u64) -> Self {
        // Sampled: a program behind the gateway decides as if it were the first.
        let mut text = *b"00-00000000000000000000000000000000-0000000000000000-01";
        for start in [3, 19, 36] {
            // All zeros are no id.
            text[start..start + 16].copy_from_slice(&hexadecimal(random().max(1)));
        }
        Self { text, is_received: false }
    }

    /// The context that a request brings; nothing if there is none, or several, or if it makes no sense (§3.2.2).
    pub(crate) fn of(fields: &[Field<'_>], table: &FieldTable) -> Option<Self> {
        let mut found = fields.iter().filter(|field| table.classify(field.name) == FieldClass::TraceParent);
        let (Some(field), None) = (found.next(), found.next()) else { return None };
        Self::parse(field.value)
    }

    fn parse(value: &[u8]) -> Option<Self> {
        let (text, rest) = value.split_first_chunk::<LENGTH>()?;
        let is_version_0 = text.starts_with(b"00");
        // Of a later version, what version 00 has is taken (§3.2.4).
        if !(rest.is_empty() || (!is_version_0 && rest.starts_with(b"-"))) || text.starts_with(b"ff") {
            return None;
        }
        let is_hex = |bytes: &[u8]| bytes.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let is_id = |bytes: &[u8]| is_hex(bytes) && bytes.iter().any(|byte| *byte != b'0');
        let separated = [2, 35, 52].iter().all(|at| text[*at] == b'-');
        if !separated || !is_hex(&text[..2]) || !is_id(&text[3..35]) || !is_id(&text[36..52]) || !is_hex(&text[53..]) {
            return None;
        }
        let mut text = *text;
        text[..2].copy_from_slice(b"00");
        Some(Self { text, is_received: true })
    }

    /// The value of `traceparent`.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.text
    }

    /// `tracestate` belongs to the caller's context, and to no other.
    pub(crate) fn is_received(&self) -> bool {
        self.is_received
    }

    /// 32 hexadecimal digits.
    pub(crate) fn trace_id(&self) -> &[u8] {
        &self.text[3..35]
    }

    /// 16 hexadecimal digits.
    pub(crate) fn span_id(&self) -> &[u8] {
        &self.text[36..52]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contexts_of_callers_are_kept() {
        const GOOD: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let parse = |text: &str| TraceContext::parse(text.as_bytes());
        let context = parse(GOOD).expect("good");
        assert!(context.as_bytes() == GOOD.as_bytes() && context.is_received());
        assert_eq!(context.trace_id(), b"0af7651916cd43dd8448eb211c80319c");
        assert_eq!(context.span_id(), b"b7ad6b7169203331");
        // A later version may have more.
        for later in [GOOD.replacen("00", "01", 1), GOOD.replacen("00", "cc", 1) + "-more"] {
            assert_eq!(parse(&later).map(|context| context.as_bytes().to_vec()), Some(GOOD.into()), "{later}");
        }
        for bad in [
            "",
            "00",
            &GOOD[..54],
            &format!("{GOOD}-more"),
            &format!("{GOOD}0"),
            &GOOD.to_uppercase(),
            &GOOD.replacen("00", "ff", 1),
            &GOOD.replace("0af7651916cd43dd8448eb211c80319c", &"0".repeat(32)),
            &GOOD.replace("b7ad6b7169203331", &"0".repeat(16)),
            &GOOD.replace('-', "_"),
            &GOOD.replacen('a', "g", 1),
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn contexts_of_our_own_are_well_formed() {
        for word in [0, 1, u64::MAX, 0x0123_4567_89ab_cdef] {
            let own = TraceContext::new(|| word);
            let parsed = TraceContext::parse(own.as_bytes()).expect("well formed");
            assert_eq!(parsed.trace_id(), own.trace_id());
            assert!(!own.is_received());
        }
    }

    #[test]
    fn repeated_trace_contexts_are_ignored() {
        let table = FieldTable::for_requests([]);
        let field = Field { name: "Traceparent", value: b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" };
        assert!(TraceContext::of(&[field], &table).is_some());
        assert!(TraceContext::of(&[field, field], &table).is_none());
        assert!(TraceContext::of(&[], &table).is_none());
    }
}
