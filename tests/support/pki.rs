//! Certificates for the tests, and clients that speak TLS.
#![allow(dead_code, reason = "each test file uses its part")]

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, SanType};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

pub(crate) use crate::support::Folder;
use crate::support::PATIENCE;

/// A certificate and its key, both in PEM format.
#[derive(Clone)]
pub(crate) struct Pair {
    pub(crate) cert: String,
    pub(crate) key: String,
    pub(crate) der: Vec<u8>,
}

impl Pair {
    /// Writes `<name>.crt` and `<name>.key`, and returns the settings of a listener `test` that has them.
    pub(crate) fn at(&self, folder: &Folder, name: &str) -> [String; 2] {
        let (cert, key) = (format!("{name}.crt"), format!("{name}.key"));
        [
            format!("listeners.test.tls.cert.file={}", folder.write(&cert, &self.cert)),
            format!("listeners.test.tls.key.file={}", folder.write(&key, &self.key)),
        ]
    }
}

/// An authority of the tests' own.
pub(crate) struct Authority {
    pub(crate) pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let name = format!("Authority {}", COUNT.fetch_add(1, Relaxed));
        params.distinguished_name.push(DnType::CommonName, name);
        let pem = pem("CERTIFICATE", params.self_signed(&key).expect("a certificate").der());
        Self { pem, issuer: Issuer::new(params, key) }
    }

    /// For a server of these names.
    pub(crate) fn server(&self, names: &[&str]) -> Pair {
        self.sign(names, |_| {})
    }

    /// For a server whose certificate has expired.
    pub(crate) fn expired(&self, names: &[&str]) -> Pair {
        self.sign(names, |params| params.not_after = rcgen::date_time_ymd(2020, 1, 1))
    }

    /// For a client with this address in its certificate.
    pub(crate) fn client(&self, san: &str) -> Pair {
        self.sign(&[], |params| {
            let uri = rcgen::string::Ia5String::try_from(san).expect("ASCII");
            params.subject_alt_names.push(SanType::URI(uri));
            params.distinguished_name.push(DnType::CommonName, "A client, of the tests");
            params.extended_key_usages.push(ExtendedKeyUsagePurpose::ClientAuth);
        })
    }

    /// A certificate that a server has signed itself, as `openssl req -x509` makes it: that of an authority.
    pub(crate) fn self_signed(names: &[&str]) -> Pair {
        let key = KeyPair::generate().expect("a key");
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let mut params = CertificateParams::new(names).expect("names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let der = params.self_signed(&key).expect("a certificate").der().to_vec();
        Pair { cert: pem("CERTIFICATE", &der), key: pem("PRIVATE KEY", &key.serialize_der()), der }
    }

    pub(crate) fn sign(&self, names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> Pair {
        let key = KeyPair::generate().expect("a key");
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let mut params = CertificateParams::new(names).expect("names");
        change(&mut params);
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        let der = certificate.der().to_vec();
        Pair { cert: pem("CERTIFICATE", &der), key: pem("PRIVATE KEY", &key.serialize_der()), der }
    }
}

/// RFC 7468, in lines that OpenSSL reads.
fn pem(label: &str, der: &[u8]) -> String {
    let text = crate::support::base64(der);
    let lines = text.as_bytes().chunks(64).map(|line| format!("{}\n", String::from_utf8_lossy(line)));
    format!("-----BEGIN {label}-----\n{}-----END {label}-----\n", lines.collect::<String>())
}

/// An upstream inside TLS, a thread per connection: answers `GET`s and `POST`s with the body that it got, or with
/// `length` bytes where the target is `/v1/health?length`.
pub(crate) struct TlsUpstream {
    pub(crate) address: SocketAddr,
    pub(crate) connections: Arc<AtomicU32>,
}

impl TlsUpstream {
    pub(crate) fn start(pair: &Pair) -> Self {
        Self::asking(pair, None)
    }

    /// One that speaks with clients of this authority only.
    pub(crate) fn asking(pair: &Pair, clients: Option<&Authority>) -> Self {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let verifier = clients.map_or_else(WebPkiClientVerifier::no_client_auth, |authority| {
            let mut roots = RootCertStore::empty();
            roots.add(CertificateDer::from_pem_slice(authority.pem.as_bytes()).expect("PEM")).expect("a root");
            let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
            builder.build().expect("a verifier")
        });
        let chain = vec![CertificateDer::from(pair.der.clone())];
        let key = rustls::pki_types::PrivateKeyDer::from_pem_slice(pair.key.as_bytes()).expect("PEM");
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("TLS")
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain, key)
            .expect("a pair");
        let (config, connections) = (Arc::new(config), Arc::new(AtomicU32::new(0)));
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let (address, counted) = (listener.local_addr().expect("bound"), Arc::clone(&connections));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                counted.fetch_add(1, Relaxed);
                let session = rustls::ServerConnection::new(Arc::clone(&config)).expect("a session");
                std::thread::spawn(move || serve(StreamOwned::new(session, stream)));
            }
        });
        Self { address, connections }
    }
}

fn serve(mut stream: StreamOwned<rustls::ServerConnection, TcpStream>) -> std::io::Result<()> {
    let (mut received, mut buffer) = (Vec::new(), [0; 16384]);
    loop {
        let end = loop {
            if let Some(at) = received.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
            match stream.read(&mut buffer)? {
                0 => return Ok(()),
                count => received.extend_from_slice(&buffer[..count]),
            }
        };
        let head = String::from_utf8_lossy(&received[..end]).into_owned();
        let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).map(str::parse::<usize>);
        let length = length.and_then(Result::ok).unwrap_or(0);
        received.drain(..end);
        while received.len() < length {
            let count = stream.read(&mut buffer)?;
            received.extend_from_slice(&buffer[..count]);
        }
        let mut body: Vec<u8> = received.drain(..length).collect();
        let wanted = head.lines().next().and_then(|line| line.split(['?', ' ']).nth(2)?.parse().ok());
        if let Some(wanted) = wanted {
            body = vec![b'x'; wanted];
        }
        write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len())?;
        stream.write_all(&body)?;
        stream.flush()?;
    }
}

/// A client that trusts these authorities, and shows this certificate.
pub(crate) fn client(trusted: &[&Authority], own: Option<&Pair>) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    for authority in trusted {
        roots.add(CertificateDer::from_pem_slice(authority.pem.as_bytes()).expect("PEM")).expect("a root");
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("TLS");
    let builder = builder.with_root_certificates(roots);
    let config = match own {
        Some(pair) => {
            let chain = vec![CertificateDer::from(pair.der.clone())];
            let key = rustls::pki_types::PrivateKeyDer::from_pem_slice(pair.key.as_bytes()).expect("PEM");
            builder.with_client_auth_cert(chain, key).expect("a key that fits")
        }
        None => builder.with_no_client_auth(),
    };
    Arc::new(config)
}

/// A connection inside TLS.
pub(crate) type TlsConnection = StreamOwned<ClientConnection, TcpStream>;

/// Connects, and agrees on keys with who is there as `name`.
pub(crate) fn connect(address: SocketAddr, name: &str, config: &Arc<ClientConfig>) -> std::io::Result<TlsConnection> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let name = ServerName::try_from(name.to_owned()).expect("a name");
    let mut session = ClientConnection::new(Arc::clone(config), name).expect("a client");
    while session.is_handshaking() {
        session.complete_io(&mut stream)?;
    }
    Ok(StreamOwned::new(session, stream))
}

/// One request, and all of the response, whose end is its `Content-Length`.
pub(crate) fn exchange(connection: &mut TlsConnection, request: &str) -> std::io::Result<String> {
    connection.write_all(request.as_bytes())?;
    let (mut received, mut buffer) = (Vec::new(), [0; 16384]);
    loop {
        let text = String::from_utf8_lossy(&received).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).map(str::parse::<usize>);
            if body.len() >= length.expect("a length").expect("a number") {
                return Ok(text);
            }
        }
        match connection.read(&mut buffer)? {
            0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            count => received.extend_from_slice(&buffer[..count]),
        }
    }
}

/// `GET target`, on a connection of its own.
pub(crate) fn get(
    address: SocketAddr,
    name: &str,
    config: &Arc<ClientConfig>,
    target: &str,
) -> std::io::Result<String> {
    let request = format!("GET {target} HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n");
    exchange(&mut connect(address, name, config)?, &request)
}

/// Runs curl; `name` leads to `address`.
pub(crate) fn curl(address: SocketAddr, name: &str, cacert: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new("curl");
    let seconds = PATIENCE.as_secs().to_string();
    command.args(["--silent", "--show-error", "--max-time", &seconds, "--cacert"]).arg(cacert);
    command.args(["--connect-to", &format!("{name}:443:127.0.0.1:{}", address.port())]);
    command.args(arguments).output().expect("curl runs")
}
