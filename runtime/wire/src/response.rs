//! Writes responses: the upstream's, filtered, and the gateway's own.

use std::cell::Cell;

use crate::answer::OwnAnswer;
use crate::browser_fields::{BrowserFields, is_about_cors, varies_by_origin};
use crate::field_lines::FieldLines;
use crate::head_writer::HeadWriter;
use crate::header_edits::HeaderEdits;
use crate::http1::body::{BodyLength, Framing};
use crate::http1::connection::ConnectionOptions;
use crate::http1::head::Field;
use crate::http1::names::{FieldClass, FieldTable, is_same_name_ignoring_punctuation};
use crate::locations::Locations;
use crate::reject::reason_phrase;
use gateway_base::encoding::write_number;

/// What a response to one request has to know.
#[derive(Debug)]
pub struct ResponseTerms<'a> {
    /// The request was HEAD: no body follows, whatever the fields say.
    pub to_head: bool,
    /// The client understands the chunked coding and informational responses.
    pub client_is_http11: bool,
    /// The client's connection may go on after this response.
    pub client_keeps_alive: bool,
    /// Each answer is the last one of its connection; it may become true while the upstream thinks.
    pub draining: &'a Cell<bool>,
    /// The response fields that mean something to a proxy.
    pub fields: &'a FieldTable,
    /// What the operation changes.
    pub edits: &'a HeaderEdits,
    /// The request's id, repeated to the client.
    pub request_id: &'a str,
    /// The current date (RFC 9110 §5.6.7).
    pub date: &'a str,
    /// The fields about limits. An upstream that limits as well would contradict.
    pub limits: &'a FieldLines,
    /// `Strict-Transport-Security`, instead of the upstream's.
    pub hsts: &'a FieldLines,
    /// What it says to browsers, instead of the upstream.
    pub browsers: Option<BrowserFields<'a>>,
    /// How the upstream's own addresses and cookies look to the client; as they are, if nothing.
    pub locations: Option<&'a Locations>,
}

/// Appends `name: value` and the line end.
pub fn write_field(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// Appends `name: value` for a number.
pub fn write_length(out: &mut Vec<u8>, length: u64) {
    out.extend_from_slice(b"Content-Length: ");
    write_number(out, length);
    out.extend_from_slice(b"\r\n");
}

fn begin_head(head: &mut HeadWriter<'_>, status: u16, reason: &str) {
    head.begin(status, |out| {
        out.extend_from_slice(b"HTTP/1.1 ");
        write_number(out, u64::from(status));
        out.push(b' ');
        out.extend_from_slice(reason.as_bytes());
        out.extend_from_slice(b"\r\n");
    });
}

fn write_content_length(head: &mut HeadWriter<'_>, length: u64) {
    head.field_with("Content-Length", |out| write_number(out, length));
}

/// Writes 100 (Continue), for which a client waits (RFC 9110 §15.2.1).
pub fn write_continue(head: &mut HeadWriter<'_>) {
    begin_head(head, 100, "Continue");
    head.end();
}

/// Writes the head of the upstream's final response.
#[allow(clippy::too_many_arguments, reason = "each is one fact about the response; a struct would only rename them")]
pub fn write_head(
    head: &mut HeadWriter<'_>,
    status: u16,
    reason: &str,
    fields: &[Field<'_>],
    framing: Framing,
    length: BodyLength,
    keep_alive: bool,
    terms: &ResponseTerms<'_>,
) {
    begin_head(head, status, reason);
    let has_date = write_fields(head, fields, terms);
    match length {
        BodyLength::Exactly(length) => write_content_length(head, length),
        BodyLength::None if status == 204 => {}
        // HEAD and 304 state the length that a GET would have (RFC 9110 §8.6).
        BodyLength::None => {
            if let Some(length) = framing.content_length().or((!terms.to_head && status != 304).then_some(0)) {
                write_content_length(head, length);
            }
        }
        BodyLength::Chunked | BodyLength::UntilClose if terms.client_is_http11 => {
            head.field("Transfer-Encoding", b"chunked");
        }
        BodyLength::Chunked | BodyLength::UntilClose => {}
    }
    write_moment(head, has_date, terms);
    write_persistence(head, keep_alive, terms.client_is_http11);
    head.end();
}

/// Writes what was received end to end, and what is said beside it; says whether it has a date.
fn write_fields(head: &mut HeadWriter<'_>, fields: &[Field<'_>], terms: &ResponseTerms<'_>) -> bool {
    let has_date = write_end_to_end(head, fields, terms, terms.browsers.as_ref());
    if let Some(browsers) = &terms.browsers {
        browsers.write(head, |_| false);
    }
    for (name, value) in terms.edits.set.iter().chain(terms.edits.add) {
        head.field(name, value.as_bytes());
    }
    head.lines(terms.limits);
    head.lines(terms.hsts);
    has_date
}

/// Writes which request it is about, and when it was answered.
fn write_moment(head: &mut HeadWriter<'_>, has_date: bool, terms: &ResponseTerms<'_>) {
    head.field("X-Request-Id", terms.request_id.as_bytes());
    if !has_date {
        head.field("Date", terms.date.as_bytes());
    }
}

/// Writes what tells the client that the connection speaks `protocol` from here on: 101 (RFC 9110 §15.2.2), or in HTTP/2
/// 200, where no field is about that (RFC 8441 §5).
pub fn write_switching(head: &mut HeadWriter<'_>, protocol: &str, fields: &[Field<'_>], terms: &ResponseTerms<'_>) {
    let is_text = matches!(head, HeadWriter::Text(_));
    if is_text {
        begin_head(head, 101, "Switching Protocols");
        head.field("Upgrade", protocol.as_bytes());
        head.field("Connection", b"Upgrade");
    } else {
        begin_head(head, 200, "OK");
    }
    let belongs = |field: &&Field<'_>| is_text || !field.name.eq_ignore_ascii_case("sec-websocket-accept");
    let fields: Vec<Field<'_>> = fields.iter().filter(belongs).copied().collect();
    let has_date = write_fields(head, &fields, terms);
    write_moment(head, has_date, terms);
    head.end();
}

/// Writes an informational response.
pub fn write_interim(head: &mut HeadWriter<'_>, status: u16, fields: &[Field<'_>], terms: &ResponseTerms<'_>) {
    begin_head(head, status, "Early Hints");
    // Where the gateway says which pages may read a response, no upstream does.
    if terms.browsers.is_some_and(|browsers| browsers.cors.is_some()) {
        let others: Vec<Field<'_>> = fields.iter().filter(|field| !is_about_cors(field.name)).copied().collect();
        write_end_to_end(head, &others, terms, None);
    } else {
        write_end_to_end(head, fields, terms, None);
    }
    head.end();
}

/// Passes on what is about the response and not about the connection; says whether a `Date` was there.
fn write_end_to_end(
    head: &mut HeadWriter<'_>,
    fields: &[Field<'_>],
    terms: &ResponseTerms<'_>,
    browsers: Option<&BrowserFields<'_>>,
) -> bool {
    let mut has_date = false;
    let varies = browsers.is_some_and(BrowserFields::varies);
    // The first `Vary` gets `Origin`, unless one of them has it.
    let (mut vary, mut is_varied) = (None, false);
    let of_connection = ConnectionOptions::of(fields, terms.fields);
    for field in fields {
        if terms.fields.classify(field.name) != FieldClass::EndToEnd
            || terms.edits.replaces(field.name)
            || terms.hsts.contains(field.name)
            || terms.limits.contains(field.name)
            || of_connection.has(field.name)
            || browsers.is_some_and(|browsers| browsers.replaces(field.name))
        {
            continue;
        }
        if varies && field.name.eq_ignore_ascii_case("vary") {
            is_varied |= varies_by_origin(field.value);
            if vary.is_none() {
                vary = Some(field.value);
                continue;
            }
        }
        has_date |= field.name.eq_ignore_ascii_case("date");
        match terms.locations.and_then(|to| to.rewritten(field.name, field.value)) {
            Some(public) => head.field(field.name, &public),
            None => head.field(field.name, field.value),
        }
    }
    if varies {
        write_vary(head, vary.unwrap_or_default().trim_ascii(), is_varied);
    }
    has_date
}

/// Writes `Vary` with `Origin`, unless that is said already.
fn write_vary(head: &mut HeadWriter<'_>, received: &[u8], is_varied: bool) {
    head.field_with("Vary", |out| {
        out.extend_from_slice(received);
        if !is_varied {
            out.extend_from_slice(if received.is_empty() { b"Origin" } else { b", Origin" });
        }
    });
}

/// Appends what an operation sets and adds.
pub fn write_edits(out: &mut Vec<u8>, edits: &HeaderEdits) {
    for (name, value) in edits.set.iter().chain(edits.add) {
        write_field(out, name, value.as_bytes());
    }
}

impl HeaderEdits {
    /// Whether the received field called `name` goes: it is removed, or replaced.
    pub fn replaces(&self, name: &str) -> bool {
        self.remove.iter().any(|removed| removed.eq_ignore_ascii_case(name))
            || self.set.iter().any(|(set, _)| set.eq_ignore_ascii_case(name))
            || self.set_secret.iter().any(|(set, _)| is_same_name_ignoring_punctuation(set, name))
    }
}

fn write_persistence(head: &mut HeadWriter<'_>, keep_alive: bool, is_http11: bool) {
    if !keep_alive {
        head.field("Connection", b"close");
    } else if !is_http11 {
        head.field("Connection", b"keep-alive");
    }
}

/// What a response of the gateway's own has to know.
#[derive(Debug)]
pub struct OwnTerms<'a> {
    /// The client's connection goes on after this response.
    pub keep_alive: bool,
    /// The client speaks HTTP/1.1.
    pub is_http11: bool,
    /// The request's id.
    pub request_id: &'a str,
    /// The current date.
    pub date: &'a str,
    /// The fields about limits.
    pub limits: &'a FieldLines,
    /// `Strict-Transport-Security`.
    pub hsts: &'a FieldLines,
    /// What it says to browsers.
    pub browsers: Option<BrowserFields<'a>>,
    /// What the operation changes.
    pub edits: Option<&'a HeaderEdits>,
}

/// Writes the head of a response of the gateway's own.
pub fn write_own(head: &mut HeadWriter<'_>, own: &OwnAnswer, terms: &OwnTerms<'_>) {
    let OwnAnswer { status, content_type, body, fields, .. } = own;
    begin_head(head, *status, reason_phrase(*status));
    // Neither has a body, nor says how long it would be (RFC 9110 §8.6).
    if !matches!(status, 204 | 304) {
        head.field("Content-Type", content_type.as_bytes());
        write_content_length(head, body.len() as u64);
    }
    head.lines(terms.limits);
    match &terms.browsers {
        None => head.lines(fields),
        Some(browsers) => write_for_browsers(head, own, browsers),
    }
    head.lines(terms.hsts);
    write_replaceable(head, own, terms);
    head.field("X-Request-Id", terms.request_id.as_bytes());
    head.field("Date", terms.date.as_bytes());
    write_persistence(head, terms.keep_alive, terms.is_http11);
    head.end();
}

/// The fields of an answer, with those for browsers; what the gateway itself says about security stays.
fn write_for_browsers(head: &mut HeadWriter<'_>, own: &OwnAnswer, browsers: &BrowserFields<'_>) {
    for (name, value) in own.fields.iter().filter(|(name, _)| browsers.cors.is_none() || !is_about_cors(name)) {
        head.field(name, value.as_bytes());
    }
    if browsers.varies() {
        write_vary(head, b"", false);
    }
    browsers.write(head, |name| own.fields.contains(name));
}

/// What an operation sets and adds, and of the rest what it does not replace. What is about security is not its business.
fn write_replaceable(head: &mut HeadWriter<'_>, own: &OwnAnswer, terms: &OwnTerms<'_>) {
    let is_replaced = |name: &str| {
        terms.edits.is_some_and(|edits| edits.replaces(name))
            || terms.browsers.is_some_and(|browsers| browsers.security.contains(name))
    };
    for (name, value) in own.defaults.iter().filter(|(name, _)| !is_replaced(name)) {
        head.field(name, value.as_bytes());
    }
    let Some(edits) = terms.edits else { return };
    let is_fixed = |name: &str| [terms.limits, &own.fields, terms.hsts].iter().any(|fixed| fixed.contains(name));
    for (name, value) in edits.set.iter().chain(edits.add).filter(|(name, _)| !is_fixed(name)) {
        head.field(name, value.as_bytes());
    }
}
