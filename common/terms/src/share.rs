//! A share of all requests, as `split` and `mirror` give them.

use std::fmt;

/// So many of 10,000 requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Share(pub u16);

impl Share {
    /// Not one of them.
    pub const NOTHING: Self = Self(0);

    /// All of them.
    pub const ALL: Self = Self(10_000);

    /// Reads `5%`, `0.5%` or `12.25%`; nothing for more than `100%`.
    pub fn parse(text: &str) -> Option<Self> {
        let number = text.strip_suffix('%')?;
        let (whole, decimals) = number.split_once('.').unwrap_or((number, "0"));
        let is_number = |digits: &str, most: usize| {
            (1..=most).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
        };
        if !is_number(whole, 3) || !is_number(decimals, 2) {
            return None;
        }
        let scale = if decimals.len() == 1 { 10 } else { 1 };
        let share = whole.parse::<u32>().ok()? * 100 + decimals.parse::<u32>().ok()? * scale;
        u16::try_from(share).ok().map(Self).filter(|share| *share <= Self::ALL)
    }

    /// Whether a request takes part, of those that `others` have left over. Equal rolls, which are 64 random bits each,
    /// take part as long as the share does not shrink.
    pub fn takes(self, others: Self, roll: u64) -> bool {
        let left = u64::from(Self::ALL.0.saturating_sub(others.0));
        ((roll >> 32) * left) >> 32 < u64::from(self.0)
    }
}

impl fmt::Display for Share {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.0 / 100, self.0 % 100);
        match rest {
            0 => write!(out, "{whole}%"),
            rest if rest % 10 == 0 => write!(out, "{whole}.{}%", rest / 10),
            rest => write!(out, "{whole}.{rest:02}%"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_shows() {
        for text in ["0%", "5%", "100%", "0.5%", "0.05%", "12.25%", "99.99%"] {
            assert_eq!(Share::parse(text).map(|share| share.to_string()).as_deref(), Some(text));
        }
        assert_eq!(Share::parse("1.50%"), Some(Share(150)));
        for text in ["", "%", "5", "101%", "100.01%", "-1%", "+1%", "1.%", ".5%", "0.001%", "5 %", "1e1%"] {
            assert_eq!(Share::parse(text), None, "{text}");
        }
    }

    #[test]
    fn each_takes_its_share_of_all() {
        let (shares, mut taken) = ([Share(2_000), Share(3_000), Share(5_000)], [0_u32; 4]);
        let mut roll = 0_u64;
        for _ in 0..20_000 {
            let mut before = 0;
            let chosen = shares.iter().position(|share| {
                roll = roll.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(0x1405_7B7E_F767_814F);
                let takes = share.takes(Share(before), roll ^ roll >> 29);
                before += share.0;
                takes
            });
            taken[chosen.unwrap_or(3)] += 1;
        }
        assert_eq!(taken[3], 0, "the shares are all there is");
        for (taken, expected) in taken.into_iter().zip([4_000, 6_000, 10_000]) {
            assert!(taken.abs_diff(expected) < 400, "{taken} instead of {expected}");
        }
    }

    #[test]
    fn a_request_stays_in_a_share_that_grows() {
        for roll in (0..1_000_u64).map(|number| number.wrapping_mul(0x9E37_79B9_7F4A_7C15)) {
            let takes = |share| Share(share).takes(Share::NOTHING, roll);
            assert!(!takes(0) && takes(10_000));
            assert!([100, 500, 2_000].windows(2).all(|pair| !takes(pair[0]) || takes(pair[1])));
        }
    }
}
