//! Where a service is, by its SRV records (RFC 2782). The name servers, the domains that names are searched in and the
//! timeouts are the system's (`resolv.conf(5)`).

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use gateway_base::random;
use resolv_conf::Config;
use simple_dns::rdata::RData;
use simple_dns::{CLASS, Name, Packet, PacketFlag, QCLASS, QTYPE, Question, RCODE, TYPE};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

/// Where the system says which name servers it has.
const RESOLV_CONF: &str = "/etc/resolv.conf";

/// The port of name servers.
const PORT: u16 = 53;

/// The longest answer over UDP that a server gives without being asked for more (RFC 1035 §4.2.1), with room for one that
/// gives more.
const LONGEST_DATAGRAM: usize = 4096;

/// Places of one service, whatever DNS says: the first by priority.
const MOST_TARGETS: usize = 1_000;

/// Addresses of one place that come with the answer.
const MOST_ADDRESSES: usize = 16;

/// A place where a service is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    /// Its name, without a dot at the end.
    pub(super) host: String,
    pub(super) port: u16,
    /// Smaller numbers first.
    pub(super) priority: u16,
    pub(super) weight: u16,
    /// The addresses of `host`, if the server sent them along.
    pub(super) addresses: Vec<IpAddr>,
}

/// The places of a service, which is called `_http._tcp.orders` or the like; never none.
///
/// # Errors
/// No name server answers, there is no such service, or it is said to be nowhere.
pub(super) async fn look_up(service: &str) -> io::Result<Vec<Target>> {
    let text = tokio::task::spawn_blocking(|| std::fs::read(RESOLV_CONF)).await??;
    let config = Config::parse(text).map_err(io::Error::other)?;
    let servers: Vec<SocketAddr> =
        config.get_nameservers_or_local().iter().map(|server| SocketAddr::new(server.into(), PORT)).collect();
    let wait = Duration::from_secs(u64::from(config.timeout.max(1)));
    for name in candidates(service, &config) {
        let targets = ask_all(&name, &servers, wait, config.attempts.max(1)).await?;
        if !targets.is_empty() {
            return Ok(targets);
        }
    }
    Err(io::Error::new(io::ErrorKind::NotFound, "there are no SRV records"))
}

/// The whole names that a name may stand for, in the order in which they are tried.
fn candidates(name: &str, config: &Config) -> Vec<String> {
    if let Some(whole) = name.strip_suffix('.') {
        return vec![whole.to_owned()];
    }
    let searched = config.get_last_search_or_domain().map(|domain| domain.trim_matches('.'));
    let mut found: Vec<String> =
        searched.filter(|domain| !domain.is_empty()).map(|domain| format!("{name}.{domain}")).collect();
    let dots = name.matches('.').count();
    let at = if dots >= usize::try_from(config.ndots).unwrap_or(usize::MAX) { 0 } else { found.len() };
    found.insert(at, name.to_owned());
    found
}

/// What the first server that knows says; nothing if there is no such name.
async fn ask_all(name: &str, servers: &[SocketAddr], wait: Duration, attempts: u32) -> io::Result<Vec<Target>> {
    let mut error = io::Error::new(io::ErrorKind::NotFound, "the system has no name server");
    for server in (0..attempts).flat_map(|_| servers) {
        // Of each query its own number, so that no other server can answer it.
        let random = random::bytes().map_err(io::Error::other)?;
        let query = query(u16::from_be_bytes([random[0], random[1]]), name)?;
        match timeout(wait, ask(*server, &query)).await {
            Ok(Ok(answer)) => match read(&answer) {
                Ok(targets) => return Ok(targets),
                Err(problem) => error = problem,
            },
            Ok(Err(problem)) => error = problem,
            Err(_) => error = io::ErrorKind::TimedOut.into(),
        }
    }
    Err(error)
}

/// A question for the SRV records of a name.
fn query(id: u16, name: &str) -> io::Result<Vec<u8>> {
    let name = Name::new(name).map_err(io::Error::other)?;
    let mut packet = Packet::new_query(id);
    packet.set_flags(PacketFlag::RECURSION_DESIRED);
    packet.questions.push(Question::new(name, QTYPE::TYPE(TYPE::SRV), QCLASS::CLASS(CLASS::IN), false));
    packet.build_bytes_vec().map_err(io::Error::other)
}

/// The answer of a server to a query: over UDP, and over TCP if it is too long.
async fn ask(server: SocketAddr, query: &[u8]) -> io::Result<Vec<u8>> {
    let any: IpAddr = if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0)).await?;
    // What others send does not arrive.
    socket.connect(server).await?;
    socket.send(query).await?;
    let mut buffer = vec![0; LONGEST_DATAGRAM];
    let answer = loop {
        let length = socket.recv(&mut buffer).await?;
        if is_answer(&buffer[..length], query) {
            break &buffer[..length];
        }
    };
    if answer[2] & TRUNCATED == 0 {
        return Ok(answer.to_vec());
    }
    let mut stream = TcpStream::connect(server).await?;
    let length = u16::try_from(query.len()).map_err(io::Error::other)?;
    stream.write_all(&[&length.to_be_bytes(), query].concat()).await?;
    let length = stream.read_u16().await?;
    let mut answer = vec![0; usize::from(length)];
    stream.read_exact(&mut answer).await?;
    if is_answer(&answer, query) { Ok(answer) } else { Err(bad("it is no answer to the question")) }
}

/// In the third byte of a message (RFC 1035 §4.1.1).
const RESPONSE: u8 = 0x80;
const TRUNCATED: u8 = 0x02;

/// The length of the header of a message.
const HEADER: usize = 12;

/// Whether a message has the number and the question of this query.
fn is_answer(message: &[u8], query: &[u8]) -> bool {
    let (Some(header), Some(question)) = (message.get(..HEADER), message.get(HEADER..query.len())) else {
        return false;
    };
    header[..2] == query[..2] && header[2] & RESPONSE != 0 && question.eq_ignore_ascii_case(&query[HEADER..])
}

/// The places in an answer; none if there is no such name.
fn read(answer: &[u8]) -> io::Result<Vec<Target>> {
    let packet = Packet::parse(answer).map_err(|_| bad("the answer is not a message of RFC 1035"))?;
    match packet.rcode() {
        RCODE::NoError => {}
        RCODE::NameError => return Ok(Vec::new()),
        code => return Err(io::Error::other(format!("the name server says {code:?}"))),
    }
    let mut addresses: HashMap<String, Vec<IpAddr>> = HashMap::new();
    for record in &packet.additional_records {
        let address: IpAddr = match &record.rdata {
            RData::A(address) => Ipv4Addr::from(address.address).into(),
            RData::AAAA(address) => Ipv6Addr::from(address.address).into(),
            _ => continue,
        };
        let of_name = addresses.entry(record.name.to_string().to_ascii_lowercase()).or_default();
        if of_name.len() < MOST_ADDRESSES {
            of_name.push(address);
        }
    }
    let mut targets = Vec::new();
    for record in &packet.answers {
        // What leads to the records, CNAME for example, does not matter.
        let RData::SRV(record) = &record.rdata else { continue };
        let host = record.target.to_string();
        let is_host = host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
        // `.` says that the service is decidedly not there.
        if host.is_empty() || !is_host || record.port == 0 {
            continue;
        }
        let addresses = addresses.get(&host.to_ascii_lowercase()).cloned().unwrap_or_default();
        targets.push(Target { host, port: record.port, priority: record.priority, weight: record.weight, addresses });
    }
    targets.sort_by_key(|target| target.priority);
    targets.truncate(MOST_TARGETS);
    Ok(targets)
}

fn bad(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use simple_dns::ResourceRecord;
    use simple_dns::rdata::{A, SRV};

    use super::*;

    fn config(text: &str) -> Config {
        Config::parse(text).expect("a configuration")
    }

    #[test]
    fn names_are_searched_for_as_the_system_says() {
        let cluster = config("search default.svc.cluster.local svc.cluster.local\noptions ndots:5\n");
        let plain = config("nameserver 10.0.0.1\n");
        let short = "_http._tcp.orders";
        let searched = ["_http._tcp.orders.default.svc.cluster.local", "_http._tcp.orders.svc.cluster.local", short];
        assert_eq!(candidates(short, &cluster), searched);
        assert_eq!(candidates("_http._tcp.orders.", &cluster), [short]);
        assert_eq!(candidates(short, &plain)[0], short);
    }

    fn answer(query: &[u8]) -> Packet<'_> {
        let mut packet = Packet::parse(query).expect("a query").into_reply();
        let name = packet.questions[0].qname.clone();
        let record = |name: &Name<'static>, data| ResourceRecord::new(name.clone(), CLASS::IN, 5, data);
        let (one, other) = (Name::new_unchecked("one.test"), Name::new_unchecked("other.test"));
        let srv =
            |target: &Name<'static>, port| RData::SRV(SRV { priority: 1, weight: 2, port, target: target.clone() });
        for (target, port) in [(&one, 81), (&other, 82), (&Name::new_unchecked(""), 83)] {
            packet.answers.push(ResourceRecord::new(name.clone(), CLASS::IN, 5, srv(target, port)));
        }
        packet.additional_records.push(record(&one, RData::A(A { address: Ipv4Addr::new(10, 0, 0, 1).into() })));
        packet
    }

    #[test]
    fn answers_say_where_a_service_is() {
        let query = query(7, "_http._tcp.orders.test").expect("a query");
        let mut message = answer(&query).build_bytes_vec_compressed().expect("a message");
        assert!(is_answer(&message, &query));
        let target = |host: &str, port, addresses: &[IpAddr]| Target {
            host: host.to_owned(),
            port,
            priority: 1,
            weight: 2,
            addresses: addresses.to_vec(),
        };
        let expected = [target("one.test", 81, &[Ipv4Addr::new(10, 0, 0, 1).into()]), target("other.test", 82, &[])];
        assert_eq!(read(&message).expect("an answer"), expected);
        // Another number, a query, and another question.
        for at in [1, 2, HEADER + 1] {
            let mut other = message.clone();
            other[at] ^= if at == 2 { RESPONSE } else { 1 };
            assert!(!is_answer(&other, &query), "{at}");
        }
        // Whatever a server sends is an answer or an error.
        let mut state = 7_u32;
        for _ in 0..20_000 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let at = usize::try_from(state >> 8).expect("small") % message.len();
            let before = std::mem::replace(&mut message[at], state.to_be_bytes()[0]);
            let _ = read(&message);
            let _ = read(&message[..at]);
            if state & 64 == 0 {
                message[at] = before;
            }
        }
    }

    #[test]
    fn an_unknown_name_has_no_records_and_a_failure_is_an_error() {
        let query = query(7, "_http._tcp.orders.test").expect("a query");
        let with = |code| {
            let mut packet = Packet::parse(&query).expect("a query").into_reply();
            *packet.rcode_mut() = code;
            read(&packet.build_bytes_vec().expect("a message"))
        };
        assert_eq!(with(RCODE::NameError).expect("an answer"), []);
        assert!(with(RCODE::ServerFailure).expect_err("a failure").to_string().contains("ServerFailure"));
    }
}
