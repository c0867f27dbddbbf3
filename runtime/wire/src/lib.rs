//! Messages: HTTP/1.1 and HTTP/2, refusals, responses, the client side of a connection.

pub mod answer;
pub mod browser_fields;
pub mod cache_control;
pub mod certificate;
pub mod downstream;
pub mod entity_tag;
pub mod field_lines;
pub mod forwarded;
pub mod head_writer;
pub mod header_edits;
pub mod http1;
pub mod http2;
pub mod lists;
pub mod locations;
pub mod peer;
pub mod proxy_protocol;
pub mod reject;
pub mod response;
