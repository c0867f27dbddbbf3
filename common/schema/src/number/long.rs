//! Numbers of any length, by their digits.

use std::cmp::Ordering;

/// A number of any length: 0.`whole``part` × 10^`exponent`, without zeros at the beginning and the end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Long<'t> {
    is_negative: bool,
    whole: &'t [u8],
    part: &'t [u8],
    pub(super) exponent: i128,
}

impl<'t> Long<'t> {
    pub(super) fn read(text: &'t str) -> Self {
        let (is_negative, rest) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (digits, exponent) = rest.split_once(['e', 'E']).unwrap_or((rest, ""));
        let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
        let whole = whole.trim_start_matches('0').as_bytes();
        let mut exponent = read_exponent(exponent) + whole.len() as i128;
        let mut part = part.trim_end_matches('0').as_bytes();
        if whole.is_empty() {
            let zeros = part.iter().take_while(|digit| **digit == b'0').count();
            part = part.get(zeros..).unwrap_or_default();
            exponent -= zeros as i128;
        }
        let zeros = if part.is_empty() { whole.iter().rev().take_while(|digit| **digit == b'0').count() } else { 0 };
        let whole = whole.get(..whole.len() - zeros).unwrap_or_default();
        Self { is_negative, whole, part, exponent }
    }

    pub(super) fn is_zero(self) -> bool {
        self.count() == 0
    }

    pub(super) fn sign(self) -> i8 {
        match self.is_negative {
            _ if self.is_zero() => 0,
            true => -1,
            false => 1,
        }
    }

    pub(super) fn count(self) -> usize {
        self.whole.len() + self.part.len()
    }

    /// The exponent of the last digit.
    pub(super) fn last(self) -> i128 {
        self.exponent - self.count() as i128
    }

    pub(super) fn digits(self) -> impl Iterator<Item = u8> + 't {
        self.whole.iter().chain(self.part).map(|digit| digit.wrapping_sub(b'0'))
    }

    pub(super) fn compare(self, other: Self) -> Ordering {
        let sizes = || self.exponent.cmp(&other.exponent).then_with(|| self.digits().cmp(other.digits()));
        self.sign().cmp(&other.sign()).then_with(|| match self.sign() {
            0 => Ordering::Equal,
            1 => sizes(),
            _ => sizes().reverse(),
        })
    }
}

/// The largest exponent; the length of a text does not add up to as much.
const FURTHEST: i128 = 10i128.pow(30);

fn read_exponent(text: &str) -> i128 {
    let (is_negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let mut exponent = 0;
    for digit in digits.bytes() {
        exponent = (exponent * 10 + i128::from(digit.wrapping_sub(b'0'))).min(FURTHEST);
    }
    if is_negative { -exponent } else { exponent }
}
