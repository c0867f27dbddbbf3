//! Hosts as browsers write them (URL Standard, host parsing and host serializing).

use std::net::{Ipv4Addr, Ipv6Addr};

/// What a browser takes a host for that is in ASCII and in small letters.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Host {
    /// A name.
    Name,
    /// An address of IPv4, of which there are many spellings.
    Address(Ipv4Addr),
    /// Neither: its last label is a number, and it is no address.
    None,
}

impl Host {
    /// URL Standard, "ends in a number checker" and "IPv4 parser".
    pub(super) fn of(host: &str) -> Self {
        let labels: Vec<&str> = host.strip_suffix('.').unwrap_or(host).split('.').collect();
        let last = labels.last().copied().unwrap_or_default();
        let is_decimal = !last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit());
        let is_number = is_decimal || (last.starts_with("0x") && number(last).is_some());
        if !is_number {
            return Self::Name;
        }
        address(&labels).map_or(Self::None, |address| Self::Address(Ipv4Addr::from(address)))
    }
}

fn address(labels: &[&str]) -> Option<u32> {
    let (last, before) = labels.split_last()?;
    // The last number stands for all bytes that the others leave.
    let mut value = number(last).filter(|last| before.len() < 4 && *last < 1 << (8 * (4 - before.len())))?;
    for (label, shift) in before.iter().zip([24, 16, 8]) {
        value |= number(label).filter(|number| *number < 256)? << shift;
    }
    u32::try_from(value).ok()
}

/// A number in decimal, in octal behind `0`, or in hexadecimal behind `0x`.
fn number(label: &str) -> Option<u64> {
    let (digits, radix) = match label.strip_prefix("0x") {
        Some("") => return Some(0),
        Some(digits) => (digits, 16),
        None if label.len() > 1 && label.starts_with('0') => (&label[1..], 8),
        None => (label, 10),
    };
    let is_unsigned = digits.bytes().all(|byte| byte.is_ascii_alphanumeric());
    u64::from_str_radix(digits, radix).ok().filter(|_| is_unsigned)
}

/// An address of IPv6 (URL Standard, "IPv6 serializer"): all of it in hexadecimal, also where it has one of IPv4 in it.
pub(super) fn ipv6(address: Ipv6Addr) -> String {
    match (address.segments(), address.to_ipv4_mapped()) {
        ([.., high, low], Some(_)) => format!("[::ffff:{high:x}:{low:x}]"),
        _ => format!("[{address}]"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_many_spellings() {
        for (host, expected) in [
            ("127.0.0.1", Some("127.0.0.1")),
            ("127.1", Some("127.0.0.1")),
            ("127.0.1", Some("127.0.0.1")),
            ("2130706433", Some("127.0.0.1")),
            ("0x7f000001", Some("127.0.0.1")),
            ("0x7f.0x0.0.01", Some("127.0.0.1")),
            ("0177.0.0.1", Some("127.0.0.1")),
            ("127.0.0.1.", Some("127.0.0.1")),
            ("0", Some("0.0.0.0")),
            ("1.0x", Some("1.0.0.0")),
            ("192.168.257", Some("192.168.1.1")),
        ] {
            let expected = expected.map(|text| text.parse().expect("an address"));
            assert_eq!(Host::of(host), expected.map_or(Host::None, Host::Address), "{host}");
        }
        for host in ["1.2.3.4.5", "256.0.0.1", "127.0.0.256", "a.1", "1.2.3.08", "4294967296", "a.0x1", "1..2"] {
            assert_eq!(Host::of(host), Host::None, "{host}");
        }
        for host in ["a.example", "1.a", "1.2.3.4a", "0xg", "a.0xg", "localhost", "a.1a", "xn--a."] {
            assert_eq!(Host::of(host), Host::Name, "{host}");
        }
        for (address, expected) in
            [("::1", "[::1]"), ("::ffff:127.0.0.1", "[::ffff:7f00:1]"), ("2001:DB8:0::1", "[2001:db8::1]")]
        {
            assert_eq!(ipv6(address.parse().expect("an address")), expected);
        }
    }
}
