//! What the cache has to know of one request.

use std::borrow::Borrow;
use std::ops::Deref;

use crate::cache::directives::RequestDirectives;
use crate::cache::freshness::Moment;
use crate::cache::key::Key;
use crate::cache::lines::Lines;
pub(crate) use crate::cache::shard::Place;
use crate::cache::store::{Found, ResponseCache};
use crate::tables::Cache;

/// A request to an operation whose responses are stored, as the store is asked for one.
pub(crate) struct Lookup {
    pub(crate) cache: &'static ResponseCache,
    pub(crate) rule: &'static Cache,
    pub(crate) place: Place,
    /// What the client says about what it takes.
    pub(crate) asked: RequestDirectives,
    /// Those that the upstream does not see where its response is to be stored.
    pub(crate) set_aside: Lines,
    /// Header fields in which the upstream reads who calls: the gateway writes them.
    pub(crate) own_fields: [&'static str; 5],
    /// The response to it may be stored: the method is GET or POST, and the cache does not leave it alone.
    pub(crate) stores: bool,
    /// It is GET without a body: it can be sent again with conditions.
    pub(crate) validates: bool,
    /// It has `Authorization` that `security` did not check.
    pub(crate) is_authorized: bool,
    /// The cache leaves it alone.
    pub(crate) bypasses: bool,
    /// How often its path had been purged when it came.
    pub(crate) epoch: u64,
}

/// The same request on its way to the upstream, whose response may be stored.
pub(crate) struct Caching {
    pub(crate) lookup: Lookup,
    /// The fields of the request that a response may depend on.
    pub(crate) fields: Lines,
}

impl Lookup {
    /// What is stored for it. `fields` are those that a response may depend on; few responses do.
    pub(crate) fn find<F: Borrow<Lines>>(&self, fields: impl FnOnce() -> F, now: Moment) -> Found {
        self.cache.find(self.place.key, fields, now)
    }

    /// The same request for another key.
    pub(crate) fn place_of(&self, key: Key) -> Place {
        Place { key, ..self.place }
    }
}

impl Deref for Caching {
    type Target = Lookup;

    fn deref(&self) -> &Lookup {
        &self.lookup
    }
}
