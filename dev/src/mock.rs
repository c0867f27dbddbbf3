//! Answers from a document's examples, in place of upstreams that are not there.

mod answer;
mod presence;

use std::io;
use std::net::SocketAddr;

use gateway_runtime::UpstreamAddress;
use gatewayc::ir;
use hyper::StatusCode;

use crate::described::{Described, mark};
use crate::server;
use answer::{answer, plain};
pub(crate) use presence::{Mode, Presence};

/// Names the operation of a request to this server.
const OPERATION: &str = "X-Gateway-Mock-Operation";

/// The server that stands in for upstreams.
pub(crate) struct Mock {
    address: SocketAddr,
}

impl Mock {
    /// Opens a free port on loopback and serves there, on a thread of its own.
    ///
    /// # Errors
    /// The port or the thread cannot be had.
    pub(crate) fn start(described: Described) -> io::Result<Self> {
        let address = server::start("mock", move |_, request| {
            let operation = request.headers().get(OPERATION).and_then(|value| value.to_str().ok());
            let response = match operation.and_then(|operation| described.responses(operation)) {
                Some(described) => answer(&described, request.headers()),
                None => plain(
                    StatusCode::BAD_GATEWAY,
                    "The upstream is not there, and the document has no example for this",
                ),
            };
            async move { response }
        })?;
        Ok(Self { address })
    }

    /// The setting that sends requests here instead of to an upstream.
    pub(crate) fn setting(&self, api: &str, upstream: &str) -> String {
        format!("upstreams.{api}.{upstream}=http://{}", self.address)
    }
}

/// Makes each operation that is forwarded to one of these upstreams, by API and name, say to the mock which one it is.
pub(crate) fn mark_operations(gateway: &mut ir::Gateway, absent: &[UpstreamAddress]) {
    for api in &mut gateway.apis {
        let name = api.name.clone();
        let is_absent = |upstream: &str| absent.iter().any(|one| one.api == name && one.upstream == upstream);
        let marks: Vec<Vec<String>> = api
            .routes
            .iter()
            .map(|route| route.operations.iter().map(|operation| mark(api, operation)).collect())
            .collect();
        for (route, marks) in api.routes.iter_mut().zip(marks) {
            for (operation, mark) in route.operations.iter_mut().zip(marks) {
                if matches!(&operation.action, ir::Action::Forward { upstream, .. } if is_absent(upstream)) {
                    operation.request_headers.set.push((OPERATION.to_owned(), mark));
                }
            }
        }
    }
}
