//! The proxy without sockets to its clients. Compiled with `--cfg fuzzing` only.

use std::cell::Cell;
use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use crate::access_log::AccessLog;
use crate::connection;
use crate::deployment::Deployment;
use crate::metrics::ProcessMetrics;
use crate::thread::Thread;
use crate::worker::Worker;
use gateway_wire::downstream::Downstream;

/// One serving thread, without an access log.
#[derive(Clone)]
pub struct Proxy(Thread);

impl Proxy {
    /// The proxy of a deployment; to be made inside of a tokio runtime.
    pub fn new(deployment: &'static Deployment) -> Self {
        let process = Arc::new(ProcessMetrics::default());
        let log = AccessLog::new(None, Arc::clone(&process));
        Self(Thread::new(Worker::new(deployment, 0, log, process)))
    }

    /// Serves the first listener on `stream` until the connection ends.
    pub async fn serve(self, stream: impl AsyncRead + AsyncWrite + Unpin) {
        let deployment = self.0.worker.deployment();
        let deadline = Instant::now() + deployment.settings.timeouts.keep_alive;
        let down = Downstream::new(stream, IpAddr::V4(Ipv4Addr::LOCALHOST), None, deadline);
        connection::serve(self.0, 0, down, Rc::new(Cell::new(true))).await;
    }
}
