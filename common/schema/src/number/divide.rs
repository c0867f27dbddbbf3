//! Division of long numbers, digit by digit, for what is left over.

/// Whether digits with zeros behind them are a multiple of other digits, which are `count` and not zero.
///
/// A divisor has at most four factors 2, and one factor 5, for each of its digits: more zeros than that make no difference.
pub(super) fn is_multiple(
    digits: impl Iterator<Item = u8>,
    zeros: usize,
    divisor: impl Iterator<Item = u8>,
    count: usize,
) -> bool {
    let digits = digits.chain(std::iter::repeat_n(0, zeros.min(count.saturating_mul(4))));
    if count < 20 {
        let divisor = divisor.fold(0, |number, digit| number * 10 + u64::from(digit));
        return remainder(digits, divisor) == 0;
    }
    let mut limbs = Limbs(vec![]);
    divisor.for_each(|digit| limbs.shift_in(digit));
    let mut rest = Limbs(vec![]);
    for digit in digits {
        rest.shift_in(digit);
        while rest.reduce(&limbs) {}
    }
    rest.0.iter().all(|limb| *limb == 0)
}

/// What is left of digits behind the division by a number of at most 19 digits: as many digits at a time as fit.
fn remainder(mut digits: impl Iterator<Item = u8>, divisor: u64) -> u64 {
    let mut rest = 0;
    loop {
        let (mut chunk, mut scale) = (0u64, 1u64);
        for digit in digits.by_ref().take(18) {
            chunk = chunk * 10 + u64::from(digit);
            scale *= 10;
        }
        if scale == 1 {
            return rest;
        }
        let next = u128::from(rest) * u128::from(scale) + u128::from(chunk);
        rest = next.checked_rem(u128::from(divisor)).and_then(|rest| u64::try_from(rest).ok()).unwrap_or(0);
    }
}

/// A number of any size, the lowest 32 bits first.
struct Limbs(Vec<u32>);

impl Limbs {
    /// Appends a decimal digit.
    fn shift_in(&mut self, digit: u8) {
        let mut carry = u64::from(digit);
        for limb in &mut self.0 {
            let next = u64::from(*limb) * 10 + carry;
            *limb = next as u32;
            carry = next >> 32;
        }
        if carry > 0 {
            self.0.push(carry as u32);
        }
    }

    /// Subtracts a number once, and says so, unless that is larger.
    fn reduce(&mut self, other: &Self) -> bool {
        let of = |limbs: &[u32], at: usize| limbs.get(at).copied().unwrap_or(0);
        let length = self.0.len().max(other.0.len());
        let higher = (0..length).rev().find(|at| of(&self.0, *at) != of(&other.0, *at));
        if higher.is_some_and(|at| of(&self.0, at) < of(&other.0, at)) {
            return false;
        }
        let mut borrow = false;
        for (at, limb) in self.0.iter_mut().enumerate() {
            let (next, first) = limb.overflowing_sub(of(&other.0, at));
            let (next, second) = next.overflowing_sub(u32::from(borrow));
            (*limb, borrow) = (next, first || second);
        }
        while self.0.last() == Some(&0) {
            self.0.pop();
        }
        true
    }
}
