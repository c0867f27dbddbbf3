//! What a deployment says of TLS at its listeners.

use std::collections::BTreeMap;
use std::path::Path;

use super::settings::Settings;
use super::{Place, Problem};

/// How a listener speaks TLS.
#[derive(Debug, Clone)]
pub(crate) struct ListenerTls {
    /// At least one; the first is for clients that ask for no name.
    pub(crate) certificates: Vec<CertificateSource>,
    pub(crate) min_version: TlsVersion,
    /// Who signs the certificates of clients; clients are asked for one if there is something.
    pub(crate) client_ca: Option<PemPlace>,
    /// Where TLS was asked for.
    pub(crate) place: Place,
}

/// The lowest version that a listener speaks; 1.3 is the highest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TlsVersion {
    /// RFC 5246.
    V12,
    /// RFC 8446.
    V13,
}

/// Where a certificate chain and its key are.
#[derive(Debug, Clone)]
pub(crate) struct CertificateSource {
    pub(crate) cert: PemPlace,
    pub(crate) key: PemPlace,
}

/// Where a PEM text is, and which setting says so.
#[derive(Debug, Clone)]
pub(crate) struct PemPlace {
    pub(crate) source: PemSource,
    pub(crate) place: Place,
}

/// The place of a PEM text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PemSource {
    /// A file; a relative path starts at the folder of `gateway.yaml`.
    File(String),
    /// An environment variable.
    Env(String),
}

impl PemPlace {
    /// How messages call it.
    pub(crate) fn name(&self) -> String {
        match &self.source {
            PemSource::File(path) => format!("file {}", Path::new(path).display()),
            PemSource::Env(name) => format!("environment variable {name}"),
        }
    }
}

/// What was found of one pair so far.
#[derive(Default)]
struct Halves {
    cert: Option<PemPlace>,
    key: Option<PemPlace>,
}

/// Takes what is said of TLS, by the names of the listeners.
pub(super) fn read(settings: &mut Settings) -> BTreeMap<String, ListenerTls> {
    // By listener and by the pair's position; the pair of `tls: {cert, key}` comes first.
    let mut pairs: BTreeMap<(String, Option<usize>), Halves> = BTreeMap::new();
    for (half, into) in [("cert", Halves::cert as fn(&mut Halves) -> &mut Option<PemPlace>), ("key", Halves::key)] {
        for (kind, source) in SOURCES {
            let single = settings.take_all(&format!("listeners.*.tls.{half}.{kind}"));
            let several = settings.take_all(&format!("listeners.*.tls.certificates.*.{half}.{kind}"));
            for (names, setting) in single.into_iter().chain(several) {
                let position = names.get(1).and_then(|position| position.parse().ok());
                let Some(text) = settings.text(&setting) else { continue };
                let slot = into(pairs.entry((names[0].clone(), position)).or_default());
                if slot.is_some() {
                    settings.problems.push(Problem::at(&setting.place, "write either `file:` or `env:`"));
                }
                *slot = Some(PemPlace { source: source(text), place: setting.place });
            }
        }
    }
    let mut read: BTreeMap<String, ListenerTls> = BTreeMap::new();
    for ((listener, _), halves) in pairs {
        match (halves.cert, halves.key) {
            (Some(cert), Some(key)) => {
                let place = cert.place.clone();
                read.entry(listener)
                    .or_insert_with(|| ListenerTls {
                        certificates: Vec::new(),
                        min_version: TlsVersion::V12,
                        client_ca: None,
                        place,
                    })
                    .certificates
                    .push(CertificateSource { cert, key });
            }
            (Some(cert), None) => settings.problems.push(Problem::at(
                &cert.place,
                format!("listener `{listener}` has a certificate without a key; write `key: {{file: tls.key}}`"),
            )),
            (None, Some(key)) => settings.problems.push(Problem::at(
                &key.place,
                format!("listener `{listener}` has a key without a certificate; write `cert: {{file: tls.crt}}`"),
            )),
            (None, None) => {}
        }
    }
    for (names, setting) in settings.take_all("listeners.*.tls.minVersion") {
        let version = settings.parse(&setting, "`1.2` or `1.3`", |text| match text {
            "1.2" => Some(TlsVersion::V12),
            "1.3" => Some(TlsVersion::V13),
            _ => None,
        });
        let Some(version) = version else { continue };
        match read.get_mut(&names[0]) {
            Some(tls) => tls.min_version = version,
            None => settings.problems.push(without_certificate(&names[0], &setting.place)),
        }
    }
    for (kind, source) in SOURCES {
        for (names, setting) in settings.take_all(&format!("listeners.*.tls.clientAuth.ca.{kind}")) {
            let Some(text) = settings.text(&setting) else { continue };
            match read.get_mut(&names[0]) {
                Some(tls) => tls.client_ca = Some(PemPlace { source: source(text), place: setting.place }),
                None => settings.problems.push(without_certificate(&names[0], &setting.place)),
            }
        }
    }
    read
}

type MakeSource = fn(String) -> PemSource;

/// The keys of a place.
const SOURCES: [(&str, MakeSource); 2] = [("file", PemSource::File), ("env", PemSource::Env)];

fn without_certificate(listener: &str, place: &Place) -> Problem {
    let help = "write `cert: {file: tls.crt}` and `key: {file: tls.key}`";
    Problem::at(place, format!("listener `{listener}` has no certificate; {help}"))
}

impl Halves {
    fn cert(&mut self) -> &mut Option<PemPlace> {
        &mut self.cert
    }

    fn key(&mut self) -> &mut Option<PemPlace> {
        &mut self.key
    }
}
