//! Hosts and ports in addresses.

use gateway_terms::authority::Authority;

/// Whether this is a host, and perhaps a port.
pub(crate) fn is_authority(text: &str) -> bool {
    Authority::parse(text).is_ok()
}
