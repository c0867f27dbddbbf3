//! TLS at the listeners: which client gets which certificate, and what a handshake reveals about a client.

#[cfg(feature = "acme")]
pub mod acme;
pub(crate) mod challenge;
pub(crate) mod clients;
pub(crate) mod keys;
pub(crate) mod names;
pub mod reload;
pub(crate) mod reloaded;
#[cfg_attr(not(feature = "acme"), allow(dead_code, reason = "where an authority is, and what it is outcome"))]
pub mod settings;
pub(crate) mod shown;
pub(crate) mod socket;

use std::cell::Cell;
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

use crate::reloaded::Reloaded;
use crate::settings::{CertificateSource, ListenerTls, PemSource, TlsVersion};
use crate::shown::ServerCertificate;
pub(crate) use challenge::Challenges;
use clients::Trusted;
use gateway_base::file_state::FileState;
use gateway_base::problem::Problem;
use gateway_base::secret::SecretStore;
use gateway_base::timestamp;
use gateway_wire::downstream::SCRATCH_SIZE;
use gateway_wire::peer::{Alpn, ClientCertificate, TlsFacts};
use names::ByName;
use socket::RecordSocket;

/// What a listener with TLS speaks inside of it, the preferred protocol first.
const PROTOCOLS: &[Alpn] = &[Alpn::Http2, Alpn::Http1];

/// TLS 1.2 sessions that are remembered for clients without tickets.
const REMEMBERED_SESSIONS: usize = 1024;

/// The first byte of every TLS connection: a handshake record (RFC 8446 §5.1).
const HANDSHAKE: u8 = 22;

/// The answer to plain HTTP on a TLS port.
const PLAIN_HTTP: &[u8] =
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 55\r\n\
    Connection: close\r\n\r\nThis port speaks HTTPS: write https:// before the name\n";

/// A client's connection inside TLS. Boxed: futures hold it more than once.
pub(crate) type ServerStream = Box<tokio_rustls::server::TlsStream<RecordSocket>>;

/// The fields that upstreams get about it, and that no client may send itself: the subject, and the fingerprint.
pub const CERTIFICATE_HEADERS: [&str; 2] = ["X-Client-Cert-Subject", "X-Client-Cert-Fingerprint"];

/// A listener's keys and certificates. What new connections get can be replaced; open ones keep theirs.
pub struct Tls {
    current: ArcSwap<Current>,
    settings: ListenerTls,
    secrets: SecretStore,
    challenges: Arc<Challenges>,
    /// Of the files, before they were read first.
    first_states: Vec<Option<FileState>>,
}

/// What new connections get.
struct Current {
    config: Arc<ServerConfig>,
    shown: Vec<ServerCertificate>,
    clients: Option<Trusted>,
    certificates: Vec<Validity>,
}

/// The validity of a certificate.
#[derive(Debug, Clone)]
pub struct Validity {
    /// Where it is.
    pub name: String,
    /// Seconds since the epoch.
    pub(crate) not_before: u64,
    /// Seconds since the epoch.
    pub not_after: u64,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Tls({:?})", self.current.load().certificates)
    }
}

impl Tls {
    /// Reads the files of a listener.
    ///
    /// # Errors
    /// Everything that is wrong with them, each with its place.
    pub fn open(settings: &ListenerTls, secrets: &SecretStore) -> Result<Self, Vec<Problem>> {
        // Before they are read: a change in between must be seen.
        let first_states = states(settings, secrets);
        let challenges = Arc::default();
        let current = ArcSwap::from_pointee(Current::read(settings, secrets, &challenges)?);
        Ok(Self { current, settings: settings.clone(), secrets: secrets.clone(), challenges, first_states })
    }

    /// Reads the files again. Each pair is checked separately: if a changed one is invalid, the previous one stays, and
    /// unchanged ones are not checked.
    fn reload(&self) -> Reloaded {
        let before = self.current.load();
        let mut outcome = Reloaded::default();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut shown = Vec::with_capacity(before.shown.len());
        for (source, old) in self.settings.certificates.iter().zip(&before.shown) {
            let next = self.next(source, old, &provider, &mut outcome);
            shown.push(next.unwrap_or_else(|| old.clone()));
        }
        let clients = self.settings.client_ca.as_ref().and_then(|ca| {
            let next = clients::verifier(ca, &self.secrets, &provider);
            let next = next.map_err(|problem| outcome.refuse(&[problem], &ca.name())).ok()?;
            let changed = before.clients.as_ref().is_none_or(|before| before.authorities != next.authorities);
            outcome.changed |= changed;
            changed.then_some(next)
        });
        if !outcome.changed {
            return outcome;
        }
        let clients = clients.or_else(|| before.clients.clone());
        match Current::of(&self.settings, provider, shown, clients, &self.challenges) {
            Ok(mut next) => {
                // Clients may go on with the sessions that they have; but a session with a client's certificate goes on
                // unchecked, and its authority may no longer be trusted.
                if self.settings.client_ca.is_none() {
                    let config = Arc::make_mut(&mut next.config);
                    config.ticketer = Arc::clone(&before.config.ticketer);
                    config.session_storage = Arc::clone(&before.config.session_storage);
                }
                self.current.store(Arc::new(next));
            }
            Err(problem) => {
                outcome.changed = false;
                outcome.refuse(&[problem], "its files");
            }
        }
        outcome
    }

    /// A pair that has changed, and is valid.
    fn next(
        &self,
        source: &CertificateSource,
        old: &ServerCertificate,
        provider: &CryptoProvider,
        outcome: &mut Reloaded,
    ) -> Option<ServerCertificate> {
        if keys::waits_for_files(source, &self.secrets) {
            return None;
        }
        let next = keys::pair(source, &self.secrets, provider)
            .map_err(|problems| outcome.refuse(&problems, &source.cert.name()))
            .ok()?;
        // The same certificate has the same key.
        if next.key.cert == old.key.cert {
            return None;
        }
        let validity = Validity::of(source, &next);
        if let Some(complaint) = validity.complaint() {
            outcome.refuse(&[Problem::plain(complaint)], &validity.name);
            outcome.again_in(validity.starts_in());
            return None;
        }
        outcome.changed = true;
        Some(next)
    }

    /// Who issues the listener's certificate, and where it is proven that the domains lead here.
    #[cfg(feature = "acme")]
    pub(crate) fn acme(&self) -> Option<(&settings::AcmeSettings, &Arc<Challenges>)> {
        Some((self.settings.acme.as_ref()?, &self.challenges))
    }

    fn states(&self) -> Vec<Option<FileState>> {
        states(&self.settings, &self.secrets)
    }

    /// The certificates that are shown now.
    pub fn certificates(&self) -> Vec<Validity> {
        self.current.load().certificates.clone()
    }

    /// Warnings about certificates that are served all the same.
    pub fn remarks(&self) -> Vec<String> {
        let stand_in = self.settings.acme.as_ref().filter(|_| self.first_states.first() == Some(&None));
        let complaints = self.current.load().certificates.iter().filter_map(Validity::complaint).collect::<Vec<_>>();
        stand_in.map(settings::announcement).into_iter().chain(complaints).collect()
    }

    /// Agrees with a client on keys; `None` for one that cannot, or does not within `limit`. A client that has begun is
    /// not idle.
    pub async fn handshake(
        &self,
        stream: TcpStream,
        limit: Duration,
        idle: &Cell<bool>,
    ) -> Option<(ServerStream, TlsFacts)> {
        tokio::time::timeout(limit, self.agree(stream, idle)).await.ok()?.ok()
    }

    async fn agree(&self, mut stream: TcpStream, idle: &Cell<bool>) -> io::Result<(ServerStream, TlsFacts)> {
        // Before anything is allocated: many connections are opened ahead and say nothing for a while.
        let mut first = [0];
        if stream.peek(&mut first).await? == 1 && first[0] != HANDSHAKE {
            if first[0].is_ascii_uppercase() {
                stream.write_all(PLAIN_HTTP).await?;
            }
            return Err(io::ErrorKind::InvalidData.into());
        }
        idle.set(false);
        let mut stream =
            TlsAcceptor::from(Arc::clone(&self.current.load().config)).accept(RecordSocket::over(stream)).await?;
        let (_, session) = stream.get_mut();
        // What was read at once is written at once.
        session.set_buffer_limit(Some(SCRATCH_SIZE));
        let chosen = session.alpn_protocol();
        if chosen == Some(challenge::PROTOCOL) {
            // The handshake was the proof; nothing is spoken inside (RFC 8737 §3).
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        let facts = TlsFacts {
            client: session.peer_certificates().and_then(|chain| ClientCertificate::of(chain.first()?)),
            alpn: PROTOCOLS.iter().copied().find(|alpn| chosen == Some(alpn.id())).unwrap_or(Alpn::Http1),
        };
        Ok((Box::new(stream), facts))
    }
}

impl Current {
    fn read(settings: &ListenerTls, secrets: &SecretStore, challenges: &Arc<Challenges>) -> Result<Self, Vec<Problem>> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let clients = settings.client_ca.as_ref().map(|ca| clients::verifier(ca, secrets, &provider)).transpose();
        let (pairs, clients) = match (keys::pairs(settings, secrets, &provider), clients) {
            (Ok(pairs), Ok(clients)) => (pairs, clients),
            (pairs, clients) => return Err(pairs.err().into_iter().flatten().chain(clients.err()).collect()),
        };
        Self::of(settings, provider, pairs, clients, challenges).map_err(|problem| vec![problem])
    }

    fn of(
        settings: &ListenerTls,
        provider: Arc<CryptoProvider>,
        shown: Vec<ServerCertificate>,
        clients: Option<Trusted>,
        challenges: &Arc<Challenges>,
    ) -> Result<Self, Problem> {
        let certificates = settings.certificates.iter().zip(&shown).map(|(source, pair)| Validity::of(source, pair));
        let certificates = certificates.collect();
        let config = assemble(settings, provider, ByName::of(&shown, Arc::clone(challenges)), clients.as_ref())
            .map_err(|error| Problem::at(&settings.place, format!("TLS cannot be set up: {error}")))?;
        Ok(Self { config: Arc::new(config), shown, clients, certificates })
    }
}

impl Validity {
    fn of(source: &CertificateSource, pair: &ServerCertificate) -> Self {
        Self { name: source.cert.name(), not_before: pair.says.not_before, not_after: pair.says.not_after }
    }

    /// How long it is until the certificate is valid, if that is to come.
    fn starts_in(&self) -> Option<Duration> {
        self.not_before.checked_sub(timestamp::now()).map(Duration::from_secs)
    }

    /// Why clients will not trust the certificate now.
    fn complaint(&self) -> Option<String> {
        let now = timestamp::now();
        if now > self.not_after {
            Some(format!("the certificate in {} expired on {}", self.name, timestamp::format(self.not_after)))
        } else if now < self.not_before {
            Some(format!("the certificate in {} is valid from {} on", self.name, timestamp::format(self.not_before)))
        } else {
            None
        }
    }
}

fn states(settings: &ListenerTls, secrets: &SecretStore) -> Vec<Option<FileState>> {
    let pairs = settings.certificates.iter().flat_map(|pair| [&pair.cert, &pair.key]);
    let places = pairs.chain(&settings.client_ca);
    let files = places.filter_map(|place| match &place.source {
        PemSource::File(path) => Some(secrets.folder.join(path)),
        PemSource::Env(_) => None,
    });
    files.map(|file| FileState::of(&file)).collect()
}

fn assemble(
    settings: &ListenerTls,
    provider: Arc<CryptoProvider>,
    names: ByName,
    clients: Option<&Trusted>,
) -> Result<ServerConfig, rustls::Error> {
    let versions: &[&SupportedProtocolVersion] = match settings.min_version {
        TlsVersion::V12 => &[&TLS13, &TLS12],
        TlsVersion::V13 => &[&TLS13],
    };
    let builder = ServerConfig::builder_with_provider(provider).with_protocol_versions(versions)?;
    let builder = match clients {
        Some(trusted) => builder.with_client_cert_verifier(Arc::clone(&trusted.verifier)),
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_cert_resolver(Arc::new(names));
    config.alpn_protocols = PROTOCOLS.iter().map(|alpn| alpn.id().to_vec()).collect();
    if settings.acme.is_some() {
        config.alpn_protocols.push(challenge::PROTOCOL.to_vec());
    }
    // Its keys rotate automatically, and all workers have the same: a client may come back to any of them.
    config.ticketer = rustls::crypto::aws_lc_rs::Ticketer::new()?;
    config.session_storage = match settings.min_version {
        TlsVersion::V12 => ServerSessionMemoryCache::new(REMEMBERED_SESSIONS),
        TlsVersion::V13 => Arc::new(NoServerSessionStorage {}),
    };
    Ok(config)
}
