//! Formats that are asserted: what `format` means for a text or a number.

mod address;
mod moment;
mod uri;

use crate::number::Decimal;

/// A format that is asserted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// RFC 3339 §5.6 `full-date`
    Date,
    /// RFC 3339 §5.6 `date-time`
    DateTime,
    /// RFC 3339 §5.6 `full-time`
    Time,
    /// RFC 3339 Appendix A
    Duration,
    /// RFC 9562 §4
    Uuid,
    /// RFC 5321 §4.1.2 `Mailbox`
    Email,
    /// RFC 3986 §3
    Uri,
    /// RFC 3986 §4.1
    UriReference,
    /// RFC 1123 §2.1
    Hostname,
    /// RFC 2673 §3.2 `dotted-quad`
    Ipv4,
    /// RFC 4291 §2.2
    Ipv6,
    /// RFC 4648 §4, with padding
    Byte,
    /// A signed integer of 32 bits
    Int32,
    /// A signed integer of 64 bits
    Int64,
    /// An unsigned integer of 32 bits
    Uint32,
    /// An unsigned integer of 64 bits
    Uint64,
    /// In the range of IEEE 754 binary32
    Float,
    /// In the range of IEEE 754 binary64
    Double,
}

/// The words of `format`, and what a value must be.
static FORMATS: [(Format, &str, &str); 18] = [
    (Format::Date, "date", "must be a date (RFC 3339)"),
    (Format::DateTime, "date-time", "must be a date-time (RFC 3339)"),
    (Format::Time, "time", "must be a time (RFC 3339)"),
    (Format::Duration, "duration", "must be a duration (RFC 3339)"),
    (Format::Uuid, "uuid", "must be a UUID (RFC 9562)"),
    (Format::Email, "email", "must be an email address (RFC 5321)"),
    (Format::Uri, "uri", "must be a URI (RFC 3986)"),
    (Format::UriReference, "uri-reference", "must be a URI reference (RFC 3986)"),
    (Format::Hostname, "hostname", "must be a host name (RFC 1123)"),
    (Format::Ipv4, "ipv4", "must be an IPv4 address"),
    (Format::Ipv6, "ipv6", "must be an IPv6 address"),
    (Format::Byte, "byte", "must be base64 with padding (RFC 4648)"),
    (Format::Int32, "int32", "must be an integer of 32 bits"),
    (Format::Int64, "int64", "must be an integer of 64 bits"),
    (Format::Uint32, "uint32", "must be an integer of 32 bits without a sign"),
    (Format::Uint64, "uint64", "must be an integer of 64 bits without a sign"),
    (Format::Float, "float", "must be in the range of a float of 32 bits"),
    (Format::Double, "double", "must be in the range of a float of 64 bits"),
];

impl Format {
    /// The format that `format` calls so, if it is asserted.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        FORMATS.iter().find(|(_, known, _)| *known == name).map(|(format, ..)| *format)
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.row().map_or("", |(_, name, _)| name)
    }

    /// What a value must be: "must be a date-time (RFC 3339)".
    #[must_use]
    pub fn message(self) -> &'static str {
        self.row().map_or("", |(_, _, message)| message)
    }

    fn row(self) -> Option<&'static (Self, &'static str, &'static str)> {
        FORMATS.iter().find(|(format, ..)| *format == self)
    }

    /// Whether it says something of numbers; the others say something of texts.
    #[must_use]
    pub fn is_of_numbers(self) -> bool {
        matches!(self, Self::Int32 | Self::Int64 | Self::Uint32 | Self::Uint64 | Self::Float | Self::Double)
    }

    /// Whether a text has the format; every text has those of numbers.
    #[must_use]
    pub fn admits_text(self, text: &str) -> bool {
        match self {
            Self::Date => moment::is_date(text.as_bytes()),
            Self::DateTime => moment::is_date_time(text.as_bytes()),
            Self::Time => moment::is_time(text.as_bytes()),
            Self::Duration => moment::is_duration(text.as_bytes()),
            Self::Uuid => is_uuid(text.as_bytes()),
            Self::Email => address::is_mailbox(text),
            Self::Uri => uri::is_uri(text),
            Self::UriReference => uri::is_reference(text),
            Self::Hostname => address::is_hostname(text),
            Self::Ipv4 => address::is_ipv4(text),
            Self::Ipv6 => address::is_ipv6(text),
            Self::Byte => is_base64(text.as_bytes()),
            Self::Int32 | Self::Int64 | Self::Uint32 | Self::Uint64 | Self::Float | Self::Double => true,
        }
    }

    /// Whether a number has the format; every number has those of texts.
    #[must_use]
    pub fn admits_number(self, number: Decimal<'_>) -> bool {
        let (least, most) = match self {
            Self::Int32 => ("-2147483648", "2147483647"),
            Self::Int64 => ("-9223372036854775808", "9223372036854775807"),
            Self::Uint32 => ("0", "4294967295"),
            Self::Uint64 => ("0", "18446744073709551615"),
            Self::Float => return number.is_short() || number.text().parse::<f32>().is_ok_and(f32::is_finite),
            Self::Double => return number.is_short() || number.text().parse::<f64>().is_ok_and(f64::is_finite),
            _ => return true,
        };
        if let Some(number) = number.to_short_integer() {
            return match self {
                Self::Int32 => i32::try_from(number).is_ok(),
                Self::Uint32 => u32::try_from(number).is_ok(),
                Self::Uint64 => number >= 0,
                _ => true,
            };
        }
        number.is_integer() && number >= Decimal::of(least) && number <= Decimal::of(most)
    }
}

fn is_uuid(text: &[u8]) -> bool {
    text.len() == 36
        && text.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

fn is_base64(text: &[u8]) -> bool {
    let digits = match text {
        [digits @ .., b'=', b'='] | [digits @ .., b'='] => digits,
        digits => digits,
    };
    text.len().is_multiple_of(4)
        && digits.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(format: &str, valid: &[&str], invalid: &[&str]) {
        let format = Format::named(format).expect("it is asserted");
        let admits = |text: &str| match format.is_of_numbers() {
            true => format.admits_number(Decimal::of(text)),
            false => format.admits_text(text),
        };
        for text in valid {
            assert!(admits(text), "{format:?} {text}");
        }
        for text in invalid {
            assert!(!admits(text), "{format:?} {text}");
        }
    }

    #[test]
    fn every_format_has_one_name_and_a_message() {
        for (format, name, message) in FORMATS {
            assert_eq!(Format::named(name), Some(format));
            assert_eq!((format.name(), format.message()), (name, message));
        }
        assert_eq!(Format::named("password"), None);
    }

    #[test]
    fn uuids_and_base64() {
        check(
            "uuid",
            &["2eb8aa08-aa98-11ea-b4aa-73b441d16380", "2EB8AA08-AA98-11EA-B4AA-73B441D16380"],
            &[
                "",
                "2eb8aa08aa9811eab4aa73b441d16380",
                "2eb8aa08-aa98-11ea-b4aa-73b441d1638",
                "2eb8aa08-aa98-11ea-b4aa-73b441d1638g",
            ],
        );
        check(
            "byte",
            &["", "Zg==", "Zm8=", "Zm9v", "+/+/"],
            &["Z", "Zg=", "Zg", "Zm9v=", "Z===", "====", "Zm8-", "Zm 9", "Z=g="],
        );
    }

    #[test]
    fn numbers_are_in_range() {
        check(
            "int32",
            &["0", "2147483647", "-2147483648", "1.0", "1e9"],
            &["2147483648", "-2147483649", "1.5", "1e10", "1e999999999"],
        );
        check(
            "int64",
            &["9223372036854775807", "-9223372036854775808"],
            &["9223372036854775808", "-9223372036854775809", "0.1"],
        );
        check("uint32", &["0", "4294967295"], &["-1", "4294967296"]);
        check("uint64", &["18446744073709551615"], &["-1", "18446744073709551616"]);
        check("float", &["0.1", "3.4e38", "1e-99"], &["3.5e38", "-1e39"]);
        check("double", &["1.7e308", "-1e-400"], &["1.8e308", "1e999999999"]);
    }
}
