//! Sets of characters, as ranges of code points.

/// The last code point.
const LAST: u32 = 0x10_ffff;

/// A set of code points. Surrogates may be among them, and no text has them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct CharSet {
    /// First and last, in order; no two overlap or touch.
    ranges: Vec<(u32, u32)>,
}

impl CharSet {
    /// The code points of these ranges, which may be in any order.
    pub(super) fn new(mut ranges: Vec<(u32, u32)>) -> Self {
        ranges.sort_unstable();
        let mut merged: Vec<(u32, u32)> = Vec::with_capacity(ranges.len());
        for (first, last) in ranges {
            match merged.last_mut() {
                Some((_, end)) if first <= end.saturating_add(1) => *end = last.max(*end),
                _ => merged.push((first, last)),
            }
        }
        Self { ranges: merged }
    }

    /// One code point.
    pub(super) fn of(code: u32) -> Self {
        Self { ranges: vec![(code, code)] }
    }

    /// All code points.
    pub(super) fn all() -> Self {
        Self { ranges: vec![(0, LAST)] }
    }

    pub(super) fn ranges(&self) -> &[(u32, u32)] {
        &self.ranges
    }

    /// The character, if it is one.
    pub(super) fn single(&self) -> Option<char> {
        match self.ranges.as_slice() {
            [(first, last)] if first == last => char::from_u32(*first),
            _ => None,
        }
    }

    pub(super) fn negated(&self) -> Self {
        let mut ranges = Vec::with_capacity(self.ranges.len() + 1);
        let mut from = 0;
        for (first, last) in &self.ranges {
            if let Some(end) = first.checked_sub(1).filter(|end| *end >= from) {
                ranges.push((from, end));
            }
            from = last + 1;
        }
        if from <= LAST {
            ranges.push((from, LAST));
        }
        Self { ranges }
    }

    pub(super) fn union(&self, other: &Self) -> Self {
        Self::new(self.ranges.iter().chain(&other.ranges).copied().collect())
    }

    /// Whether no code point is in both.
    pub(super) fn is_apart_from(&self, other: &Self) -> bool {
        let (mut left, mut right) = (self.ranges.iter().peekable(), other.ranges.iter().peekable());
        while let (Some((first, last)), Some((other_first, other_last))) = (left.peek(), right.peek()) {
            if last < other_first {
                left.next();
            } else if other_last < first {
                right.next();
            } else {
                return false;
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_joined_and_negated() {
        let set = CharSet::new(vec![(5, 9), (0, 1), (2, 2), (8, 12)]);
        assert_eq!(set.ranges(), [(0, 2), (5, 12)]);
        assert_eq!(set.negated().ranges(), [(3, 4), (13, LAST)]);
        assert_eq!(set.negated().negated(), set);
        assert_eq!(CharSet::all().negated().ranges(), []);
        assert!(set.is_apart_from(&set.negated()));
        assert!(!set.is_apart_from(&CharSet::of(12)));
        assert!(CharSet::of(4).is_apart_from(&set));
    }
}
