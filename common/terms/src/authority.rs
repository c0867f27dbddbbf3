//! Host and port in URLs (RFC 3986 §3.2), read in one way wherever a URL is written: in documents, in settings, and in
//! answers of providers.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What follows `://` in a URL, up to the path: a host, and perhaps a port. There is no user name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Authority<'a> {
    /// A name, an IPv4 address, or an IPv6 address in brackets.
    pub host: &'a str,
    /// From 1 to 65535; `None` for the usual one of the scheme.
    pub port: Option<u16>,
}

/// Why a text is no [`Authority`]. The messages follow the text that they are about, and do not repeat it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthorityError {
    /// There is no host.
    NoHost,
    /// A user name or a password stands before the host.
    User,
    /// A path, a query or a fragment follows.
    Path,
    /// A bracket is not closed.
    Bracket,
    /// What stands in brackets is not an IPv6 address.
    Ipv6,
    /// An IPv6 address has no brackets.
    BareIpv6,
    /// The host has characters outside of ASCII.
    NotAscii,
    /// The host is neither a name (RFC 1123 §2.1) nor an address.
    Host,
    /// The host ends in a number, as addresses do, and is none.
    Ipv4,
    /// Something stands between the host and its port.
    Between,
    /// The port is not a number from 1 to 65535.
    Port,
}

impl fmt::Display for AuthorityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoHost => "names no host",
            Self::User => "has a user name or a password",
            Self::Path => "has more than a host and a port",
            Self::Bracket => "has a `[` without its `]`",
            Self::Ipv6 => "has no IPv6 address in its brackets",
            Self::BareIpv6 => "has an IPv6 address without brackets: write `[::1]` for `::1`",
            Self::NotAscii => "has a host that is not in ASCII: write it as `xn--…`",
            Self::Host => "has a host that is neither a name nor an address",
            Self::Ipv4 => "has a host that ends in a number and is not an IPv4 address",
            Self::Between => "has something between its host and its port",
            Self::Port => "has a port that is not a number from 1 to 65535",
        })
    }
}

impl std::error::Error for AuthorityError {}

impl<'a> Authority<'a> {
    /// Reads an authority.
    ///
    /// # Errors
    /// It has no valid host, or more than a host and a port.
    pub fn parse(text: &'a str) -> Result<Self, AuthorityError> {
        let found = Self::parse_any_number(text)?;
        let name = found.host.strip_suffix('.').unwrap_or(found.host);
        // What ends in a number is taken for an address by browsers.
        let last = name.rsplit('.').next().unwrap_or_default();
        if last.bytes().all(|byte| byte.is_ascii_digit()) && name.parse::<Ipv4Addr>().is_err() {
            return Err(AuthorityError::Ipv4);
        }
        Ok(found)
    }

    /// As [`Authority::parse`], with any host that ends in a number: for a reader who knows the spellings of IPv4 addresses
    /// that browsers know (URL Standard, "IPv4 parser").
    ///
    /// # Errors
    /// As for [`Authority::parse`], but for [`AuthorityError::Ipv4`].
    pub fn parse_any_number(text: &'a str) -> Result<Self, AuthorityError> {
        if text.is_empty() {
            return Err(AuthorityError::NoHost);
        }
        if text.contains('@') {
            return Err(AuthorityError::User);
        }
        if text.contains(['/', '?', '#']) {
            return Err(AuthorityError::Path);
        }
        let (host, port) = if let Some(rest) = text.strip_prefix('[') {
            let (address, port) = rest.split_once(']').ok_or(AuthorityError::Bracket)?;
            address.parse::<Ipv6Addr>().map_err(|_| AuthorityError::Ipv6)?;
            (&text[..address.len() + 2], port)
        } else if text.parse::<Ipv6Addr>().is_ok() {
            return Err(AuthorityError::BareIpv6);
        } else {
            let (host, port) = text.split_at(text.find(':').unwrap_or(text.len()));
            check_host(host)?;
            (host, port)
        };
        let Some(digits) = port.strip_prefix(':') else {
            return if port.is_empty() { Ok(Self { host, port: None }) } else { Err(AuthorityError::Between) };
        };
        let number = digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse::<u16>().ok()).flatten();
        match number.filter(|port| *port > 0) {
            Some(port) => Ok(Self { host, port: Some(port) }),
            None => Err(AuthorityError::Port),
        }
    }

    /// The host as connections and certificates have it: an IPv6 address without its brackets.
    #[must_use]
    pub fn bare_host(&self) -> &'a str {
        self.host.trim_start_matches('[').trim_end_matches(']')
    }

    /// The host in the one spelling that all have who mean it: in lower case, without the dot of the root, an IPv6 address
    /// in brackets and as RFC 5952 writes it.
    #[must_use]
    pub fn canonical_host(&self) -> String {
        match self.bare_host().parse::<Ipv6Addr>() {
            Ok(address) => format!("[{address}]"),
            Err(_) => self.host.strip_suffix('.').unwrap_or(self.host).to_ascii_lowercase(),
        }
    }

    /// Whether the host is this very machine: `localhost`, or an address that loops back.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        let host = self.bare_host();
        host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }
}

/// Whether a host has the form of a name (RFC 1123 §2.1, and `_`, which some have), as IPv4 addresses have it too.
fn check_host(host: &str) -> Result<(), AuthorityError> {
    if !host.is_ascii() {
        return Err(AuthorityError::NotAscii);
    }
    let name = host.strip_suffix('.').unwrap_or(host);
    let is_label = |label: &str| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        (1..=63).contains(&label.len()) && label.bytes().all(allowed)
    };
    if name.len() > 253 || !name.split('.').all(is_label) {
        return Err(AuthorityError::Host);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_ports_are_read() {
        for (text, host, port, canonical) in [
            ("a", "a", None, "a"),
            ("A.Example.:8080", "A.Example.", Some(8080), "a.example"),
            ("_a._b.c", "_a._b.c", None, "_a._b.c"),
            ("192.0.2.1:1", "192.0.2.1", Some(1), "192.0.2.1"),
            ("[0:0::A]:65535", "[0:0::A]", Some(65_535), "[::a]"),
            ("[::1]", "[::1]", None, "[::1]"),
        ] {
            let found = Authority::parse(text);
            assert_eq!(found, Ok(Authority { host, port }), "{text}");
            assert_eq!(found.map(|found| found.canonical_host()).as_deref(), Ok(canonical), "{text}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        let long = "a".repeat(64);
        for (text, why) in [
            ("", AuthorityError::NoHost),
            ("u:p@a", AuthorityError::User),
            ("a/b", AuthorityError::Path),
            ("a?b", AuthorityError::Path),
            ("a#b", AuthorityError::Path),
            ("[::1", AuthorityError::Bracket),
            ("[x]", AuthorityError::Ipv6),
            ("[::1%25eth0]", AuthorityError::Ipv6),
            ("::1", AuthorityError::BareIpv6),
            ("bücher.example", AuthorityError::NotAscii),
            (":443", AuthorityError::Host),
            ("a..b", AuthorityError::Host),
            ("a..", AuthorityError::Host),
            (".", AuthorityError::Host),
            ("a b", AuthorityError::Host),
            ("a[b", AuthorityError::Host),
            (&long, AuthorityError::Host),
            ("192.0.2.999", AuthorityError::Ipv4),
            ("1.2.3", AuthorityError::Ipv4),
            ("[::1]443", AuthorityError::Between),
            ("a:", AuthorityError::Port),
            ("a:0", AuthorityError::Port),
            ("a:+1", AuthorityError::Port),
            ("a:65536", AuthorityError::Port),
            ("a:1:2", AuthorityError::Port),
        ] {
            assert_eq!(Authority::parse(text), Err(why), "{text}");
            let is_number = why == AuthorityError::Ipv4;
            assert_eq!(Authority::parse_any_number(text).is_ok(), is_number, "{text}");
        }
    }

    #[test]
    fn this_machine_is_known_by_its_names() {
        for (text, expected) in [
            ("localhost:80", true),
            ("LOCALHOST", true),
            ("127.8.8.8", true),
            ("[::1]:9", true),
            ("[::2]", false),
            ("localhost.example", false),
            ("127.0.0.1.example", false),
        ] {
            assert_eq!(Authority::parse(text).map(|found| found.is_loopback()), Ok(expected), "{text}");
        }
    }
}
