//! Values with units, as people write them in documents and settings.

use std::time::Duration;

/// What is wrong with a value; the caller knows the words for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnitError {
    /// Not a whole number and a known unit.
    Shape,
    /// More than can be counted.
    TooLarge,
}

/// Reads a duration: digits and one of `ms`, `s`, `m`, `h`, `d`, such as `250ms` or `10m`.
///
/// # Errors
/// [`UnitError`], for anything else.
pub fn duration(text: &str) -> Result<Duration, UnitError> {
    let (number, unit) = split(text).ok_or(UnitError::Shape)?;
    let millis = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(UnitError::Shape),
    };
    number.checked_mul(millis).map(Duration::from_millis).ok_or(UnitError::TooLarge)
}

/// Reads a size in bytes: digits and one of `B`, `KiB`, `MiB`, `GiB`, such as `64KiB`; plain digits are bytes.
///
/// # Errors
/// [`UnitError`], for anything else.
pub fn size(text: &str) -> Result<u64, UnitError> {
    let (number, unit) = split(text).ok_or(UnitError::Shape)?;
    let bytes: u64 = match unit {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return Err(UnitError::Shape),
    };
    number.checked_mul(bytes).ok_or(UnitError::TooLarge)
}

/// Reads a rate: a number with up to three places and one of `/s`, `/m`, `/h`, `/d`, such as `4/s` or `0.1/s`. The result
/// is a whole number and the time that it is for: `0.1/s` is 1 in ten seconds, so that nothing is rounded. `None` for
/// anything else, and for nothing at all.
pub fn rate(text: &str) -> Option<(u64, Duration)> {
    let (count, period) = text.split_once('/')?;
    let period = match period {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return None,
    };
    let (whole, fraction) = count.split_once('.').unwrap_or((count, ""));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(whole) || (count.contains('.') && !is_number(fraction)) || whole.len() > 9 || fraction.len() > 3 {
        return None;
    }
    let places = fraction.bytes().fold(1, |places, _| places * 10);
    let count = format!("{whole}{fraction}").parse().ok().filter(|count| *count > 0)?;
    Some((count, Duration::from_secs(period * places)))
}

/// `512KiB` is 512 and `KiB`.
fn split(text: &str) -> Option<(u64, &str)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    Some((text[..digits].parse().ok()?, &text[digits..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_required_and_known() {
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(duration("8h"), Ok(Duration::from_secs(28_800)));
        for bad in ["", "5", "5 s", "s", "-5s", "1.5s", "5sec", "99999999999999999d"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
        assert_eq!(rate("4/s"), Some((4, Duration::from_secs(1))));
        assert_eq!(rate("0.1/s"), Some((1, Duration::from_secs(10))));
        assert_eq!(rate("12.50/m"), Some((1_250, Duration::from_secs(6_000))));
        for bad in ["", "4", "4/x", "0/s", "0.0/s", "-1/s", "nan/s", "1e3/s", "1./s", ".1/s", "1.2.3/s", "1.2345/s"] {
            assert!(rate(bad).is_none(), "{bad}");
        }
        assert_eq!(size("64KiB"), Ok(65_536));
        assert_eq!(size("1024"), Ok(1024));
        for bad in ["", "64KB", "64 KiB", "KiB", "99999999999GiB"] {
            assert!(size(bad).is_err(), "{bad}");
        }
    }
}
