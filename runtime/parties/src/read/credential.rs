//! The credentials of one consumer.

use std::sync::Arc;
use std::time::Duration;

use gateway_yaml::{Entry, Node, units};

use super::Reading;
use crate::consumers::{Consumer, HmacCredential, Identity, PasswordCredential, Signing, TokenCredential};
use crate::password::{self, PasswordHashError};
use crate::stored_password::StoredPassword;
use gateway_base::digest::Digest;
use gateway_base::jose::keys::{JwtAlgorithm, signer_of};
use gateway_base::secret::{Encoding, Secret, SecretError};

/// The longest name of a key, in bytes.
const MAX_NAME: usize = 256;

/// The longest secret that signs requests, in bytes.
const MAX_HMAC_SECRET: usize = 256;

/// The lifetime of signed tokens where `signing` gives none.
const DEFAULT_TTL: Duration = Duration::from_secs(24 * 60 * 60);

/// Types of credential: which members each has, and how it is read.
type Read = fn(&mut Reading<'_>, &Members<'_>, Identity);
static TYPES: &[(&str, &[&str], Read)] = &[
    ("key", &["key"], |reading, members, identity| reading.key(members, identity)),
    ("basic", &["username", "password"], |reading, members, identity| reading.basic(members, identity)),
    (
        "jwt",
        &["key", "algorithm", "secret", "publicKey", "weakSecretOk", "leeway", "signing"],
        |reading, members, identity| reading.token(members, identity),
    ),
    ("hmac", &["keyId", "secret"], |reading, members, identity| reading.hmac(members, identity)),
    ("certificate", &["san", "fingerprint"], |reading, members, identity| reading.certificate(members, identity)),
];

/// The members of a credential, or of something like it.
pub(super) struct Members<'a> {
    pub(super) node: &'a Node,
    pub(super) entries: &'a [Entry],
    /// Without its secret, the credential is left out.
    pub(super) optional: bool,
}

impl<'a> Members<'a> {
    pub(super) fn get(&self, name: &str) -> Option<&'a Node> {
        self.entries.iter().find(|entry| &*entry.key.name == name).map(|entry| &entry.value)
    }
}

/// A secret as found.
pub(super) enum Found {
    Plain(Secret),
    Sha256(Digest),
    Argon2id(Box<str>),
}

impl Reading<'_> {
    /// Reads a credential of any type.
    pub(super) fn credential(&mut self, node: &Node, consumer: &Arc<Consumer>) {
        let names = || TYPES.iter().map(|(name, ..)| *name).collect::<Vec<_>>().join("`, `");
        let Some(kind) = node.get("type").and_then(Node::as_str) else {
            return self.problem(node.span, format!("a credential needs a type: one of `{}`", names()));
        };
        let Some((_, members, read)) = TYPES.iter().find(|(name, ..)| *name == kind) else {
            let kind = kind.escape_default();
            return self
                .problem(node.span, format!("unknown type of credential `{kind}`; expected one of `{}`", names()));
        };
        let known: Vec<&str> = ["id", "type", "expires", "optional"].iter().chain(*members).copied().collect();
        let Some(entries) = self.members(node, &format!("a credential of type {kind}"), &known) else { return };
        let mut members = Members { node, entries, optional: false };
        members.optional = self.flag(&members, "optional");
        let id = match members.get("id") {
            Some(id) => match self.text_of(id, "`id`") {
                Some(text) => Some(text),
                None => return,
            },
            None => None,
        };
        if let Some(identity) = self.identity(node, id, members.get("expires"), consumer) {
            read(self, &members, identity);
        }
    }

    pub(super) fn flag(&mut self, members: &Members<'_>, name: &str) -> bool {
        let Some(node) = members.get(name) else { return false };
        node.as_bool().unwrap_or_else(|| {
            self.problem(node.span, format!("`{name}` is {}, not true or false", node.kind_name()));
            false
        })
    }

    /// A member that has to be there.
    fn needed<'a>(&mut self, members: &Members<'a>, name: &str) -> Option<&'a Node> {
        let found = members.get(name);
        if found.is_none() {
            self.problem(members.node.span, format!("the credential has no `{name}`"));
        }
        found
    }

    /// A member that names a key.
    fn name<'a>(&mut self, members: &Members<'a>, name: &str) -> Option<(&'a Node, &'a str)> {
        let node = self.needed(members, name)?;
        let text = self.text_of(node, &format!("`{name}`"))?;
        match text.len() {
            0 => self.problem(node.span, format!("`{name}` is empty [GW606]")),
            1..=MAX_NAME => return Some((node, text)),
            _ => self.problem(node.span, format!("`{name}` is too long: more than {MAX_NAME} bytes [GW606]")),
        }
        None
    }

    fn duplicate(&mut self, node: &Node, what: &str, owner: &str) {
        self.problem(node.span, format!("duplicate {what}: `{owner}` has the same [GW601]"));
    }

    fn key(&mut self, members: &Members<'_>, identity: Identity) {
        let Some(key) = self.needed(members, "key") else { return };
        let digest = match self.secret(key, members.optional, Forms::KEY) {
            Some(Found::Plain(secret)) => Digest::of(secret.expose()),
            Some(Found::Sha256(digest)) => digest,
            _ => return,
        };
        if let Some(other) = self.found.by_key.get(&digest) {
            let owner = other.consumer.username.clone();
            return self.duplicate(key, "key of key credentials", &owner);
        }
        self.found.by_key.insert(digest, identity);
    }

    fn basic(&mut self, members: &Members<'_>, identity: Identity) {
        let Some((node, user)) = self.name(members, "username") else { return };
        // RFC 7617 §2: a colon would end the name, and control characters cannot be typed.
        if user.contains(':') || user.chars().any(char::is_control) {
            return self.problem(node.span, "`username` has a colon or a control character (RFC 7617 §2)");
        }
        let Some(password) = self.needed(members, "password") else { return };
        let password = match self.secret(password, members.optional, Forms::PASSWORD) {
            Some(Found::Plain(secret)) => StoredPassword::Digest(Digest::of(secret.expose())),
            Some(Found::Argon2id(hash)) => {
                let cost = password::cost(&hash);
                if self.found.costliest.as_ref().is_none_or(|(known, _)| *known < cost) {
                    self.found.costliest = Some((cost, hash.clone()));
                }
                StoredPassword::Argon2id(hash)
            }
            _ => return,
        };
        if let Some(other) = self.found.by_user.get(user) {
            let owner = other.identity.consumer.username.clone();
            return self.duplicate(node, "username of basic credentials", &owner);
        }
        self.found.by_user.insert(user.into(), PasswordCredential { identity, password });
    }

    fn hmac(&mut self, members: &Members<'_>, identity: Identity) {
        let Some((node, key_id)) = self.name(members, "keyId") else { return };
        let Some(secret) = self.needed(members, "secret") else { return };
        let Some(Found::Plain(found)) = self.secret(secret, members.optional, Forms::SECRET) else { return };
        if found.expose().len() > MAX_HMAC_SECRET {
            return self
                .problem(secret.span, format!("the secret is too long: more than {MAX_HMAC_SECRET} bytes [GW606]"));
        }
        if let Some(other) = self.found.by_key_id.get(key_id) {
            let owner = other.identity.consumer.username.clone();
            return self.duplicate(node, "keyId of hmac credentials", &owner);
        }
        self.found.by_key_id.insert(key_id.into(), HmacCredential { identity, secret: found });
    }

    fn certificate(&mut self, members: &Members<'_>, identity: Identity) {
        match (members.get("san"), members.get("fingerprint")) {
            (Some(node), None) => {
                let Some((_, name)) = self.name(members, "san") else { return };
                let Some(name) = certificate_name(name) else {
                    return self
                        .problem(node.span, "`san` begins with `DNS:`, `URI:`, `email:` or `IP:`, as in certificates");
                };
                if let Some(other) = self.found.by_certificate_name.get(&*name) {
                    let owner = other.consumer.username.clone();
                    return self.duplicate(node, "san of certificate credentials", &owner);
                }
                self.found.by_certificate_name.insert(name, identity);
            }
            (None, Some(node)) => {
                let Some(text) = self.text_of(node, "`fingerprint`") else { return };
                // OpenSSL puts colons between the bytes.
                let Some(fingerprint) = Digest::from_hex(&text.replace(':', "")) else {
                    return self.problem(node.span, "`fingerprint` is SHA-256 in 64 hexadecimal digits");
                };
                if let Some(other) = self.found.by_fingerprint.get(&fingerprint) {
                    let owner = other.consumer.username.clone();
                    return self.duplicate(node, "fingerprint of certificate credentials", &owner);
                }
                self.found.by_fingerprint.insert(fingerprint, identity);
            }
            _ => self
                .problem(members.node.span, "a certificate is known by its `san` or by its `fingerprint`: write one"),
        }
    }

    fn token(&mut self, members: &Members<'_>, identity: Identity) {
        let Some((node, key)) = self.name(members, "key") else { return };
        let algorithm = match members.get("algorithm") {
            None => JwtAlgorithm::HS256,
            Some(node) => {
                let text = node.as_str().unwrap_or_default();
                match JwtAlgorithm::ALL.into_iter().find(|algorithm| algorithm.name() == text) {
                    Some(algorithm) => algorithm,
                    None => {
                        let names = JwtAlgorithm::ALL.map(JwtAlgorithm::name).join(", ");
                        let text = text.escape_default();
                        return self.problem(node.span, format!("`{text}` is not an algorithm for tokens: {names}"));
                    }
                }
            }
        };
        let leeway = self.duration(members.get("leeway"), "`leeway`").unwrap_or_default();
        let weak_ok = self.flag(members, "weakSecretOk");
        let Some(material) = self.token_material(members, algorithm, weak_ok) else { return };
        let signing_node = members.get("signing");
        let signing = match signing_node {
            None => None,
            Some(node) => match self.signing(node, algorithm, &material, members.optional) {
                Some(signing) => Some((node, signing)),
                None => return,
            },
        };
        let Some(keys) = self.source.token_keys else {
            let owner = &identity.consumer.username;
            return self.remark(members.node.span, format!("no API takes tokens of consumers, such as `{owner}`'s"));
        };
        let verifier = match keys.verifying(algorithm, material.expose()) {
            Ok(verifier) => verifier,
            Err(problem) => return self.problem(members.node.span, format!("{problem} [GW603]")),
        };
        let signing = match signing {
            None => None,
            Some((node, (private, ttl))) => match keys.signing(algorithm, private.expose()) {
                Ok(signer) => Some(Signing { signer, ttl }),
                Err(problem) => return self.problem(node.span, format!("{problem} [GW603]")),
            },
        };
        if let Some(other) = self.found.by_token_key.get(key) {
            let owner = other.identity.consumer.username.clone();
            return self.duplicate(node, "key of jwt credentials", &owner);
        }
        let credential = TokenCredential { identity, algorithm, verifier, leeway, signing };
        self.found.by_token_key.insert(key.into(), credential);
    }

    /// The secret or the public key; exactly the one that the algorithm needs.
    fn token_material(&mut self, members: &Members<'_>, algorithm: JwtAlgorithm, weak_ok: bool) -> Option<Secret> {
        let name = algorithm.name();
        let (needed, other) = if algorithm.is_hmac() { ("secret", "publicKey") } else { ("publicKey", "secret") };
        if let Some(stray) = members.get(other) {
            self.problem(stray.span, format!("`{other}` is not for {name}, which needs `{needed}` [GW603]"));
            return None;
        }
        let Some(node) = members.get(needed) else {
            let message = if algorithm.is_hmac() {
                format!("property \"secret\" is required when using HS based algorithms, such as {name} [GW603]")
            } else {
                format!("missing valid public key: {name} needs `publicKey: {{file: …}}` [GW603]")
            };
            self.problem(members.node.span, message);
            return None;
        };
        let Some(Found::Plain(secret)) = self.secret(node, members.optional, Forms::SECRET) else { return None };
        let (length, least) = (secret.expose().len(), algorithm.min_secret());
        if length < least && !weak_ok {
            self.problem(
                node.span,
                format!(
                    "the secret has {length} bytes, and {name} needs {least}; use a longer one, or write `weakSecretOk: true` beside it [GW310]"
                ),
            );
            return None;
        }
        Some(secret)
    }

    /// What signs the credential's tokens, and their lifetime.
    fn signing(
        &mut self,
        node: &Node,
        algorithm: JwtAlgorithm,
        secret: &Secret,
        optional: bool,
    ) -> Option<(Secret, Duration)> {
        let entries = self.members(node, "`signing`", &["ttl", "privateKey"])?;
        if signer_of(algorithm).is_none() {
            let message = format!(
                "the gateway checks {} and does not sign with it; use ES384 or EdDSA [GW603]",
                algorithm.name()
            );
            self.problem(node.span, message);
            return None;
        }
        let members = Members { node, entries, optional };
        let ttl = match members.get("ttl") {
            None => DEFAULT_TTL,
            Some(node) => self.duration(Some(node), "`ttl`")?,
        };
        if ttl < Duration::from_secs(1) {
            self.problem(node.span, "tokens are good for one second at least");
            return None;
        }
        match (members.get("privateKey"), algorithm.is_hmac()) {
            (None, true) => Some((secret.clone(), ttl)),
            (Some(private), false) => match self.secret(private, optional, Forms::SECRET)? {
                Found::Plain(private) => Some((private, ttl)),
                Found::Sha256(_) | Found::Argon2id(_) => None,
            },
            (Some(stray), true) => {
                self.problem(stray.span, format!("{} signs with `secret`; there is no private key", algorithm.name()));
                None
            }
            (None, false) => {
                let name = algorithm.name();
                self.problem(node.span, format!("{name} signs with a private key: `privateKey: {{file: …}}` [GW603]"));
                None
            }
        }
    }

    pub(super) fn duration(&mut self, node: Option<&Node>, what: &str) -> Option<Duration> {
        let node = node?;
        let found = node.as_text().and_then(|text| units::duration(text).ok());
        if found.is_none() {
            self.problem(node.span, format!("{what} is not a duration such as 2s or 10m"));
        }
        found
    }

    /// Fetches a secret; `None` has been reported, or is optional and not there. What the author wrote is not repeated:
    /// it may be the secret itself.
    pub(super) fn secret(&mut self, node: &Node, optional: bool, forms: Forms) -> Option<Found> {
        let expected = forms.expected;
        let Some(members) = node.as_mapping() else {
            self.problem(node.span, format!("{expected}, found {}", node.kind_name()));
            return None;
        };
        let known = |name: &str| ["env", "file", "value"].contains(&name) || forms.hash == Some(name);
        let mut place = None;
        let mut encoding = None;
        let mut clear = true;
        for entry in members.iter() {
            match (&*entry.key.name, entry.value.as_text()) {
                ("encoding", Some(text)) => encoding = Some(text),
                (name, Some(text)) if known(name) && place.is_none() => place = Some((name, text)),
                _ => clear = false,
            }
        }
        let encoding = match (encoding, place) {
            (None, _) => Some(Encoding::Plain),
            (Some("base64"), Some(("env" | "file", _))) => Some(Encoding::Base64),
            _ => None,
        };
        let (Some((place, given)), true, Some(encoding)) = (place, clear, encoding) else {
            self.problem(node.span, format!("{expected}, the first two with `encoding: base64` if need be"));
            return None;
        };
        let found = match place {
            "env" => self.source.secrets.variable(given, encoding).map(Found::Plain).map_err(GivenError::Secret),
            "file" => self.source.secrets.file(given, encoding).map(Found::Plain).map_err(GivenError::Secret),
            "value" if self.source.literals && !given.is_empty() => Ok(Found::Plain(Secret::from(given))),
            "value" => Err(GivenError::Literal),
            "argon2id" => password::check(given).map(|()| Found::Argon2id(given.into())).map_err(GivenError::Argon2id),
            _ => Digest::from_hex(given).map(Found::Sha256).ok_or(GivenError::Sha256),
        };
        match found {
            Ok(secret) => Some(secret),
            Err(problem) if optional && self.source.secrets.is_absent(place, given) => {
                self.remark(node.span, format!("an optional credential is left out: {problem}"));
                None
            }
            Err(problem) => {
                let code = match (place, encoding) {
                    ("env" | "file", _) if self.source.secrets.is_absent(place, given) => " [GW602]",
                    ("env" | "file", Encoding::Base64) => " [GW604]",
                    _ => "",
                };
                self.problem(node.span, format!("{problem}{code}"));
                None
            }
        }
    }
}

/// Why what is given is no secret. The message does not quote it.
#[derive(Debug, thiserror::Error)]
enum GivenError {
    /// There is none in the place that is named.
    #[error(transparent)]
    Secret(SecretError),
    /// It stands in the file, which these settings do not allow.
    #[error("`value` is for tests; write `{{env: …}}` or `{{file: …}}`, or set `insecureLiterals: true`")]
    Literal,
    /// The hash is not one that can be checked.
    #[error(transparent)]
    Argon2id(PasswordHashError),
    /// The digest is not one.
    #[error("`sha256` needs 64 hexadecimal digits")]
    Sha256,
}

/// A name as certificates have it, with its kind; hosts in lower case, addresses in one spelling.
fn certificate_name(text: &str) -> Option<Box<str>> {
    let (kind, name) = text.split_once(':').filter(|(_, name)| !name.is_empty())?;
    match kind {
        "DNS" => Some(format!("DNS:{}", name.to_ascii_lowercase()).into()),
        "IP" => name.parse::<std::net::IpAddr>().ok().map(|address| format!("IP:{address}").into()),
        "URI" | "email" => Some(text.into()),
        _ => None,
    }
}

/// The forms that a secret may have.
#[derive(Clone, Copy)]
pub(super) struct Forms {
    /// The hash that may replace it.
    hash: Option<&'static str>,
    expected: &'static str,
}

impl Forms {
    pub(super) const KEY: Self =
        Self { hash: Some("sha256"), expected: "expected one of {env: NAME}, {file: path} and {sha256: hex}" };
    pub(super) const PASSWORD: Self =
        Self { hash: Some("argon2id"), expected: "expected one of {env: NAME}, {file: path} and {argon2id: hash}" };
    pub(super) const SECRET: Self = Self { hash: None, expected: "expected one of {env: NAME} and {file: path}" };
}
