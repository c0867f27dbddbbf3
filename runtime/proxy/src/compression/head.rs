//! What the head of a response says where its content is compressed, or could have been.

use gateway_wire::http1::head::Field;

/// The values of fields that are not as received.
#[derive(Default)]
pub(crate) struct Values {
    vary: Vec<u8>,
    etag: Vec<u8>,
}

/// About the bytes of the content as they were (RFC 9530, and what came before it), or about parts of them, which nobody
/// can have of the coded content.
const ABOUT_BYTES: [&str; 5] = ["accept-ranges", "content-digest", "content-md5", "digest", "repr-digest"];

impl Values {
    /// The fields of a response whose content is coded by the coding of this name, or would be for another client;
    /// `is_weak` if it has none, and is about content that is coded.
    pub(crate) fn describe<'f>(
        &'f mut self,
        fields: &[Field<'f>],
        coding: Option<&'static str>,
        is_weak: bool,
    ) -> Vec<Field<'f>> {
        let is_weak = is_weak || coding.is_some();
        let etags = || fields.iter().filter(|field| is(field, "etag"));
        if let Some(etag) = etags().next().filter(|_| is_weak) {
            // RFC 9110 §8.8.1: other bytes are another strong validator.
            if !etag.value.starts_with(b"W/") {
                self.etag.extend_from_slice(b"W/");
            }
            self.etag.extend_from_slice(etag.value);
        }
        self.vary = vary(fields);
        let mut described = Vec::with_capacity(fields.len() + 2);
        described.extend(fields.iter().copied().filter(|field| {
            let is_replaced = is(field, "vary") || (is_weak && is(field, "etag"));
            let is_about_bytes = coding.is_some() && ABOUT_BYTES.iter().any(|name| is(field, name));
            !is_replaced && !is_about_bytes
        }));
        if !self.etag.is_empty() {
            described.push(Field { name: "ETag", value: &self.etag });
        }
        if let Some(coding) = coding {
            described.push(Field { name: "Content-Encoding", value: coding.as_bytes() });
        }
        described.push(Field { name: "Vary", value: &self.vary });
        described
    }
}

fn is(field: &Field<'_>, name: &str) -> bool {
    field.name.eq_ignore_ascii_case(name)
}

/// What a response depends on, with `Accept-Encoding`.
fn vary(fields: &[Field<'_>]) -> Vec<u8> {
    let received = || fields.iter().filter(|field| is(field, "vary")).map(|field| field.value.trim_ascii());
    let mut vary = Vec::new();
    for value in received().filter(|value| !value.is_empty()) {
        add(&mut vary, value);
    }
    let mut names = received().flat_map(|value| value.split(|byte| *byte == b',')).map(<[u8]>::trim_ascii);
    if !names.any(|name| name == b"*" || name.eq_ignore_ascii_case(b"accept-encoding")) {
        add(&mut vary, b"Accept-Encoding");
    }
    vary
}

fn add(list: &mut Vec<u8>, value: &[u8]) {
    if !list.is_empty() {
        list.extend_from_slice(b", ");
    }
    list.extend_from_slice(value);
}
