//! Numbers of JSON, exactly as their digits say: nothing is rounded, and nothing is as long as an exponent says.

mod divide;
mod long;

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};

use long::Long;

/// A number, by the text that JSON has for it.
///
/// An exponent beyond 10³⁰ counts as 10³⁰.
#[derive(Debug, Clone, Copy)]
pub struct Decimal<'t> {
    text: &'t str,
    short: Option<Short>,
}

/// A number of at most 18 digits without an exponent: `mantissa` / 10^`scale`.
#[derive(Debug, Clone, Copy)]
struct Short {
    mantissa: i64,
    scale: u32,
}

/// Digits that a short number has at most: the product with the scale of another one fits 128 bits.
const SHORT: usize = 18;

/// A number that keeps its text.
#[derive(Debug, Clone)]
pub struct Limit {
    text: Box<str>,
    short: Option<Short>,
}

impl Limit {
    /// Keeps a number of JSON.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self { text: text.into(), short: Short::read(text) }
    }

    /// The number.
    #[must_use]
    pub fn get(&self) -> Decimal<'_> {
        Decimal { text: &self.text, short: self.short }
    }
}

impl<'t> Decimal<'t> {
    /// The number that a text of JSON stands for; other texts stand for some number.
    #[must_use]
    pub fn of(text: &'t str) -> Self {
        Self { text, short: Short::read(text) }
    }

    /// Its text.
    #[must_use]
    pub fn text(self) -> &'t str {
        self.text
    }

    /// Whether it has no fraction: 1, 1.0, 1e2.
    #[must_use]
    pub fn is_integer(self) -> bool {
        match self.short {
            Some(Short { scale: 0, .. }) => true,
            _ => {
                let long = Long::read(self.text);
                long.is_zero() || long.last() >= 0
            }
        }
    }

    /// The number, if it has at most 18 digits and neither a fraction nor an exponent.
    #[inline]
    pub(crate) fn to_short_integer(self) -> Option<i64> {
        self.short.filter(|short| short.scale == 0).map(|short| short.mantissa)
    }

    /// Whether it has at most 18 digits, and no exponent.
    #[inline]
    pub(crate) fn is_short(self) -> bool {
        self.short.is_some()
    }

    /// Whether it is less than 0.
    #[must_use]
    pub fn is_negative(self) -> bool {
        match self.short {
            Some(short) => short.mantissa < 0,
            None => Long::read(self.text).sign() < 0,
        }
    }

    /// Whether it is 0, however it is written.
    #[must_use]
    pub fn is_zero(self) -> bool {
        match self.short {
            Some(short) => short.mantissa == 0,
            None => Long::read(self.text).is_zero(),
        }
    }

    /// The number as a count of something: nothing for fractions and negative numbers, and the largest count for larger ones.
    #[must_use]
    pub fn to_count(self) -> Option<usize> {
        if !self.is_integer() || self.is_negative() {
            return None;
        }
        let long = Long::read(self.text);
        if long.is_zero() {
            return Some(0);
        }
        let zeros = usize::try_from(long.last()).ok().filter(|zeros| *zeros < 20);
        let Some(zeros) = zeros else { return Some(usize::MAX) };
        let digits = long.digits().chain(std::iter::repeat_n(0, zeros));
        let count = digits.fold(0usize, |count, digit| count.saturating_mul(10).saturating_add(usize::from(digit)));
        Some(count)
    }

    /// Whether this is a whole multiple of another number; 0 is one of every number, and nothing else is one of 0.
    #[must_use]
    pub fn is_multiple_of(self, other: Decimal<'_>) -> bool {
        if let (Some(one), Some(other)) = (self.short, other.short)
            && let Some(divides) = one.is_multiple_of(other)
        {
            return divides;
        }
        let (one, other) = (Long::read(self.text), Long::read(other.text));
        if one.is_zero() || other.is_zero() {
            return one.is_zero();
        }
        // Neither has zeros at its end. A number whose last digit has a lower place than that of the other is no multiple.
        let zeros = one.last() - other.last();
        usize::try_from(zeros.min(i128::from(u32::MAX)))
            .is_ok_and(|zeros| divide::is_multiple(one.digits(), zeros, other.digits(), other.count()))
    }
}

impl PartialEq for Decimal<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Decimal<'_> {}

impl PartialOrd for Decimal<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Decimal<'_> {
    #[inline]
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.short, other.short) {
            (Some(one), Some(other)) => one.compare(other),
            _ => Long::read(self.text).compare(Long::read(other.text)),
        }
    }
}

impl Hash for Decimal<'_> {
    /// Equal numbers have equal hashes, however they are written.
    fn hash<H: Hasher>(&self, state: &mut H) {
        let long = Long::read(self.text);
        long.sign().hash(state);
        if !long.is_zero() {
            long.exponent.hash(state);
            long.digits().for_each(|digit| state.write_u8(digit));
        }
    }
}

impl Short {
    #[inline]
    fn read(text: &str) -> Option<Self> {
        if text.len() > SHORT + 2 {
            return None;
        }
        let (is_negative, digits) = match text.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, text),
        };
        let (mut mantissa, mut scale, mut count, mut step) = (0i64, 0, 0, 0);
        for byte in digits.bytes() {
            match byte {
                b'0'..=b'9' if count < SHORT => {
                    mantissa = mantissa * 10 + i64::from(byte - b'0');
                    count += 1;
                    scale += step;
                }
                b'.' => step = 1,
                _ => return None,
            }
        }
        Some(Self { mantissa: if is_negative { -mantissa } else { mantissa }, scale })
    }

    #[inline]
    fn compare(self, other: Self) -> Ordering {
        if self.scale == other.scale {
            return self.mantissa.cmp(&other.mantissa);
        }
        let (one, other) = self.aligned(other);
        one.cmp(&other)
    }

    /// Both as integers of one scale: 18 digits times 10¹⁸ at most.
    fn aligned(self, other: Self) -> (i128, i128) {
        let scale = self.scale.max(other.scale);
        let scaled = |short: Self| i128::from(short.mantissa) * 10i128.pow(scale.saturating_sub(short.scale));
        (scaled(self), scaled(other))
    }

    fn is_multiple_of(self, other: Self) -> Option<bool> {
        if self.scale == other.scale {
            return self.mantissa.checked_rem(other.mantissa).map(|rest| rest == 0);
        }
        let (one, other) = self.aligned(other);
        match (i64::try_from(one), i64::try_from(other)) {
            (Ok(one), Ok(other)) => one.checked_rem(other).map(|rest| rest == 0),
            _ => one.checked_rem(other).map(|rest| rest == 0),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::hash::{BuildHasher, RandomState};

    use super::*;

    #[test]
    fn numbers_are_ordered() {
        let ordered = [
            "-1e999999999999999999999",
            "-1e999999999",
            "-123456789012345678901234567890",
            "-10",
            "-1.5",
            "-1",
            "-0.001",
            "-1e-999999999",
            "0",
            "1e-999999999999",
            "1e-20",
            "0.00000000000000000002",
            "0.1",
            "0.10000000000000000000000001",
            "0.11",
            "0.9",
            "1",
            "1.0000000000000000000000000001",
            "9.99",
            "10",
            "99",
            "100",
            "999999999999999999",
            "1000000000000000000",
            "9007199254740992",
            "9007199254740993",
            "18446744073709551616",
            "18446744073709551617",
            "1e999999999",
            "1.1e999999999",
            "1e999999999999999999999",
        ];
        let mut sorted = ordered;
        sorted.sort_by_key(|text| Decimal::of(text));
        let position = |text: &str| sorted.iter().position(|other| *other == text);
        for pair in [("9007199254740992", "9007199254740993"), ("0.1", "0.11"), ("-10", "-1.5"), ("99", "1e999999999")]
        {
            assert!(position(pair.0) < position(pair.1), "{pair:?}");
        }
        for (at, one) in sorted.iter().enumerate() {
            for (other_at, other) in sorted.iter().enumerate() {
                assert_eq!(Decimal::of(one).cmp(&Decimal::of(other)), at.cmp(&other_at), "{one} {other}");
            }
        }
    }

    #[test]
    fn equal_numbers_are_equal_however_they_are_written() {
        let state = RandomState::new();
        for group in [
            &["0", "-0", "0.0", "-0.000", "0e5", "0E-99999999999999999999", "0.00000000000000000000000000"][..],
            &["1", "1.0", "10e-1", "0.1e1", "1e0", "1E+0", "1.000000000000000000000000000000", "0.00001e5"],
            &["-1500", "-1.5e3", "-15e2", "-1500.0", "-0.0015e6"],
            &["1e400", "10e399", "0.1e401"],
            &["12345678901234567890.5", "123456789012345678905e-1"],
        ] {
            for one in group {
                for other in group {
                    assert_eq!(Decimal::of(one), Decimal::of(other), "{one} {other}");
                    assert_eq!(state.hash_one(Decimal::of(one)), state.hash_one(Decimal::of(other)), "{one} {other}");
                }
            }
        }
    }

    #[test]
    fn integers_have_no_fraction() {
        for (text, expected, count) in [
            ("1", true, Some(1)),
            ("1.0", true, Some(1)),
            ("1e2", true, Some(100)),
            ("1.25e2", true, Some(125)),
            ("1.25e1", false, None),
            ("1e-1", false, None),
            ("10e-1", true, Some(1)),
            ("0e-9", true, Some(0)),
            ("0.0", true, Some(0)),
            ("-3", true, None),
            ("1e999999999", true, Some(usize::MAX)),
            ("1e-999999999", false, None),
            ("123456789012345678901234567890", true, Some(usize::MAX)),
            ("123456789012345678901234567890.1", false, None),
        ] {
            assert_eq!(Decimal::of(text).is_integer(), expected, "{text}");
            assert_eq!(Decimal::of(text).to_count(), count, "{text}");
        }
    }

    #[test]
    fn multiples_are_exact() {
        for (text, of, expected) in [
            ("10", "5", true),
            ("11", "5", false),
            ("0", "5", true),
            ("-10", "5", true),
            ("0.07", "0.01", true),
            ("19.99", "0.01", true),
            ("19.995", "0.01", false),
            ("4.35", "0.05", true),
            ("1", "0.3", false),
            ("0.9", "0.3", true),
            ("1e308", "0.5", true),
            ("1e308", "0.123456789", false),
            ("12391239123", "1e-8", true),
            ("1e999999999", "7", false),
            ("7e999999999", "7", true),
            ("1e999999999", "4e-999999999", true),
            ("1e-999999999", "1", false),
            ("1e30", "1024", true),
            ("1e9", "1024", false),
            ("340282366920938463463374607431768211456", "18446744073709551616", true),
            ("340282366920938463463374607431768211457", "18446744073709551616", false),
            ("121932631137021795226185032733622923332237463801111263526900", "123456789012345678901234567890", true),
            ("121932631137021795226185032733622923332237463801111263526901", "123456789012345678901234567890", false),
            ("1e100", "1267650600228229401496703205376", true),
            ("1e99", "1267650600228229401496703205376", false),
            ("36893488147419103230", "18446744073709551615", true),
            ("1", "0", false),
            ("0", "0", true),
        ] {
            assert_eq!(Decimal::of(text).is_multiple_of(Decimal::of(of)), expected, "{text} {of}");
        }
    }
}
