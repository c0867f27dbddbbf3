//! What is measured: a program with its arguments, and the ports at which it does one thing each.

use std::path::PathBuf;

pub(crate) const BACKEND_PORT: u16 = 18900;

/// What a port of a peer does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    /// Forwards everything (the gateway: what its document describes).
    Plain,
    /// Forwards what has a valid HS256 token.
    Jwt,
    /// The same for three algorithms; Envoy caches tokens.
    Hs256,
    Rs256,
    Es256,
    /// Forwards what has the API key of a consumer.
    Key,
    /// Forwards what has a user name and a password.
    Password,
    /// Forwards what is signed as APISIX has it.
    Cavage,
    /// Forwards what is signed by RFC 9421.
    Message,
    /// Counts the requests of each address, and has room for all.
    Limit,
    /// Counts the requests of each client, by a header.
    Clients,
    /// As `Plain`, inside TLS, with HTTP/1.1 and HTTP/2.
    Tls,
    /// Gives tokens, and forwards what has one.
    Accounts,
    /// Takes orders, and compares them with what is described.
    Orders,
    /// Tells pages of another origin that they may read it.
    Cors,
    /// Compresses.
    Compress,
    /// Stores a response, and answers with it.
    Stored,
    /// Lets connections become WebSockets.
    Socket,
    /// Knows 200 routes.
    Routes,
    /// As `Plain`, to three endpoints.
    Several,
    /// Forwards to three replicas, with tries.
    Replicas,
    /// Forwards to endpoints that it checks.
    Endpoints,
}

impl Work {
    /// Something that is answered there, with 200 or 401.
    pub(crate) const fn path(self) -> &'static str {
        match self {
            Self::Plain | Self::Tls | Self::Several => "/s",
            Self::Jwt => "/private/s",
            Self::Hs256 => "/hs256",
            Self::Rs256 => "/rs256",
            Self::Es256 => "/es256",
            Self::Key => "/key",
            Self::Password => "/password",
            Self::Cavage => "/cavage",
            Self::Message => "/message",
            Self::Limit => "/limited",
            Self::Clients => "/clients",
            Self::Accounts => "/own",
            Self::Orders => "/s",
            Self::Cors => "/cors",
            Self::Compress => "/text",
            Self::Stored => "/stored",
            Self::Socket => "/echo",
            Self::Routes => "/service7/v1/items",
            Self::Replicas => "/replica",
            Self::Endpoints => "/endpoint",
        }
    }
}

/// A program to measure.
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    pub(crate) version: String,
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<String>,
    pub(crate) environment: Vec<(&'static str, String)>,
    pub(crate) ports: Vec<(Work, u16)>,
    /// How many it knows.
    pub(crate) consumers: usize,
}

impl Peer {
    pub(crate) fn port(&self, work: Work) -> Option<u16> {
        self.ports.iter().find(|(has, _)| *has == work).map(|(_, port)| *port)
    }
}
