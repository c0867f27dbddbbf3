//! The members of an upstream: the addresses that its requests can go to, what is known of each, and the choice of one.

use std::fmt::Write as _;
use std::ops::Deref;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Instant;

use arc_swap::ArcSwap;
use gateway_access::upstream_auth::PreparedCredential;
use gateway_wire::locations::OwnAddresses;

use crate::tables::{Balance, Outlier, RetryBudget, Upstream};
use crate::upstream::balance::{Choice, First, Standing, Turns, choose, choose_at_once};
use crate::upstream::breaker::{Entered, Gauge};
use crate::upstream::budget::Budget;
use crate::upstream::endpoint::Endpoint;
use crate::upstream::member::{Chosen, EndpointFamilies, Flight, Known, Member, Outcome, write};
use crate::upstream::names::Server;
use crate::upstream::numbers::next_number;
use crate::upstream::outlier::{is_panic, most_out};

/// An upstream of a deployment.
#[derive(Debug)]
pub struct Cluster {
    /// The API that it belongs to.
    pub api: &'static str,
    /// Its description in the document.
    pub document: &'static Upstream,
    /// What the gateway proves to it who it is with.
    pub credential: Option<PreparedCredential>,
    number: usize,
    described: ArcSwap<&'static Described>,
    /// Held by who decides whether one more may be out.
    ejecting: Mutex<()>,
    /// No member is ejected from this time on, in milliseconds.
    out_until: AtomicU64,
    under_way: Gauge,
    connecting: Gauge,
    budget: Budget,
    retries: [AtomicU64; RetryOutcome::ALL.len()],
    copies: [AtomicU64; CopyOutcome::ALL.len()],
}

/// What a deployment says of an upstream, with its members. It lives as long as the process: no reference is counted for
/// a request.
#[derive(Debug)]
pub struct Described {
    /// The description; where the deployment replaces the document's, that.
    pub upstream: &'static Upstream,
    /// Its endpoints as configured.
    pub endpoints: &'static [Endpoint],
    members: Found,
}

/// More is asked of an upstream than it may get.
#[derive(Debug)]
pub(crate) struct Overloaded;

/// What became of a retry.
#[derive(Debug, Clone, Copy)]
pub(crate) enum RetryOutcome {
    /// It brought an answer that is not repeated.
    Success,
    /// It failed as well.
    Failure,
    /// There was none: the budget was used up.
    Budget,
}

impl RetryOutcome {
    const ALL: [Self; 3] = [Self::Success, Self::Failure, Self::Budget];

    fn word(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Budget => "budget",
        }
    }
}

/// What became of the copy of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CopyOutcome {
    /// It was answered, with whatever status.
    Answered,
    /// There was no connection, or no answer in time.
    Failed,
    /// There was no room for it, or its upstream could take no more.
    Dropped,
    /// The body was too large.
    TooLarge,
}

impl CopyOutcome {
    const ALL: [Self; 4] = [Self::Answered, Self::Failed, Self::Dropped, Self::TooLarge];

    fn word(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Failed => "failed",
            Self::Dropped => "dropped",
            Self::TooLarge => "too_large",
        }
    }
}

/// Where the members come from.
#[derive(Debug)]
enum Found {
    /// Addresses, which do not change.
    Fixed(Members),
    /// Names, which are looked up now and then.
    Moving(ArcSwap<Members>),
}

/// The members of an upstream at one time.
#[derive(Debug)]
pub(crate) struct Members {
    turns: Turns,
    first: First,
    /// Those that get requests at all.
    counted: usize,
    pub(crate) all: Box<[Arc<Member>]>,
}

impl Cluster {
    /// An upstream whose endpoints are these, in the order of its description.
    pub fn new(
        api: &'static str,
        document: &'static Upstream,
        upstream: &'static Upstream,
        endpoints: Box<[Endpoint]>,
        credential: Option<PreparedCredential>,
    ) -> Self {
        let described = Described::new(upstream, endpoints, &[]);
        Self {
            api,
            document,
            credential,
            number: next_number(),
            described: ArcSwap::from_pointee(described),
            ejecting: Mutex::new(()),
            out_until: AtomicU64::new(0),
            under_way: Gauge::default(),
            connecting: Gauge::default(),
            budget: Budget::default(),
            retries: Default::default(),
            copies: Default::default(),
        }
    }

    /// Which of all upstreams of this process.
    pub(crate) fn number(&self) -> usize {
        self.number
    }

    /// What the deployment says of it now.
    pub fn described(&self) -> &'static Described {
        &self.described.load()
    }

    /// Takes another description. What is known of addresses that stay is kept, and so are their connections; requests
    /// that are under way end as they began.
    pub fn describe_anew(&self, upstream: &'static Upstream, endpoints: Box<[Endpoint]>) {
        let old = self.now();
        let described = Described::new(upstream, endpoints, &old.all);
        if upstream.health.is_none() {
            // Nothing would make them healthy again.
            old.all.iter().for_each(|member| member.condition.forget());
        }
        self.described.store(Arc::new(described));
        let new = self.now();
        for gone in old.all.iter().filter(|member| !new.all.iter().any(|one| one.index == member.index)) {
            gone.is_gone.store(true, Relaxed);
        }
    }

    /// It has names that are looked up.
    pub(crate) fn is_moving(&self) -> bool {
        matches!(self.described().members, Found::Moving(_))
    }

    /// A member that was not tried for this request; `None` once all were.
    pub(crate) fn choose(
        &'static self,
        tried: &[usize],
        hash: Option<u64>,
        random: impl FnOnce() -> u64,
    ) -> Option<Flight> {
        let (described, out_until) = (self.described(), self.out_until.load(Relaxed));
        match &described.members {
            Found::Fixed(members) => {
                let index = pick(described.upstream, members, tried, hash, out_until, random)?;
                Some(Flight::new(Chosen::Fixed(&members.all[index]), members.all.len() > 1))
            }
            Found::Moving(members) => {
                let members = members.load();
                let index = pick(described.upstream, &members, tried, hash, out_until, random)?;
                Some(Flight::new(Chosen::Moving(Arc::clone(&members.all[index])), members.all.len() > 1))
            }
        }
    }

    /// Counts how a try ended. A member that fails again and again is out for a while.
    pub(crate) fn note(&self, member: &Member, outcome: Outcome) {
        member.count(outcome);
        let Some(rule) = self.described().upstream.outlier else { return };
        if outcome == Outcome::Answered {
            return member.ejection.succeed();
        }
        let now = now();
        if member.ejection.fail(rule, now) {
            self.eject(member, rule, now, outcome);
        }
    }

    fn eject(&self, member: &Member, rule: Outlier, now: u64, cause: Outcome) {
        let members = self.now();
        let _deciding = self.ejecting.lock().unwrap_or_else(PoisonError::into_inner);
        if !member.ejection.is_out(now) && members.out(now) < most_out(rule, members.counted) {
            let until = member.ejection.eject(rule, now);
            self.out_until.fetch_max(until, Relaxed);
            member.count_ejection(cause);
        }
    }

    /// Counts a request as under way until this is dropped, where there is a bound.
    pub(crate) fn admit(&self) -> Result<Option<Entered<'_>>, Overloaded> {
        let Some(breaker) = self.described().upstream.breaker else { return Ok(None) };
        self.under_way.enter(breaker.requests).map(Some).ok_or(Overloaded)
    }

    /// Counts a request as waiting for a connection until this is dropped, where there is a bound.
    pub(crate) fn admit_connection(&self) -> Result<Option<Entered<'_>>, Overloaded> {
        let Some(breaker) = self.described().upstream.breaker else { return Ok(None) };
        self.connecting.enter(breaker.pending).map(Some).ok_or(Overloaded)
    }

    /// A request that may be repeated has come.
    pub(crate) fn earn_retries(&self) {
        self.budget.earn(now() / 1_000);
    }

    /// Takes a retry out of the budget, if there is one.
    pub(crate) fn take_retry(&self, rule: RetryBudget) -> bool {
        let is_left = self.budget.take(rule, now() / 1_000);
        if !is_left {
            self.count_retry(RetryOutcome::Budget);
        }
        is_left
    }

    /// Counts what became of a retry.
    pub(crate) fn count_retry(&self, outcome: RetryOutcome) {
        self.retries[outcome as usize].fetch_add(1, Relaxed);
    }

    /// Counts what became of the copy of a request.
    pub(crate) fn count_copy(&self, outcome: CopyOutcome) {
        self.copies[outcome as usize].fetch_add(1, Relaxed);
    }

    /// The members as they are.
    pub(crate) fn now(&self) -> Snapshot<'static> {
        self.described().now()
    }

    /// Puts the servers that were found for the name of an endpoint in the place of what was. What is known of addresses
    /// that stay is kept.
    pub(crate) fn resolved(&self, described: &'static Described, number: usize, servers: Vec<Server>) {
        let Found::Moving(members) = &described.members else { return };
        let Some(endpoint) = described.endpoints.get(number) else { return };
        let old = members.load_full();
        let (ours, others): (Vec<_>, Vec<_>) = old.all.iter().cloned().partition(|member| member.number == number);
        let mut found: Vec<Arc<Member>> = Vec::new();
        for Server { addresses, share } in servers {
            let new = || Member::new(described.upstream, number, endpoint, &addresses).with_share(share);
            found.push(match ours.iter().find(|known| known.addresses == addresses) {
                Some(known) if known.share() == share => Arc::clone(known),
                Some(known) => Arc::new(new().in_place_of(known)),
                None => Arc::new(new()),
            });
        }
        // Connections that were made to the name before it was looked up lead to the one server that it has.
        if let ([only], [unknown]) = (&mut *found, &*ours)
            && unknown.addresses.is_empty()
        {
            let new = Member::new(described.upstream, number, endpoint, &only.addresses).with_share(only.share());
            *only = Arc::new(new.in_place_of(unknown));
        }
        let stays = |member: &Arc<Member>| found.iter().any(|one| Arc::ptr_eq(one, member));
        if found.is_empty() || (found.len() == ours.len() && ours.iter().all(stays)) {
            return;
        }
        let is_followed = |member: &Member| found.iter().any(|one| one.index == member.index);
        for gone in ours.iter().filter(|member| !is_followed(member)) {
            gone.is_gone.store(true, Relaxed);
        }
        let mut all = [others, found].concat();
        all.sort_by(|a, b| a.number.cmp(&b.number).then_with(|| a.addresses.cmp(&b.addresses)));
        members.store(Arc::new(Members::of(all.into())));
    }

    /// One of its members is neither ejected nor unhealthy.
    pub fn has_usable_member(&self) -> bool {
        let now = now();
        self.now().all.iter().any(|member| member.weight() > 0 && member.is_usable(now))
    }

    /// Writes what is counted for its members; `labels` are those of all of them.
    pub fn write(&self, families: &mut EndpointFamilies, labels: &str) {
        let now = now();
        let members = self.now();
        let mut all: Vec<&Member> = members.all.iter().map(|member| &**member).collect();
        all.sort_by_key(|member| &member.label);
        // Two names may lead to one address.
        all.chunk_by(|one, other| one.label == other.label).for_each(|same| write(same, families, labels, now));
        for outcome in RetryOutcome::ALL {
            let count = self.retries[outcome as usize].load(Relaxed);
            if count > 0 {
                let word = outcome.word();
                let _ =
                    writeln!(families.retries, "gateway_upstream_retries_total{{{labels},outcome=\"{word}\"}} {count}");
            }
        }
        for outcome in CopyOutcome::ALL {
            let count = self.copies[outcome as usize].load(Relaxed);
            if count > 0 {
                let word = outcome.word();
                let _ =
                    writeln!(families.copies, "gateway_mirrored_requests_total{{{labels},outcome=\"{word}\"}} {count}");
            }
        }
    }
}

/// Which of the members.
fn pick(
    upstream: &Upstream,
    members: &Members,
    tried: &[usize],
    hash: Option<u64>,
    out_until: u64,
    random: impl FnOnce() -> u64,
) -> Option<usize> {
    let all = &*members.all;
    let is_untried = |index: usize| !tried.contains(&all[index].index);
    if let [_] = all {
        return is_untried(0).then_some(0);
    }
    let choice = match (upstream.balance, hash) {
        (Balance::RoundRobin, _) => Choice::Turn,
        (Balance::Hash(_), Some(hash)) => Choice::Hash(hash),
        // A request without such a part has no hash.
        (Balance::LeastRequest | Balance::Hash(_), _) => Choice::Least,
    };
    let now = now();
    let random = random();
    if now >= out_until {
        let is_eligible = |index: usize| is_untried(index) && !all[index].condition.is_unhealthy();
        let found = choose_at_once(all, &members.first, is_eligible, choice, &members.turns, random);
        if found.is_some() {
            return found;
        }
    }
    let in_panic = is_panic(members.out(now), members.counted);
    let nobody_is_healthy = all.iter().all(|member| member.weight() == 0 || member.condition.is_unhealthy());
    let is_usable = |index: usize| {
        let Known { ejection, condition, .. } = &**all[index];
        (in_panic || !ejection.is_out(now)) && (nobody_is_healthy || !condition.is_unhealthy())
    };
    choose(all, is_untried, is_usable, choice, &members.first, &members.turns, random)
}

/// The members at one time.
pub(crate) enum Snapshot<'a> {
    Fixed(&'a Members),
    Moving(Arc<Members>),
}

impl Deref for Snapshot<'_> {
    type Target = Members;

    fn deref(&self) -> &Members {
        match self {
            Self::Fixed(members) => members,
            Self::Moving(members) => members,
        }
    }
}

impl OwnAddresses for Described {
    /// The answer of one endpoint may name another one.
    fn has(&self, host: &str, port: u16) -> bool {
        self.endpoints.iter().any(|endpoint| endpoint.port == port && endpoint.host.eq_ignore_ascii_case(host))
    }
}

impl Described {
    /// Its members as they are.
    pub(crate) fn now(&'static self) -> Snapshot<'static> {
        match &self.members {
            Found::Fixed(members) => Snapshot::Fixed(members),
            Found::Moving(members) => Snapshot::Moving(members.load_full()),
        }
    }

    /// A description, with what is known of members of the one before.
    fn new(upstream: &'static Upstream, endpoints: Box<[Endpoint]>, old: &[Arc<Member>]) -> &'static Self {
        let endpoints: &'static [Endpoint] = Box::leak(endpoints);
        let is_fixed = upstream.resolve.is_none() || endpoints.iter().all(|endpoint| endpoint.address().is_some());
        let mut all = Vec::with_capacity(endpoints.len());
        for (number, endpoint) in endpoints.iter().enumerate() {
            let is_same = |member: &&Arc<Member>| member.endpoint.is_spoken_to_like(endpoint);
            // Of a name, what was found for it stays until it is looked up again.
            let keeps = |member: &&Arc<Member>| !is_fixed || member.addresses.as_ref() == endpoint.address().as_slice();
            let known = old.iter().filter(is_same).filter(keeps);
            let before = all.len();
            all.extend(known.map(|known| {
                let new = Member::new(upstream, number, endpoint, &known.addresses);
                // The records of a service are asked for again at once.
                let new = if endpoint.service.is_some() { new.with_share(known.share()) } else { new };
                Arc::new(new.in_place_of(known))
            }));
            if all.len() == before {
                all.push(Arc::new(Member::new(upstream, number, endpoint, endpoint.address().as_slice())));
            }
        }
        let members = Members::of(all.into());
        let members = if is_fixed { Found::Fixed(members) } else { Found::Moving(ArcSwap::from_pointee(members)) };
        Box::leak(Box::new(Self { upstream, endpoints, members }))
    }
}

impl Members {
    fn of(all: Box<[Arc<Member>]>) -> Self {
        let weights: Vec<u32> = all.iter().map(Standing::weight).collect();
        let counted = weights.iter().filter(|weight| **weight > 0).count();
        Self { turns: Turns::of(&weights), first: First::of(&all), counted, all }
    }

    /// How many are out.
    fn out(&self, now: u64) -> usize {
        self.all.iter().filter(|member| member.weight() > 0 && member.ejection.is_out(now)).count()
    }
}

/// Milliseconds since the process first asked. Never 0, which stands for never.
fn now() -> u64 {
    static BEGINNING: OnceLock<Instant> = OnceLock::new();
    let since = BEGINNING.get_or_init(Instant::now).elapsed();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX).saturating_add(1)
}

#[cfg(test)]
pub(super) mod tests {
    use std::net::SocketAddr;
    use std::time::Duration;

    use super::*;
    use crate::tables::UpstreamEndpoint;
    use crate::upstream::member::Share;
    use crate::upstream::names::servers;
    use crate::upstream::url::parse_url;

    fn upstream(endpoints: &'static [UpstreamEndpoint]) -> Upstream {
        Upstream {
            name: "orders",
            endpoints,
            balance: Balance::RoundRobin,
            outlier: Some(Outlier { consecutive: 2, eject: Duration::from_secs(60), max_ejected: 50 }),
            ..Upstream::USUAL
        }
    }

    /// One of an upstream that says nothing more.
    pub(in crate::upstream) fn member_at(endpoint: &Endpoint, addresses: &[SocketAddr]) -> Member {
        let endpoint = Box::leak(Box::new(endpoint.clone()));
        Member::new(&upstream(&[]), 0, endpoint, addresses)
    }

    fn cluster(urls: &[&'static str]) -> &'static Cluster {
        let endpoints: Vec<UpstreamEndpoint> =
            urls.iter().map(|url| UpstreamEndpoint { url, weight: 1, priority: 0 }).collect();
        let table = Box::leak(Box::new(upstream(Vec::leak(endpoints))));
        let endpoints = urls.iter().map(|url| parse_url(url).expect("a URL").0).collect();
        Box::leak(Box::new(Cluster::new("shop", table, table, endpoints, None)))
    }

    fn labels(cluster: &Cluster) -> Vec<String> {
        cluster.now().all.iter().map(|member| member.label.to_string()).collect()
    }

    fn found(list: &[&str]) -> Vec<Server> {
        servers(&addresses(list), Share { weight: 1, priority: 0 })
    }

    fn addresses(list: &[&str]) -> Vec<SocketAddr> {
        list.iter().map(|text| text.parse().expect("an address")).collect()
    }

    #[test]
    fn each_address_of_a_name_is_a_member_and_keeps_what_is_known_of_it() {
        let cluster = cluster(&["http://orders.test:81", "http://10.0.0.9:81"]);
        assert_eq!(labels(cluster), ["orders.test:81", "10.0.0.9:81"]);
        cluster.resolved(cluster.described(), 0, found(&["10.0.0.2:81", "10.0.0.1:81", "10.0.0.2:81"]));
        assert_eq!(labels(cluster), ["10.0.0.1:81", "10.0.0.2:81", "10.0.0.9:81"]);
        let before = cluster.now().all.to_vec();
        cluster.resolved(cluster.described(), 0, Vec::new());
        assert_eq!(labels(cluster).len(), 3, "an empty answer changes nothing");
        cluster.resolved(cluster.described(), 0, found(&["10.0.0.2:81", "10.0.0.3:81"]));
        assert_eq!(labels(cluster), ["10.0.0.2:81", "10.0.0.3:81", "10.0.0.9:81"]);
        assert!(Arc::ptr_eq(&before[1], &cluster.now().all[0]));
        assert!(before[0].is_gone.load(Relaxed) && !before[1].is_gone.load(Relaxed));
    }

    #[test]
    fn addresses_of_the_other_family_are_other_ways_to_the_same_servers() {
        let cluster = cluster(&["http://localhost:81"]);
        let unknown = Arc::clone(&cluster.now().all[0]);
        cluster.resolved(cluster.described(), 0, found(&["[::1]:81", "127.0.0.1:81"]));
        assert_eq!(labels(cluster), ["[::1]:81"]);
        let found = Arc::clone(&cluster.now().all[0]);
        assert_eq!(&*found.addresses, addresses(&["[::1]:81", "127.0.0.1:81"]));
        assert_eq!(found.index, unknown.index, "connections that were made before are kept");
        assert!(!unknown.is_gone.load(Relaxed));
    }

    #[test]
    fn names_of_one_address_are_one_series() {
        let cluster = cluster(&["http://a.test:81", "http://b.test:81"]);
        for endpoint in [0, 1] {
            cluster.resolved(cluster.described(), endpoint, found(&["10.0.0.1:81"]));
        }
        let members = cluster.now().all.to_vec();
        members.iter().for_each(|member| cluster.note(member, Outcome::Answered));
        let mut families = EndpointFamilies::default();
        cluster.write(&mut families, "api=\"shop\"");
        assert_eq!(families.up, "gateway_upstream_endpoint_up{api=\"shop\",endpoint=\"10.0.0.1:81\"} 1\n");
        assert!(families.requests.ends_with("outcome=\"answered\"} 2\n") && families.requests.lines().count() == 1);
    }

    #[test]
    fn each_member_is_tried_once_and_ejected_ones_last() {
        let cluster = cluster(&["http://10.0.0.1:81", "http://10.0.0.2:81", "http://10.0.0.3:81"]);
        let next = |tried: &[usize]| cluster.choose(tried, None, || 7).map(|flight| flight.member.clone());
        let first = next(&[]).expect("one");
        cluster.note(&first, Outcome::Unconnected);
        cluster.note(&first, Outcome::Unconnected);
        let mut tried = Vec::new();
        while let Some(member) = next(&tried) {
            tried.push(member.index);
        }
        assert_eq!((tried.len(), tried[2]), (3, first.index));
    }

    /// Whatever fails and recovers, no more than half are out, and while some are in, only they are asked.
    #[test]
    fn random_failures_never_leave_an_upstream_without_members() {
        let urls = ["http://10.0.0.1:81", "http://10.0.0.2:81", "http://10.0.0.3:81", "http://10.0.0.4:81"];
        let cluster = cluster(&urls);
        let mut state = 1_u64;
        let mut random = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            state >> 33
        };
        for _ in 0..5_000 {
            let flight = cluster.choose(&[], None, &mut random).expect("a member");
            assert!(!flight.member.ejection.is_out(now()));
            let outcome = if random() % 3 == 0 { Outcome::Answered } else { Outcome::Reset };
            cluster.note(&flight.member, outcome);
            assert!(cluster.now().out(now()) <= 2);
        }
        assert_eq!(cluster.now().out(now()), 2);
        assert!(cluster.now().all.iter().all(|member| member.in_flight.load(Relaxed) == 0));
    }

    #[test]
    fn another_description_keeps_what_is_known_of_addresses_that_stay() {
        let cluster = cluster(&["http://10.0.0.1:81", "http://10.0.0.2:81"]);
        let before = cluster.now().all.to_vec();
        let flight = cluster.choose(&[before[0].index], None, || 0).expect("the second");
        (0..2).for_each(|_| cluster.note(&before[1], Outcome::Reset));
        let describe = |urls: &[&'static str]| {
            let endpoints: Vec<UpstreamEndpoint> =
                urls.iter().map(|url| UpstreamEndpoint { url, weight: 7, priority: 0 }).collect();
            let table = Box::leak(Box::new(upstream(Vec::leak(endpoints))));
            cluster.describe_anew(table, urls.iter().map(|url| parse_url(url).expect("a URL").0).collect());
        };
        describe(&["http://10.0.0.3:81", "http://10.0.0.2:81"]);
        let after = cluster.now().all.to_vec();
        assert_eq!(labels(cluster), ["10.0.0.3:81", "10.0.0.2:81"]);
        assert!(after[1].ejection.is_out(now()) && after[1].weight() == 7 && after[1].index == before[1].index);
        assert_eq!(after[1].in_flight.load(Relaxed), 1);
        drop(flight);
        assert_eq!(after[1].in_flight.load(Relaxed), 0, "what began before ends here");
        assert!(before[0].is_gone.load(Relaxed) && !before[1].is_gone.load(Relaxed));
        // Connections of HTTP/1.1 are none for HTTP/2.
        describe(&["h2c://10.0.0.3:81", "http://10.0.0.2:82"]);
        let last = cluster.now().all.to_vec();
        assert!(last.iter().all(|member| after.iter().all(|other| other.index != member.index)));
    }
}
