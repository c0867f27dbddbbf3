//! The registered parties: who they are, and by which credentials they are known.
//!
//! They live in `consumers.yaml`, beside the documents and never in them. The file is read again when it changes; a
//! broken one is refused as a whole and the old one stays.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use crate::clients_and_users::Overlay;
use crate::stored_password::StoredPassword;
use gateway_base::digest::Digest;
use gateway_base::jose::keys::JwtAlgorithm;
use gateway_base::jose::token_keys::{TokenSigner, TokenVerifier};
use gateway_base::secret::Secret;
use gateway_limits::rule::Rule;

/// A registered party.
#[derive(Debug, PartialEq, Eq)]
pub struct Consumer {
    /// The unique name.
    pub username: Box<str>,
    /// The group that operations can admit as a whole; `None` for a consumer without one.
    pub group: Option<Arc<str>>,
    /// What the consumer may do: its scopes where a scheme authenticates consumers. Empty for none.
    pub roles: Arc<[Box<str>]>,
    /// The label `customId`.
    pub custom_id: Option<Box<str>>,
    /// Charged beside those of the operation.
    pub limits: Arc<[Rule]>,
}

/// A consumer and the credential by which it was recognised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The consumer that has the credential.
    pub consumer: Arc<Consumer>,
    /// The credential's `id`, if it has one.
    pub credential: Option<Arc<str>>,
    /// From then on, in seconds since the epoch, the credential is unknown.
    pub expires: u64,
}

impl Identity {
    /// For credentials without an end.
    pub const NEVER: u64 = u64::MAX;

    fn is_good(&self, now: u64) -> bool {
        now < self.expires
    }
}

/// A user name's password.
pub struct PasswordCredential {
    /// The consumer that the user name stands for.
    pub identity: Identity,
    /// The password, as a hash or a digest.
    pub password: StoredPassword,
}

/// The key of a consumer's tokens.
pub struct TokenCredential {
    /// The consumer that the tokens are of.
    pub identity: Identity,
    /// The only algorithm that is accepted (`alg`, RFC 7515 §4.1.1).
    pub algorithm: JwtAlgorithm,
    /// Checks the signatures of the tokens.
    pub verifier: Box<dyn TokenVerifier>,
    /// How far clocks may differ.
    pub leeway: Duration,
    /// For credentials that the gateway itself signs tokens for.
    pub signing: Option<Signing>,
}

/// How tokens of a credential are made.
pub struct Signing {
    /// Signs with the credential's secret or private key.
    pub signer: Box<dyn TokenSigner>,
    /// From the signature to `exp`.
    pub ttl: Duration,
}

/// A secret that signs requests.
pub struct HmacCredential {
    /// The consumer whose requests it signs.
    pub identity: Identity,
    /// The secret, as the client has it.
    pub secret: Secret,
}

/// All consumers, found by what a request brings.
#[derive(Default)]
pub struct Consumers {
    pub(crate) by_name: HashSet<ByName>,
    pub(crate) by_key: HashMap<Digest, Identity>,
    pub(crate) by_user: HashMap<Box<str>, PasswordCredential>,
    /// The hash that takes the most work to check, and how much.
    pub(crate) costliest: Option<(u64, Box<str>)>,
    pub(crate) by_token_key: HashMap<Box<str>, TokenCredential>,
    pub(crate) by_key_id: HashMap<Box<str>, HmacCredential>,
    pub(crate) by_fingerprint: HashMap<Digest, Identity>,
    /// With its kind, such as `DNS:`.
    pub(crate) by_certificate_name: HashMap<Box<str>, Identity>,
    /// Clients and users of authorization servers.
    pub(crate) parties: Overlay,
    /// Differs between any two readings of the file.
    pub(crate) generation: u64,
}

/// A consumer, found by its name.
pub(crate) struct ByName(pub(crate) Arc<Consumer>);

impl std::borrow::Borrow<str> for ByName {
    fn borrow(&self) -> &str {
        &self.0.username
    }
}

impl std::hash::Hash for ByName {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        (*self.0.username).hash(state);
    }
}

impl PartialEq for ByName {
    fn eq(&self, other: &Self) -> bool {
        self.0.username == other.0.username
    }
}

impl Eq for ByName {}

impl Consumers {
    /// The consumer of this name.
    pub fn named(&self, username: &str) -> Option<&Arc<Consumer>> {
        self.by_name.get(username).map(|found| &found.0)
    }

    /// The owner of this API key at `now`, in seconds since the epoch.
    pub fn with_key(&self, key: &Digest, now: u64) -> Result<&Identity, NotHeld> {
        held(self.by_key.get(key), |identity| identity, now)
    }

    /// The password of this user name, which need not be the name of a consumer.
    pub fn with_user(&self, user: &str, now: u64) -> Option<&PasswordCredential> {
        self.by_user.get(user).filter(|credential| credential.identity.is_good(now))
    }

    /// A hash that costs as much to check as any other here.
    pub fn costliest_password(&self) -> Option<&str> {
        self.costliest.as_ref().map(|(_, hash)| &**hash)
    }

    /// Whose tokens name this key.
    pub fn with_token_key(&self, key: &str, now: u64) -> Result<&TokenCredential, NotHeld> {
        held(self.by_token_key.get(key), |credential| &credential.identity, now)
    }

    /// Whose requests this key signs.
    pub fn with_key_id(&self, key_id: &str, now: u64) -> Result<&HmacCredential, NotHeld> {
        held(self.by_key_id.get(key_id), |credential| &credential.identity, now)
    }

    /// The owner of the certificate with this fingerprint.
    pub fn with_fingerprint(&self, fingerprint: &Digest, now: u64) -> Option<&Identity> {
        self.by_fingerprint.get(fingerprint).filter(|identity| identity.is_good(now))
    }

    /// The owner of certificates with this name.
    pub fn with_certificate_name(&self, name: &str, now: u64) -> Option<&Identity> {
        self.by_certificate_name.get(name).filter(|identity| identity.is_good(now))
    }

    /// The clients and users of authorization servers.
    pub fn parties(&self) -> &Overlay {
        &self.parties
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.by_name.len()
    }

    /// Differs between any two readings of the file: what was derived from one does not hold for the other.
    pub fn generation(&self) -> u64 {
        self.generation
    }
}

/// Why a key is no consumer's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotHeld {
    /// No credential has it.
    Unknown,
    /// A credential has it whose time is over.
    Expired,
}

impl NotHeld {
    /// For the log.
    pub fn why(self) -> &'static str {
        match self {
            Self::Unknown => "unknown key",
            Self::Expired => "expired",
        }
    }
}

fn held<T>(found: Option<&T>, identity: impl Fn(&T) -> &Identity, now: u64) -> Result<&T, NotHeld> {
    let found = found.ok_or(NotHeld::Unknown)?;
    if identity(found).is_good(now) { Ok(found) } else { Err(NotHeld::Expired) }
}
