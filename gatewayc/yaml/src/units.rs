//! Values with units, as people write them in documents and settings.

use std::time::Duration;

/// Reads a duration: digits and one of `ms`, `s`, `m`, `h`, `d`, such as `250ms` or `10m`.
///
/// # Errors
/// What a duration looks like, for anything else.
pub fn duration(text: &str) -> Result<Duration, &'static str> {
    const EXPECTED: &str = "a duration is a whole number and a unit, such as 250ms, 5s, 10m, 8h or 30d";
    let (number, unit) = split(text).ok_or(EXPECTED)?;
    let millis = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(EXPECTED),
    };
    number.checked_mul(millis).map(Duration::from_millis).ok_or(EXPECTED)
}

/// Reads a size in bytes: digits and one of `B`, `KiB`, `MiB`, `GiB`, such as `64KiB`; plain digits are bytes.
///
/// # Errors
/// What a size looks like, for anything else.
pub fn size(text: &str) -> Result<u64, &'static str> {
    const EXPECTED: &str = "a size is a whole number and a unit, such as 512B, 64KiB, 10MiB or 1GiB";
    let (number, unit) = split(text).ok_or(EXPECTED)?;
    let bytes: u64 = match unit {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return Err(EXPECTED),
    };
    number.checked_mul(bytes).ok_or(EXPECTED)
}

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
        assert_eq!(size("64KiB"), Ok(65_536));
        assert_eq!(size("1024"), Ok(1024));
        for bad in ["", "64KB", "64 KiB", "KiB", "99999999999GiB"] {
            assert!(size(bad).is_err(), "{bad}");
        }
    }
}
