//! Limits of connections, in total and per address, so that no client can take every place.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use gateway_base::address::Address;

/// A lock is held for one lookup, by one of few threads: with this many locks, contention is rare.
const SHARDS: usize = 16;

/// Descriptors for anything but connections: files, listeners, the threads' own.
const OTHER_DESCRIPTORS: usize = 64;

/// The places for connections of a process.
pub struct Admission {
    most: usize,
    most_per_address: u32,
    taken: AtomicUsize,
    by_address: [Mutex<HashMap<Address, u32>>; SHARDS],
    hash: RandomState,
}

/// A place; given back when it is dropped.
pub(crate) struct ConnectionSlot {
    admission: &'static Admission,
    _of_address: Option<AddressSlot>,
}

/// One of the places that an address has; given back when it is dropped.
pub(crate) struct AddressSlot {
    admission: &'static Admission,
    address: Address,
}

/// The address has all the places that it may have.
#[derive(Debug)]
pub(crate) struct Full;

impl std::fmt::Debug for Admission {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Admission({} of {})", self.taken.load(Relaxed), self.most)
    }
}

impl Admission {
    /// `most` connections, and `most_per_address` from one address or any number if that is 0.
    pub fn new(most: usize, most_per_address: u32) -> Self {
        Self {
            most,
            most_per_address,
            taken: AtomicUsize::new(0),
            by_address: std::array::from_fn(|_| Mutex::default()),
            hash: RandomState::new(),
        }
    }

    /// A place for a client at `peer`, if one is free. Trusted proxies bring many clients: only the
    /// total limit applies to them.
    pub(crate) fn admit(&'static self, peer: IpAddr, is_proxy: bool) -> Option<ConnectionSlot> {
        if self.taken.fetch_add(1, Relaxed) >= self.most {
            self.taken.fetch_sub(1, Relaxed);
            return None;
        }
        let mut place = ConnectionSlot { admission: self, _of_address: None };
        if self.most_per_address > 0 && !is_proxy {
            place._of_address = Some(self.admit_address(peer)?);
        }
        Some(place)
    }

    /// One of the places of the client at `peer` for a connection that has a place, if one is free: where the client becomes
    /// known later.
    pub(crate) fn admit_later(&'static self, peer: IpAddr, is_proxy: bool) -> Result<Option<AddressSlot>, Full> {
        if self.most_per_address == 0 || is_proxy {
            return Ok(None);
        }
        self.admit_address(peer).map(Some).ok_or(Full)
    }

    fn admit_address(&'static self, peer: IpAddr) -> Option<AddressSlot> {
        let address = Address::of(peer);
        let mut shard = self.shard(address).lock().unwrap_or_else(PoisonError::into_inner);
        let count = shard.entry(address).or_default();
        if *count >= self.most_per_address {
            return None;
        }
        *count += 1;
        Some(AddressSlot { admission: self, address })
    }

    fn shard(&self, address: Address) -> &Mutex<HashMap<Address, u32>> {
        &self.by_address[self.hash.hash_one(address) as usize % SHARDS]
    }
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        self.admission.taken.fetch_sub(1, Relaxed);
    }
}

impl Drop for AddressSlot {
    fn drop(&mut self) {
        let mut shard = self.admission.shard(self.address).lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = shard.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                shard.remove(&self.address);
            }
        }
    }
}

/// How many of `descriptors` are for connections that are kept between the checks of endpoints.
pub(crate) fn connections_of_checks(descriptors: u64) -> usize {
    usize::try_from(descriptors / 16).unwrap_or(usize::MAX)
}

/// The number of connections that `descriptors` are enough for beside `checks`, those of the checks of endpoints: each
/// client may need one to an upstream as well.
pub(crate) fn connections_within(descriptors: u64, checks: usize) -> usize {
    usize::try_from(descriptors).unwrap_or(usize::MAX).saturating_sub(OTHER_DESCRIPTORS).saturating_sub(checks) / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admission(most: usize, most_per_address: u32) -> &'static Admission {
        Box::leak(Box::new(Admission::new(most, most_per_address)))
    }

    fn at(address: &str) -> IpAddr {
        address.parse().expect("an address")
    }

    #[test]
    fn one_address_leaves_places_for_others() {
        let admission = admission(5, 2);
        let (one, two) = (admission.admit(at("192.0.2.1"), false), admission.admit(at("192.0.2.1"), false));
        assert!(one.is_some() && two.is_some() && admission.admit(at("192.0.2.1"), false).is_none());
        // A network of IPv6 is one client; so is an address, however it is written.
        let three = admission.admit(at("2001:db8::1"), false);
        let four = admission.admit(at("2001:db8::2"), false);
        assert!(three.is_some() && four.is_some() && admission.admit(at("2001:db8::3"), false).is_none());
        let five = admission.admit(at("2001:db8:0:1::3"), false);
        assert!(five.is_some() && admission.admit(at("198.51.100.1"), false).is_none(), "all are taken");
        drop((one, three));
        assert!(
            admission.admit(at("192.0.2.1"), false).is_some() && admission.admit(at("2001:db8::1"), false).is_some()
        );
    }

    #[test]
    fn places_are_given_back() {
        let admission = admission(3, 1);
        for round in 0..1000 {
            let place = admission.admit(at("192.0.2.1"), false);
            assert!(place.is_some() && admission.admit(at("192.0.2.1"), false).is_none(), "round {round}");
        }
        assert_eq!(admission.taken.load(Relaxed), 0);
        assert!(admission.by_address.iter().all(|shard| shard.lock().expect("no panic").is_empty()));
    }

    #[test]
    fn proxies_and_zero_have_no_limit_of_their_own() {
        let (limited, unlimited) = (admission(100, 1), admission(100, 0));
        let places: Vec<_> =
            (0..50).map(|_| (limited.admit(at("::1"), true), unlimited.admit(at("::1"), false))).collect();
        assert!(places.iter().all(|(one, other)| one.is_some() && other.is_some()));
    }
}
