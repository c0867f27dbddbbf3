//! A password as it is stored.

use gateway_base::digest::Digest;

/// A password, in a form that does not tell it.
#[derive(Clone)]
pub enum StoredPassword {
    /// A hash in the PHC string format (RFC 9106).
    Argon2id(Box<str>),
    /// Of a password that the deployment keeps elsewhere.
    Digest(Digest),
}

impl std::fmt::Debug for StoredPassword {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StoredPassword")
    }
}

impl StoredPassword {
    /// The hash in the PHC string format, if it is one.
    pub fn hash(&self) -> Option<&str> {
        match self {
            Self::Argon2id(hash) => Some(hash),
            Self::Digest(_) => None,
        }
    }
}
