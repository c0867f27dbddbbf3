//! Rate limits: what a request is charged to, what it is told, and how long it waits.

mod algorithm;
mod lease;
mod shared;
mod table;

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::access::Caller;
use crate::codegen::{Gateway, Limit, LimitHeaders, LimitKey, OnStoreError, StoreMode};
use crate::credential::{CredentialLocation, Evidence, Found};
use crate::field_lines::{FieldLines, FieldName, InvalidField, StaticField};
use crate::http1::head::Field;
use crate::reject::Reject;
use crate::store::Stores;
pub use algorithm::Algorithm;
#[cfg(test)]
pub(crate) use algorithm::State;
pub(crate) use algorithm::{Formula, Reading};
use lease::Leases;
use shared::RuleStore;
pub(crate) use shared::{Charging, Pending};
use table::{Charge, KeyHash, LimitId, Table};

/// All limits of the process, with their counters.
pub(crate) struct Limits {
    table: Table,
    /// The clock of all counters starts here.
    epoch: Instant,
    /// By name for those that are shared, by address for all others; with what stores call them.
    ids: HashMap<Identity, (LimitId, String)>,
    stores: Stores,
    /// What stores have been charged for ahead.
    leases: Leases,
    /// Limits that consumers bring along, by their numbers.
    registered: Mutex<HashMap<Algorithm, LimitId>>,
}

#[derive(PartialEq, Eq, Hash)]
enum Identity {
    Shared(&'static str),
    Own(usize),
}

impl Identity {
    fn of(limit: &'static Limit) -> Self {
        if limit.shared { Self::Shared(limit.name) } else { Self::Own(std::ptr::from_ref(limit) as usize) }
    }
}

impl std::fmt::Debug for Limits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Limits({})", self.ids.len())
    }
}

/// A limit as requests meet it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rule {
    id: LimitId,
    name: Cow<'static, str>,
    algorithm: Algorithm,
    key: &'static [LimitKey],
    skips_missing_key: bool,
    status: u16,
    /// JSON text; empty for the usual.
    body: Cow<'static, str>,
    headers: RuleHeaders,
    cost: u64,
    /// A consumer brings it along.
    is_own: bool,
    /// Who counts, if not this process.
    store: Option<RuleStore>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RuleHeaders {
    None,
    Default,
    Prefixed(Cow<'static, str>),
}

/// A limit that a consumer brings along.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct OwnLimit {
    pub(crate) name: String,
    pub(crate) algorithm: Algorithm,
    pub(crate) status: u16,
    /// JSON text; empty for the usual.
    pub(crate) body: String,
    /// Whether it is told in headers, and with which prefix.
    pub(crate) headers: Option<String>,
    pub(crate) store: Option<OwnStore>,
}

/// A store that counts for a consumer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct OwnStore {
    pub(crate) name: String,
    pub(crate) mode: StoreMode,
    pub(crate) on_error: OnStoreError,
}

/// What a request's keys are made of.
pub(crate) struct Subject<'a> {
    /// In the form that routes are found by: no spelling makes another path of it.
    pub(crate) path: &'a str,
    pub(crate) address: IpAddr,
    pub(crate) caller: Option<&'a Caller>,
    pub(crate) evidence: &'a Evidence<'a>,
}

/// What became of a request that is limited.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// What the client is told in header fields.
    pub(crate) fields: FieldLines,
    /// How long the request waits for its turn.
    pub(crate) delay: Duration,
    pub(crate) refused: Option<Refused>,
    /// A store is silent without which the request cannot pass.
    is_unavailable: bool,
    /// Given back when the request is over.
    held: Vec<(Rule, KeyHash)>,
    limits: &'static Limits,
}

/// Why a request is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) status: u16,
    /// JSON text; empty for the usual.
    pub(crate) body: Cow<'static, str>,
}

impl Drop for Outcome {
    fn drop(&mut self) {
        for (rule, key) in &self.held {
            self.limits.table.release(&rule.charge(*key));
        }
    }
}

impl Limits {
    /// The limits of a gateway, with counters in at most so many bytes, or in `stores`.
    pub(crate) fn new(gateway: &'static Gateway, bytes: usize, stores: Stores) -> Self {
        let mut ids = HashMap::new();
        let mut algorithms = Vec::new();
        for api in gateway.apis {
            for limit in api.operations().flat_map(|operation| operation.limits).map(|used| used.limit) {
                ids.entry(Identity::of(limit)).or_insert_with(|| {
                    algorithms.push(limit.algorithm);
                    let id = LimitId(u32::try_from(algorithms.len() - 1).unwrap_or(u32::MAX));
                    let place = if limit.shared { "" } else { api.name };
                    (id, format!("{place}/{}", limit.name))
                });
            }
        }
        let table = Table::new(algorithms, bytes);
        Self { table, epoch: Instant::now(), ids, stores, leases: Leases::new(), registered: Mutex::default() }
    }

    /// Who counts, where that is not this process.
    fn store(
        &self,
        name: &str,
        (mode, on_error): (StoreMode, OnStoreError),
        algorithm: Algorithm,
        identity: &str,
    ) -> Option<RuleStore> {
        let (store, formula) = (self.stores.named(name)?, algorithm.in_store()?);
        let identity = format!("{identity} {algorithm:?}").into();
        Some(RuleStore { store, formula, mode, on_error, identity })
    }

    /// The stores that count.
    pub(crate) fn stores(&self) -> &Stores {
        &self.stores
    }

    /// Nanoseconds on the clock of all counters.
    fn nanos(&self, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.epoch).as_nanos()).unwrap_or(u64::MAX)
    }

    /// A limit of an operation; `None` where there are too many.
    pub(crate) fn rule(&self, limit: &'static Limit, cost: u64) -> Option<Rule> {
        let (id, identity) = self.ids.get(&Identity::of(limit))?;
        let id = *id;
        (id.0 < table::MAX_LIMITS).then(|| Rule {
            id,
            name: limit.name.into(),
            algorithm: limit.algorithm,
            key: limit.key,
            skips_missing_key: limit.skips_missing_key,
            status: limit.status,
            body: limit.body.into(),
            headers: match limit.headers {
                LimitHeaders::None => RuleHeaders::None,
                LimitHeaders::Default => RuleHeaders::Default,
                LimitHeaders::Prefixed(prefix) => RuleHeaders::Prefixed(prefix.into()),
            },
            cost,
            is_own: false,
            store: limit
                .store
                .as_ref()
                .and_then(|store| self.store(store.name, (store.mode, store.on_error), limit.algorithm, identity)),
        })
    }

    /// A limit that a consumer brings along: all who have the same have counters of their own. `None` where there are
    /// too many different ones.
    pub(crate) fn own_rule(&self, limit: &OwnLimit) -> Option<Rule> {
        let mut registered = self.registered.lock().unwrap_or_else(PoisonError::into_inner);
        let id = match registered.get(&limit.algorithm) {
            Some(id) => *id,
            None => {
                let id = self.table.add(limit.algorithm)?;
                registered.insert(limit.algorithm, id);
                id
            }
        };
        Some(Rule {
            id,
            name: limit.name.clone().into(),
            algorithm: limit.algorithm,
            key: &[LimitKey::Consumer],
            skips_missing_key: true,
            status: limit.status,
            body: limit.body.clone().into(),
            headers: match limit.headers.as_deref() {
                None => RuleHeaders::None,
                Some("") => RuleHeaders::Default,
                Some(prefix) => RuleHeaders::Prefixed(prefix.to_owned().into()),
            },
            cost: 1,
            is_own: true,
            store: limit
                .store
                .as_ref()
                .and_then(|store| self.store(&store.name, (store.mode, store.on_error), limit.algorithm, "consumers")),
        })
    }

    /// Charges a request to all limits, or to none if one refuses; or says that stores have to be asked.
    pub(crate) fn charge<'r>(
        &'static self,
        worker: usize,
        rules: impl Iterator<Item = &'r Rule> + Clone,
        subject: &Subject<'_>,
        now: Instant,
    ) -> Charging {
        let now = self.nanos(now);
        if rules.clone().any(|rule| rule.store.is_some()) {
            return self.charge_shared(worker, rules, subject, now);
        }
        let address = Address::of(subject.address);
        // One limit is the rule, and needs no lists.
        let mut first = rules.clone();
        if let (Some(rule), None) = (first.next(), first.next()) {
            let Some(parts) = parts_of(rule, subject, &address) else {
                return Charging::Done(Outcome::of(self, &[], true, Vec::new()));
            };
            let key = self.hash(rule, &parts);
            let reading = self.table.charge_one(&rule.charge(key), now);
            let is_held = reading.admitted && rule.algorithm.is_held();
            let held = is_held.then(|| (rule.clone(), key)).into_iter().collect();
            return Charging::Done(Outcome::of(self, &[(rule, reading)], reading.admitted, held));
        }
        let keyed: Vec<(&Rule, KeyHash)> =
            rules.filter_map(|rule| Some((rule, self.hash(rule, &parts_of(rule, subject, &address)?)))).collect();
        let charges: Vec<Charge> = keyed.iter().map(|(rule, key)| rule.charge(*key)).collect();
        let mut readings = Vec::with_capacity(charges.len());
        let admitted = self.table.charge(&charges, now, &mut readings);
        let met: Vec<(&Rule, Reading)> = keyed.iter().map(|(rule, _)| *rule).zip(readings).collect();
        let held = keyed.iter().filter(|(rule, _)| admitted && rule.algorithm.is_held());
        let held = held.map(|(rule, key)| ((*rule).clone(), *key)).collect();
        Charging::Done(Outcome::of(self, &met, admitted, held))
    }

    fn hash(&self, rule: &Rule, parts: &[Part<'_>]) -> KeyHash {
        self.table.hash(rule.id, parts.iter().map(|part| (part.kind as u8, &*part.bytes)))
    }
}

impl Outcome {
    fn of(limits: &'static Limits, met: &[(&Rule, Reading)], admitted: bool, held: Vec<(Rule, KeyHash)>) -> Self {
        let delay = met.iter().map(|(_, reading)| reading.delay).max().filter(|_| admitted).unwrap_or(0);
        let tightest =
            met.iter().filter(|(_, reading)| !reading.admitted).max_by_key(|(_, reading)| reading.retry_after);
        Self {
            fields: fields(met, tightest),
            delay: Duration::from_nanos(delay),
            refused: tightest.map(|(rule, _)| Refused { status: rule.status, body: rule.body.clone() }),
            is_unavailable: false,
            held,
            limits,
        }
    }

    /// Why the request does not pass, if so.
    pub(crate) fn reject(&self) -> Option<Reject> {
        match &self.refused {
            _ if self.is_unavailable => Some(Reject::StoreUnavailable),
            Some(refused) => Some(Reject::LimitExceeded(refused.status)),
            None => None,
        }
    }

    /// For a request that cannot pass without a store that is silent.
    fn unavailable(limits: &'static Limits) -> Self {
        Self {
            fields: FieldLines::of(&[RETRY_SOON]),
            delay: Duration::ZERO,
            refused: None,
            is_unavailable: true,
            held: Vec::new(),
            limits,
        }
    }
}

/// A store that is silent may answer the next request.
const RETRY_SOON: StaticField = StaticField::new("Retry-After", "1");

/// Whose requests are counted with this one; `None` where it is not counted.
fn parts_of<'k>(rule: &'k Rule, subject: &'k Subject<'_>, address: &'k Address) -> Option<Vec<Part<'k>>> {
    let mut parts: Vec<Part<'_>> = rule.key.iter().map(|part| subject.part(part, address)).collect();
    if parts.iter().all(|part| part.kind == PartKind::Missing) {
        if rule.skips_missing_key {
            return None;
        }
        parts = vec![Part { kind: PartKind::Address, bytes: address.bytes().into() }];
    }
    // Limits of consumers share their number with all that have the same numbers.
    parts.extend(rule.is_own.then(|| Part { kind: PartKind::Name, bytes: rule.name.as_bytes().into() }));
    Some(parts)
}

impl Rule {
    fn charge(&self, key: KeyHash) -> Charge {
        Charge { limit: self.id, algorithm: self.algorithm, key, cost: self.cost }
    }
}

impl Subject<'_> {
    /// A part of a key.
    fn part<'k>(&'k self, key: &LimitKey, address: &'k Address) -> Part<'k> {
        let part = |kind: PartKind, bytes: Cow<'k, [u8]>| Part { kind, bytes };
        let value = |bytes: Cow<'k, [u8]>| {
            let kind = if bytes.is_empty() { PartKind::Missing } else { PartKind::Value };
            part(kind, bytes)
        };
        let found = |location: CredentialLocation| match location.find(self.evidence) {
            Found::Nothing => value(Cow::Borrowed(&[])),
            Found::One(Cow::Borrowed(text)) => value(text.as_bytes().into()),
            Found::One(Cow::Owned(text)) => value(text.into_bytes().into()),
            // Several values are a key as well; which of them the upstream takes, nobody knows.
            Found::Ambiguous => part(PartKind::Several, Cow::Borrowed(&[])),
        };
        let text = |text: &'k str| value(text.as_bytes().into());
        let consumer = || self.caller.and_then(|caller| caller.identity.as_ref());
        match key {
            LimitKey::Ip => value(address.bytes().into()),
            LimitKey::Caller => {
                let user = || self.caller.and_then(|caller| caller.user.as_deref());
                let client = || self.caller.and_then(|caller| caller.client.as_deref());
                match (consumer(), user(), client()) {
                    (Some(identity), ..) => part(PartKind::Consumer, identity.consumer.username.as_bytes().into()),
                    (None, Some(user), _) => part(PartKind::User, user.as_bytes().into()),
                    (None, None, Some(client)) => part(PartKind::Client, client.as_bytes().into()),
                    (None, None, None) => part(PartKind::Address, address.bytes().into()),
                }
            }
            LimitKey::Path => text(self.path),
            LimitKey::Const(constant) => part(PartKind::Const, constant.as_bytes().into()),
            LimitKey::Header(name) => found(CredentialLocation::Header(name)),
            LimitKey::Query(name) => found(CredentialLocation::Query(name)),
            LimitKey::Consumer => consumer().map_or(text(""), |identity| text(&identity.consumer.username)),
            LimitKey::Credential => consumer().map_or(text(""), |identity| match &identity.credential {
                // Ids are unique within a consumer only; a user name has no colon.
                Some(id) => value(format!("{}:{id}", identity.consumer.username).into_bytes().into()),
                None => text(&identity.consumer.username),
            }),
            LimitKey::User => self.caller.and_then(|caller| caller.user.as_deref()).map_or(text(""), text),
            LimitKey::Client => self.caller.and_then(|caller| caller.client.as_deref()).map_or(text(""), text),
        }
    }
}

/// A part of a key, told apart from what it is not: no value that a client sends may look like something else.
struct Part<'k> {
    kind: PartKind,
    bytes: Cow<'k, [u8]>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum PartKind {
    Missing,
    Value,
    Several,
    Const,
    /// Stands in where all parts are missing.
    Address,
    /// Of a consumer's limit.
    Name,
    /// Of [`LimitKey::Caller`], whose kinds are told apart.
    Consumer,
    User,
    Client,
}

/// A client's address as it is counted: whoever has an IPv6 address has a /64 of them.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Address {
    V4([u8; 4]),
    V6([u8; 8]),
}

impl Address {
    pub(crate) fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address.octets()),
            IpAddr::V6(address) => {
                let mut network = [0; 8];
                network.copy_from_slice(&address.octets()[..8]);
                Self::V6(network)
            }
        }
    }

    fn bytes(&self) -> &[u8] {
        match self {
            Self::V4(bytes) => bytes,
            Self::V6(bytes) => bytes,
        }
    }
}

/// Where a request came from: as far as proxies say that it `trusts`, from the nearest one on.
pub(crate) fn client_address(peer: IpAddr, fields: &[Field<'_>], trusts: impl Fn(IpAddr) -> bool) -> IpAddr {
    if !trusts(peer) {
        return peer;
    }
    let mut address = peer;
    let chains = fields.iter().filter(|field| field.name.eq_ignore_ascii_case("x-forwarded-for")).rev();
    for hop in chains.flat_map(|field| field.value.rsplit(|byte| *byte == b',')) {
        let text = std::str::from_utf8(hop.trim_ascii()).unwrap_or_default();
        let Some(next) = parse_address(text) else { return address };
        address = next.to_canonical();
        if !trusts(address) {
            return address;
        }
    }
    address
}

/// An address, perhaps with a port, as proxies write them.
fn parse_address(text: &str) -> Option<IpAddr> {
    let inner = text.strip_prefix('[').and_then(|rest| rest.split(']').next());
    match inner {
        Some(inner) => inner.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        None => text.parse().ok().or_else(|| text.parse().ok().map(|address: std::net::SocketAddr| address.ip())),
    }
}

const SECOND: u64 = 1_000_000_000;

const LIMIT: FieldName = FieldName::new("X-RateLimit-Limit");
const REMAINING: FieldName = FieldName::new("X-RateLimit-Remaining");
const RESET: FieldName = FieldName::new("X-RateLimit-Reset");
const RETRY_AFTER: FieldName = FieldName::new("Retry-After");

/// What a client is told: `RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers), the older
/// `X-RateLimit-…` of the limit with the least left, and `Retry-After` (RFC 9110 §10.2.3) for a refusal.
///
/// Names and prefixes of limits fit: that is checked where they are read. What does not is left out.
fn fields(met: &[(&Rule, Reading)], tightest: Option<&(&Rule, Reading)>) -> FieldLines {
    let tells = met.iter().any(|(rule, _)| rule.headers != RuleHeaders::None);
    // What one limit tells fits.
    let mut out = if tells { FieldLines::with_capacity(256) } else { FieldLines::new() };
    let seconds = |nanos: u64| nanos.div_ceil(SECOND);
    // What is under way at once has no window to tell of.
    let timed = |rule: &Rule| rule.algorithm.window().is_some();
    let shown = || met.iter().filter(|(rule, _)| rule.headers == RuleHeaders::Default && timed(rule));
    let told = match tightest {
        Some((rule, _)) if rule.headers == RuleHeaders::Default && timed(rule) => tightest,
        Some(_) => None,
        None => shown().min_by_key(|(_, reading)| (reading.remaining, u64::MAX - reading.reset)),
    };
    if let Some((rule, reading)) = told {
        out.push_number(LIMIT, rule.algorithm.quota());
        out.push_number(REMAINING, reading.remaining);
        out.push_number(RESET, seconds(reading.reset));
    }
    for (rule, reading) in met {
        if let RuleHeaders::Prefixed(prefix) = &rule.headers
            && timed(rule)
        {
            let numbers = [
                ("Limit", rule.algorithm.quota()),
                ("Remaining", reading.remaining),
                ("Reset", seconds(reading.reset)),
            ];
            for (end, number) in numbers {
                let _: Result<(), InvalidField> = out.push_named(&["X-", prefix, "-RateLimit-", end], number);
            }
        }
    }
    if shown().next().is_some() {
        let separator = |index: usize| if index > 0 { ", " } else { "" };
        let policies = fmt::from_fn(|f| {
            shown().enumerate().try_for_each(|(index, (rule, _))| {
                let window = rule.algorithm.window().map_or(0, |window| window.as_secs().max(1));
                let (comma, name, quota) = (separator(index), &rule.name, rule.algorithm.quota());
                write!(f, "{comma}\"{name}\";q={quota};w={window}")
            })
        });
        out.push_if_valid("RateLimit-Policy", policies);
        let left = fmt::from_fn(|f| {
            shown().enumerate().try_for_each(|(index, (rule, reading))| {
                let (comma, name, remaining) = (separator(index), &rule.name, reading.remaining);
                write!(f, "{comma}\"{name}\";r={remaining};t={}", seconds(reading.reset))
            })
        });
        out.push_if_valid("RateLimit", left);
    }
    if let Some((_, reading)) = tightest {
        out.push_number(RETRY_AFTER, seconds(reading.retry_after).max(1));
    }
    out
}

#[cfg(test)]
mod tests {
    use ipnet::IpNet;

    use super::*;

    #[test]
    fn addresses_are_those_that_trusted_proxies_tell() {
        let trusted: Vec<IpNet> = ["10.0.0.0/8", "fd00::/8"].map(|text| text.parse().expect("a network")).into();
        let trusts = |address: IpAddr| trusted.iter().any(|network| network.contains(&address));
        for (peer, forwarded, expected) in [
            ("192.0.2.1", "203.0.113.9", "192.0.2.1"),
            ("10.0.0.1", "", "10.0.0.1"),
            ("10.0.0.1", "203.0.113.9", "203.0.113.9"),
            ("10.0.0.1", "198.51.100.7, 203.0.113.9", "203.0.113.9"),
            ("10.0.0.1", "198.51.100.7, 10.0.0.2", "198.51.100.7"),
            ("10.0.0.1", "forged, 203.0.113.9, 10.1.1.1", "203.0.113.9"),
            ("10.0.0.1", "forged", "10.0.0.1"),
            ("10.0.0.1", "203.0.113.9:4711", "203.0.113.9"),
            ("fd00::1", "[2001:db8::7]:4711", "2001:db8::7"),
            ("10.0.0.1", "::ffff:203.0.113.9", "203.0.113.9"),
        ] {
            let fields = [Field { name: "X-Forwarded-For", value: forwarded.as_bytes() }];
            let address = client_address(peer.parse().expect("an address"), &fields, trusts);
            assert_eq!(address.to_string(), expected, "{peer} {forwarded}");
        }
    }

    #[test]
    fn ipv6_counts_by_network() {
        let bytes = |text: &str| Address::of(text.parse().expect("an address")).bytes().to_vec();
        assert_eq!(bytes("2001:db8:1:2:3:4:5:6"), bytes("2001:db8:1:2::"));
        assert_ne!(bytes("2001:db8:1:2::1"), bytes("2001:db8:1:3::1"));
        assert_eq!(bytes("::ffff:192.0.2.1"), bytes("192.0.2.1"));
        assert_ne!(bytes("192.0.2.1"), bytes("192.0.2.2"));
    }

    /// All that a limit adds to a request, but for the bytes on the wire.
    /// `cargo test --release -p gateway-runtime --lib costs -- --ignored --nocapture`
    #[test]
    #[ignore = "a measurement"]
    fn what_a_limited_request_costs() {
        const TIMES: u32 = 2_000_000;
        static NOTHING: Gateway = Gateway { apis: &[] };
        let limits: &'static Limits = Box::leak(Box::new(Limits::new(&NOTHING, 32 << 20, Stores::default())));
        let algorithm = Algorithm::TokenBucket { limit: 1_000, interval: Duration::from_secs(60) };
        let rule = |name: &'static str| Rule {
            id: limits.table.add(algorithm).expect("there is room"),
            name: name.into(),
            algorithm,
            key: &[LimitKey::Ip],
            skips_missing_key: false,
            status: 429,
            body: "".into(),
            headers: RuleHeaders::Default,
            cost: 1,
            is_own: false,
            store: None,
        };
        let rules = [rule("one"), rule("two"), rule("three"), rule("four")];
        let evidence = Evidence::of(&[], None);
        for count in [1, 2, 4] {
            let started = std::time::Instant::now();
            for number in 0..TIMES {
                let address = IpAddr::from(number.wrapping_mul(0x9E37_79B1).to_be_bytes());
                let subject = Subject { path: "/", address, caller: None, evidence: &evidence };
                std::hint::black_box(limits.charge(0, rules[..count].iter(), &subject, Instant::now()));
            }
            eprintln!("{count} limits: {:.0} ns", started.elapsed().as_nanos() as f64 / f64::from(TIMES));
        }
    }

    /// `cargo test --release -p gateway-runtime --lib costs -- --ignored --nocapture`
    #[test]
    #[ignore = "a measurement"]
    fn what_telling_costs() {
        const TIMES: u32 = 4_000_000;
        let rule = Rule {
            id: LimitId(0),
            name: "per-address".into(),
            algorithm: Algorithm::TokenBucket { limit: 1_000, interval: Duration::from_secs(60) },
            key: &[LimitKey::Ip],
            skips_missing_key: false,
            status: 429,
            body: "".into(),
            headers: RuleHeaders::Default,
            cost: 1,
            is_own: false,
            store: None,
        };
        let reading = Reading { admitted: true, remaining: 370, reset: 38 * SECOND, retry_after: 0, delay: 0 };
        let started = std::time::Instant::now();
        for _ in 0..TIMES {
            std::hint::black_box(fields(std::hint::black_box(&[(&rule, reading)]), None));
        }
        eprintln!("{:.0} ns", started.elapsed().as_nanos() as f64 / f64::from(TIMES));
    }
}
