//! Values with units, as documents write them: `250ms`, `10m`, `512KiB`, `100/m`.

use std::fmt;
use std::time::Duration;

use gateway_terms::limit::LONGEST_DURATION;
use gateway_terms::share::Share;
use gateway_yaml::units::{self, UnitError};

/// A size in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(pub u64);

/// Events per period; never zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How many.
    pub count: u64,
    /// In what time.
    pub period: Duration,
}

/// Reads `250ms`, `5s`, `10m` or `8h`: a positive whole number and a unit.
///
/// # Errors
/// What is expected, to stand under the author's text.
pub fn duration(text: &str) -> Result<Duration, &'static str> {
    match units::duration(text) {
        Ok(Duration::ZERO) => Err("a duration must be more than nothing"),
        Ok(duration) if duration <= LONGEST_DURATION => Ok(duration),
        Ok(_) | Err(UnitError::TooLarge) => Err("a duration must not exceed a year"),
        Err(UnitError::Shape) => Err("expected a duration such as `250ms`, `5s`, `10m` or `8h`"),
    }
}

/// Reads `512KiB`, `10MiB`, `1GiB` or a plain number of bytes.
///
/// # Errors
/// What is expected, to stand under the author's text.
pub fn size(text: &str) -> Result<ByteSize, &'static str> {
    units::size(text).map(ByteSize).map_err(|error| match error {
        UnitError::Shape => "expected a size such as `512KiB`, `10MiB` or `1GiB`",
        UnitError::TooLarge => "too large",
    })
}

/// Reads `4/s`, `100/m` or `0.1/s`.
///
/// # Errors
/// What is expected, to stand under the author's text.
pub fn rate(text: &str) -> Result<Rate, &'static str> {
    match units::rate(text) {
        Some((count, period)) => Ok(Rate { count, period }),
        None => Err("expected a rate such as `4/s`, `100/m` or `0.1/s`"),
    }
}

/// Reads `50%`: a whole number from 0 to 100.
///
/// # Errors
/// What is expected, to stand under the author's text.
pub fn percent(text: &str) -> Result<u8, &'static str> {
    const EXPECTED: &str = "expected a share from `0%` to `100%`";
    let digits = text.strip_suffix('%').ok_or(EXPECTED)?;
    let is_number = !digits.is_empty() && digits.len() <= 3 && digits.bytes().all(|byte| byte.is_ascii_digit());
    let share = is_number.then(|| digits.parse().ok()).flatten();
    share.filter(|share| *share <= 100).ok_or(EXPECTED)
}

/// Reads `5%` or `0.5%`.
///
/// # Errors
/// What is expected, to stand under the author's text.
pub fn share(text: &str) -> Result<Share, &'static str> {
    Share::parse(text).ok_or("expected a share from `0%` to `100%`, such as `5%` or `0.5%`")
}

impl fmt::Display for ByteSize {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            bytes if bytes > 0 && bytes % (1 << 30) == 0 => write!(out, "{}GiB", bytes >> 30),
            bytes if bytes > 0 && bytes % (1 << 20) == 0 => write!(out, "{}MiB", bytes >> 20),
            bytes if bytes > 0 && bytes % (1 << 10) == 0 => write!(out, "{}KiB", bytes >> 10),
            bytes => write!(out, "{bytes}B"),
        }
    }
}

/// A duration as [`duration`] reads it, in the largest unit that is exact.
pub fn show_duration(duration: Duration) -> String {
    let milliseconds = duration.as_millis();
    let units = [(3_600_000_u128, "h"), (60_000, "m"), (1_000, "s")];
    match units.into_iter().find(|(size, _)| milliseconds >= *size && milliseconds.is_multiple_of(*size)) {
        Some((size, unit)) => format!("{}{unit}", milliseconds / size),
        None => format!("{milliseconds}ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_shows() {
        for text in ["250ms", "1ms", "5s", "90s", "10m", "8h", "1500ms"] {
            assert_eq!(duration(text).map(show_duration).as_deref(), Ok(text));
        }
        assert_eq!(duration("120s").map(show_duration).as_deref(), Ok("2m"));
        for text in ["", "5", "s", "0s", "-5s", "5 s", "1.5s", "5S", "99999999999999999999s", "9999999999h"] {
            assert!(duration(text).is_err(), "{text}");
        }
        for text in ["512KiB", "10MiB", "3GiB", "1000B", "0B"] {
            assert_eq!(size(text).map(|size| size.to_string()).as_deref(), Ok(text));
        }
        for text in ["", "KiB", "1KB", "1 KiB", "-1B", "99999999999999GiB"] {
            assert!(size(text).is_err(), "{text}");
        }
        assert_eq!(rate("0.1/s"), Ok(Rate { count: 1, period: Duration::from_secs(10) }));
        assert!(rate("4").is_err());
        assert_eq!((percent("0%"), percent("50%"), percent("100%")), (Ok(0), Ok(50), Ok(100)));
        for text in ["", "%", "5", "101%", "-1%", "1.5%", "5 %"] {
            assert!(percent(text).is_err(), "{text}");
        }
    }
}
