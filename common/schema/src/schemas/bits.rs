//! A set of small numbers that takes no memory of its own up to 64.

/// A set of indices.
#[derive(Debug, Clone, Default)]
pub(super) struct Bits {
    first: u64,
    more: Vec<u64>,
}

impl Bits {
    pub(super) fn insert(&mut self, index: usize) {
        let bit = 1 << (index % 64);
        match (index / 64).checked_sub(1) {
            None => self.first |= bit,
            Some(word) => {
                if word >= self.more.len() {
                    self.more.resize(word + 1, 0);
                }
                if let Some(word) = self.more.get_mut(word) {
                    *word |= bit;
                }
            }
        }
    }

    pub(super) fn contains(&self, index: usize) -> bool {
        let word = match (index / 64).checked_sub(1) {
            None => self.first,
            Some(word) => self.more.get(word).copied().unwrap_or(0),
        };
        word >> (index % 64) & 1 == 1
    }

    pub(super) fn includes(&self, others: &Self) -> bool {
        others.first & !self.first == 0
            && others.more.iter().enumerate().all(|(at, word)| word & !self.more.get(at).copied().unwrap_or(0) == 0)
    }

    pub(super) fn extend(&mut self, others: &Self) {
        self.first |= others.first;
        if self.more.len() < others.more.len() {
            self.more.resize(others.more.len(), 0);
        }
        for (word, other) in self.more.iter_mut().zip(&others.more) {
            *word |= other;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_of_any_size() {
        let set = |indices: &[usize]| {
            let mut bits = Bits::default();
            indices.iter().for_each(|index| bits.insert(*index));
            bits
        };
        let mut bits = set(&[0, 63, 64, 200]);
        for (index, expected) in
            [(0, true), (1, false), (63, true), (64, true), (65, false), (200, true), (5000, false)]
        {
            assert_eq!(bits.contains(index), expected, "{index}");
        }
        assert!(bits.includes(&set(&[63, 200])));
        assert!(!bits.includes(&set(&[63, 201])));
        assert!(!set(&[1]).includes(&set(&[1, 64])));
        bits.extend(&set(&[1, 300]));
        assert!(bits.includes(&set(&[0, 1, 200, 300])));
    }
}
