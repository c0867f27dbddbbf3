//! What callers bring: keys, tokens, signatures and passwords, and the files in which the gateways know them.
//!
//! All of it is made when it is needed, below the build output.

use std::fs;
use std::io::{self, BufWriter, Write as _};
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use aws_lc_rs::{digest, hmac, rsa};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

use crate::build;
use crate::oauth::client;

/// 48 bytes: enough for HS256 by RFC 7518 §3.2.
pub(crate) const JWT_SECRET: &str = "a-secret-for-measurements-only-of-48-bytes-0123";

pub(crate) const HMAC_SECRET: &str = "a-secret-that-signs-requests-for-measurements";

pub(crate) const PASSWORD: &str = "correct horse battery staple";

/// Consumers that have a password and a key for signatures, beside their API key.
const EQUIPPED: usize = 10;

/// Different keys that a load brings at most: enough to fall out of the processor's cache.
const KEYS: usize = 20_000;

/// Tokens of a cold load. They are used in turn, and no cache here holds that many: the gateway's ends at 4 MiB (some
/// 6,000 of them), Envoy's at [`ENVOY_TOKENS`].
pub(crate) const COLD: usize = 30_000;

/// Tokens that Envoy caches.
pub(crate) const ENVOY_TOKENS: usize = 1_000;

/// An order of 1 KiB with 20 fields, as `specs/orders.yaml` describes it.
pub(crate) const ORDER: &str = include_str!("order.json");

/// What the requests of a load bring.
#[derive(Debug, Clone, Copy)]
pub(crate) enum CredentialKind {
    Nothing,
    /// An API key, of every consumer in turn.
    Key,
    /// A user name and a password.
    Password,
    /// Another wrong password each time.
    WrongPassword,
    /// This number of different tokens in turn.
    Tokens(Algorithm, usize),
    /// A signature in the manner of APISIX.
    Cavage,
    /// An HTTP message signature (RFC 9421).
    Message,
    /// The secret of the client that gets tokens of this format, for a token.
    Client(&'static str),
    /// No credential; a body of JSON, [`ORDER`].
    Order,
    /// No credential; a page of another origin asks.
    Page,
    /// No credential; the client takes gzip.
    Gzip,
    /// What the peer's route asks for, such as a token that it has given itself.
    Own,
}

impl CredentialKind {
    /// What the answer to a request of a browser has in its head, in small letters.
    pub(crate) const fn answer_has(self) -> &'static str {
        match self {
            Self::Page => "\r\naccess-control-allow-origin: https://app.example\r\n",
            Self::Gzip => "\r\ncontent-encoding: gzip\r\n",
            _ => "",
        }
    }
}

/// Keys for tokens; made once.
pub(crate) struct TokenKeys {
    folder: PathBuf,
}

/// Header fields for requests, in turn: a line for each request, several fields separated by tabs. `consumers` is how
/// many the peer knows.
pub(crate) fn fields(kind: CredentialKind, consumers: usize) -> io::Result<Vec<String>> {
    Ok(match kind {
        CredentialKind::Nothing => Vec::new(),
        CredentialKind::Key => {
            let count = consumers.min(KEYS);
            (0..count).map(|index| format!("X-Api-Key: {}", key(index * (consumers / count)))).collect()
        }
        CredentialKind::Password => (0..EQUIPPED).map(|user| basic(user, PASSWORD)).collect(),
        CredentialKind::WrongPassword => {
            (0..KEYS).map(|guess| basic(guess % EQUIPPED, &format!("guess {guess}"))).collect()
        }
        CredentialKind::Tokens(algorithm, count) => tokens(algorithm, count)?,
        CredentialKind::Cavage => (0..EQUIPPED).map(cavage).collect(),
        CredentialKind::Message => (0..EQUIPPED).map(message).collect(),
        CredentialKind::Client(format) => vec![client::client_fields(format)],
        CredentialKind::Order => vec!["Content-Type: application/json".to_owned()],
        CredentialKind::Page => vec!["Origin: https://app.example".to_owned()],
        CredentialKind::Gzip => vec!["Accept-Encoding: gzip".to_owned()],
        // Known only while the peer runs.
        CredentialKind::Own => Vec::new(),
    })
}

fn name(consumer: usize) -> String {
    format!("user{consumer}")
}

/// 40 characters, which would have to be random if this were not for measurements.
pub(crate) fn key(consumer: usize) -> String {
    hex(&sha256(&format!("key {consumer}"))[..20])
}

fn basic(user: usize, password: &str) -> String {
    format!("Authorization: Basic {}", STANDARD.encode(format!("{}:{password}", name(user))))
}

fn cavage(user: usize) -> String {
    let (name, date) = (name(user), httpdate::fmt_http_date(SystemTime::now()));
    let signature = mac(&format!("{name}\nGET /cavage\ndate: {date}\n"));
    format!(
        "Date: {date}\tAuthorization: Signature keyId=\"{name}\",algorithm=\"hmac-sha256\",headers=\"@request-target date\",signature=\"{signature}\""
    )
}

fn message(user: usize) -> String {
    let parameters = format!("(\"@method\" \"@target-uri\");created={};keyid=\"{}\"", now(), name(user));
    let signature = mac(&format!(
        "\"@method\": GET\n\"@target-uri\": http://bench.local/message\n\"@signature-params\": {parameters}"
    ));
    format!("Signature-Input: sig1={parameters}\tSignature: sig1=:{signature}:")
}

fn mac(text: &str) -> String {
    STANDARD.encode(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, HMAC_SECRET.as_bytes()), text.as_bytes()))
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}

/// Tokens of as many callers, good for a day from now at least.
fn tokens(algorithm: Algorithm, count: usize) -> io::Result<Vec<String>> {
    let keys = TokenKeys::open()?;
    let today = now() / 86_400;
    let file = keys.folder.join(format!("tokens-{algorithm:?}-{count}-{today}"));
    if let Ok(known) = fs::read_to_string(&file) {
        return Ok(known.lines().map(str::to_owned).collect());
    }
    let pem = |name: &str| fs::read(keys.folder.join(name));
    let key = match algorithm {
        Algorithm::RS256 => EncodingKey::from_rsa_pem(&pem("rs256.pem")?),
        Algorithm::ES256 => EncodingKey::from_ec_pem(&pem("es256.pem")?),
        _ => Ok(EncodingKey::from_secret(JWT_SECRET.as_bytes())),
    };
    let key = key.map_err(io::Error::other)?;
    let token = |caller: usize| {
        let claims = json!({
            "iss": "bench", "sub": format!("caller-{caller}"), "iat": now(), "exp": (today + 2) * 86_400,
            "scope": "items:read items:write", "email": format!("caller-{caller}@example.com")
        });
        let token = encode(&Header::new(algorithm), &claims, &key).map_err(io::Error::other)?;
        Ok(format!("Authorization: Bearer {token}"))
    };
    let tokens: Vec<String> = (0..count).map(token).collect::<io::Result<_>>()?;
    fs::write(file, tokens.join("\n"))?;
    Ok(tokens)
}

impl TokenKeys {
    pub(crate) fn open() -> io::Result<Self> {
        let folder = folder()?;
        if !folder.join("es256.jwks").exists() {
            make_rs256(&folder)?;
            make_es256(&folder)?;
        }
        Ok(Self { folder })
    }

    /// The file with the public key, in PEM.
    pub(crate) fn public(&self, algorithm: Algorithm) -> PathBuf {
        self.folder.join(format!("{}-public.pem", file_name(algorithm)))
    }

    /// The JSON Web Key Set.
    pub(crate) fn set(&self, algorithm: Algorithm) -> io::Result<String> {
        match algorithm {
            Algorithm::RS256 | Algorithm::ES256 => {
                fs::read_to_string(self.folder.join(format!("{}.jwks", file_name(algorithm))))
            }
            _ => Ok(set(&json!({"kty": "oct", "alg": "HS256", "k": URL_SAFE_NO_PAD.encode(JWT_SECRET)}))),
        }
    }
}

fn file_name(algorithm: Algorithm) -> String {
    format!("{algorithm:?}").to_lowercase()
}

fn set(key: &Value) -> String {
    json!({"keys": [key]}).to_string()
}

fn make_rs256(folder: &std::path::Path) -> io::Result<()> {
    let key = rsa::KeyPair::generate(KeySize::Rsa2048).map_err(io::Error::other)?;
    let private: Pkcs8V1Der<'_> = key.as_der().map_err(io::Error::other)?;
    let public: PublicKeyX509Der<'_> = key.public_key().as_der().map_err(io::Error::other)?;
    // RFC 8017 §A.1.1: the modulus, and behind it 02 03 01 00 01.
    let numbers = key.public_key().as_ref();
    let end = numbers.len() - 5;
    let modulus = URL_SAFE_NO_PAD.encode(&numbers[end - 256..end]);
    fs::write(folder.join("rs256.pem"), pem("PRIVATE KEY", private.as_ref()))?;
    fs::write(folder.join("rs256-public.pem"), pem("PUBLIC KEY", public.as_ref()))?;
    fs::write(folder.join("rs256.jwks"), set(&json!({"kty": "RSA", "alg": "RS256", "n": modulus, "e": "AQAB"})))
}

fn make_es256(folder: &std::path::Path) -> io::Result<()> {
    let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(io::Error::other)?;
    let private = key.to_pkcs8v1().map_err(io::Error::other)?;
    let public: PublicKeyX509Der<'_> = key.public_key().as_der().map_err(io::Error::other)?;
    // Uncompressed: 4, x, y.
    let (x, y) = key.public_key().as_ref()[1..].split_at(32);
    let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
    fs::write(folder.join("es256.pem"), pem("PRIVATE KEY", private.as_ref()))?;
    fs::write(folder.join("es256-public.pem"), pem("PUBLIC KEY", public.as_ref()))?;
    let key = json!({"kty": "EC", "alg": "ES256", "crv": "P-256", "x": x, "y": y});
    fs::write(folder.join("es256.jwks"), set(&key))
}

/// RFC 7468.
fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<&str> = (0..text.len()).step_by(64).map(|at| &text[at..text.len().min(at + 64)]).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

/// `consumers.yaml` with `count` consumers, each with an API key. The first have every other credential as well.
pub(crate) fn consumers(count: usize) -> io::Result<PathBuf> {
    made(&format!("consumers-{count}.yaml"), |out| {
        writeln!(out, "consumers:")?;
        for consumer in 0..count {
            let name = name(consumer);
            let digest = hex(&sha256(&key(consumer)));
            writeln!(out, "  - username: {name}\n    group: customers\n    credentials:")?;
            writeln!(out, "      - {{id: {name}-1, type: key, key: {{sha256: {digest}}}}}")?;
            if consumer < EQUIPPED {
                writeln!(
                    out,
                    "      - {{id: {name}-2, type: basic, username: {name}, password: {{env: BENCH_PASSWORD}}}}"
                )?;
                writeln!(
                    out,
                    "      - {{id: {name}-3, type: hmac, keyId: {name}, secret: {{env: BENCH_HMAC_SECRET}}}}"
                )?;
            }
        }
        Ok(())
    })
}

/// A line for each consumer: before the key, between key and name, after the name.
pub(crate) fn keys(file: &str, count: usize, around: [&str; 3]) -> io::Result<PathBuf> {
    made(&format!("{file}-{count}"), |out| {
        let [before, between, after] = around;
        for consumer in 0..count {
            writeln!(out, "{before}{}{between}{}{after}", key(consumer), name(consumer))?;
        }
        Ok(())
    })
}

/// The secrets that sign requests, by key id and in base64, as HAProxy takes them.
pub(crate) fn signing_secrets() -> io::Result<PathBuf> {
    made("signing-secrets", |out| {
        (0..EQUIPPED).try_for_each(|user| writeln!(out, "{} {}", name(user), STANDARD.encode(HMAC_SECRET)))
    })
}

/// The names of those who have a password.
pub(crate) fn users() -> impl Iterator<Item = String> {
    (0..EQUIPPED).map(name)
}

/// A file that is written once.
fn made(name: &str, write: impl FnOnce(&mut BufWriter<fs::File>) -> io::Result<()>) -> io::Result<PathBuf> {
    let file = folder()?.join(name);
    if !file.exists() {
        let half = file.with_extension("new");
        let mut out = BufWriter::new(fs::File::create(&half)?);
        write(&mut out)?;
        out.flush()?;
        fs::rename(half, &file)?;
    }
    Ok(file)
}

fn folder() -> io::Result<PathBuf> {
    let folder = build::target().join("callers");
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

fn sha256(text: &str) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest::digest(&digest::SHA256, text.as_bytes()).as_ref());
    bytes
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
}
