//! A table of names: few are compared in turn, many are found by a hash.

use crate::json::Name;

/// Names that are compared in turn; of more, there is an index.
const FEW: usize = 6;

/// What stands under names, in the order of the schema.
#[derive(Debug, Clone)]
pub(super) struct Table<T> {
    entries: Box<[(Box<str>, u16, T)]>,
    /// Entries plus one by the hash of their name, in the next free place; 0 is free. It is empty for few names, and has at
    /// least twice as many places as there are names.
    index: Box<[u32]>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { entries: Box::default(), index: Box::default() }
    }
}

impl<T> Table<T> {
    pub(super) fn new(entries: impl IntoIterator<Item = (Box<str>, T)>) -> Self {
        let entries: Box<[_]> =
            entries.into_iter().map(|(name, value)| (Name::new(&name).hash(), name, value)).map(rotated).collect();
        if entries.len() <= FEW {
            return Self { entries, index: Box::default() };
        }
        let mut index = vec![0; (entries.len() * 2).next_power_of_two()].into_boxed_slice();
        let mask = index.len() - 1;
        for (number, (_, hash, _)) in (1u32..).zip(&entries) {
            let mut at = first_place(*hash, index.len());
            while index.get(at).is_some_and(|place| *place != 0) {
                at = (at + 1) & mask;
            }
            if let Some(place) = index.get_mut(at) {
                *place = number;
            }
        }
        Self { entries, index }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &T)> {
        self.entries.iter().map(|(name, _, value)| (&**name, value))
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn get(&self, name: &str) -> Option<&T> {
        self.find(Name::new(name), &mut 0)
    }

    /// What stands under a name. Members tend to come in the order of the schema: `next` is the entry that is tried first.
    #[inline]
    pub(super) fn find(&self, name: Name<'_>, next: &mut usize) -> Option<&T> {
        if let Some((known, hash, value)) = self.entries.get(*next)
            && *hash == name.hash()
            && name.is(known.as_bytes())
        {
            *next += 1;
            return Some(value);
        }
        self.search(name, next)
    }

    fn search(&self, name: Name<'_>, next: &mut usize) -> Option<&T> {
        let is_it = |known: &str, hash: u16| hash == name.hash() && name.is(known.as_bytes());
        if self.index.is_empty() {
            let at = self.entries.iter().position(|(known, hash, _)| is_it(known, *hash))?;
            *next = at + 1;
            return self.entries.get(at).map(|(_, _, value)| value);
        }
        let mask = self.index.len() - 1;
        let mut at = first_place(name.hash(), self.index.len());
        loop {
            let number = self.index.get(at).copied().filter(|number| *number != 0)? as usize;
            let (known, hash, value) = self.entries.get(number - 1)?;
            if is_it(known, *hash) {
                *next = number;
                return Some(value);
            }
            at = (at + 1) & mask;
        }
    }
}

/// Where a search for a hash begins. An index may have more places than there are hashes: they are spread over all of it.
#[inline]
fn first_place(hash: u16, places: usize) -> usize {
    match places >> u16::BITS {
        0 => usize::from(hash) & (places - 1),
        each => usize::from(hash) * each,
    }
}

fn rotated<T>((hash, name, value): (u16, Box<str>, T)) -> (Box<str>, u16, T) {
    (name, hash, value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_found_and_no_other() {
        for count in [0, 1, FEW, FEW + 1, 20, 5000, 200_000] {
            let table = Table::new((0..count).map(|number| (format!("name{number}").into(), number)));
            for number in 0..count {
                assert_eq!(table.get(&format!("name{number}")), Some(&number));
            }
            for name in ["", "name", "name-1", "names"] {
                assert_eq!(table.get(name), None, "{name}");
            }
            assert_eq!(table.len(), count);
        }
    }
}
