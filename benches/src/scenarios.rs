//! What is measured, in the order of the tables, and what is aimed at.

use jsonwebtoken::Algorithm;

use crate::callers::{COLD, CredentialKind};
use crate::oauth::TOKEN_PATH;
use crate::peer::Work;

/// One table.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    pub(crate) kind: Kind,
    /// The peers that are measured, where installed.
    pub(crate) peers: &'static [&'static str],
    /// Ratios to these peers are printed.
    pub(crate) bases: &'static [&'static str],
    pub(crate) targets: &'static [Target],
}

#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Load(LoadShape),
    /// From `exec` to the first answer.
    Start,
    /// With 200 routes, and for idle clients.
    Memory,
    /// For idle clients inside TLS.
    TlsMemory,
    /// For idle WebSockets.
    Tunnels,
    /// A public route beside a flood of wrong passwords.
    Flood,
    /// What it costs to read a million consumers, at the start and again under load.
    Consumers,
    /// A million clients that are counted one by one, twice over.
    Clients,
}

#[derive(Clone, Copy)]
pub(crate) struct LoadShape {
    pub(crate) work: Work,
    pub(crate) paths: Paths,
    pub(crate) kind: CredentialKind,
    pub(crate) connections: usize,
    pub(crate) new_connection: bool,
    /// Requests a second, in the open loop.
    pub(crate) rate: Option<u32>,
    /// Inside TLS, as `tls_load` calls it.
    pub(crate) tls: Option<&'static str>,
    /// Over WebSockets, messages of this length; each counts as a request.
    pub(crate) message: Option<u16>,
}

#[derive(Clone, Copy)]
pub(crate) enum Paths {
    One(&'static str),
    /// All 200 of `specs/routes.yaml`, in turn.
    Routes,
}

/// The CPU time of the gateway for a request, as a part of another peer's in the same round.
pub(crate) struct Target {
    pub(crate) base: &'static str,
    pub(crate) at_most: f64,
    pub(crate) stretch: Option<f64>,
}

/// Memory with 200 routes.
pub(crate) const MOST_RSS_KIB: u64 = 25 << 10;
/// Memory of an idle client connection.
pub(crate) const MOST_IDLE_KIB: f64 = 16.0;
/// From start to the first answer.
pub(crate) const MOST_START_MILLIS: f64 = 50.0;

/// As much as the peer can do.
pub(crate) const SATURATION: LoadShape = LoadShape {
    work: Work::Plain,
    paths: Paths::One("/s"),
    kind: CredentialKind::Nothing,
    connections: 64,
    new_connection: false,
    rate: None,
    tls: None,
    message: None,
};

/// Inside TLS 1.3 with a P-256 certificate.
const fn tls(mode: &'static str, path: &'static str, connections: usize) -> Kind {
    Kind::Load(LoadShape { work: Work::Tls, paths: Paths::One(path), connections, tls: Some(mode), ..SATURATION })
}

/// One path of `specs/callers.yaml`, and the credential for it.
const fn caller(work: Work, kind: CredentialKind) -> Kind {
    Kind::Load(LoadShape { work, paths: Paths::One(work.path()), kind, ..SATURATION })
}

/// Messages of this length over 64 WebSockets, each connection with one under way.
const fn messages(length: u16) -> Kind {
    let path = Work::Socket.path();
    Kind::Load(LoadShape { work: Work::Socket, paths: Paths::One(path), message: Some(length), ..SATURATION })
}

/// A client that gets one token after the other.
const fn issue(format: &'static str) -> Kind {
    Kind::Load(LoadShape {
        work: Work::Accounts,
        paths: Paths::One(TOKEN_PATH),
        kind: CredentialKind::Client(format),
        ..SATURATION
    })
}

/// The peers that give tokens, by their store. No other peer is an authorization server.
const ISSUERS: &[&str] = &["gateway-memory", "gateway-sqlite", "gateway-postgres"];

/// Who checks tokens.
const VERIFIERS: &[&str] = &["gateway", "haproxy", "envoy"];

const ALL: &[&str] = &["gateway", "nginx", "haproxy", "envoy"];
/// Beside the one with all documents, a gateway that has 200 routes and nothing else: no TLS, no consumers.
const STARTED: &[&str] = &["gateway", "gateway-routes", "nginx", "haproxy", "envoy"];
const ENCRYPTED: &[&str] = &["gateway", "gateway-nolog", "nginx", "haproxy", "envoy"];

const fn target(base: &'static str, at_most: f64, stretch: Option<f64>) -> Target {
    Target { base, at_most, stretch }
}

pub(crate) static SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "plain",
        what: "a public route, 100 bytes; the gateway with access log and metrics, the others without (nginx-log: with)",
        kind: Kind::Load(SATURATION),
        peers: &["gateway", "gateway-nolog", "nginx", "nginx-log", "haproxy", "envoy", "hyper"],
        bases: &["nginx", "envoy", "hyper"],
        targets: &[target("nginx", 1.0, Some(0.9)), target("envoy", 0.52, None)],
    },
    Scenario {
        name: "jwt",
        what: "a token with HS256 is required, 100 tokens in turn; the gateway with access log and metrics",
        kind: Kind::Load(LoadShape {
            work: Work::Jwt,
            paths: Paths::One("/private/s"),
            kind: CredentialKind::Tokens(Algorithm::HS256, 100),
            ..SATURATION
        }),
        peers: &["gateway", "haproxy", "envoy"],
        bases: &["haproxy", "envoy"],
        targets: &[target("haproxy", 0.75, None), target("envoy", 0.45, None)],
    },
    Scenario {
        name: "key",
        what: "an API key is required, 20,000 keys in turn (10 where only 10 are known); 10, 1,000 and 1,000,000 consumers",
        kind: caller(Work::Key, CredentialKind::Key),
        peers: &["gateway", "gateway-1k", "gateway-1m", "nginx-1m", "haproxy", "haproxy-1m", "envoy", "envoy-1m"],
        bases: &["gateway", "nginx-1m", "haproxy-1m", "envoy-1m"],
        targets: &[],
    },
    Scenario {
        name: "jwt-hs256",
        what: "a token with HS256 is required, the same for all requests: remembered where the peer can",
        kind: caller(Work::Hs256, CredentialKind::Tokens(Algorithm::HS256, 1)),
        peers: VERIFIERS,
        bases: &["haproxy", "envoy"],
        targets: &[],
    },
    Scenario {
        name: "jwt-hs256-cold",
        what: "a token with HS256 is required, another for every request: none is remembered",
        kind: caller(Work::Hs256, CredentialKind::Tokens(Algorithm::HS256, COLD)),
        peers: VERIFIERS,
        bases: &["haproxy", "envoy"],
        targets: &[],
    },
    Scenario {
        name: "jwt-rs256",
        what: "a token with RS256 is required, the same for all requests: remembered where the peer can",
        kind: caller(Work::Rs256, CredentialKind::Tokens(Algorithm::RS256, 1)),
        peers: VERIFIERS,
        bases: &["haproxy", "envoy"],
        targets: &[],
    },
    Scenario {
        name: "jwt-rs256-cold",
        what: "a token with RS256 is required, another for every request: none is remembered",
        kind: caller(Work::Rs256, CredentialKind::Tokens(Algorithm::RS256, COLD)),
        peers: VERIFIERS,
        bases: &["haproxy", "envoy"],
        targets: &[],
    },
    Scenario {
        name: "jwt-es256",
        what: "a token with ES256 is required, the same for all requests: remembered where the peer can",
        kind: caller(Work::Es256, CredentialKind::Tokens(Algorithm::ES256, 1)),
        peers: VERIFIERS,
        bases: &["haproxy", "envoy"],
        targets: &[],
    },
    Scenario {
        name: "jwt-es256-cold",
        what: "a token with ES256 is required, another for every request: none is remembered",
        kind: caller(Work::Es256, CredentialKind::Tokens(Algorithm::ES256, COLD)),
        peers: VERIFIERS,
        bases: &["haproxy", "envoy"],
        targets: &[],
    },
    Scenario {
        name: "hmac",
        what: "a signature over method, path and date as APISIX has it; HAProxy by hand, without a look at the date",
        kind: caller(Work::Cavage, CredentialKind::Cavage),
        peers: &["gateway", "haproxy"],
        bases: &["haproxy"],
        targets: &[],
    },
    Scenario {
        name: "hmac-rfc9421",
        what: "an HTTP message signature over method and target",
        kind: caller(Work::Message, CredentialKind::Message),
        peers: &["gateway"],
        bases: &[],
        targets: &[],
    },
    Scenario {
        name: "basic",
        what: "a password that was right a short while ago; HAProxy compares with plain text",
        kind: caller(Work::Password, CredentialKind::Password),
        peers: &["gateway", "haproxy"],
        bases: &["haproxy"],
        targets: &[],
    },
    Scenario {
        name: "flood",
        what: "a public route beside a flood of wrong passwords on 64 connections",
        kind: Kind::Flood,
        peers: &["gateway"],
        bases: &[],
        targets: &[],
    },
    Scenario {
        name: "consumers",
        what: "1,000,000 consumers with an API key each: at the start, and read again under load",
        kind: Kind::Consumers,
        peers: &["gateway-1m", "nginx-1m", "haproxy-1m", "envoy-1m"],
        bases: &[],
        targets: &[],
    },
    Scenario {
        name: "limit",
        what: "a limit for each address that has room for all (Envoy: one for all addresses); and the same route without a limit",
        kind: caller(Work::Limit, CredentialKind::Nothing),
        peers: &[
            "gateway",
            "gateway-untold",
            "gateway-unlimited",
            "nginx",
            "nginx-unlimited",
            "haproxy",
            "haproxy-unlimited",
            "envoy",
        ],
        bases: &["gateway-unlimited", "nginx", "haproxy", "envoy"],
        targets: &[target("nginx", 0.97, None)],
    },
    Scenario {
        name: "contract",
        what: "an order of 1 KiB in JSON, with 20 fields, is compared with its schema (nginx-lua: by a script); the others forward it as it is",
        kind: Kind::Load(LoadShape {
            work: Work::Orders,
            paths: Paths::One("/orders"),
            kind: CredentialKind::Order,
            ..SATURATION
        }),
        peers: &["gateway", "gateway-unchecked", "nginx", "nginx-lua", "haproxy", "envoy"],
        bases: &["gateway-unchecked", "nginx", "nginx-lua", "haproxy", "envoy"],
        targets: &[target("gateway-unchecked", 1.25, None)],
    },
    Scenario {
        name: "cors",
        what: "100 bytes for a page of another origin, which may read them; gateway-unshared says nothing about that",
        kind: caller(Work::Cors, CredentialKind::Page),
        peers: &["gateway", "gateway-unshared", "nginx", "haproxy", "envoy"],
        bases: &["gateway-unshared", "nginx", "haproxy", "envoy"],
        targets: &[target("gateway-unshared", 1.02, None)],
    },
    Scenario {
        name: "compress",
        what: "16 KiB of JSON, compressed with gzip at level 6; HAProxy with SLZ, which has no levels",
        kind: caller(Work::Compress, CredentialKind::Gzip),
        peers: ALL,
        bases: &["nginx", "haproxy", "envoy"],
        targets: &[],
    },
    Scenario {
        name: "cache-hit",
        what: "100 bytes that are stored, and answered without the backend; gateway-uncached fetches them each time",
        kind: caller(Work::Stored, CredentialKind::Nothing),
        peers: &["gateway", "gateway-uncached", "nginx", "haproxy", "envoy"],
        bases: &["gateway-uncached", "nginx", "haproxy", "envoy"],
        targets: &[target("gateway-uncached", 0.5, None)],
    },
    Scenario {
        name: "websocket",
        what: "messages of 1 KiB and their echoes over 64 WebSockets; a message and its echo count as a request",
        kind: messages(1024),
        peers: ALL,
        bases: &["nginx", "haproxy", "envoy"],
        targets: &[target("haproxy", 1.05, None)],
    },
    Scenario {
        name: "websocket-125",
        what: "the same with 125 bytes, the most that a frame with a short head has",
        kind: messages(125),
        peers: ALL,
        bases: &["nginx", "haproxy", "envoy"],
        targets: &[target("haproxy", 1.05, None)],
    },
    Scenario {
        name: "clients",
        what: "1,000,000 clients in turn, each counted by a header; the first time, and again",
        kind: Kind::Clients,
        peers: &["gateway", "gateway-unlimited", "nginx", "haproxy"],
        bases: &[],
        targets: &[],
    },
    Scenario {
        name: "oauth-issue",
        what: "a token for a client's secret, opaque: 64 connections, one client",
        kind: issue("opaque"),
        peers: ISSUERS,
        bases: &["gateway-memory"],
        targets: &[],
    },
    Scenario {
        name: "oauth-issue-jwt",
        what: "the same, as a JWT with ES256",
        kind: issue("jwt"),
        peers: ISSUERS,
        bases: &["gateway-memory"],
        targets: &[],
    },
    Scenario {
        name: "oauth-use",
        what: "100 tokens in turn: a JWT of somebody else's (gateway-jwt), an opaque token (gateway-own) and a JWT (gateway-own-jwt) of its own, and nothing (gateway-anyone); 10,000 tokens, each looked up for each request (gateway-asks-…)",
        kind: Kind::Load(LoadShape {
            work: Work::Accounts,
            paths: Paths::One(Work::Accounts.path()),
            kind: CredentialKind::Own,
            ..SATURATION
        }),
        peers: &[
            "gateway-anyone",
            "gateway-jwt",
            "gateway-own",
            "gateway-own-jwt",
            "gateway-asks-memory",
            "gateway-asks-sqlite",
            "gateway-asks-postgres",
        ],
        bases: &["gateway-jwt"],
        targets: &[],
    },
    Scenario {
        name: "newconn",
        what: "a new connection for every request, 32 at a time",
        kind: Kind::Load(LoadShape { new_connection: true, connections: 32, ..SATURATION }),
        peers: ALL,
        bases: &["nginx", "haproxy", "envoy"],
        targets: &[target("nginx", 0.9, None)],
    },
    Scenario {
        name: "body16k",
        what: "an answer of 16 KiB",
        kind: Kind::Load(LoadShape { paths: Paths::One("/16k"), ..SATURATION }),
        peers: &["gateway", "nginx", "haproxy", "envoy", "hyper"],
        bases: &["nginx", "envoy"],
        targets: &[],
    },
    Scenario {
        name: "body1m",
        what: "an answer of 1 MiB, 16 at a time",
        kind: Kind::Load(LoadShape { paths: Paths::One("/1m"), connections: 16, ..SATURATION }),
        peers: &["gateway", "nginx", "haproxy", "envoy", "hyper"],
        bases: &["nginx", "envoy"],
        targets: &[],
    },
    Scenario {
        name: "tls-h1",
        what: "HTTP/1.1 inside TLS 1.3, 100 bytes, 64 connections that stay",
        kind: tls("h1", "/s", 64),
        peers: ENCRYPTED,
        bases: &["nginx", "haproxy", "envoy"],
        targets: &[target("nginx", 0.88, None)],
    },
    Scenario {
        name: "tls-h2",
        what: "HTTP/2 inside TLS 1.3, 100 bytes, 32 connections that stay with 10 streams each",
        kind: tls("h2", "/s", 32),
        peers: ENCRYPTED,
        bases: &["nginx", "haproxy", "envoy"],
        targets: &[target("nginx", 0.72, None)],
    },
    Scenario {
        name: "tls-h2-few",
        what: "as before, 8 connections",
        kind: tls("h2", "/s", 8),
        peers: ENCRYPTED,
        bases: &["nginx", "haproxy", "envoy"],
        targets: &[],
    },
    Scenario {
        name: "tls-full",
        what: "a new connection with a full handshake for every request, one after the other",
        kind: tls("full", "/s", 1),
        peers: ALL,
        bases: &["nginx", "haproxy", "envoy"],
        targets: &[target("nginx", 0.70, None)],
    },
    Scenario {
        name: "tls-resumed",
        what: "a new connection with a resumed session for every request, one after the other",
        kind: tls("resumed", "/s", 1),
        peers: ALL,
        bases: &["nginx", "haproxy", "envoy"],
        targets: &[],
    },
    Scenario {
        name: "tls-16k",
        what: "an answer of 16 KiB over HTTP/1.1 inside TLS 1.3",
        kind: tls("h1", "/16k", 64),
        peers: ALL,
        bases: &["nginx", "haproxy", "envoy"],
        targets: &[target("nginx", 0.90, None)],
    },
    Scenario {
        name: "tls-1m",
        what: "an answer of 1 MiB over HTTP/1.1 inside TLS 1.3, 16 at a time",
        kind: tls("h1", "/1m", 16),
        peers: ALL,
        bases: &["nginx", "haproxy", "envoy"],
        targets: &[target("nginx", 0.55, None)],
    },
    Scenario {
        name: "several",
        what: "100 bytes of three endpoints in turn; gateway-single has one",
        kind: Kind::Load(LoadShape { work: Work::Several, ..SATURATION }),
        peers: &["gateway", "gateway-single"],
        bases: &["gateway-single"],
        targets: &[target("gateway-single", 1.03, None)],
    },
    Scenario {
        name: "routes",
        what: "200 routes in turn; the others match prefixes, the gateway templates",
        kind: Kind::Load(LoadShape { work: Work::Routes, paths: Paths::Routes, ..SATURATION }),
        peers: ALL,
        bases: &["nginx", "haproxy", "envoy"],
        targets: &[],
    },
    Scenario {
        name: "latency",
        what: "3,000 requests a second, due at fixed moments",
        kind: Kind::Load(LoadShape { rate: Some(3_000), ..SATURATION }),
        peers: ALL,
        bases: &["nginx", "envoy"],
        targets: &[],
    },
    Scenario {
        name: "start",
        what: "from start to the first answer, with 200 routes",
        kind: Kind::Start,
        peers: STARTED,
        bases: &[],
        targets: &[],
    },
    Scenario {
        name: "memory",
        what: "with 200 routes, and with 5,000 idle clients",
        kind: Kind::Memory,
        peers: STARTED,
        bases: &[],
        targets: &[],
    },
    Scenario {
        name: "tls-memory",
        what: "with 5,000 idle clients inside TLS 1.3 that have made one request in HTTP/1.1",
        kind: Kind::TlsMemory,
        peers: ALL,
        bases: &[],
        targets: &[],
    },
    Scenario {
        name: "tunnels",
        what: "with 10,000 idle WebSockets that have had one message each, or as many as there are files for",
        kind: Kind::Tunnels,
        peers: &["gateway", "haproxy", "envoy"],
        bases: &[],
        targets: &[],
    },
];

/// What is measured in a way of its own, and only where it is asked for.
pub(crate) const APART: [&str; 3] = ["scale", "faults", "endpoints"];

pub(crate) fn is_known(name: &str) -> bool {
    name == "list" || APART.contains(&name) || SCENARIOS.iter().any(|scenario| scenario.name == name)
}

/// The paths that `specs/routes.yaml` describes.
pub(crate) fn routes() -> Vec<String> {
    let of_service =
        |service| ["", "/42", "/42/details", "/42/parts/wheel"].map(|rest| format!("/service{service}/v1/items{rest}"));
    (0..50).flat_map(of_service).collect()
}
