//! Secrets: where they are, and a wrapper that keeps them out of logs.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::digest::Digest;

/// Where a secret, a key or a key set comes from. Documents hold these, never the secret.
#[derive(Debug, Clone, Copy)]
pub struct SecretReference {
    /// The environment variable or the file.
    pub source: SecretSource,
    /// How the bytes are written there.
    pub encoding: Encoding,
}

/// The place of a secret.
#[derive(Debug, Clone, Copy)]
pub enum SecretSource {
    /// An environment variable.
    Env(&'static str),
    /// A file; a relative path starts at the folder of `gateway.yaml`. One line end at the end of the file is not part
    /// of the secret.
    File(&'static str),
}

/// How a secret's bytes are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// As they are.
    Plain,
    /// Standard base64 with padding (RFC 4648 §4).
    Base64,
}

/// A secret's bytes. `Debug` shows their number only.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// The bytes themselves.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.as_bytes().to_vec())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({} bytes)", self.0.len())
    }
}

/// Why there is no secret: names the place, and never the content.
#[derive(Debug)]
pub struct SecretError {
    /// Where it was looked for.
    pub place: SecretPlace,
    /// What is wrong there.
    pub fault: SecretFault,
}

/// Where a secret was looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretPlace {
    /// An environment variable.
    Variable(String),
    /// A file.
    File(PathBuf),
}

/// What is wrong with the place of a secret.
#[derive(Debug)]
pub enum SecretFault {
    /// The variable is not there.
    NotSet,
    /// The file cannot be read.
    Unreadable(std::io::Error),
    /// The file has more than 1 MiB.
    TooLarge,
    /// There is nothing.
    Empty,
    /// What is there is not base64.
    NotBase64,
}

impl fmt::Display for SecretError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            SecretPlace::Variable(name) => write!(f, "environment variable {name}")?,
            SecretPlace::File(path) => write!(f, "file {}", path.display())?,
        }
        match &self.fault {
            SecretFault::NotSet => f.write_str(" is not set"),
            SecretFault::Unreadable(error) => write!(f, " cannot be read: {error}"),
            SecretFault::TooLarge => write!(f, " is larger than {} KiB, which no secret is", MAX_FILE >> 10),
            SecretFault::Empty => f.write_str(" is empty"),
            SecretFault::NotBase64 => f.write_str(" is not in base64 format"),
        }
    }
}

impl std::error::Error for SecretError {}

/// Where references lead in this deployment.
#[derive(Clone, Default)]
pub struct SecretStore {
    /// Relative file paths start here.
    pub folder: PathBuf,
    /// Stands in for variables that the environment does not have.
    pub stand_ins: Vec<(String, String)>,
    /// Every reference leads to a secret of its own, which is none: for checking a file where its secrets are not.
    pub pretends: bool,
    /// The files that were asked for, of this store and its clones.
    pub asked: AskedFiles,
}

/// Files that secrets were looked for in, whether they are there or not.
#[derive(Clone, Default)]
pub struct AskedFiles(Arc<Mutex<BTreeSet<PathBuf>>>);

impl AskedFiles {
    fn add(&self, file: &Path) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(file.to_path_buf());
    }

    /// All of them, in order.
    pub fn all(&self) -> Vec<PathBuf> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}

impl fmt::Debug for SecretStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretStore").field("folder", &self.folder).finish_non_exhaustive()
    }
}

impl SecretStore {
    /// Whether there is nothing at a place of the kind `env` or `file`.
    pub fn is_absent(&self, kind: &str, place: &str) -> bool {
        match kind {
            "env" => std::env::var_os(place).is_none_or(|value| value.is_empty()),
            "file" => std::fs::metadata(self.folder.join(place))
                .map_or_else(|error| error.kind() == std::io::ErrorKind::NotFound, |data| data.len() == 0),
            _ => false,
        }
    }

    /// The secret in an environment variable.
    ///
    /// # Errors
    /// As for [`SecretReference::resolve`].
    pub fn variable(&self, name: &str, encoding: Encoding) -> Result<Secret, SecretError> {
        if self.pretends {
            return Ok(pretended("env", name));
        }
        let stand_in =
            || self.stand_ins.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone().into_bytes());
        match std::env::var_os(name).map(std::ffi::OsString::into_encoded_bytes).or_else(stand_in) {
            Some(bytes) => decode(bytes, encoding, || SecretPlace::Variable(name.to_owned())),
            None => Err(SecretError { place: SecretPlace::Variable(name.to_owned()), fault: SecretFault::NotSet }),
        }
    }

    /// The secret in a file.
    ///
    /// # Errors
    /// As for [`SecretReference::resolve`].
    pub fn file(&self, path: &str, encoding: Encoding) -> Result<Secret, SecretError> {
        if self.pretends {
            return Ok(pretended("file", path));
        }
        let path = self.folder.join(path);
        self.asked.add(&path);
        let place = || SecretPlace::File(path.clone());
        match read_at_most(&path, MAX_FILE) {
            Ok(bytes) if bytes.len() as u64 > MAX_FILE => {
                Err(SecretError { place: place(), fault: SecretFault::TooLarge })
            }
            Ok(bytes) => decode(without_line_end(bytes), encoding, place),
            Err(error) => Err(SecretError { place: place(), fault: SecretFault::Unreadable(error) }),
        }
    }
}

/// The most bytes of a secret, with room for chains of certificates: a device does not end.
const MAX_FILE: u64 = 1 << 20;

/// The content of a file, or its first bytes, one more than `most`.
fn read_at_most(path: &Path, most: u64) -> std::io::Result<Vec<u8>> {
    use std::io::Read as _;
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(most + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// 64 bytes that are the same for the same place only.
fn pretended(kind: &str, place: &str) -> Secret {
    Secret(Digest::of(format!("{kind}:{place}").as_bytes()).to_hex().into_bytes())
}

fn decode(bytes: Vec<u8>, encoding: Encoding, place: impl Fn() -> SecretPlace) -> Result<Secret, SecretError> {
    if bytes.is_empty() {
        return Err(SecretError { place: place(), fault: SecretFault::Empty });
    }
    match encoding {
        Encoding::Plain => Ok(Secret(bytes)),
        Encoding::Base64 => match STANDARD.decode(&bytes) {
            Ok(decoded) if !decoded.is_empty() => Ok(Secret(decoded)),
            _ => Err(SecretError { place: place(), fault: SecretFault::NotBase64 }),
        },
    }
}

impl SecretReference {
    /// Reads the secret.
    ///
    /// # Errors
    /// The place is missing, too large, empty, or not in its encoding.
    pub fn resolve(&self, store: &SecretStore) -> Result<Secret, SecretError> {
        match self.source {
            SecretSource::Env(name) => store.variable(name, self.encoding),
            SecretSource::File(path) => store.file(path, self.encoding),
        }
    }
}

fn without_line_end(mut bytes: Vec<u8>) -> Vec<u8> {
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_an_end_is_refused() {
        let problem = SecretStore::default().file("/dev/zero", Encoding::Plain).err().map(|error| error.to_string());
        assert_eq!(problem.as_deref(), Some("file /dev/zero is larger than 1024 KiB, which no secret is"));
    }

    #[test]
    fn debug_output_hides_the_bytes() {
        assert_eq!(format!("{:?}", Secret(b"hunter2".to_vec())), "Secret(7 bytes)");
    }

    #[test]
    fn a_missing_place_is_named() {
        let store = SecretStore { folder: PathBuf::from("/nonexistent"), ..SecretStore::default() };
        let reference = SecretReference { source: SecretSource::File("keys/a.pem"), encoding: Encoding::Plain };
        let message = reference.resolve(&store).expect_err("no such file").to_string();
        assert!(message.contains("/nonexistent/keys/a.pem"), "{message}");
        let reference =
            SecretReference { source: SecretSource::Env("GATEWAY_TEST_NEVER_SET"), encoding: Encoding::Plain };
        let message = reference.resolve(&store).map_err(|error| error.to_string());
        assert_eq!(message, Err("environment variable GATEWAY_TEST_NEVER_SET is not set".to_owned()));
    }
}
