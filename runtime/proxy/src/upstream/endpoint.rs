//! An address of an upstream as it is configured.

use std::net::{IpAddr, SocketAddr};
use std::ops::Range;

use crate::upstream::tls::UpstreamTls;

/// An endpoint of an upstream, as configured for this deployment.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// The host name or IP address that is connected to; IPv6 in brackets.
    pub host: Box<str>,
    /// The TCP port; of a service, the one that its URL stands for.
    pub port: u16,
    /// `_http._tcp`, if the addresses and ports are in the SRV records of this service of the host.
    pub service: Option<Box<str>>,
    /// What goes into `Host` unless the client's is preserved.
    pub authority: Box<str>,
    /// Prepended to every path; no trailing slash.
    pub prefix: Box<str>,
    /// Plain TCP if `None`.
    pub tls: Option<UpstreamTls>,
    /// It is spoken to in HTTP/2.
    pub is_http2: bool,
}

impl Endpoint {
    /// Whether a connection to the other one would do for this one.
    pub(crate) fn is_spoken_to_like(&self, other: &Self) -> bool {
        let way = |endpoint: &Self| (endpoint.port, endpoint.tls.is_some(), endpoint.is_http2);
        self.host == other.host && self.service == other.service && way(self) == way(other)
    }

    /// Whether the same path of both is the same resource.
    pub fn leads_where(&self, other: &Self) -> bool {
        (&self.host, self.port, &self.service, &self.prefix) == (&other.host, other.port, &other.service, &other.prefix)
    }

    /// What it is called in logs before its name was looked up.
    pub fn label(&self) -> String {
        match &self.service {
            Some(service) => format!("{service}.{}", self.host),
            None => format!("{}:{}", self.host, self.port),
        }
    }

    /// Writes its name into the head of a request, in place of another endpoint's; `at` is where that is, if it is there.
    pub(crate) fn write_name(&self, head: &mut Vec<u8>, at: &mut Option<Range<usize>>) {
        let Some(at) = at else { return };
        let authority = self.authority.as_bytes();
        if head.get(at.clone()) != Some(authority) {
            head.splice(at.clone(), authority.iter().copied());
            *at = at.start..at.start + authority.len();
        }
    }

    /// Its address, where it is no name.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        if self.service.is_some() {
            return None;
        }
        let address: IpAddr = self.host.trim_matches(['[', ']']).parse().ok()?;
        Some(SocketAddr::new(address, self.port))
    }
}
