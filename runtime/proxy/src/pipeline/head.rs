//! Where the head of a request is.

use std::borrow::Cow;

use crate::pipeline::request::{method_and_path, shown};
use gateway_wire::http1::head::{Field, FieldSpace, HeadFields, RequestHead, field_space, parse_request};
use gateway_wire::reject::Reject;

/// Where the head of a request is.
#[derive(Clone, Copy)]
pub(crate) enum Head<'h> {
    /// Its text has this many bytes, at the beginning of the inbox.
    Text(usize),
    /// Nothing of it is in the inbox.
    Fields(&'h dyn HeadFields),
}

/// Room for the fields of one head: of a text, on the stack of the function that handles it.
pub(crate) struct HeadSpace<'a> {
    text: FieldSpace<'a>,
    fields: Vec<Field<'a>>,
}

impl HeadSpace<'_> {
    /// Fresh room. Inlined, so that it is made where it stays.
    #[inline]
    pub(crate) fn new() -> Self {
        Self { text: field_space(), fields: Vec::new() }
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

    /// It asks for a tunnel on a stream of HTTP/2 (RFC 8441).
    pub(crate) fn is_connect(self) -> bool {
        match self {
            Self::Text(_) => false,
            Self::Fields(head) => head.is_connect(),
        }
    }

    /// Whether its content is a call of gRPC; asked of requests that are refused.
    pub(crate) fn is_grpc(self, inbox: &[u8]) -> bool {
        const CALL: &[u8] = b"application/grpc";
        let is_call = |value: &[u8]| value.get(..CALL.len()).is_some_and(|begins| begins.eq_ignore_ascii_case(CALL));
        match self {
            Self::Fields(head) => head.method() == "POST" && head.field("content-type").is_some_and(is_call),
            Self::Text(length) => {
                let text = &inbox[..length.min(inbox.len())];
                let mut space = field_space();
                text.starts_with(b"POST ")
                    && parse_request(text, &mut space).is_ok_and(|head| {
                        let mut types =
                            head.fields.iter().filter(|field| field.name.eq_ignore_ascii_case("content-type"));
                        types.next().is_some_and(|field| is_call(field.value))
                    })
            }
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
            Self::Fields(head) => head.read(&mut space.fields),
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
