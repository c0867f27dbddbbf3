//! What a deployment says of TLS at its listeners.

use std::collections::BTreeMap;
use std::path::Path;

use gateway_base::problem::{Problem, SettingPlace};
use gateway_base::settings::Settings;

/// How a listener speaks TLS.
#[derive(Debug, Clone)]
pub struct ListenerTls {
    /// At least one; the first is for clients that ask for no name.
    pub(crate) certificates: Vec<CertificateSource>,
    pub(crate) min_version: TlsVersion,
    /// Who signs the certificates of clients; clients are asked for one if there is something.
    pub client_ca: Option<PemPlace>,
    /// The authority that issues the certificate automatically.
    pub(crate) acme: Option<AcmeSettings>,
    /// Where TLS was asked for.
    pub place: SettingPlace,
}

/// An authority that issues certificates automatically (RFC 8555).
#[derive(Debug, Clone)]
pub(crate) struct AcmeSettings {
    /// The URL of its directory.
    pub(crate) directory: String,
    /// At least one; the first names the files.
    pub(crate) domains: Vec<String>,
    /// URLs where it may tell of trouble, such as `mailto:ops@a.example`.
    pub(crate) contact: Vec<String>,
    /// Where the account and the certificate are kept; a relative path starts at the folder of `gateway.yaml`.
    pub(crate) folder: String,
}

impl AcmeSettings {
    pub(crate) fn certificate_file(&self) -> String {
        format!("{}.crt", self.domains[0])
    }

    pub(crate) fn key_file(&self) -> String {
        format!("{}.key", self.domains[0])
    }
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
    /// Without its files there is a self-signed one, for these domains.
    pub(crate) stand_in_for: Vec<String>,
}

/// Where a PEM text is, and which setting says so.
#[derive(Debug, Clone)]
pub struct PemPlace {
    pub(crate) source: PemSource,
    pub(crate) place: SettingPlace,
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
pub fn read(settings: &mut Settings) -> BTreeMap<String, ListenerTls> {
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
                        acme: None,
                        place,
                    })
                    .certificates
                    .push(CertificateSource { cert, key, stand_in_for: Vec::new() });
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
    read_acme(settings, &mut read);
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

/// The authority that most people mean.
const USUAL_DIRECTORY: &str = "https://acme-v02.api.letsencrypt.org/directory";

/// Takes `tls.acme`: its certificate comes before all others of the listener.
fn read_acme(settings: &mut Settings, read: &mut BTreeMap<String, ListenerTls>) {
    let mut lists: BTreeMap<(String, &str), Vec<String>> = BTreeMap::new();
    for (member, expected) in [("domains", DOMAIN), ("contact", "a URL such as mailto:ops@a.example")] {
        for (names, setting) in settings.take_all(&format!("listeners.*.tls.acme.{member}")) {
            let is_good = |text: &str| if member == "domains" { is_domain(text) } else { text.starts_with("mailto:") };
            let list = settings.list(&setting, expected, |text| is_good(text).then(|| text.to_owned()));
            lists.insert((names[0].clone(), member), list);
        }
    }
    let mut directories: BTreeMap<String, String> = BTreeMap::new();
    for (names, setting) in settings.take_all("listeners.*.tls.acme.directory") {
        let is_url = |text: &str| text.starts_with("https://").then(|| text.to_owned());
        if let Some(url) = settings.parse(&setting, "a URL that begins with https://", is_url) {
            directories.insert(names[0].clone(), url);
        }
    }
    let mut agreed: BTreeMap<String, bool> = BTreeMap::new();
    for (names, setting) in settings.take_all("listeners.*.tls.acme.termsOfServiceAgreed") {
        let parsed = settings.parse(&setting, "`true` or `false`", |text| text.parse().ok());
        agreed.insert(names[0].clone(), parsed.unwrap_or(false));
    }
    let mut folders: BTreeMap<String, (String, SettingPlace)> = BTreeMap::new();
    for (names, setting) in settings.take_all("listeners.*.tls.acme.folder") {
        if let Some(folder) = settings.text(&setting) {
            folders.insert(names[0].clone(), (folder, setting.place));
        }
    }
    let asked: std::collections::BTreeSet<String> = (lists.keys().map(|(listener, _)| listener))
        .chain(directories.keys())
        .chain(agreed.keys())
        .chain(folders.keys())
        .cloned()
        .collect();
    for listener in asked {
        let Some((folder, place)) = folders.remove(&listener) else {
            settings.problems.push(Problem::plain(format!(
                "listener `{listener}` has nowhere to keep the certificate from its authority; write `acme: {{folder: acme, domains: [a.example], termsOfServiceAgreed: true}}`"
            )));
            continue;
        };
        let domains = lists.remove(&(listener.clone(), "domains")).unwrap_or_default();
        if domains.is_empty() {
            let help = "write `domains: [a.example]` beside it";
            settings.problems.push(Problem::at(&place, format!("listener `{listener}` names no domain; {help}")));
            continue;
        }
        if agreed.get(&listener) != Some(&true) {
            let what = "the authority issues nothing before its terms of service are agreed to";
            let help = "read them, and write `termsOfServiceAgreed: true`";
            settings.problems.push(Problem::at(&place, format!("listener `{listener}`: {what}; {help}")));
            continue;
        }
        let acme = AcmeSettings {
            directory: directories.remove(&listener).unwrap_or_else(|| USUAL_DIRECTORY.to_owned()),
            contact: lists.remove(&(listener.clone(), "contact")).unwrap_or_default(),
            domains,
            folder,
        };
        let file = |name: String| PemPlace {
            source: PemSource::File(format!("{}/{name}", acme.folder.trim_end_matches('/'))),
            place: place.clone(),
        };
        let source = CertificateSource {
            cert: file(acme.certificate_file()),
            key: file(acme.key_file()),
            stand_in_for: acme.domains.clone(),
        };
        let tls = read.entry(listener).or_insert_with(|| ListenerTls {
            certificates: Vec::new(),
            min_version: TlsVersion::V12,
            client_ca: None,
            acme: None,
            place: place.clone(),
        });
        tls.certificates.insert(0, source);
        tls.acme = Some(acme);
    }
}

const DOMAIN: &str = "the name of a host, such as a.example; no `*`, which takes a proof in the DNS";

fn is_domain(text: &str) -> bool {
    let is_label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    text.len() <= 253 && text.split('.').all(is_label)
}

type MakeSource = fn(String) -> PemSource;

/// The keys of a place.
const SOURCES: [(&str, MakeSource); 2] = [("file", PemSource::File), ("env", PemSource::Env)];

fn without_certificate(listener: &str, place: &SettingPlace) -> Problem {
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

/// The message for operators when a listener starts without a certificate.
pub(crate) fn announcement(settings: &AcmeSettings) -> String {
    format!(
        "a certificate for {} is asked for at {}; until it comes, clients get a self-signed one",
        settings.domains.join(", "),
        settings.directory
    )
}
