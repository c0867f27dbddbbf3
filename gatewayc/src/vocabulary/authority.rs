//! Hosts and ports in addresses.

/// Whether this is a host, and perhaps a port.
pub(crate) fn is_authority(authority: &str) -> bool {
    let (host_ok, port) = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, port)) => (host.parse::<std::net::Ipv6Addr>().is_ok(), port),
        None => {
            let (host, port) = authority.split_at(authority.find(':').unwrap_or(authority.len()));
            let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
            (host.bytes().all(allowed) && host.trim_end_matches('.').split('.').all(|label| !label.is_empty()), port)
        }
    };
    let digits = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
    let port_ok = port.is_empty()
        || port
            .strip_prefix(':')
            .filter(|port| digits(port))
            .and_then(|port| port.parse::<u16>().ok())
            .is_some_and(|port| port > 0);
    host_ok && port_ok
}
