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

/// A host with letters outside of ASCII as browsers send it: each such label as `xn--…` (RFC 3492). `None` where that takes
/// the tables of UTS #46, because a letter may be several, or has other forms.
pub(super) fn in_ascii(host: &str) -> Option<String> {
    let labels = host.split('.').map(|label| {
        let label: String = label.chars().flat_map(char::to_lowercase).collect();
        match label.is_ascii() {
            true => Some(label),
            false => label.chars().all(is_plain).then(|| punycode(&label)).flatten().map(|code| format!("xn--{code}")),
        }
    });
    labels.collect::<Option<Vec<_>>>().map(|labels| labels.join("."))
}

/// Small letters, digits and the hyphen, where each is itself in every form of Unicode.
fn is_plain(char: char) -> bool {
    matches!(char,
        'a'..='z' | '0'..='9' | '-' | '\u{e0}'..='\u{f6}' | '\u{f8}'..='\u{131}' | '\u{134}'..='\u{13e}'
        | '\u{3b1}'..='\u{3c1}' | '\u{3c3}'..='\u{3ce}' | '\u{430}'..='\u{45f}' | '\u{3041}'..='\u{3096}'
        | '\u{30a1}'..='\u{30fa}' | '\u{4e00}'..='\u{9fff}' | '\u{ac00}'..='\u{d7a3}')
}

/// RFC 3492 §6.3.
fn punycode(label: &str) -> Option<String> {
    let mut out: String = label.chars().filter(char::is_ascii).collect();
    let basic = u32::try_from(out.len()).ok()?;
    if basic > 0 {
        out.push('-');
    }
    let (mut code, mut delta, mut bias, mut handled) = (128_u32, 0_u32, 72_u32, basic);
    let total = u32::try_from(label.chars().count()).ok()?;
    while handled < total {
        let next = label.chars().map(u32::from).filter(|char| *char >= code).min()?;
        delta = delta.checked_add((next - code).checked_mul(handled + 1)?)?;
        code = next;
        for char in label.chars().map(u32::from) {
            if char < code {
                delta = delta.checked_add(1)?;
            }
            if char == code {
                write_delta(&mut out, delta, bias);
                bias = adapted(delta, handled + 1, handled == basic);
                delta = 0;
                handled += 1;
            }
        }
        delta = delta.checked_add(1)?;
        code += 1;
    }
    Some(out)
}

fn write_delta(out: &mut String, mut delta: u32, bias: u32) {
    let digit = |value: u32| char::from_digit(if value < 26 { value + 10 } else { value - 26 }, 36).unwrap_or('-');
    for place in (36_u32..).step_by(36) {
        let threshold = place.saturating_sub(bias).clamp(1, 26);
        if delta < threshold {
            break;
        }
        out.push(digit(threshold + (delta - threshold) % (36 - threshold)));
        delta = (delta - threshold) / (36 - threshold);
    }
    out.push(digit(delta));
}

/// RFC 3492 §6.1.
fn adapted(delta: u32, points: u32, is_first: bool) -> u32 {
    let mut delta = if is_first { delta / 700 } else { delta / 2 };
    delta += delta / points;
    let mut bias = 0;
    while delta > 455 {
        delta /= 35;
        bias += 36;
    }
    bias + 36 * delta / (delta + 38)
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

    #[test]
    fn names_are_coded_as_browsers_do() {
        for (host, expected) in [
            ("b\u{fc}cher.example", Some("xn--bcher-kva.example")),
            ("B\u{dc}CHER.example", Some("xn--bcher-kva.example")),
            ("m\u{fc}nchen.de", Some("xn--mnchen-3ya.de")),
            ("\u{4f8b}\u{5b50}.\u{6d4b}\u{8bd5}", Some("xn--fsqu00a.xn--0zwm56d")),
            ("\u{43f}\u{440}\u{438}\u{43c}\u{435}\u{440}.\u{440}\u{444}", Some("xn--e1afmkfd.xn--p1ai")),
            ("\u{65e5}\u{672c}\u{8a9e}", Some("xn--wgv71a119e")),
            // Of two forms, or of several letters.
            ("stra\u{df}e.example", None),
            ("a\u{308}.example", None),
            ("\u{ff41}.example", None),
            ("\u{3c2}.example", None),
        ] {
            assert_eq!(in_ascii(host).as_deref(), expected, "{host}");
        }
    }
}
