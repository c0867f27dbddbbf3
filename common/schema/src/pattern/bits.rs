//! Many booleans, without an allocation where they are few.

/// Words that need no allocation.
const FEW_WORDS: usize = 32;

/// Booleans that are false at first.
pub(super) struct Bits {
    few: [u64; FEW_WORDS],
    many: Vec<u64>,
}

impl Bits {
    pub(super) fn new(count: usize) -> Self {
        let words = count.div_ceil(64);
        Self { few: [0; FEW_WORDS], many: if words > FEW_WORDS { vec![0; words] } else { Vec::new() } }
    }

    pub(super) fn has(&self, at: usize) -> bool {
        let words: &[u64] = if self.many.is_empty() { &self.few } else { &self.many };
        words.get(at / 64).is_some_and(|word| word >> (at % 64) & 1 == 1)
    }

    pub(super) fn set(&mut self, at: usize) {
        if let Some(word) = self.words().get_mut(at / 64) {
            *word |= 1 << (at % 64);
        }
    }

    pub(super) fn clear(&mut self, at: usize) {
        if let Some(word) = self.words().get_mut(at / 64) {
            *word &= !(1 << (at % 64));
        }
    }

    /// The last one of `first..=last` that is false.
    pub(super) fn last_clear(&self, first: usize, last: usize) -> Option<usize> {
        let words: &[u64] = if self.many.is_empty() { &self.few } else { &self.many };
        let mut at = last;
        loop {
            let word = words.get(at / 64).copied().unwrap_or(0);
            // Those behind `at` count as true.
            let behind = u64::MAX.checked_shl(at as u32 % 64 + 1).unwrap_or(0);
            if let Some(bit) = (!(word | behind)).checked_ilog2() {
                let found = at / 64 * 64 + bit as usize;
                return (found >= first).then_some(found);
            }
            at = (at / 64 * 64).checked_sub(1).filter(|at| *at >= first)?;
        }
    }

    fn words(&mut self) -> &mut [u64] {
        if self.many.is_empty() { &mut self.few } else { &mut self.many }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_one_that_is_false_is_found() {
        let mut bits = Bits::new(10_000);
        assert_eq!(bits.last_clear(0, 9_999), Some(9_999));
        (100..=9_999).for_each(|at| bits.set(at));
        assert_eq!(bits.last_clear(0, 9_999), Some(99));
        assert_eq!(bits.last_clear(100, 9_999), None);
        assert_eq!(bits.last_clear(0, 127), Some(99));
        assert_eq!(bits.last_clear(3, 64), Some(64));
        bits.clear(5_000);
        assert_eq!(bits.last_clear(0, 9_999), Some(5_000));
        assert_eq!(bits.last_clear(0, 4_999), Some(99));
    }
}
