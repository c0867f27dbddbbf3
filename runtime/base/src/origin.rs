//! Origins and authorities of URLs (RFC 3986 §3.2, RFC 6454 §4).

use std::net::{Ipv4Addr, Ipv6Addr};

/// `https://host[:port]`, as a deployment writes it.
///
/// # Errors
/// What is wrong with it.
pub fn parse_origin(text: &str) -> Result<Box<str>, String> {
    let rest = text.strip_prefix("https://").ok_or_else(|| format!("`{text}` does not start with https://"))?;
    let authority = rest.strip_suffix('/').unwrap_or(rest);
    // Not with the text: there may be a password in it.
    if authority.contains('@') {
        return Err("an origin has no user name and no password: write `https://host[:port]`".to_owned());
    }
    match check_authority(authority) {
        Ok(()) => Ok(format!("https://{authority}").to_ascii_lowercase().into()),
        Err(problem) => Err(format!("`{text}` {problem}")),
    }
}

/// Whether this is a host that is valid in a URL, and perhaps a port (RFC 3986 §3.2).
pub(crate) fn check_authority(authority: &str) -> Result<(), &'static str> {
    if authority.is_empty() {
        return Err("names no host");
    }
    if authority.contains(['/', '?', '#']) {
        return Err("has more than a host and a port");
    }
    let port = if let Some(rest) = authority.strip_prefix('[') {
        let (address, port) = rest.split_once(']').ok_or("has a `[` without its `]`")?;
        address.parse::<Ipv6Addr>().map_err(|_| "has no IPv6 address in its brackets")?;
        port
    } else if authority.parse::<Ipv6Addr>().is_ok() {
        return Err("has an IPv6 address without brackets: write `[::1]` for `::1`");
    } else {
        let (host, port) = authority.split_at(authority.find(':').unwrap_or(authority.len()));
        check_host(host)?;
        port
    };
    let Some(digits) = port.strip_prefix(':') else {
        return if port.is_empty() { Ok(()) } else { Err("has something between its host and its port") };
    };
    let number = digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse::<u16>().ok()).flatten();
    number.filter(|port| *port > 0).map(|_| ()).ok_or("has a port that is not a number from 1 to 65535")
}

/// A name (RFC 1123 §2.1, and `_`, which some have), or an IPv4 address.
pub(crate) fn check_host(host: &str) -> Result<(), &'static str> {
    if !host.is_ascii() {
        return Err("has a host that is not in ASCII: write it as `xn--…`");
    }
    let name = host.strip_suffix('.').unwrap_or(host);
    let good = |label: &str| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        (1..=63).contains(&label.len()) && label.bytes().all(allowed)
    };
    if name.len() > 253 || !name.split('.').all(good) {
        return Err("has a host that is neither a name nor an address");
    }
    // What ends in a number is taken for an address by browsers.
    let last = name.rsplit('.').next().unwrap_or_default();
    if last.bytes().all(|byte| byte.is_ascii_digit()) && name.parse::<Ipv4Addr>().is_err() {
        return Err("has a host that ends in a number and is not an IPv4 address");
    }
    Ok(())
}

/// The host of `host[:port]`, in lower case and without the dot of the root.
pub fn host_of(authority: &str) -> String {
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => host,
        _ => authority,
    };
    host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase()
}
