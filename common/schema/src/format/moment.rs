//! Dates, times and durations (RFC 3339).

/// `full-date`
pub(super) fn is_date(text: &[u8]) -> bool {
    let &[y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = text else { return false };
    let (Some(century), Some(year)) = (two(y1, y2), two(y3, y4)) else { return false };
    let year = century * 100 + year;
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match two(m1, m2) {
        Some(2) if is_leap => 29,
        Some(2) => 28,
        Some(4 | 6 | 9 | 11) => 30,
        Some(1..=12) => 31,
        _ => return false,
    };
    two(d1, d2).is_some_and(|day| (1..=days).contains(&day))
}

/// `full-time`
pub(super) fn is_time(text: &[u8]) -> bool {
    let Some((&[h1, h2, b':', m1, m2, b':', s1, s2], rest)) = text.split_first_chunk::<8>() else { return false };
    let (Some(hour @ 0..=23), Some(minute @ 0..=59), Some(second @ 0..=60)) = (two(h1, h2), two(m1, m2), two(s1, s2))
    else {
        return false;
    };
    let rest = match rest {
        [b'.', rest @ ..] => match digits(rest) {
            0 => return false,
            count => rest.get(count..).unwrap_or_default(),
        },
        rest => rest,
    };
    let offset = match *rest {
        [b'Z' | b'z'] => 0,
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => match (two(h1, h2), two(m1, m2)) {
            (Some(hour @ 0..=23), Some(minute @ 0..=59)) if sign == b'+' => hour * 60 + minute,
            (Some(hour @ 0..=23), Some(minute @ 0..=59)) => -(hour * 60 + minute),
            _ => return false,
        },
        _ => return false,
    };
    // A leap second is the last one of a day in UTC (§5.7).
    second < 60 || (hour * 60 + minute - offset).rem_euclid(24 * 60) == 23 * 60 + 59
}

/// `date-time`
pub(super) fn is_date_time(text: &[u8]) -> bool {
    match text.split_first_chunk::<10>() {
        Some((date, [b'T' | b't', time @ ..])) => is_date(date) && is_time(time),
        _ => false,
    }
}

/// `duration` (Appendix A): weeks alone, or parts of which none is left out between two others.
pub(super) fn is_duration(text: &[u8]) -> bool {
    let Some(rest) = text.strip_prefix(b"P") else { return false };
    if let Some(weeks) = rest.strip_suffix(b"W") {
        return !weeks.is_empty() && digits(weeks) == weeks.len();
    }
    let mut halves = rest.splitn(2, |byte| *byte == b'T');
    let date = halves.next().unwrap_or_default();
    match halves.next() {
        Some(time) => (date.is_empty() || are_parts(date, b"YMD")) && are_parts(time, b"HMS"),
        None => are_parts(date, b"YMD"),
    }
}

/// Whether a text is numbers with units that follow each other.
fn are_parts(mut text: &[u8], units: &[u8]) -> bool {
    let mut next = None;
    loop {
        let count = digits(text);
        let Some((unit, rest)) = text.get(count..).and_then(<[u8]>::split_first) else { return false };
        let Some(at) = units.iter().position(|known| known == unit) else { return false };
        if count == 0 || next.is_some_and(|next| next != at) {
            return false;
        }
        if rest.is_empty() {
            return true;
        }
        (text, next) = (rest, Some(at + 1));
    }
}

fn digits(text: &[u8]) -> usize {
    text.iter().take_while(|byte| byte.is_ascii_digit()).count()
}

fn two(tens: u8, ones: u8) -> Option<i32> {
    (tens.is_ascii_digit() && ones.is_ascii_digit()).then(|| i32::from(tens - b'0') * 10 + i32::from(ones - b'0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(is: fn(&[u8]) -> bool, valid: &[&str], invalid: &[&str]) {
        for text in valid {
            assert!(is(text.as_bytes()), "{text}");
        }
        for text in invalid {
            assert!(!is(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn dates() {
        check(
            is_date,
            &["1963-06-19", "2020-02-29", "2000-02-29", "0000-01-01", "9999-12-31"],
            &[
                "2021-02-29",
                "1900-02-29",
                "2020-00-01",
                "2020-13-01",
                "2020-01-00",
                "2020-04-31",
                "2020-1-01",
                "20200101",
                "",
                "+020-01-01",
                "2020-01-01Z",
            ],
        );
    }

    #[test]
    fn times() {
        check(
            is_time,
            &[
                "08:30:06Z",
                "08:30:06z",
                "08:30:06.283185+00:20",
                "23:59:60Z",
                "01:29:60+01:30",
                "15:59:60.5-08:00",
                "00:00:00-23:59",
            ],
            &[
                "08:30:06",
                "24:00:00Z",
                "00:60:00Z",
                "00:00:61Z",
                "22:59:60Z",
                "23:59:60+01:00",
                "08:30:06.Z",
                "08:30:06+24:00",
                "08:30:06+00:60",
                "8:30:06Z",
                "08:30Z",
                "08:30:06 Z",
                "08:30:06+0020",
            ],
        );
        check(
            is_date_time,
            &["1963-06-19T08:30:06.283185Z", "1963-06-19t08:30:06z", "1998-12-31T23:59:60Z"],
            &[
                "1963-06-19 08:30:06Z",
                "1963-06-19",
                "1963-06-19T",
                "1963-02-30T08:30:06Z",
                "1998-12-31T23:58:60Z",
                "１963-06-19T08:30:06Z",
            ],
        );
    }

    #[test]
    fn durations() {
        check(
            is_duration,
            &["P4DT12H30M5S", "P4Y", "PT0S", "P0D", "P1M", "PT1M", "PT36H", "P1DT12H", "P2W", "P1Y2M3D", "PT1H2M"],
            &[
                "", "P", "PT", "P1", "P1YT", "PT1D", "P1D2H", "P2D1Y", "P1Y2W", "P1Y1D", "PT1H1S", "P-1D", "4D",
                "P0.5D", "P1YM", "P2S", "PW",
            ],
        );
    }
}
