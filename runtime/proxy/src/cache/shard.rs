//! One of many parts of the store, each with a lock of its own: what is found by a key, what goes when there is no room, and
//! what belongs to a path.
//!
//! What goes is decided by S3-FIFO (Yang et al., SOSP 2023): entries come into a small queue, and those that were asked for
//! again go on to the main queue, where each is spared once for each time that it was asked for, up to three times. A client
//! that asks for many things once pushes out nobody else's.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use crate::cache::flight::Flight;
use crate::cache::freshness::{Moment, Stored};
use crate::cache::key::Key;

/// What an entry takes beside its text and its content: its slot, its places in the maps and queues, and its allocations.
const OVERHEAD: u64 = 384;

/// The small queue has this share of the bytes.
const SMALL_SHARE: u64 = 10;

/// An entry counts so many requests.
const MOST_REQUESTS: u8 = 3;

/// What is found by a key.
#[derive(Debug, Clone)]
pub(super) enum Entry {
    /// A response.
    Response(Arc<Stored>),
    /// The response depends on these fields of the request: it is found by another key.
    Varies(Arc<[Box<str>]>),
    /// Until then, responses are not stored as a rule: no request waits for one.
    Passes(Moment),
}

impl Entry {
    fn cost(&self) -> u64 {
        OVERHEAD
            + match self {
                Self::Response(stored) => stored.head.size() + stored.body.len() as u64,
                Self::Varies(names) => names.iter().map(|name| 16 + name.len() as u64).sum(),
                Self::Passes(_) => 0,
            }
    }
}

/// Where an entry belongs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) key: Key,
    /// Of its path: all entries of a path go at once.
    pub(crate) tag: u64,
    /// The number of its operation.
    pub(crate) operation: usize,
}

#[derive(Debug)]
struct Slot {
    /// Nothing where the slot is free.
    entry: Option<Entry>,
    place: Place,
    /// Tells what is in the slot from what was.
    generation: u32,
    cost: u64,
    requests: u8,
    is_small: bool,
    /// The other entries of its path.
    next: Option<u32>,
    previous: Option<u32>,
}

/// What changed in bytes and in entries.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) bytes: i64,
    pub(super) entries: i64,
}

impl std::ops::AddAssign for Change {
    fn add_assign(&mut self, other: Self) {
        self.bytes += other.bytes;
        self.entries += other.entries;
    }
}

#[derive(Debug, Default)]
pub(super) struct Shard {
    by_key: HashMap<Key, u32, foldhash::fast::RandomState>,
    /// The first entry of each path.
    by_tag: HashMap<u64, u32, foldhash::fast::RandomState>,
    slots: Vec<Slot>,
    free: Vec<u32>,
    /// Slots with their generations; some of them are free by now, or have something else.
    small: VecDeque<(u32, u32)>,
    main: VecDeque<(u32, u32)>,
    /// Keys that have left the small queue: what comes again goes to the main queue.
    ghosts: VecDeque<Key>,
    is_ghost: HashSet<Key, foldhash::fast::RandomState>,
    small_bytes: u64,
    bytes: u64,
    /// Requests under way to upstreams.
    pub(super) flights: HashMap<Key, Arc<Flight>, foldhash::fast::RandomState>,
}

impl Shard {
    /// What is there for a key; that counts as a request.
    pub(super) fn find(&mut self, key: Key) -> Option<Entry> {
        let slot = &mut self.slots[*self.by_key.get(&key)? as usize];
        slot.requests = (slot.requests + 1).min(MOST_REQUESTS);
        slot.entry.clone()
    }

    /// What is there for a key, of which nobody has asked.
    pub(super) fn peek(&self, key: Key) -> Option<&Entry> {
        self.slots[*self.by_key.get(&key)? as usize].entry.as_ref()
    }

    /// Takes out what is there for a key.
    pub(super) fn remove(&mut self, key: Key) -> Change {
        let index = self.by_key.get(&key).copied();
        index.map_or(Change::default(), |index| self.clear(index))
    }

    /// Stores an entry, in place of the one that was there.
    pub(super) fn insert(&mut self, place: Place, entry: Entry) -> Change {
        let cost = entry.cost();
        if let Some(index) = self.by_key.get(&place.key) {
            let slot = &mut self.slots[*index as usize];
            let before = std::mem::replace(&mut slot.cost, cost);
            slot.entry = Some(entry);
            let bytes = cost as i64 - before as i64;
            self.bytes = self.bytes.saturating_add_signed(bytes);
            if slot.is_small {
                self.small_bytes = self.small_bytes.saturating_add_signed(bytes);
            }
            return Change { bytes, entries: 0 };
        }
        let is_small = !self.is_ghost.remove(&place.key);
        let next = self.by_tag.get(&place.tag).copied();
        let slot = Slot { entry: Some(entry), place, generation: 0, cost, requests: 0, is_small, next, previous: None };
        let index = self.occupy(slot);
        self.by_key.insert(place.key, index);
        self.by_tag.insert(place.tag, index);
        if let Some(next) = next {
            self.slots[next as usize].previous = Some(index);
        }
        self.bytes += cost;
        let item = (index, self.slots[index as usize].generation);
        if is_small {
            self.small_bytes += cost;
            self.small.push_back(item);
        } else {
            self.main.push_back(item);
        }
        self.sweep();
        Change { bytes: cost as i64, entries: 1 }
    }

    fn occupy(&mut self, mut slot: Slot) -> u32 {
        if let Some(index) = self.free.pop() {
            let place = &mut self.slots[index as usize];
            slot.generation = place.generation;
            *place = slot;
            return index;
        }
        self.slots.push(slot);
        // A shard has no four thousand million entries: each takes hundreds of bytes.
        u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX)
    }

    /// Takes out all entries of a path.
    pub(super) fn remove_tag(&mut self, tag: u64) -> Change {
        let mut change = Change::default();
        while let Some(index) = self.by_tag.get(&tag).copied() {
            change += self.clear(index);
        }
        change
    }

    /// Takes out the entries for which `is_it` holds.
    pub(super) fn remove_all(&mut self, is_it: impl Fn(&Place) -> bool) -> Change {
        let mut change = Change::default();
        for index in 0..self.slots.len() {
            if self.slots[index].entry.is_some() && is_it(&self.slots[index].place) {
                change += self.clear(u32::try_from(index).unwrap_or(u32::MAX));
            }
        }
        change
    }

    fn clear(&mut self, index: u32) -> Change {
        let slot = &mut self.slots[index as usize];
        slot.entry = None;
        slot.generation = slot.generation.wrapping_add(1);
        let (place, cost, is_small) = (slot.place, slot.cost, slot.is_small);
        let (next, previous) = (slot.next.take(), slot.previous.take());
        self.by_key.remove(&place.key);
        match (previous, next) {
            (Some(previous), _) => self.slots[previous as usize].next = next,
            (None, Some(next)) => _ = self.by_tag.insert(place.tag, next),
            (None, None) => _ = self.by_tag.remove(&place.tag),
        }
        if let Some(next) = next {
            self.slots[next as usize].previous = previous;
        }
        self.bytes -= cost;
        if is_small {
            self.small_bytes -= cost;
        }
        self.free.push(index);
        Change { bytes: -(cost as i64), entries: -1 }
    }

    /// Takes out the entry that is missed least, where there is more than a `share`.
    pub(super) fn evict_beyond(&mut self, share: u64) -> Option<Change> {
        if self.bytes > share { self.evict() } else { None }
    }

    fn evict(&mut self) -> Option<Change> {
        loop {
            let is_small = self.small_bytes * SMALL_SHARE >= self.bytes || self.main.is_empty();
            let item = if is_small { self.small.pop_front() } else { self.main.pop_front() };
            let Some((index, generation)) = item else {
                if self.small.is_empty() && self.main.is_empty() {
                    return None;
                }
                // The bytes of the small queue are in entries that come later.
                let (index, generation) = self.small.pop_front().or_else(|| self.main.pop_front())?;
                if self.is_current(index, generation) {
                    return Some(self.clear(index));
                }
                continue;
            };
            if !self.is_current(index, generation) {
                continue;
            }
            let slot = &mut self.slots[index as usize];
            if slot.is_small && slot.requests > 0 {
                (slot.is_small, slot.requests) = (false, 0);
                self.small_bytes -= slot.cost;
                self.main.push_back((index, generation));
            } else if slot.is_small {
                let key = slot.place.key;
                self.remember(key);
                return Some(self.clear(index));
            } else if slot.requests > 0 {
                slot.requests -= 1;
                self.main.push_back((index, generation));
            } else {
                return Some(self.clear(index));
            }
        }
    }

    fn is_current(&self, index: u32, generation: u32) -> bool {
        self.slots.get(index as usize).is_some_and(|slot| slot.generation == generation && slot.entry.is_some())
    }

    /// Remembers a key that has left the small queue, for as long as so many others as there are entries do.
    fn remember(&mut self, key: Key) {
        if self.is_ghost.insert(key) {
            self.ghosts.push_back(key);
        }
        while self.ghosts.len() > self.by_key.len().max(16) {
            if let Some(oldest) = self.ghosts.pop_front() {
                self.is_ghost.remove(&oldest);
            }
        }
    }

    /// Takes what is free out of the queues, where it has become most of them.
    fn sweep(&mut self) {
        if self.small.len() + self.main.len() < 2 * self.by_key.len() + 64 {
            return;
        }
        let slots = &self.slots;
        let is_current = |item: &(u32, u32)| {
            slots.get(item.0 as usize).is_some_and(|slot| slot.generation == item.1 && slot.entry.is_some())
        };
        self.small.retain(is_current);
        self.main.retain(is_current);
    }
}
