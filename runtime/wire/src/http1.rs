//! HTTP/1.1 framing (RFC 9112), strict where leniency lets two parsers disagree about where a message ends.

pub mod body;
pub mod chunked;
pub mod connection;
pub mod head;
pub mod names;
