//! What upstreams may take the paths of operations for.

use gateway_route::Candidates;

/// Where an operation is in the routes of a listener: the route, and the place in it.
pub(crate) type Place = (usize, usize);

/// The operations of a listener, by the upstreams that may take them for each other.
#[derive(Debug, Default)]
pub struct Views(pub(crate) Box<[Candidates<Place>]>);

/// Where a contested operation is among those of its upstream.
#[derive(Debug, Clone, Copy)]
pub struct Contested {
    /// The index in [`Views`].
    pub(crate) view: usize,
    /// The index among the candidates.
    pub(crate) entry: usize,
}
