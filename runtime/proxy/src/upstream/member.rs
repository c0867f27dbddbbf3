//! An address that requests of an upstream can go to, and what is known of it.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};

use crate::tables::Upstream;
use crate::upstream::balance::Standing;
use crate::upstream::condition::Condition;
use crate::upstream::endpoint::Endpoint;
use crate::upstream::hash::of_text;
use crate::upstream::numbers::next_number;
use crate::upstream::outlier::Ejection;

/// An address that requests of an upstream can go to: an endpoint, or one address of its name.
#[derive(Debug)]
pub struct Member {
    /// Where its connections are in the pools.
    pub(crate) index: usize,
    /// The endpoint, and which of the upstream's it is.
    pub(crate) endpoint: &'static Endpoint,
    pub(crate) number: usize,
    /// Its address, then others under which the same server may answer (RFC 8305); none where the name is looked up for
    /// each connection.
    pub(crate) addresses: Box<[SocketAddr]>,
    /// `10.0.0.1:8080`, for logs and metrics.
    pub label: Box<str>,
    weight: u32,
    priority: u8,
    key: u64,
    known: Arc<Known>,
}

/// How many of the requests a member gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Share {
    /// In proportion to the others' weights; 0 for none.
    pub(crate) weight: u32,
    /// It gets some while no member with a smaller number is usable.
    pub(crate) priority: u8,
}

/// What is known of an address; it stays when the description changes.
#[derive(Debug, Default)]
pub struct Known {
    pub(crate) in_flight: AtomicU32,
    pub(crate) ejection: Ejection,
    /// What its checks say.
    pub(crate) condition: Condition,
    /// No request goes there any more: the name has another address, or the deployment another endpoint.
    pub(crate) is_gone: AtomicBool,
    outcomes: [AtomicU64; Outcome::ALL.len()],
    ejections: [AtomicU64; Outcome::ALL.len()],
}

impl Deref for Member {
    type Target = Known;

    fn deref(&self) -> &Known {
        &self.known
    }
}

impl Share {
    /// That of an endpoint, which is the one of that number.
    pub(crate) fn of(upstream: &Upstream, number: usize) -> Self {
        let described = upstream.endpoints.get(number);
        described.map_or(Self { weight: 1, priority: 0 }, |endpoint| Self {
            weight: endpoint.weight,
            priority: endpoint.priority,
        })
    }
}

/// How a try at a member ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// With a response.
    Answered,
    /// With a response of the status 502, 503 or 504.
    Unavailable,
    /// Without a connection.
    Unconnected,
    /// With a connection that broke.
    Reset,
    /// With nothing in time.
    Timeout,
}

impl Outcome {
    const ALL: [Self; 5] = [Self::Answered, Self::Unavailable, Self::Unconnected, Self::Reset, Self::Timeout];

    /// By the status of a response.
    pub(crate) fn of_status(status: u16) -> Self {
        if matches!(status, 502..=504) { Self::Unavailable } else { Self::Answered }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Unavailable => "unavailable",
            Self::Unconnected => "connect",
            Self::Reset => "reset",
            Self::Timeout => "timeout",
        }
    }
}

/// A member that was chosen; it stays what it is while requests run, whatever the name says meanwhile.
#[derive(Debug, Clone)]
pub(crate) enum Chosen {
    Fixed(&'static Member),
    Moving(Arc<Member>),
}

impl Deref for Chosen {
    type Target = Member;

    fn deref(&self) -> &Member {
        match self {
            Self::Fixed(member) => member,
            Self::Moving(member) => member,
        }
    }
}

/// Counts a request as in flight until it is dropped.
pub(crate) struct Flight {
    pub(crate) member: Chosen,
    is_counted: bool,
}

impl Drop for Flight {
    fn drop(&mut self) {
        if self.is_counted {
            self.member.in_flight.fetch_sub(1, Relaxed);
        }
    }
}

/// The lines of the families that endpoints have, in the text format of Prometheus.
#[derive(Debug, Default)]
pub struct EndpointFamilies {
    /// Lines of `gateway_upstream_endpoint_up`.
    pub up: String,
    /// Lines of `gateway_upstream_requests_total`.
    pub requests: String,
    /// Lines of `gateway_upstream_ejections_total`.
    pub ejections: String,
    /// Lines of `gateway_upstream_retries_total`.
    pub retries: String,
    /// Lines of `gateway_mirrored_requests_total`.
    pub copies: String,
}

impl Member {
    /// An address of an endpoint, which is the one of that number.
    pub(crate) fn new(
        upstream: &Upstream,
        number: usize,
        endpoint: &'static Endpoint,
        addresses: &[SocketAddr],
    ) -> Self {
        let Share { weight, priority } = Share::of(upstream, number);
        let label = match addresses.first() {
            Some(address) => address.to_string(),
            None => endpoint.label(),
        };
        Self {
            index: next_number(),
            endpoint,
            number,
            addresses: addresses.into(),
            weight,
            priority,
            key: of_text(&label),
            label: label.into(),
            known: Arc::default(),
        }
    }

    /// The same, with this share of the requests.
    pub(crate) fn with_share(self, share: Share) -> Self {
        Self { weight: share.weight, priority: share.priority, ..self }
    }

    /// Its share of the requests.
    pub(crate) fn share(&self) -> Share {
        Share { weight: self.weight, priority: self.priority }
    }

    /// The same, with the connections of another one, and all that is known of it.
    pub(crate) fn in_place_of(self, other: &Self) -> Self {
        Self { index: other.index, known: Arc::clone(&other.known), ..self }
    }

    /// It gets requests, if its upstream has no other troubles.
    pub(crate) fn is_usable(&self, now: u64) -> bool {
        !self.ejection.is_out(now) && !self.condition.is_unhealthy()
    }

    /// Counts how a try ended.
    pub(crate) fn count(&self, outcome: Outcome) {
        self.outcomes[outcome as usize].fetch_add(1, Relaxed);
    }

    /// Counts an ejection.
    pub(crate) fn count_ejection(&self, cause: Outcome) {
        self.ejections[cause as usize].fetch_add(1, Relaxed);
    }
}

/// Writes what is counted for the members at one address; `labels` are those of their upstream.
pub(crate) fn write(members: &[&Member], families: &mut EndpointFamilies, labels: &str, now: u64) {
    let Some(first) = members.first() else { return };
    let label = first.label.replace(['"', '\\', '\n'], "");
    let is_up = u8::from(members.iter().any(|member| member.is_usable(now)));
    let _ = writeln!(families.up, "gateway_upstream_endpoint_up{{{labels},endpoint=\"{label}\"}} {is_up}");
    let counted = |of: fn(&Member) -> &[AtomicU64; Outcome::ALL.len()], outcome: Outcome| {
        let sum: u64 = members.iter().map(|member| of(member)[outcome as usize].load(Relaxed)).sum();
        Some(sum).filter(|count| *count > 0)
    };
    for outcome in Outcome::ALL {
        let word = outcome.word();
        if let Some(count) = counted(|member| &member.outcomes, outcome) {
            let _ = writeln!(
                families.requests,
                "gateway_upstream_requests_total{{{labels},endpoint=\"{label}\",outcome=\"{word}\"}} {count}"
            );
        }
        if let Some(count) = counted(|member| &member.ejections, outcome) {
            let _ = writeln!(
                families.ejections,
                "gateway_upstream_ejections_total{{{labels},endpoint=\"{label}\",cause=\"{word}\"}} {count}"
            );
        }
    }
}

impl Standing for Arc<Member> {
    fn weight(&self) -> u32 {
        self.weight
    }

    fn priority(&self) -> u8 {
        self.priority
    }

    fn key(&self) -> u64 {
        self.key
    }

    fn in_flight(&self) -> u32 {
        self.in_flight.load(Relaxed)
    }
}

impl Flight {
    /// Where there is no choice, their number is not needed: they are not counted.
    pub(crate) fn new(member: Chosen, is_counted: bool) -> Self {
        if is_counted {
            member.in_flight.fetch_add(1, Relaxed);
        }
        Self { member, is_counted }
    }
}
