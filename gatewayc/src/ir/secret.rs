//! Secrets, which documents only refer to.

/// Where a secret comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretReference {
    /// The variable or the file.
    pub source: SecretSource,
    /// Whether its bytes are written in base64.
    pub base64: bool,
}

/// The place of a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// An environment variable.
    Env(String),
    /// A file.
    File(String),
}
