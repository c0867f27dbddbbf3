//! Other tables for a gateway that runs.

use tokio::sync::{mpsc, oneshot};

use gateway_base::problem::Problem;
use gateway_proxy::tables::Gateway;

/// Gives a gateway that runs other tables; see [`Launch::serve_live`](crate::Launch::serve_live).
#[derive(Debug, Clone)]
pub struct LiveTables(mpsc::Sender<Replacement>);

/// The other end of a [`LiveTables`], for the gateway.
#[derive(Debug)]
pub struct Replacements(mpsc::Receiver<Replacement>);

/// What takes the place of the tables.
#[derive(Debug)]
pub(crate) struct Replacement {
    pub(crate) gateway: &'static Gateway,
    /// Gets the outcome.
    pub(crate) outcome: oneshot::Sender<Result<(), Vec<Problem>>>,
}

impl LiveTables {
    /// A pair of ends.
    #[must_use]
    pub fn channel() -> (Self, Replacements) {
        let (sender, receiver) = mpsc::channel(1);
        (Self(sender), Replacements(receiver))
    }

    /// Serves `gateway` from now on, with the settings as they are now; waits until each worker has it. Tables that were replaced stay in memory until the process ends.
    ///
    /// # Errors
    /// One text for each thing that is missing or wrong; the gateway then serves what it served before.
    pub fn replace(&self, gateway: &'static Gateway) -> Result<(), Vec<String>> {
        let (outcome, replaced) = oneshot::channel();
        let is_over = || vec!["the gateway is stopping".to_owned()];
        self.0.blocking_send(Replacement { gateway, outcome }).map_err(|_| is_over())?;
        match replaced.blocking_recv() {
            Ok(Ok(())) => Ok(()),
            Ok(Err(problems)) => Err(problems.iter().map(ToString::to_string).collect()),
            Err(_) => Err(is_over()),
        }
    }
}

impl Replacements {
    /// The next one; `None` once there will be none.
    pub(crate) async fn next(&mut self) -> Option<Replacement> {
        self.0.recv().await
    }
}
