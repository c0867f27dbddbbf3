//! TLS at the listeners: which certificate is shown to whom, and what a handshake tells about a client.

mod certificate;
mod keys;
mod names;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::crypto::CryptoProvider;
use rustls::server::{NoServerSessionStorage, ServerSessionMemoryCache};
use rustls::version::{TLS12, TLS13};
use rustls::{ServerConfig, SupportedProtocolVersion};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use crate::config::Problem;
use crate::config::tls::{ListenerTls, TlsVersion};
use crate::secret::SecretStore;
use names::ByName;

/// What a listener with TLS speaks inside of it, the preferred protocol first.
const PROTOCOLS: &[Alpn] = &[Alpn::Http1];

/// TLS 1.2 sessions that are remembered for clients without tickets.
const REMEMBERED_SESSIONS: usize = 1024;

/// The first byte of every TLS connection: a handshake record (RFC 8446 §5.1).
const HANDSHAKE: u8 = 22;

/// For who speaks HTTP where TLS is spoken.
const PLAIN_HTTP: &[u8] =
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 54\r\n\
    Connection: close\r\n\r\nThis port speaks HTTPS: write https:// before the name\n";

/// A client's connection inside TLS.
pub(crate) type ServerStream = tokio_rustls::server::TlsStream<TcpStream>;

/// What a handshake has told.
#[derive(Debug)]
pub(crate) struct TlsFacts {
    /// The name that the client asked for (RFC 6066 §3).
    #[expect(dead_code, reason = "for the access log")]
    pub(crate) server_name: Option<Box<str>>,
    pub(crate) alpn: Alpn,
}

/// A protocol inside TLS (RFC 7301).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Alpn {
    /// HTTP/1.1, also for clients that name no protocol.
    Http1,
}

impl Alpn {
    fn id(self) -> &'static [u8] {
        match self {
            Self::Http1 => b"http/1.1",
        }
    }
}

/// A listener's keys and certificates. What new connections get can be replaced; open ones keep theirs.
pub(crate) struct Tls {
    current: ArcSwap<ServerConfig>,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tls")
    }
}

impl Tls {
    /// Reads the files of a listener.
    ///
    /// # Errors
    /// Everything that is wrong with them, each with its place.
    pub(crate) fn open(settings: &ListenerTls, secrets: &SecretStore) -> Result<Self, Vec<Problem>> {
        Ok(Self { current: ArcSwap::from_pointee(server_config(settings, secrets)?) })
    }

    /// Agrees with a client on keys; `None` for one that cannot, or does not within `limit`.
    pub(crate) async fn handshake(&self, stream: TcpStream, limit: Duration) -> Option<(ServerStream, TlsFacts)> {
        tokio::time::timeout(limit, self.agree(stream)).await.ok()?.ok()
    }

    async fn agree(&self, mut stream: TcpStream) -> io::Result<(ServerStream, TlsFacts)> {
        // Before anything is allocated: many connections are opened ahead and say nothing for a while.
        let mut first = [0];
        if stream.peek(&mut first).await? == 1 && first[0] != HANDSHAKE {
            if first[0].is_ascii_uppercase() {
                stream.write_all(PLAIN_HTTP).await?;
            }
            return Err(io::ErrorKind::InvalidData.into());
        }
        let stream = TlsAcceptor::from(self.current.load_full()).accept(stream).await?;
        let (_, session) = stream.get_ref();
        let chosen = session.alpn_protocol();
        let facts = TlsFacts {
            server_name: session.server_name().map(Box::from),
            alpn: PROTOCOLS.iter().copied().find(|alpn| chosen == Some(alpn.id())).unwrap_or(Alpn::Http1),
        };
        Ok((stream, facts))
    }
}

fn server_config(settings: &ListenerTls, secrets: &SecretStore) -> Result<ServerConfig, Vec<Problem>> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let names = ByName::read(settings, secrets, &provider)?;
    assemble(settings, provider, names)
        .map_err(|error| vec![Problem::at(&settings.place, format!("TLS cannot be set up: {error}"))])
}

fn assemble(
    settings: &ListenerTls,
    provider: Arc<CryptoProvider>,
    names: ByName,
) -> Result<ServerConfig, rustls::Error> {
    let versions: &[&SupportedProtocolVersion] = match settings.min_version {
        TlsVersion::V12 => &[&TLS13, &TLS12],
        TlsVersion::V13 => &[&TLS13],
    };
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(names));
    config.alpn_protocols = PROTOCOLS.iter().map(|alpn| alpn.id().to_vec()).collect();
    // Its keys change by themselves, and all workers have the same: a client may come back to any of them.
    config.ticketer = rustls::crypto::aws_lc_rs::Ticketer::new()?;
    config.session_storage = match settings.min_version {
        TlsVersion::V12 => ServerSessionMemoryCache::new(REMEMBERED_SESSIONS),
        TlsVersion::V13 => Arc::new(NoServerSessionStorage {}),
    };
    Ok(config)
}
