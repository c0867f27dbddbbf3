//! Where the head of a request is.

use std::borrow::Cow;

use crate::pipeline::request::{method_and_path, shown};
use gateway_wire::http1::head::{Field, FieldSpace, HeadFields, MAX_FIELDS, RequestHead, field_space, parse_request};
use gateway_wire::reject::Reject;

/// Where the head of a request is.
#[derive(Clone, Copy)]
pub(crate) enum Head<'h> {
    /// Its text has this many bytes, at the beginning of the inbox.
    Text(usize),
    /// Nothing of it is in the inbox.
    Fields(&'h dyn HeadFields),
}

/// Room for the fields of one head, on the stack of the function that handles it.
pub(crate) struct HeadSpace<'a> {
    text: FieldSpace<'a>,
    /// Made when it is needed: unlike the other, it costs something.
    fields: Option<[Field<'a>; MAX_FIELDS]>,
}

impl HeadSpace<'_> {
    /// Fresh room. Inlined, so that it is made where it stays.
    #[inline]
    pub(crate) fn new() -> Self {
        Self { text: field_space(), fields: None }
    }
}

impl<'h> Head<'h> {
    /// Bytes of the inbox that belong to it.
    pub(crate) fn length(self) -> usize {
        match self {
            Self::Text(length) => length,
            Self::Fields(_) => 0,
        }
    }

    /// What it says.
    ///
    /// # Errors
    /// 400, 431 or 505 for what is no head of HTTP/1.1.
    pub(crate) fn read<'a>(self, inbox: &'a [u8], space: &'a mut HeadSpace<'a>) -> Result<RequestHead<'a>, Reject>
    where
        'h: 'a,
    {
        match self {
            Self::Text(length) => parse_request(&inbox[..length], &mut space.text),
            Self::Fields(head) => head.read(space.fields.insert([httparse::EMPTY_HEADER; MAX_FIELDS])),
        }
    }

    /// The method and the path (without the query), for the log; whatever is there, if it is not a head.
    pub(crate) fn method_and_path<'a>(self, inbox: &'a [u8]) -> (Cow<'a, str>, Cow<'a, str>)
    where
        'h: 'a,
    {
        match self {
            Self::Text(length) => method_and_path(&inbox[..length.min(inbox.len())]),
            Self::Fields(head) => shown(head.method().as_bytes(), head.target().as_bytes()),
        }
    }
}
