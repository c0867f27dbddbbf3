//! Messages: HTTP/1.1 and HTTP/2, refusals, responses, the client side of a connection.

pub(crate) mod answer;
pub(crate) mod certificate;
pub(crate) mod downstream;
pub(crate) mod header_edits;
pub(crate) mod http1;
pub(crate) mod http2;
pub(crate) mod locations;
pub(crate) mod peer;
pub(crate) mod reject;
pub(crate) mod response;
