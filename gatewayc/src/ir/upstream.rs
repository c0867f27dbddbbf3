//! Where requests are forwarded to.

use std::time::Duration;

use gateway_route::UpstreamPaths;
pub use gateway_terms::operation::Locations;

/// A server that requests are forwarded to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upstream {
    /// The name in the document, `default` for the unnamed one at the root.
    pub name: String,
    /// `http://host[:port][/prefix]`, or the same with `https://`.
    pub url: String,
    /// Send the client's `Host`.
    pub preserve_host: bool,
    /// How it reads paths.
    pub paths: UpstreamPaths,
    /// What becomes of its own addresses in `Location` and `Content-Location`.
    pub locations: Locations,
    /// To connect.
    pub connect_timeout: Duration,
    /// To the head of the response.
    pub response_timeout: Duration,
    /// Between two pieces of a body.
    pub idle_timeout: Duration,
}
