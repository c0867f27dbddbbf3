//! What an X.509 certificate says of its holder (RFC 5280 §4.1): names and dates, read from DER.
//!
//! Whether any of it is true is not decided here: signatures and chains are rustls' work.

/// What is taken from a certificate.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Certificate {
    /// Seconds since the epoch.
    pub(crate) not_before: u64,
    /// Seconds since the epoch.
    pub(crate) not_after: u64,
    /// The `dNSName`s of `subjectAltName`.
    pub(crate) dns_names: Vec<Box<str>>,
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
/// `[2]` of `GeneralName`.
const DNS_NAME: u8 = 0x82;

/// 2.5.29.17
const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 0x11];

impl Certificate {
    /// Reads a certificate; `None` if it is none.
    pub(crate) fn parse(der: &[u8]) -> Option<Self> {
        let mut to_be_signed = Reader(Reader(der).expect(SEQUENCE)?).expect(SEQUENCE).map(Reader)?;
        to_be_signed.optional(VERSION);
        to_be_signed.expect(INTEGER)?;
        to_be_signed.expect(SEQUENCE)?; // signature
        to_be_signed.expect(SEQUENCE)?; // issuer
        let mut validity = Reader(to_be_signed.expect(SEQUENCE)?);
        let (not_before, not_after) = (validity.time()?, validity.time()?);
        to_be_signed.expect(SEQUENCE)?; // subject
        to_be_signed.expect(SEQUENCE)?; // subjectPublicKeyInfo
        let mut certificate = Self { not_before, not_after, dns_names: Vec::new() };
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
            if let (DNS_NAME, Ok(name)) = (tag, std::str::from_utf8(name)) {
                self.dns_names.push(name.into());
            }
        }
        Some(())
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
        if &*day < "1970" { Some(0) } else { crate::timestamp::parse(&time) }
    }
}
