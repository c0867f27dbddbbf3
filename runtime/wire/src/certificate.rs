//! What an X.509 certificate says of its holder (RFC 5280 §4.1): names and dates, read from DER.
//!
//! Whether any of it is true is not decided here: signatures and chains are rustls' work.

use std::net::IpAddr;

use gateway_base::encoding::hex;

/// What is taken from a certificate.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Certificate {
    /// Seconds since the epoch.
    pub not_before: u64,
    /// Seconds since the epoch.
    pub not_after: u64,
    /// The subject, as RFC 4514 writes it, in visible ASCII.
    pub subject: String,
    /// `subjectAltName`, each with its kind: `DNS:`, `URI:`, `email:` or `IP:`; names of hosts in lower case.
    pub names: Vec<Box<str>>,
}

const BOOLEAN: u8 = 0x01;
const INTEGER: u8 = 0x02;
const OCTET_STRING: u8 = 0x04;
const OBJECT_IDENTIFIER: u8 = 0x06;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
/// `[0]` of `TBSCertificate`.
const VERSION: u8 = 0xa0;
/// `[3]` of `TBSCertificate`.
const EXTENSIONS: u8 = 0xa3;
const SET: u8 = 0x31;
/// `[7]` of `GeneralName`.
const IP_ADDRESS: u8 = 0x87;
/// Other kinds of `GeneralName`: `[1]`, `[2]` and `[6]`.
const TEXT_NAMES: [(u8, &str); 3] = [(0x81, "email:"), (DNS_NAME, "DNS:"), (0x86, "URI:")];
const DNS_NAME: u8 = 0x82;

/// Attribute types with a short name (RFC 4514 §3); the others are written as what they are, in hexadecimal.
const ATTRIBUTES: &[(&[u8], &str)] = &[
    (&[0x55, 4, 3], "CN"),
    (&[0x55, 4, 6], "C"),
    (&[0x55, 4, 7], "L"),
    (&[0x55, 4, 8], "ST"),
    (&[0x55, 4, 9], "STREET"),
    (&[0x55, 4, 10], "O"),
    (&[0x55, 4, 11], "OU"),
    (&[0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 1], "UID"),
    (&[0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 25], "DC"),
];

/// 2.5.29.17
const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 0x11];

impl Certificate {
    /// Reads a certificate; `None` if it is none.
    pub fn parse(der: &[u8]) -> Option<Self> {
        let mut to_be_signed = Reader(Reader(der).expect(SEQUENCE)?).expect(SEQUENCE).map(Reader)?;
        to_be_signed.optional(VERSION);
        to_be_signed.expect(INTEGER)?;
        to_be_signed.expect(SEQUENCE)?; // signature
        to_be_signed.expect(SEQUENCE)?; // issuer
        let mut validity = Reader(to_be_signed.expect(SEQUENCE)?);
        let (not_before, not_after) = (validity.time()?, validity.time()?);
        let subject = subject(Reader(to_be_signed.expect(SEQUENCE)?))?;
        to_be_signed.expect(SEQUENCE)?; // subjectPublicKeyInfo
        let mut certificate = Self { not_before, not_after, subject, names: Vec::new() };
        while let Some((tag, content)) = to_be_signed.next() {
            if tag == EXTENSIONS {
                certificate.read_extensions(Reader(Reader(content).expect(SEQUENCE)?))?;
            }
        }
        Some(certificate)
    }

    fn read_extensions(&mut self, mut extensions: Reader<'_>) -> Option<()> {
        while !extensions.0.is_empty() {
            let mut extension = Reader(extensions.expect(SEQUENCE)?);
            let id = extension.expect(OBJECT_IDENTIFIER)?;
            extension.optional(BOOLEAN);
            let value = extension.expect(OCTET_STRING)?;
            if id == SUBJECT_ALT_NAME {
                self.read_names(Reader(Reader(value).expect(SEQUENCE)?))?;
            }
        }
        Some(())
    }

    fn read_names(&mut self, mut names: Reader<'_>) -> Option<()> {
        while !names.0.is_empty() {
            let (tag, name) = names.next()?;
            let known = TEXT_NAMES.iter().find(|(known, _)| *known == tag);
            if let (Some((_, kind)), Ok(name)) = (known, std::str::from_utf8(name)) {
                let name = if tag == DNS_NAME { name.to_ascii_lowercase() } else { name.to_owned() };
                self.names.push(format!("{kind}{name}").into());
            }
            let address = <[u8; 4]>::try_from(name).map(IpAddr::from).or(<[u8; 16]>::try_from(name).map(IpAddr::from));
            if let (IP_ADDRESS, Ok(address)) = (tag, address) {
                self.names.push(format!("IP:{address}").into());
            }
        }
        Some(())
    }
}

/// The names of hosts in a certificate.
impl Certificate {
    /// The DNS names among its subject alternative names (RFC 5280 §4.2.1.6), in lower case.
    pub fn dns_names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().filter_map(|name| name.strip_prefix("DNS:"))
    }
}

/// A distinguished name (RFC 4514 §2), the last part first.
fn subject(mut name: Reader<'_>) -> Option<String> {
    let mut parts: Vec<String> = Vec::new();
    while !name.0.is_empty() {
        let mut attributes = Reader(name.expect(SET)?);
        let mut part = String::new();
        while !attributes.0.is_empty() {
            let mut attribute = Reader(attributes.expect(SEQUENCE)?);
            let id = attribute.expect(OBJECT_IDENTIFIER)?;
            let (_, value) = attribute.next()?;
            if !part.is_empty() {
                part.push('+');
            }
            match ATTRIBUTES.iter().find(|(known, _)| *known == id) {
                Some((_, name)) => part.push_str(name),
                None => part.push_str(&hex(id)),
            }
            part.push('=');
            escape(&mut part, value);
        }
        parts.push(part);
    }
    parts.reverse();
    Some(parts.join(","))
}

/// Whatever could end a value, and everything that is not visible ASCII, with a backslash (RFC 4514 §2.4).
fn escape(out: &mut String, value: &[u8]) {
    for (at, byte) in value.iter().enumerate() {
        let is_edge = at == 0 || at + 1 == value.len();
        match byte {
            b'"' | b'+' | b',' | b';' | b'<' | b'>' | b'\\' | b'=' => out.extend(['\\', char::from(*byte)]),
            b'#' | b' ' if is_edge => out.extend(['\\', char::from(*byte)]),
            b' '..=b'~' => out.push(char::from(*byte)),
            _ => out.push_str(&format!("\\{byte:02X}")),
        }
    }
}

/// What is left of a DER encoding (X.690 §8.1).
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// The next element's tag and content; `None` at the end, and for what is not DER.
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (&[tag, first], mut rest) = self.0.split_first_chunk()?;
        let length = if first < 0x80 {
            usize::from(first)
        } else {
            let (bytes, after) =
                rest.split_at_checked(usize::from(first & 0x7f)).filter(|(bytes, _)| bytes.len() <= 4)?;
            rest = after;
            bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte))
        };
        let (content, after) = rest.split_at_checked(length)?;
        self.0 = after;
        Some((tag, content))
    }

    /// The content of the next element, which must have this tag.
    fn expect(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.next().filter(|(found, _)| *found == tag).map(|(_, content)| content)
    }

    /// Skips the next element if it has this tag.
    fn optional(&mut self, tag: u8) {
        if self.0.first() == Some(&tag) {
            self.next();
        }
    }

    /// A point in time, in seconds since the epoch; before 1970 is 1970.
    fn time(&mut self) -> Option<u64> {
        let (tag, content) = self.next()?;
        let text = std::str::from_utf8(content).ok()?;
        let century = match (tag, text.get(..2)?.parse::<u8>().ok()?) {
            (UTC_TIME, 50..) => "19",
            (UTC_TIME, _) => "20",
            (GENERALIZED_TIME, _) => "",
            _ => return None,
        };
        let digits = format!("{century}{}", text.strip_suffix('Z')?);
        let part = |range| digits.get(range);
        let day = format!("{}-{}-{}", part(0..4)?, part(4..6)?, part(6..8)?);
        let time = format!("{day}T{}:{}:{}Z", part(8..10)?, part(10..12)?, part(12..14)?);
        if &*day < "1970" { Some(0) } else { gateway_base::timestamp::parse(&time) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An element in DER, with a length of one or two bytes.
    fn element(tag: u8, content: &[u8]) -> Vec<u8> {
        let length = u16::try_from(content.len()).expect("a short element").to_be_bytes();
        let length = if content.len() < 0x80 { vec![length[1]] } else { [&[0x82][..], &length].concat() };
        [&[tag][..], &length, content].concat()
    }

    fn sequence(elements: &[&[u8]]) -> Vec<u8> {
        element(SEQUENCE, &elements.concat())
    }

    fn attribute(id: &[u8], value: &[u8]) -> Vec<u8> {
        element(SET, &sequence(&[&element(OBJECT_IDENTIFIER, id), &element(0x0c, value)]))
    }

    fn certificate() -> Vec<u8> {
        let times = sequence(&[&element(UTC_TIME, b"700101000001Z"), &element(GENERALIZED_TIME, b"20500101000000Z")]);
        let subject = sequence(&[
            &attribute(&[0x55, 4, 10], b"Ex, Inc"),
            &attribute(&[0x55, 4, 3], "a\u{e9}".as_bytes()),
            &attribute(&[0x55, 4, 99], b"#x "),
        ]);
        let names = sequence(&[
            &element(DNS_NAME, b"A.Example"),
            &element(IP_ADDRESS, &[192, 0, 2, 1]),
            &element(IP_ADDRESS, &[1, 2, 3]),
            &element(0x86, b"spiffe://x/Y"),
            &element(0x88, b"unknown"),
        ]);
        let critical = element(BOOLEAN, &[0xff]);
        let alternative =
            sequence(&[&element(OBJECT_IDENTIFIER, SUBJECT_ALT_NAME), &critical, &element(OCTET_STRING, &names)]);
        let other = sequence(&[&element(OBJECT_IDENTIFIER, &[0x55, 0x1d, 0x0f]), &element(OCTET_STRING, &[3])]);
        let extensions = element(EXTENSIONS, &sequence(&[&other, &alternative]));
        let (version, serial) = (element(VERSION, &element(INTEGER, &[2])), element(INTEGER, &[1]));
        let any = sequence(&[]);
        let to_be_signed = sequence(&[&version, &serial, &any, &any, &times, &subject, &any, &extensions]);
        sequence(&[&to_be_signed, &any, &element(0x03, &[0])])
    }

    #[test]
    fn names_and_dates_are_read() {
        let found = Certificate::parse(&certificate()).expect("a certificate");
        assert_eq!((found.not_before, found.not_after), (1, 2_524_608_000));
        assert_eq!(found.subject, r"550463=\#x\ ,CN=a\C3\A9,O=Ex\, Inc");
        let names = ["DNS:a.example", "IP:192.0.2.1", "URI:spiffe://x/Y"];
        assert_eq!(found.names.iter().map(|name| &**name).collect::<Vec<_>>(), names);
        assert_eq!(found.dns_names().collect::<Vec<_>>(), ["a.example"]);
    }

    #[test]
    fn a_truncated_certificate_is_refused() {
        let whole = certificate();
        for end in 0..whole.len() {
            assert_eq!(Certificate::parse(&whole[..end]), None, "{end}");
        }
    }

    /// A client chooses every byte: whatever it sends is read or refused, and what goes into headers is visible ASCII.
    #[test]
    fn altered_bytes_never_break_the_form_of_a_subject() {
        let whole = certificate();
        for at in 0..whole.len() {
            for byte in 0..=u8::MAX {
                let mut altered = whole.clone();
                altered[at] = byte;
                if let Some(found) = Certificate::parse(&altered) {
                    assert!(found.subject.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{at}: {byte:#04x}");
                }
            }
        }
    }
}
