//! What holds for an upstream with several endpoints.

use std::time::Duration;

/// When an endpoint that fails gets no requests for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outlier {
    /// After so many failures in a row.
    pub consecutive: u32,
    /// For so long, times the number of ejections.
    pub eject: Duration,
    /// At most so many of a hundred endpoints at once; of two, one may be.
    pub max_ejected: u8,
}

impl Outlier {
    /// What holds where nothing else is said.
    pub const USUAL: Self = Self { consecutive: 5, eject: Duration::from_secs(30), max_ejected: 50 };
}

/// How often the addresses of host names are looked up, where nothing else is said.
pub const USUAL_RESOLVE: Duration = Duration::from_secs(30);

/// The largest weight of an endpoint.
pub const MOST_WEIGHT: u32 = 1000;

/// The largest number of a priority.
pub const LAST_PRIORITY: u8 = 15;

/// The largest number of checks, or of failures, in a row that can be asked for.
pub const MOST_IN_A_ROW: u32 = 1_000_000;
