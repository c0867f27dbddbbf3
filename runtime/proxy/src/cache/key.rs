//! Which requests are the same.

use crate::cache::lines::Lines;
use gateway_base::digest::Digest;
use gateway_base::encoding::form_decode;
use gateway_wire::http1::head::Field;
use gateway_wire::http1::names::is_same_name_ignoring_punctuation;
use gateway_wire::lists::members;

/// What a response is found by. It is made with a cryptographic hash: no client finds a request that has another's key.
pub(crate) type Key = u128;

/// Makes a key of parts, each with its length, so that no two lists of parts are one.
pub(crate) struct KeyParts(Vec<u8>);

/// Bytes of the parts of most keys.
const PARTS: usize = 256;

impl Default for KeyParts {
    fn default() -> Self {
        Self(Vec::with_capacity(PARTS))
    }
}

impl KeyParts {
    /// Adds a part of a kind. No part is longer than a head may be.
    pub(crate) fn add(&mut self, kind: u8, bytes: &[u8]) {
        self.0.push(kind);
        self.0.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
        self.0.extend_from_slice(bytes);
    }

    /// Adds the query parameters of a name as they were sent: one that is empty is not one that is missing.
    pub(crate) fn add_parameter(&mut self, name: &str, query: Option<&str>) {
        self.add(21, name.as_bytes());
        let is_it = |pair: &&str| {
            let sent = pair.split('=').next().unwrap_or_default();
            form_decode(sent).is_some_and(|sent| sent == name)
        };
        query
            .into_iter()
            .flat_map(|query| query.split('&'))
            .filter(is_it)
            .for_each(|pair| self.add(22, pair.as_bytes()));
    }

    /// Adds all header fields of a name.
    pub(crate) fn add_header(&mut self, name: &str, fields: &[Field<'_>]) {
        self.add(23, name.as_bytes());
        fields.iter().filter(|field| field.name.eq_ignore_ascii_case(name)).for_each(|field| self.add(24, field.value));
        self.add_twins(name, fields.iter().copied());
    }

    /// Adds the header fields that CGI and its descendants read as those of a name: their punctuation is another.
    fn add_twins<'f>(&mut self, name: &str, fields: impl Iterator<Item = Field<'f>>) {
        let is_twin = |field: &Field<'_>| {
            is_same_name_ignoring_punctuation(name, field.name) && !field.name.eq_ignore_ascii_case(name)
        };
        for field in fields.filter(is_twin) {
            self.add(27, field.name.as_bytes());
            self.add(28, field.value);
        }
    }

    /// Adds the cookies of a name as they were sent.
    pub(crate) fn add_cookie(&mut self, name: &str, fields: &[Field<'_>]) {
        self.add(25, name.as_bytes());
        let cookies = fields.iter().filter(|field| field.name.eq_ignore_ascii_case("cookie"));
        for pair in cookies.flat_map(|field| field.value.split(|byte| *byte == b';')).map(<[u8]>::trim_ascii) {
            if pair.split(|byte| *byte == b'=').next().is_some_and(|sent| sent.trim_ascii() == name.as_bytes()) {
                self.add(26, pair);
            }
        }
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
        // Fields of one name are one list. Nobody knows the syntax of each: what differs in it is another one, and an empty
        // field is not a missing one.
        let values: Vec<&[u8]> = request.all(name).collect();
        if !values.is_empty() {
            parts.add(2, &values.join(&b", "[..]));
        }
        parts.add_twins(name, request.iter());
    }
    parts.key()
}
