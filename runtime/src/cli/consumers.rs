//! `gateway consumers`, `gateway keys` and `gateway token`: who may call, without an editor.
//!
//! They change the text of `consumers.yaml`; a running gateway notices that. What is created is shown once, and only
//! its hash is kept.

use std::collections::HashSet;
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, fchown};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, Subcommand};
use gateway_yaml::units;
use serde_json::{Map, Value};

use crate::assemble::authorities::authorities;
use crate::assemble::needs;
use crate::cli::standard_input::{self, PasswordInputError};
use crate::config::Config;
use crate::launch::Launch;
use gateway_access::jwt::sign;
use gateway_base::digest::Digest;
use gateway_base::file_state::FileState;
use gateway_base::problem::Problem;
use gateway_base::random::NoRandom;
use gateway_base::say;
use gateway_base::secret::SecretStore;
use gateway_base::timestamp;
use gateway_limits::counters::Limits;
use gateway_limits::store::Stores;
use gateway_parties::consumers::NotHeld;
use gateway_parties::edit::{Change, EditError, Listed, apply, list};
use gateway_parties::key_format;
use gateway_parties::password::{self, HashPasswordError};
use gateway_parties::source::Source;
use gateway_parties::store::ConsumerStore;
use gateway_proxy::tables::Gateway;

/// Why nothing was done with consumers, keys or tokens.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConsumerCommandError {
    /// The settings, or the new `consumers.yaml`, cannot be used.
    #[error("{}", lines(.0))]
    Problems(Vec<Problem>),
    /// The gateway does not read the file as it is.
    #[error("{}\nthe gateway does not read this file; mend it first", lines(.0))]
    BrokenFile(Vec<Problem>),
    /// There is no file of consumers.
    #[error("the settings name no file of consumers; write `consumers: {{file: consumers.yaml}}`")]
    NoFile,
    /// The file cannot be read.
    #[error("{} cannot be read: {source}", file.display())]
    Unreadable {
        /// Which file.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file cannot be replaced.
    #[error("{}: {source}", file.display())]
    Unwritable {
        /// Which file.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file's text cannot be changed.
    #[error("{}: {source}", file.display())]
    Edit {
        /// Which file.
        file: PathBuf,
        /// Why.
        source: EditError,
    },
    /// The file has changed since it was read.
    #[error("{}: another program has changed it; try again", .0.display())]
    Changed(PathBuf),
    /// The name is used already.
    #[error("there is a consumer called `{0}` already")]
    ConsumerExists(String),
    /// The consumer has a credential with this id.
    #[error("`{username}` has a credential called `{id}` already")]
    CredentialExists {
        /// The consumer.
        username: String,
        /// The credential.
        id: String,
    },
    /// The consumer has no credential with this id.
    #[error("`{username}` has no credential `{id}`")]
    NoCredential {
        /// The consumer.
        username: String,
        /// What was looked for.
        id: String,
    },
    /// Only keys can be rolled.
    #[error("`{id}` is a credential of type {kind}, not a key")]
    NotKey {
        /// The credential.
        id: String,
        /// Its type.
        kind: String,
    },
    /// A key that has ended cannot be rolled.
    #[error("the key `{0}` has ended already; create a new one with `gateway keys create`")]
    KeyEnded(String),
    /// An operation needs the consumer that would be removed.
    #[error("an operation needs the consumer `{0}`; the file stays as it is")]
    Needed(&'static str),
    /// There is no password.
    #[error(transparent)]
    Input(#[from] PasswordInputError),
    /// The password cannot be hashed.
    #[error(transparent)]
    Hash(#[from] HashPasswordError),
    /// There are no random numbers for a key.
    #[error(transparent)]
    NoRandom(#[from] NoRandom),
    /// No scheme takes tokens of consumers.
    #[error("no API of this binary takes tokens of consumers")]
    NoTokens,
    /// No credential for tokens has this `key`.
    #[error("no credential of type jwt has the key `{key}` ({})", why.why())]
    NoTokenKey {
        /// What was looked for.
        key: String,
        /// Whether there was one.
        why: NotHeld,
    },
    /// Tokens are not signed for the credential.
    #[error("the credential `{0}` has no `signing`; write `signing: {{ttl: 30s}}`")]
    NoSigning(String),
}

/// What is done with consumers.
#[derive(Debug, Subcommand)]
pub(super) enum Consumers {
    /// List the consumers with their credentials
    List,
    /// Add a consumer
    Add {
        /// The user name: letters, digits, `_` and `-`
        username: String,
        /// The group that it belongs to
        #[arg(long)]
        group: Option<String>,
        /// A role that it has; repeatable
        #[arg(long = "role", value_name = "ROLE")]
        roles: Vec<String>,
        /// What the upstream knows it by
        #[arg(long, value_name = "ID")]
        custom_id: Option<String>,
    },
    /// Remove a consumer with all its credentials
    Remove {
        /// The user name
        username: String,
    },
    /// Give a consumer a password, read from the first line of standard input, for `Authorization: Basic`
    Password {
        /// The consumer
        username: String,
        /// The name to log in with [default: that of the consumer]
        #[arg(long)]
        user: Option<String>,
        /// The credential's id [default: password]
        #[arg(long, default_value = "password")]
        id: String,
    },
}

/// What is done with API keys.
#[derive(Debug, Subcommand)]
pub(super) enum Keys {
    /// Create a key, print it once, and keep its hash
    Create {
        /// The consumer
        username: String,
        #[command(flatten)]
        key: NewKey,
    },
    /// Create a key that takes over from another, which goes on to be accepted for a while
    Roll {
        /// The consumer
        username: String,
        /// The id of the key that ends
        old: String,
        /// For how long the old key is still accepted, such as 24h
        #[arg(long, default_value = "24h", value_parser = duration)]
        overlap: Duration,
        #[command(flatten)]
        key: NewKey,
    },
    /// Take a credential away, at once
    Revoke {
        /// The consumer
        username: String,
        /// The credential's id
        id: String,
    },
}

/// How a new key is called, and when it ends.
#[derive(Debug, Args)]
pub(super) struct NewKey {
    /// The credential's id [default: made of the date and a few digits]
    #[arg(long)]
    id: Option<String>,
    /// For how long the key is accepted, such as 90d [default: until it is revoked]
    #[arg(long, value_parser = duration)]
    expires: Option<Duration>,
}

/// What is done with tokens.
#[derive(Debug, Subcommand)]
pub(super) enum Token {
    /// Sign a token for a credential that has `signing`, and print it
    Sign {
        /// The credential's `key`
        key: String,
        /// A claim, such as sub=ann or admin=true; a value that is JSON is taken as such; repeatable
        #[arg(long = "claim", value_name = "NAME=VALUE", value_parser = claim)]
        claims: Vec<(String, Value)>,
        /// The claim that names the credential
        #[arg(long, default_value = "key")]
        key_claim: String,
    },
}

fn duration(text: &str) -> Result<Duration, String> {
    const LONGEST: Duration = Duration::from_secs(100 * 365 * 86_400);
    let duration = units::duration(text).ok().filter(|duration| *duration <= LONGEST);
    duration.ok_or_else(|| "expected a duration such as 24h or 90d, up to 36500d".to_owned())
}

fn claim(text: &str) -> Result<(String, Value), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    let value = serde_json::from_str(value).unwrap_or_else(|_| value.into());
    Ok((name.to_owned(), value))
}

impl Consumers {
    /// Does it, and gives what is to be printed.
    ///
    /// # Errors
    /// The settings or the file cannot be used, or something is in the way; then nothing was changed.
    pub(super) fn run(self, launch: &Launch, gateway: &'static Gateway) -> Result<String, ConsumerCommandError> {
        let file = File::of(launch, gateway)?;
        match self {
            Self::List => file.table(),
            Self::Add { username, group, roles, custom_id } => {
                if file.listed()?.iter().any(|known| known.username == username) {
                    return Err(ConsumerCommandError::ConsumerExists(username));
                }
                let mut item = format!("{{username: {}", quoted(&username));
                if let Some(group) = group {
                    item += &format!(", group: {}", quoted(&group));
                }
                if !roles.is_empty() {
                    let roles: Vec<String> = roles.iter().map(|role| quoted(role)).collect();
                    item += &format!(", roles: [{}]", roles.join(", "));
                }
                if let Some(id) = custom_id {
                    item += &format!(", labels: {{customId: {}}}", quoted(&id));
                }
                file.change(&[Change::AddConsumer(&format!("{item}, credentials: []}}"))])?;
                Ok(String::new())
            }
            Self::Remove { username } => file.change(&[Change::RemoveConsumer(&username)]).map(|()| String::new()),
            Self::Password { username, user, id } => {
                let hash = password::hash(standard_input::password()?.as_bytes())?;
                let user = quoted(user.as_deref().unwrap_or(&username));
                file.no_credential(&username, &id)?;
                let item = format!(
                    "{{id: {}, type: basic, username: {user}, password: {{argon2id: \"{hash}\"}}}}",
                    quoted(&id)
                );
                file.change(&[Change::AddCredential(&username, &item)])?;
                Ok(String::new())
            }
        }
    }
}

impl Keys {
    /// As [`Consumers::run`].
    pub(super) fn run(self, launch: &Launch, gateway: &'static Gateway) -> Result<String, ConsumerCommandError> {
        let file = File::of(launch, gateway)?;
        match self {
            Self::Create { username, key } => file.create_key(&username, key, &[]),
            Self::Roll { username, old, overlap, key } => {
                let Some((kind, expires)) = file.credential(&username, &old)? else {
                    return Err(ConsumerCommandError::NoCredential { username, id: old });
                };
                if kind != "key" {
                    return Err(ConsumerCommandError::NotKey { id: old, kind });
                }
                let end = expires.as_deref().and_then(timestamp::parse).unwrap_or(u64::MAX);
                if end <= timestamp::now() {
                    return Err(ConsumerCommandError::KeyEnded(old));
                }
                // Rolling never prolongs a key.
                let end = quoted(&timestamp::format(end.min(timestamp::now() + overlap.as_secs())));
                file.create_key(&username, key, &[Change::SetMember(&username, &old, "expires", &end)])
            }
            Self::Revoke { username, id } => {
                file.change(&[Change::RemoveCredential(&username, &id)]).map(|()| String::new())
            }
        }
    }
}

impl Token {
    /// As [`Consumers::run`].
    pub(super) fn run(self, launch: &Launch, gateway: &'static Gateway) -> Result<String, ConsumerCommandError> {
        let Self::Sign { key, claims, key_claim } = self;
        let Some(token_keys) = needs::token_keys(gateway) else {
            return Err(ConsumerCommandError::NoTokens);
        };
        let (config, secrets) = launch.settings().map_err(ConsumerCommandError::Problems)?;
        let file = named(&config, &secrets.folder)?;
        let literals = config.insecure_literals;
        let limits = Arc::new(Limits::new(gateway.limits(), 0, Stores::pretended()));
        let source = Source {
            file,
            secrets,
            literals,
            needed: HashSet::new(),
            token_keys: Some(token_keys),
            limits,
            authorities: authorities(gateway),
        };
        let (store, _) = ConsumerStore::open(source).map_err(ConsumerCommandError::Problems)?;
        let consumers = store.current();
        let credential = consumers
            .with_token_key(&key, timestamp::now())
            .map_err(|why| ConsumerCommandError::NoTokenKey { key: key.clone(), why })?;
        let claims: Map<String, Value> = claims.into_iter().collect();
        let token = sign::sign(credential, &key_claim, &key, claims, timestamp::now())
            .ok_or(ConsumerCommandError::NoSigning(key))?;
        Ok(token + "\n")
    }
}

pub(super) fn lines(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// Text in double quotes, as YAML and JSON both read it.
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// `consumers.yaml`, with what it takes to tell whether the gateway would read it.
struct File {
    source: Source,
}

impl File {
    fn of(launch: &Launch, gateway: &'static Gateway) -> Result<Self, ConsumerCommandError> {
        let (config, secrets) = launch.settings().map_err(ConsumerCommandError::Problems)?;
        let path = named(&config, &secrets.folder)?;
        // The command may lack the consumers' secrets.
        let secrets = SecretStore { pretends: true, ..secrets };
        let needed = needs::needed_consumers(gateway);
        let limits = Arc::new(Limits::new(gateway.limits(), 0, Stores::pretended()));
        let literals = config.insecure_literals;
        let authorities = authorities(gateway);
        let source = Source { file: path, secrets, literals, needed, token_keys: None, limits, authorities };
        Ok(Self { source })
    }

    fn path(&self) -> &Path {
        &self.source.file
    }

    fn edit_error(&self, source: EditError) -> ConsumerCommandError {
        ConsumerCommandError::Edit { file: self.path().to_owned(), source }
    }

    fn read(&self) -> Result<String, ConsumerCommandError> {
        std::fs::read_to_string(self.path())
            .map_err(|source| ConsumerCommandError::Unreadable { file: self.path().to_owned(), source })
    }

    fn listed(&self) -> Result<Vec<Listed>, ConsumerCommandError> {
        list(&self.read()?).map_err(|source| self.edit_error(source))
    }

    fn table(&self) -> Result<String, ConsumerCommandError> {
        let mut out = String::new();
        for consumer in self.listed()? {
            out += &consumer.username;
            if let Some(group) = &consumer.group {
                out += &format!("  group {group}");
            }
            if !consumer.roles.is_empty() {
                out += &format!("  roles {}", consumer.roles.join(", "));
            }
            out.push('\n');
            for (kind, id, expires) in &consumer.credentials {
                out += &format!("  {kind:<6} {}", id.as_deref().unwrap_or("-"));
                if let Some(expires) = expires {
                    out += &format!("  until {expires}");
                }
                out.push('\n');
            }
        }
        Ok(out)
    }

    fn no_credential(&self, username: &str, id: &str) -> Result<(), ConsumerCommandError> {
        match self.credential(username, id)? {
            Some(_) => {
                let (username, id) = (username.to_owned(), id.to_owned());
                Err(ConsumerCommandError::CredentialExists { username, id })
            }
            None => Ok(()),
        }
    }

    /// Type and end of a credential.
    fn credential(&self, username: &str, id: &str) -> Result<Option<(String, Option<String>)>, ConsumerCommandError> {
        let listed = self.listed()?.into_iter().find(|consumer| consumer.username == username);
        let credentials = listed.map(|consumer| consumer.credentials).unwrap_or_default();
        let found = credentials.into_iter().find(|(_, known, _)| known.as_deref() == Some(id));
        Ok(found.map(|(kind, _, expires)| (kind, expires)))
    }

    fn create_key(&self, username: &str, key: NewKey, changes: &[Change<'_>]) -> Result<String, ConsumerCommandError> {
        let secret = key_format::create()?;
        let digest = Digest::of(secret.as_bytes()).to_hex();
        let id =
            key.id.unwrap_or_else(|| format!("key-{}-{}", &timestamp::format(timestamp::now())[..10], &digest[..4]));
        self.no_credential(username, &id)?;
        let expires = key.expires.map_or_else(String::new, |after| {
            format!(", expires: {}", quoted(&timestamp::format(timestamp::now() + after.as_secs())))
        });
        let item = format!("{{id: {}, type: key, key: {{sha256: {digest}}}{expires}}}", quoted(&id));
        self.change(&[&[Change::AddCredential(username, &item)], changes].concat())?;
        say!("key `{id}` of `{username}`; it is shown only once");
        Ok(secret + "\n")
    }

    /// Makes all changes, or none: the new file takes the place of the old one whole, and only if the gateway would read
    /// it.
    fn change(&self, changes: &[Change<'_>]) -> Result<(), ConsumerCommandError> {
        let system = |source| ConsumerCommandError::Unwritable { file: self.path().to_owned(), source };
        // A link stays a link.
        let path = std::fs::canonicalize(self.path()).map_err(system)?;
        let folder = path.parent().unwrap_or(Path::new("/"));
        // One command at a time; the lock goes with the process.
        let lock = std::fs::File::open(folder).map_err(system)?;
        lock.lock().map_err(system)?;
        let state = FileState::of(&path);
        let before = self.read()?;
        let missing_before = self.source.check(&before).map_err(ConsumerCommandError::BrokenFile)?;
        let mut text = before;
        for change in changes {
            text = apply(&text, change).map_err(|source| self.edit_error(source))?;
        }
        let missing = self.source.check(&text).map_err(ConsumerCommandError::Problems)?;
        if let Some(name) = missing.iter().find(|name| !missing_before.contains(name)) {
            return Err(ConsumerCommandError::Needed(name));
        }
        for name in missing {
            say!(
                "there is no consumer `{name}`, and an operation needs it: the gateway does not read the file without it"
            );
        }
        let beside = path.with_extension(format!("yaml.{}", std::process::id()));
        let replaced = write_like(&path, &beside, &text).map_err(system).and_then(|()| {
            if FileState::of(&path) != state {
                return Err(ConsumerCommandError::Changed(self.path().to_owned()));
            }
            std::fs::rename(&beside, &path).map_err(system)
        });
        if replaced.is_err() {
            let _ = std::fs::remove_file(&beside);
        }
        replaced
    }
}

/// Writes a file with the owner of `original`: the gateway must be able to read it.
fn write_like(original: &Path, new: &Path, text: &str) -> std::io::Result<()> {
    let data = std::fs::metadata(original)?;
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(new)?;
    file.write_all(text.as_bytes())?;
    let made = file.metadata()?;
    if (made.uid(), made.gid()) != (data.uid(), data.gid()) {
        fchown(&file, Some(data.uid()), Some(data.gid()))?;
    }
    file.set_permissions(data.permissions())?;
    file.sync_all()
}

/// The file that the settings name.
fn named(config: &Config, folder: &Path) -> Result<PathBuf, ConsumerCommandError> {
    let file = config.consumers.as_deref();
    file.map(|file| folder.join(file)).ok_or(ConsumerCommandError::NoFile)
}
