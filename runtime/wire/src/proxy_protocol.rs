//! The header of the PROXY protocol, versions 1 and 2: what a load balancer says in front of a connection about the
//! client that it carries (<https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt>).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The longest header of version 1, with its line end (§2.1).
pub const MAX_TEXT: usize = 107;

/// The longest header of version 2 that is accepted. The addresses take 216 bytes at most; the rest is for what the load
/// balancer adds to them, such as the subject of a certificate.
pub const MAX_BINARY: usize = 4096;

/// How a header of version 1 begins.
const TEXT: &[u8] = b"PROXY ";

/// How a header of version 2 begins (§2.2).
const BINARY: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// The fixed part of a header of version 2: the signature, version and command, family and transport, the length.
const FIXED: usize = BINARY.len() + 4;

/// The type of the member of version 2 that carries a checksum (§2.2.3).
const CHECKSUM: u8 = 0x03;

/// Whose connection it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Announced {
    /// That of a client at this address, in its canonical form.
    Client(IpAddr),
    /// That of a client of which it says nothing that is an address (`UNKNOWN`, `UNSPEC`, a UNIX socket).
    Unknown,
    /// The load balancer's own (`LOCAL`), such as that of a health check.
    Own,
}

/// Why something is no header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed(pub &'static str);

/// Reads a header from the beginning of `bytes`, and says how long it is; `None` if more of it is to come.
///
/// # Errors
/// No continuation makes a header of it.
pub fn parse(bytes: &[u8]) -> Result<Option<(Announced, usize)>, Malformed> {
    if starts_like(bytes, BINARY) {
        parse_binary(bytes)
    } else if starts_like(bytes, TEXT) {
        parse_text(bytes)
    } else {
        Err(Malformed("it does not begin with a header of the PROXY protocol"))
    }
}

/// Whether one of the two is the beginning of the other.
fn starts_like(bytes: &[u8], beginning: &[u8]) -> bool {
    bytes.iter().zip(beginning).all(|(one, other)| one == other)
}

/// §2.1.
fn parse_text(bytes: &[u8]) -> Result<Option<(Announced, usize)>, Malformed> {
    let within = &bytes[..bytes.len().min(MAX_TEXT)];
    let Some(end) = within.windows(2).position(|pair| pair == b"\r\n") else {
        return if bytes.len() < MAX_TEXT { Ok(None) } else { Err(Malformed("the line is longer than 107 bytes")) };
    };
    let line = std::str::from_utf8(&bytes[TEXT.len()..end]).map_err(|_| Malformed("the line is not ASCII"))?;
    let mut words = line.split(' ');
    let announced = match words.next() {
        // What follows it is to be ignored.
        Some("UNKNOWN") => Announced::Unknown,
        Some("TCP4") => Announced::Client(client_of_text::<Ipv4Addr>(words)?.into()),
        Some("TCP6") => Announced::Client(client_of_text::<Ipv6Addr>(words)?.to_canonical()),
        _ => return Err(Malformed("the protocol is none of TCP4, TCP6 and UNKNOWN")),
    };
    Ok(Some((announced, end + 2)))
}

/// The source of `source destination port port`.
fn client_of_text<'a, A: std::str::FromStr>(mut words: impl Iterator<Item = &'a str>) -> Result<A, Malformed> {
    let mut address = || words.next().and_then(|word| word.parse::<A>().ok());
    let (Some(source), Some(_)) = (address(), address()) else {
        return Err(Malformed("an address is not one of the protocol that it names"));
    };
    let is_port = |word: &str| word.bytes().all(|byte| byte.is_ascii_digit()) && word.parse::<u16>().is_ok();
    if !(words.next().is_some_and(is_port) && words.next().is_some_and(is_port) && words.next().is_none()) {
        return Err(Malformed("there are not two ports behind the addresses"));
    }
    Ok(source)
}

/// §2.2.
fn parse_binary(bytes: &[u8]) -> Result<Option<(Announced, usize)>, Malformed> {
    let command = match bytes.get(BINARY.len()) {
        None => return Ok(None),
        Some(version) if version >> 4 != 2 => return Err(Malformed("the version is not 2")),
        Some(version) => version & 0xF,
    };
    let is_local = match command {
        0 => true,
        1 => false,
        _ => return Err(Malformed("the command is neither LOCAL nor PROXY")),
    };
    let (Some(family), Some([high, low])) = (bytes.get(BINARY.len() + 1), bytes.get(FIXED - 2..FIXED)) else {
        return Ok(None);
    };
    let length = FIXED + usize::from(u16::from_be_bytes([*high, *low]));
    if length > MAX_BINARY {
        return Err(Malformed("the header is longer than 4096 bytes"));
    }
    let Some(header) = bytes.get(..length) else { return Ok(None) };
    // Whatever a load balancer says of its own connections is to be ignored.
    if is_local {
        return Ok(Some((Announced::Own, length)));
    }
    let rest = &header[FIXED..];
    let (announced, addresses) = match (family, rest) {
        // No address: what follows is to be ignored.
        (0x00, _) => return Ok(Some((Announced::Unknown, length))),
        (0x11 | 0x12, [a, b, c, d, ..]) => (Announced::Client(Ipv4Addr::new(*a, *b, *c, *d).into()), 12),
        (0x21 | 0x22, _) if rest.len() >= 36 => {
            let mut source = [0; 16];
            source.copy_from_slice(&rest[..16]);
            (Announced::Client(Ipv6Addr::from(source).to_canonical()), 36)
        }
        (0x31 | 0x32, _) => (Announced::Unknown, 216),
        (0x11 | 0x12 | 0x21 | 0x22, _) => return Err(Malformed("it is too short for its addresses")),
        _ => return Err(Malformed("the family of addresses is unknown")),
    };
    let Some(members) = rest.get(addresses..) else { return Err(Malformed("it is too short for its addresses")) };
    check_members(header, FIXED + addresses, members)?;
    Ok(Some((announced, length)))
}

/// Looks at the members behind the addresses, and at the checksum if it is among them (§2.2.3).
fn check_members(header: &[u8], mut at: usize, mut members: &[u8]) -> Result<(), Malformed> {
    const BROKEN: Malformed = Malformed("a member behind the addresses is not whole");
    while let [kind, rest @ ..] = members {
        let [high, low, rest @ ..] = rest else { return Err(BROKEN) };
        let Some((value, next)) = rest.split_at_checked(usize::from(u16::from_be_bytes([*high, *low]))) else {
            return Err(BROKEN);
        };
        if *kind == CHECKSUM {
            let expected = <[u8; 4]>::try_from(value).map_err(|_| BROKEN)?;
            // It covers the header with zeros in its own place.
            let place = at + 3..at + 7;
            let covered = header.iter().enumerate().map(|(index, byte)| if place.contains(&index) { 0 } else { *byte });
            if crc32c(covered) != u32::from_be_bytes(expected) {
                return Err(Malformed("the checksum is wrong"));
            }
        }
        at += 3 + value.len();
        members = next;
    }
    Ok(())
}

/// CRC-32C (RFC 9260 appendix A), bit by bit: once for a connection, over a few hundred bytes.
fn crc32c(bytes: impl Iterator<Item = u8>) -> u32 {
    let step = |value: u32| (value >> 1) ^ (0x82F6_3B78 & (value & 1).wrapping_neg());
    !bytes.fold(u32::MAX, |value, byte| (0..8).fold(value ^ u32::from(byte), |value, _| step(value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A header of version 2.
    fn binary(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let length = u16::try_from(rest.len()).expect("a short header").to_be_bytes();
        [BINARY, &[0x20 | command, family], &length, rest].concat()
    }

    fn inet(members: &[u8]) -> Vec<u8> {
        [&[203, 0, 113, 9, 10, 0, 0, 1, 0x9C, 0x40, 1, 0xBB], members].concat()
    }

    fn inet6() -> Vec<u8> {
        let source: Ipv6Addr = "2001:db8::7".parse().expect("an address");
        [&source.octets()[..], &[0; 16], &[0x9C, 0x40, 1, 0xBB]].concat()
    }

    fn client(text: &str) -> Announced {
        Announced::Client(text.parse().expect("an address"))
    }

    /// With a checksum that fits.
    fn checked() -> Vec<u8> {
        let mut header = binary(1, 0x11, &inet(b"\x04\0\x02ab\x03\0\x04\0\0\0\0\x05\0\0"));
        let checksum = crc32c(header.iter().copied()).to_be_bytes();
        let place = header.len() - 7;
        header[place..place + 4].copy_from_slice(&checksum);
        header
    }

    fn good() -> Vec<(Vec<u8>, Announced)> {
        let text = |line: &str| format!("{line}\r\n").into_bytes();
        let full = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
        vec![
            (text("PROXY TCP4 203.0.113.9 10.0.0.1 40000 443"), client("203.0.113.9")),
            (text("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535"), client("255.255.255.255")),
            (text("PROXY TCP6 2001:db8::7 ::1 0 443"), client("2001:db8::7")),
            (text("PROXY TCP6 ::ffff:203.0.113.9 ::1 1 2"), client("203.0.113.9")),
            (text(&format!("PROXY TCP6 {full} {full} 65535 65535")), client(full)),
            (text("PROXY UNKNOWN"), Announced::Unknown),
            (text(&format!("PROXY UNKNOWN {full} {full} 65535 65535")), Announced::Unknown),
            (binary(1, 0x11, &inet(b"")), client("203.0.113.9")),
            (binary(1, 0x12, &inet(b"")), client("203.0.113.9")),
            (binary(1, 0x21, &inet6()), client("2001:db8::7")),
            (binary(1, 0x11, &inet(b"\x01\0\x02h2\xEA\0\x00")), client("203.0.113.9")),
            (checked(), client("203.0.113.9")),
            (binary(1, 0x31, &[0; 216]), Announced::Unknown),
            (binary(1, 0x00, b""), Announced::Unknown),
            (binary(1, 0x00, b"any"), Announced::Unknown),
            (binary(0, 0x00, b""), Announced::Own),
            (binary(0, 0x11, b"short"), Announced::Own),
            (binary(1, 0x11, &inet(&[&[0xE0, 0x0F, 0xE1][..], &[0; 4065]].concat())), client("203.0.113.9")),
        ]
    }

    #[test]
    fn headers_are_read_however_they_come_apart() {
        for (header, expected) in good() {
            for end in 0..header.len() {
                assert_eq!(parse(&header[..end]), Ok(None), "{end} bytes of {header:?}");
            }
            let with_more = [&header[..], b"GET / HTTP/1.1\r\n\r\n"].concat();
            for bytes in [&header, &with_more] {
                assert_eq!(parse(bytes), Ok(Some((expected, header.len()))), "{header:?}");
            }
        }
    }

    #[test]
    fn malformed_headers_are_refused_early() {
        let text = |line: &str| format!("{line}\r\n").into_bytes();
        let mut wrong_sum = checked();
        let last = wrong_sum.len() - 1;
        wrong_sum[last - 3] ^= 1;
        let mut changed = checked();
        changed[FIXED] ^= 1;
        for bytes in [
            b"GET / HTTP/1.1\r\n\r\n".to_vec(),
            b"\x16\x03\x01\x02\0".to_vec(),
            b"PRI * HTTP/2.0\r\n\r\n".to_vec(),
            b"\r\n\r\nGET / HTTP/1.1".to_vec(),
            text("PROXY"),
            text("PROXY "),
            text("PROXY TCP4"),
            text("PROXY TCP4 203.0.113.9 10.0.0.1 40000"),
            text("PROXY TCP4 203.0.113.9 10.0.0.1 40000 443 "),
            text("PROXY  TCP4 203.0.113.9 10.0.0.1 40000 443"),
            text("PROXY TCP4 203.0.113.9  10.0.0.1 40000 443"),
            text("PROXY TCP4 203.0.113.9 10.0.0.1 40000 65536"),
            text("PROXY TCP4 203.0.113.9 10.0.0.1 +1 2"),
            text("PROXY TCP4 203.0.113.9 10.0.0.1 1 "),
            text("PROXY TCP4 203.0.113.09 10.0.0.1 1 2"),
            text("PROXY TCP4 ::1 ::1 1 2"),
            text("PROXY TCP6 203.0.113.9 10.0.0.1 1 2"),
            text("PROXY UDP4 203.0.113.9 10.0.0.1 1 2"),
            text("PROXY UNKNOWNS"),
            text("proxy TCP4 203.0.113.9 10.0.0.1 1 2"),
            text("PROXY TCP4 203.0.113.9\t10.0.0.1 1 2"),
            text("PROXY TCP4 203.0.113.\u{e9} 10.0.0.1 1 2"),
            [b"PROXY UNKNOWN ".as_slice(), &[b'x'; MAX_TEXT]].concat(),
            [BINARY, &[0x11, 0x11, 0, 0]].concat(),
            binary(2, 0x11, &inet(b"")),
            binary(1, 0x10, &inet(b"")),
            binary(1, 0x13, &inet(b"")),
            binary(1, 0x41, &inet(b"")),
            binary(1, 0x11, &inet(b"")[..11]),
            binary(1, 0x11, b""),
            binary(1, 0x21, &inet6()[..35]),
            binary(1, 0x31, &[0; 215]),
            binary(1, 0x11, &inet(b"\x04")),
            binary(1, 0x11, &inet(b"\x04\0\x01")),
            binary(1, 0x11, &inet(b"\x03\0\x01x")),
            binary(1, 0x11, &inet(&[0; 4070])),
            wrong_sum,
            changed,
        ] {
            assert!(parse(&bytes).is_err(), "{bytes:?}");
            // Nothing that is refused was a header before all of it was there.
            assert!((0..bytes.len()).all(|end| !matches!(parse(&bytes[..end]), Ok(Some(_)))), "{bytes:?}");
        }
    }

    #[test]
    fn checksums_are_those_of_the_standard() {
        // RFC 3720 appendix B.4.
        for (bytes, expected) in
            [([0; 32], 0x8A91_36AA), ([0xFF; 32], 0x62A8_AB43), (std::array::from_fn(|at| at as u8), 0x46DD_794E)]
        {
            assert_eq!(crc32c(bytes.into_iter()), expected);
        }
    }
}
