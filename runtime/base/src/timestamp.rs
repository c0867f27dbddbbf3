//! Points in time as RFC 3339 writes them.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::encoding::write_number;

/// Seconds since the epoch, now.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Appends seconds since the epoch as RFC 3339 in UTC, without the zone. The date is worked out by Howard Hinnant's `civil_from_days`.
pub fn write_second(out: &mut Vec<u8>, seconds: u64) {
    let (days, second_of_day) = (seconds / 86_400, seconds % 86_400);
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    write_number(out, year);
    for (separator, part, width) in [
        (b'-', month, 2),
        (b'-', day, 2),
        (b'T', second_of_day / 3_600, 2),
        (b':', second_of_day / 60 % 60, 2),
        (b':', second_of_day % 60, 2),
    ] {
        out.push(separator);
        padded(out, part, width);
    }
}

/// Appends a number with leading zeros.
pub fn padded(out: &mut Vec<u8>, number: u64, width: u32) {
    for place in (0..width).rev() {
        out.push(b'0' + (number / 10_u64.pow(place) % 10) as u8);
    }
}

/// Seconds since the epoch as RFC 3339 in UTC, such as `2026-11-22T09:30:00Z`.
pub fn format(seconds: u64) -> String {
    let mut out = Vec::new();
    write_second(&mut out, seconds);
    out.push(b'Z');
    String::from_utf8(out).unwrap_or_default()
}

/// Seconds since the epoch of a time in UTC, `2026-11-22T09:30:00Z`, or of the start of a day, `2026-11-22`; `None` for
/// anything else, also for times before 1970.
pub fn parse(text: &str) -> Option<u64> {
    let whole = if text.len() == 10 { format!("{text}T00:00:00Z") } else { text.to_owned() };
    let number = |range: std::ops::Range<usize>| {
        let digits = whole.get(range)?;
        digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse::<u64>().ok())?
    };
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let (hour, minute, second) = (number(11..13)?, number(14..16)?, number(17..19)?);
    if year < 1970 || !(1..=12).contains(&month) || day == 0 {
        return None;
    }
    // Howard Hinnant's `days_from_civil`.
    let year = year - u64::from(month <= 2);
    let (era, year_of_era) = (year / 400, year % 400);
    let day_of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    let days = (era * 146_097 + day_of_era).checked_sub(719_468)?;
    let seconds = days * 86_400 + hour * 3_600 + minute * 60 + second;
    // Whatever is not a date (the 31st of February, a 25th hour) comes out as another one.
    (format(seconds) == whole).then_some(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_they_are_written() {
        for (text, seconds) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2000-02-29T00:00:00Z", 951_782_400),
            ("2026-11-21T23:59:59Z", 1_795_305_599),
            ("2100-01-01T00:00:00Z", 4_102_444_800),
        ] {
            assert_eq!(parse(text), Some(seconds), "{text}");
            assert_eq!(format(seconds), text);
        }
        assert_eq!(parse("2026-11-22"), Some(1_795_305_600));
        for bad in [
            "",
            "2026-11-22T09:30:00",
            "2026-11-22T09:30:00+01:00",
            "2026-02-31T00:00:00Z",
            "2026-11-22T25:00:00Z",
            "2026-13-01",
            "1969-12-31",
            "2026-1-1",
            "20261122",
            "\u{e4}026-11-2",
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
