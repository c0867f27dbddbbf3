//! Which requests are the same.

use crate::cache::directives::members;
use crate::cache::lines::Lines;
use gateway_base::digest::Digest;

/// What a response is found by. It is made with a cryptographic hash: no client finds a request that has another's key.
pub(crate) type Key = u128;

/// Makes a key of parts, each with its length, so that no two lists of parts are one.
#[derive(Default)]
pub(crate) struct KeyParts(Vec<u8>);

impl KeyParts {
    /// Adds a part of a kind.
    pub(crate) fn add(&mut self, kind: u8, bytes: &[u8]) {
        self.0.push(kind);
        self.0.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
        self.0.extend_from_slice(bytes);
    }

    /// The key.
    pub(crate) fn key(&self) -> Key {
        let digest = Digest::of(&self.0);
        digest.bytes().iter().take(16).fold(0, |key, byte| key << 8 | Key::from(*byte))
    }
}

/// The names in `Vary`, in lower case and in order; a coded content without a word about that depends on what the client
/// takes all the same.
pub(crate) fn varied_by(head: &Lines) -> Box<[Box<str>]> {
    let mut names: Vec<Box<str>> = Vec::new();
    for name in head.all("vary").flat_map(members) {
        names.push(String::from_utf8_lossy(name).to_ascii_lowercase().into());
    }
    if head.first("content-encoding").is_some() {
        names.push("accept-encoding".into());
    }
    names.sort_unstable();
    names.dedup();
    names.into()
}

/// The key of the variant that a request gets (RFC 9111 §4.1).
pub(crate) fn variant(key: Key, names: &[Box<str>], request: &Lines) -> Key {
    let mut parts = KeyParts::default();
    parts.add(0, &key.to_le_bytes());
    for name in names {
        parts.add(1, name.as_bytes());
        // Fields of one name are one list, in which blanks around commas do not count.
        for value in request.all(name).flat_map(members) {
            parts.add(2, value);
        }
    }
    parts.key()
}
