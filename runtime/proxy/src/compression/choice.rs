//! What a client takes (RFC 9110 §12.5.3), and what becomes of a response to it.

use crate::body_memory::{BodyMemory, Taken};
use crate::compression::{Coding, Compression, Encoder};
use gateway_terms::compression::is_among;
use gateway_wire::cache_control::{directives, is_malformed};
use gateway_wire::entity_tag::{NoneMatch, entity_tags};
use gateway_wire::http1::head::Field;

/// What one client is offered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Offer {
    rule: &'static Compression,
    /// What the client likes best of it; nothing where it wants content as it is.
    coding: Option<&'static dyn Coding>,
    /// It may have coded content already, and asks whether that is current.
    has_coded: bool,
    /// Of all encoders.
    memory: &'static BodyMemory,
}

/// A final response that may be compressed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Subject<I> {
    pub(crate) status: u16,
    /// Names and values, as the client gets them.
    pub(crate) fields: I,
    /// Of the content, where it is known.
    pub(crate) length: Option<u64>,
    /// The request was HEAD.
    pub(crate) to_head: bool,
}

/// What becomes of a response.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Plan {
    /// It passes as it is, for every client.
    Pass,
    /// It passes as it is, and would not for another client.
    Vary,
    /// The same for one that is about coded content: its validator is that of the coded content (RFC 9110 §15.4.5).
    VaryWeakly,
    /// It has no content, which would be coded.
    VaryWithoutLength,
    /// Its content is coded.
    Code(&'static dyn Coding),
}

impl Offer {
    /// What a request is offered. HTTP/1.0 has no coding for content of unknown length.
    pub(crate) fn to(
        rule: &'static Compression,
        request: &[Field<'_>],
        is_http11: bool,
        memory: &'static BodyMemory,
    ) -> Self {
        let coding = if is_http11 { choose(rule.codings, request) } else { None };
        Self { rule, coding, has_coded: has_coded(coding, request), memory }
    }

    /// An encoder for a content, with its memory; nothing where all of that is taken.
    pub(crate) fn encoder(&self, coding: &dyn Coding, length: Option<u64>) -> Option<(Box<dyn Encoder>, Taken)> {
        let taken = self.memory.take(coding.memory())?;
        Some((coding.encoder(length).ok()?, taken))
    }

    /// What becomes of a response.
    pub(crate) fn plan<'f>(&self, response: Subject<impl Iterator<Item = (&'f str, &'f [u8])>>) -> Plan {
        let Subject { status, fields, length, to_head } = response;
        // Partial Content is not the whole, and the others have no content.
        if status < 200 || matches!(status, 204..=206) {
            return Plan::Pass;
        }
        let mut has_type = false;
        for (name, value) in fields {
            match FieldKind::of(name) {
                FieldKind::ContentType => has_type = is_among(self.rule.types, value),
                FieldKind::CacheControl if forbids_change(value) => return Plan::Pass,
                FieldKind::Excludes => return Plan::Pass,
                FieldKind::CacheControl | FieldKind::Other => {}
            }
        }
        // It says what a cache may go on with, and not of which type that is (RFC 9110 §15.4.5).
        if status == 304 {
            return if self.has_coded { Plan::VaryWeakly } else { Plan::Vary };
        }
        if !has_type || length.is_some_and(|length| length < self.rule.min.0.max(1)) {
            return Plan::Pass;
        }
        match self.coding {
            None => Plan::Vary,
            Some(_) if to_head => Plan::VaryWithoutLength,
            Some(coding) => Plan::Code(coding),
        }
    }
}

/// What a field of a response means for compression.
enum FieldKind {
    ContentType,
    CacheControl,
    /// The response stays as it is: it is coded already, is a part, or sets a cookie, which may be a secret beside
    /// what someone else has put into the request (BREACH).
    Excludes,
    Other,
}

impl FieldKind {
    fn of(name: &str) -> Self {
        const EXCLUDING: [&str; 3] = ["content-encoding", "content-range", "set-cookie"];
        if name.eq_ignore_ascii_case("content-type") {
            Self::ContentType
        } else if name.eq_ignore_ascii_case("cache-control") {
            Self::CacheControl
        } else if EXCLUDING.iter().any(|excluding| name.eq_ignore_ascii_case(excluding)) {
            Self::Excludes
        } else {
            Self::Other
        }
    }
}

/// Whether what a client asks about may be content that was coded: it names a weak validator, as coded content has it, or
/// none, and takes a coding.
fn has_coded(coding: Option<&dyn Coding>, request: &[Field<'_>]) -> bool {
    let fields = request.iter().filter(|field| field.name.eq_ignore_ascii_case("if-none-match"));
    let values = fields.map(|field| field.value);
    match NoneMatch::of(values.clone()) {
        NoneMatch::Absent | NoneMatch::Any => coding.is_some(),
        NoneMatch::Tags => values.flat_map(entity_tags).any(|tag| tag.is_weak),
    }
}

/// RFC 9111 §5.2.2.6.
fn forbids_change(cache_control: &[u8]) -> bool {
    is_malformed(cache_control) || directives(cache_control).any(|directive| directive.is("no-transform"))
}

/// The coding that a client likes best; of those that it likes as much, the first one.
fn choose(codings: &'static [&'static dyn Coding], request: &[Field<'_>]) -> Option<&'static dyn Coding> {
    let mut best: Option<(u16, &'static dyn Coding)> = None;
    for coding in codings.iter().copied() {
        let weight = weight(request, |name| coding.coding().is_called(name)).unwrap_or_default();
        if weight > best.map_or(0, |(weight, _)| weight) {
            best = Some((weight, coding));
        }
    }
    let (best, coding) = best?;
    // Content as it is counts where it is asked for; else it is what is left.
    let identity = weight_of(request, |name| name.eq_ignore_ascii_case(b"identity")).unwrap_or_default();
    (best >= identity).then_some(coding)
}

/// The weight of a coding, in thousandths; `*` is about those that are not named.
fn weight(request: &[Field<'_>], is_it: impl Fn(&[u8]) -> bool) -> Option<u16> {
    weight_of(request, is_it).or_else(|| weight_of(request, |name| name == b"*"))
}

fn weight_of(request: &[Field<'_>], is_it: impl Fn(&[u8]) -> bool) -> Option<u16> {
    let values = request.iter().filter(|field| field.name.eq_ignore_ascii_case("accept-encoding"));
    let entries = values.flat_map(|field| field.value.split(|byte| *byte == b','));
    entries
        .filter_map(|entry| {
            let mut parts = entry.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
            parts.next().filter(|name| is_it(name))?;
            // What cannot be read is nothing that a client likes.
            Some(parts.next().map_or(1000, |parameter| quality(parameter).unwrap_or_default()))
        })
        .next()
}

/// `q=0.5`, in thousandths (RFC 9110 §12.4.2).
fn quality(parameter: &[u8]) -> Option<u16> {
    let (name, value) = std::str::from_utf8(parameter).ok()?.split_once('=')?;
    let (whole, decimals) = value.trim().split_once('.').unwrap_or((value.trim(), ""));
    if !name.trim().eq_ignore_ascii_case("q")
        || decimals.len() > 3
        || !decimals.bytes().all(|digit| digit.is_ascii_digit())
    {
        return None;
    }
    let digits = decimals.bytes().chain(std::iter::repeat(b'0')).take(3);
    let thousandths = digits.fold(0, |sum, digit| sum * 10 + u16::from(digit - b'0'));
    match whole {
        "0" => Some(thousandths),
        "1" if thousandths == 0 => Some(1000),
        _ => None,
    }
}
