//! HTTP/1.1 framing (RFC 9112), strict where leniency lets two parsers disagree about where a message ends.

pub(crate) mod body;
pub(crate) mod chunked;
pub(crate) mod head;
pub(crate) mod names;
