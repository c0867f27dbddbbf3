//! What the names of endpoints lead to: the addresses of a host, or those of the targets of a service.

use std::collections::{HashMap, HashSet};
use std::io;
use std::net::SocketAddr;

use crate::upstream::endpoint::Endpoint;
use crate::upstream::member::Share;
use crate::upstream::srv::{self, Target};

/// A server that a name leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Server {
    /// Its address, then others under which it may answer.
    pub(crate) addresses: Box<[SocketAddr]>,
    pub(crate) share: Share,
}

/// Looks up the name of one endpoint again and again.
#[derive(Debug, Default)]
pub(crate) struct Names {
    /// The last addresses of the targets of a service: one whose name has no address at the moment stays where it was.
    last: HashMap<(String, u16), Vec<SocketAddr>>,
}

impl Names {
    /// The servers that the name leads to, each with a share of that of the endpoint; never none.
    ///
    /// # Errors
    /// Nothing answers for the name, or there is no such name.
    pub(crate) async fn servers(&mut self, endpoint: &Endpoint, share: Share) -> io::Result<Vec<Server>> {
        let Some(service) = &endpoint.service else {
            let addresses: Vec<SocketAddr> = tokio::net::lookup_host((&*endpoint.host, endpoint.port)).await?.collect();
            return not_none(servers(&addresses, share));
        };
        let targets = srv::look_up(&format!("{service}.{}", endpoint.host)).await?;
        let mut last = HashMap::new();
        let mut located = Vec::new();
        for target in targets {
            let place = (target.host.clone(), target.port);
            let addresses = match addresses_of(&target).await {
                Ok(addresses) if !addresses.is_empty() => addresses,
                _ => self.last.get(&place).cloned().unwrap_or_default(),
            };
            if !addresses.is_empty() {
                last.insert(place, addresses.clone());
                located.push((target, addresses));
            }
        }
        self.last = last;
        not_none(of_service(located, share))
    }
}

/// The addresses that the name of an endpoint has now, the best first.
///
/// # Errors
/// As for [`Names::servers`].
pub(crate) async fn addresses(endpoint: &Endpoint) -> io::Result<Vec<SocketAddr>> {
    if endpoint.service.is_none() {
        return Ok(tokio::net::lookup_host((&*endpoint.host, endpoint.port)).await?.collect());
    }
    let mut servers = Names::default().servers(endpoint, Share { weight: 1, priority: 0 }).await?;
    servers.sort_by_key(|server| server.share.priority);
    Ok(servers.into_iter().flat_map(|server| server.addresses).collect())
}

/// What came with the record, or what the system finds. The name is whole: it is searched for in no other domain.
async fn addresses_of(target: &Target) -> io::Result<Vec<SocketAddr>> {
    if !target.addresses.is_empty() {
        return Ok(target.addresses.iter().map(|address| SocketAddr::new(*address, target.port)).collect());
    }
    Ok(tokio::net::lookup_host((format!("{}.", target.host), target.port)).await?.collect())
}

fn not_none(servers: Vec<Server>) -> io::Result<Vec<Server>> {
    if servers.is_empty() {
        return Err(io::Error::new(io::ErrorKind::NotFound, "it has no address"));
    }
    Ok(servers)
}

/// The servers of the targets of a service. RFC 2782: smaller priorities first, and of one priority each in proportion to
/// its weight; a weight of 0 is next to nothing beside others.
fn of_service(mut located: Vec<(Target, Vec<SocketAddr>)>, share: Share) -> Vec<Server> {
    located.sort_by_key(|(target, _)| target.priority);
    let (mut found, mut known): (Vec<Server>, HashSet<SocketAddr>) = (Vec::new(), HashSet::new());
    let (mut priority, mut last) = (share.priority, None);
    for (target, addresses) in located {
        if last.replace(target.priority).is_some_and(|last| last != target.priority) {
            priority = priority.saturating_add(1);
        }
        let weight = if share.weight == 0 { 0 } else { u32::from(target.weight).max(1) };
        for server in servers(&addresses, Share { weight, priority }) {
            // Two records may lead to one server: the better one counts.
            if found.len() < MOST_SERVERS && server.addresses.first().is_some_and(|first| known.insert(*first)) {
                found.push(server);
            }
        }
    }
    found
}

/// Of one name, whatever DNS says: all are held, and looked at.
const MOST_SERVERS: usize = 1_000;

/// Other addresses of a server, which are tried where the first does not answer.
const MOST_OTHERS: usize = 8;

/// The servers at the addresses of one name: those of the family that the system prefers are one server each, and all of
/// them may have the addresses of the other family as well (RFC 8305).
pub(crate) fn servers(addresses: &[SocketAddr], share: Share) -> Vec<Server> {
    let Some(first) = addresses.first() else { return Vec::new() };
    let sorted = |is_preferred: bool| {
        let fits = |address: &&SocketAddr| (address.is_ipv6() == first.is_ipv6()) == is_preferred;
        let mut found: Vec<SocketAddr> = addresses.iter().filter(fits).copied().collect();
        found.sort_unstable();
        found.dedup();
        found
    };
    let mut others = sorted(false);
    others.truncate(MOST_OTHERS);
    let server = |address: SocketAddr| {
        let addresses = std::iter::once(address).chain(others.iter().copied()).collect();
        Server { addresses, share }
    };
    sorted(true).into_iter().take(MOST_SERVERS).map(server).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn located(host: &str, priority: u16, weight: u16, address: &str) -> (Target, Vec<SocketAddr>) {
        let target = Target { host: host.to_owned(), port: 81, priority, weight, addresses: Vec::new() };
        (target, vec![address.parse().expect("an address")])
    }

    #[test]
    fn records_give_priorities_and_weights() {
        let targets = vec![
            located("c", 30, 0, "10.0.0.3:81"),
            located("a", 10, 5, "10.0.0.1:81"),
            located("b", 10, 15, "10.0.0.2:82"),
            located("a.again", 30, 7, "10.0.0.1:81"),
        ];
        let found = of_service(targets, Share { weight: 1, priority: 2 });
        let shares: Vec<_> = found
            .iter()
            .map(|server| (server.addresses[0].to_string(), server.share.weight, server.share.priority))
            .collect();
        let expected = [("10.0.0.1:81", 5, 2), ("10.0.0.2:82", 15, 2), ("10.0.0.3:81", 1, 3)];
        assert_eq!(shares, expected.map(|(address, weight, priority)| (address.to_owned(), weight, priority)));
    }

    #[test]
    fn what_a_name_leads_to_is_bounded() {
        let address = |number: u32| SocketAddr::from((std::net::Ipv4Addr::from(0x0A00_0000 + number), 81));
        let other = |number: u16| SocketAddr::from((std::net::Ipv6Addr::new(0xFD00, 0, 0, 0, 0, 0, 0, number), 81));
        let all: Vec<SocketAddr> = (0..3_000).map(address).chain((0..3_000).map(other)).collect();
        let share = Share { weight: 1, priority: 0 };
        let found = servers(&all, share);
        assert_eq!((found.len(), found[0].addresses.len()), (MOST_SERVERS, 1 + MOST_OTHERS));
        let target = |port| Target { host: "a".to_owned(), port, priority: 0, weight: 1, addresses: Vec::new() };
        assert_eq!(of_service((0..3).map(|port| (target(port), all.clone())).collect(), share).len(), MOST_SERVERS);
    }

    #[test]
    fn addresses_of_the_other_family_are_other_ways_to_the_same_servers() {
        let addresses: Vec<SocketAddr> =
            ["[::2]:81", "10.0.0.1:81", "[::1]:81"].map(|text| text.parse().expect("an address")).to_vec();
        let found = servers(&addresses, Share { weight: 1, priority: 0 });
        let firsts: Vec<String> = found.iter().map(|server| server.addresses[0].to_string()).collect();
        assert_eq!(firsts, ["[::1]:81", "[::2]:81"]);
        assert!(found.iter().all(|server| server.addresses[1] == addresses[1]));
    }
}
