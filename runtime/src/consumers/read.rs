//! Reads `consumers.yaml`: every mistake is told with its place, and with one mistake nothing of the file is used.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use gateway_yaml::{FileId, Node, Span, Spanned, from_node, load, position};
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use super::{Consumer, Consumers, Identity};
use crate::config::Problem;
use crate::digest::Digest;
use crate::secret::{Encoding, Secret, SecretStore};

/// Sections that belong to later versions, or to other programs that share the file.
const OTHER_SECTIONS: &[&str] = &["groups", "oauthClients", "users", "permissions"];

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct ConsumerEntry {
    username: Spanned<String>,
    group: Option<String>,
    #[serde(default)]
    roles: Vec<String>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    rate_limit: Option<Spanned<IgnoredAny>>,
    #[allow(dead_code, reason = "read from the tree, one by one")]
    credentials: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct KeyEntry {
    id: Option<String>,
    #[allow(dead_code, reason = "decided which of these types this is")]
    r#type: IgnoredAny,
    #[allow(dead_code, reason = "read from the tree, by code that quotes no value")]
    key: IgnoredAny,
    #[serde(default)]
    optional: bool,
}

/// A secret as it was found.
enum FoundSecret {
    Plain(Secret),
    Sha256(Digest),
}

/// Reads the file's text.
///
/// # Errors
/// All mistakes.
pub(super) fn consumers(
    file: &Path,
    text: &str,
    secrets: &SecretStore,
    literals: bool,
    needed: &HashSet<&'static str>,
) -> Result<(Consumers, Vec<Problem>), Vec<Problem>> {
    let mut reading = Reading {
        file,
        text,
        secrets,
        literals,
        found: Consumers::default(),
        problems: Vec::new(),
        remarks: Vec::new(),
    };
    match load(FileId(0), text) {
        Ok(node) => reading.document(&node),
        Err(error) => reading.problem(error.span, error.message),
    }
    for name in needed {
        if reading.problems.is_empty() && reading.found.named(name).is_none() {
            let message = format!("{}: there is no consumer `{name}`, and an operation needs it", file.display());
            reading.problems.push(Problem::plain(message));
        }
    }
    if reading.problems.is_empty() { Ok((reading.found, reading.remarks)) } else { Err(reading.problems) }
}

struct Reading<'a> {
    file: &'a Path,
    text: &'a str,
    secrets: &'a SecretStore,
    literals: bool,
    found: Consumers,
    problems: Vec<Problem>,
    remarks: Vec<Problem>,
}

impl Reading<'_> {
    fn place(&self, span: Span) -> String {
        let at = position(self.text, span.start);
        format!("{}:{}:{}", self.file.display(), at.line, at.column)
    }

    fn problem(&mut self, span: Span, message: impl std::fmt::Display) {
        self.problems.push(Problem::plain(format!("{}: {message}", self.place(span))));
    }

    fn remark(&mut self, span: Span, message: impl std::fmt::Display) {
        self.remarks.push(Problem::plain(format!("{}: {message}", self.place(span))));
    }

    fn typed<T: DeserializeOwned>(&mut self, node: &Node) -> Option<T> {
        match from_node(node) {
            Ok(value) => Some(value),
            Err(error) => {
                let help = error.help.map_or_else(String::new, |help| format!("; {help}"));
                self.problem(error.span, format!("{}{help}", error.message));
                None
            }
        }
    }

    fn document(&mut self, node: &Node) {
        let Some(sections) = node.as_mapping() else {
            return self.problem(node.span, "expected `consumers:` and a list");
        };
        if sections.get("consumers").is_none() {
            self.problem(node.span, "there is no section `consumers`; write `consumers: []` if there are none");
        }
        for entry in sections.iter() {
            match &*entry.key.name {
                "consumers" => match entry.value.as_sequence() {
                    Some(consumers) => consumers.iter().for_each(|node| self.consumer(node)),
                    None => self.problem(
                        entry.value.span,
                        format!("expected a list of consumers, found {}", entry.value.kind_name()),
                    ),
                },
                name if OTHER_SECTIONS.contains(&name) => {
                    self.remark(entry.key.span, format!("`{name}` is not used by this version"));
                }
                name => self.problem(entry.key.span, format!("unknown section `{name}`; expected `consumers`")),
            }
        }
    }

    fn consumer(&mut self, node: &Node) {
        let Some(entry) = self.typed::<ConsumerEntry>(node) else { return };
        let name = &entry.username.value;
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        if name.is_empty() || !name.bytes().all(is_name) {
            return self
                .problem(entry.username.span, format!("`{name}` is not a user name: letters, digits, `_` and `-`"));
        }
        if self.found.by_name.contains_key(name.as_str()) {
            return self.problem(entry.username.span, format!("there are two consumers called `{name}`"));
        }
        if let Some(limit) = entry.rate_limit {
            self.remark(limit.span, format!("`rateLimit` of `{name}` is not enforced by this version"));
        }
        let custom_id = entry.labels.get("customId");
        if let Some(odd) = custom_id.filter(|id| !id.bytes().all(|byte| (b' '..=b'~').contains(&byte))) {
            return self
                .problem(node.span, format!("the label customId `{}` cannot stand in a header", odd.escape_default()));
        }
        let consumer = Arc::new(Consumer {
            username: name.as_str().into(),
            group: entry.group.map(Into::into),
            roles: entry.roles.into_iter().map(Into::into).collect(),
            custom_id: custom_id.map(|id| id.as_str().into()),
        });
        self.found.by_name.insert(name.as_str().into(), Arc::clone(&consumer));
        match node.get("credentials").map(|node| (node, node.as_sequence())) {
            None => {}
            Some((_, Some(credentials))) => credentials.iter().for_each(|node| self.credential(node, &consumer)),
            Some((node, None)) => {
                self.problem(node.span, format!("expected a list of credentials, found {}", node.kind_name()))
            }
        }
    }

    fn credential(&mut self, node: &Node, consumer: &Arc<Consumer>) {
        match node.get("type").and_then(Node::as_str) {
            Some("key") => self.key(node, consumer),
            Some(later @ ("basic" | "jwt" | "hmac")) => self.remark(
                node.span,
                format!("credentials of type {later} (`{}`) are not used by this version", consumer.username),
            ),
            Some(other) => self.problem(node.span, format!("unknown type of credential `{other}`; there is `key`")),
            None => self.problem(node.span, "a credential needs a type, such as `type: key`"),
        }
    }

    fn identity(&mut self, node: &Node, id: Option<String>, consumer: &Arc<Consumer>) -> Option<Identity> {
        if let Some(id) = &id
            && !(1..=256).contains(&id.len()) | !id.bytes().all(|byte| byte.is_ascii_graphic())
        {
            self.problem(node.span, format!("`{}` is not an id: 1 to 256 visible characters", id.escape_default()));
            return None;
        }
        Some(Identity { consumer: Arc::clone(consumer), credential: id.map(Into::into) })
    }

    fn key(&mut self, node: &Node, consumer: &Arc<Consumer>) {
        let Some(entry) = self.typed::<KeyEntry>(node) else { return };
        let Some(identity) = self.identity(node, entry.id, consumer) else { return };
        let Some(key) = node.get("key") else { return };
        let digest = match self.secret(key, entry.optional) {
            Some(FoundSecret::Plain(secret)) => Digest::of(secret.expose()),
            Some(FoundSecret::Sha256(digest)) => digest,
            None => return,
        };
        if let Some(other) = self.found.by_key.get(&digest) {
            let owner = other.consumer.username.clone();
            return self.problem(key.span, format!("duplicate key of key credentials: `{owner}` has the same"));
        }
        self.found.by_key.insert(digest, identity);
    }

    /// Fetches a secret; `None` has been told, or is optional and not there. What the author wrote is not repeated: it
    /// may be the secret itself.
    fn secret(&mut self, node: &Node, optional: bool) -> Option<FoundSecret> {
        const EXPECTED: &str = "expected one of {env: NAME}, {file: path} and {sha256: hex}";
        const KNOWN: &[&str] = &["env", "file", "value", "sha256", "encoding"];
        let Some(members) = node.as_mapping() else {
            self.problem(node.span, format!("{EXPECTED}, found {}", node.kind_name()));
            return None;
        };
        let text = |name: &str| members.get(name).and_then(Node::as_text);
        let places: Vec<&str> = KNOWN[..4].iter().copied().filter(|name| members.get(name).is_some()).collect();
        let is_known = members.iter().all(|entry| KNOWN.contains(&&*entry.key.name) && entry.value.as_text().is_some());
        let encoding = match text("encoding") {
            None => Some(Encoding::Plain),
            Some("base64") if matches!(places[..], ["env" | "file"]) => Some(Encoding::Base64),
            Some(_) => None,
        };
        let ([place], true, Some(encoding)) = (&places[..], is_known, encoding) else {
            self.problem(node.span, format!("{EXPECTED}, the first two with `encoding: base64` if need be"));
            return None;
        };
        let given = text(place).unwrap_or_default();
        let found = match *place {
            "env" => self.secrets.variable(given, encoding).map(FoundSecret::Plain),
            "file" => self.secrets.file(given, encoding).map(FoundSecret::Plain),
            "value" if self.literals && !given.is_empty() => Ok(FoundSecret::Plain(Secret::from(given))),
            "value" => {
                Err("`value` is for tests; write `{env: …}` or `{file: …}`, or set `insecureLiterals: true`".into())
            }
            _ => match Digest::from_hex(given) {
                Some(digest) => Ok(FoundSecret::Sha256(digest)),
                None => Err("`sha256` needs 64 hexadecimal digits".into()),
            },
        };
        match found {
            Ok(secret) => Some(secret),
            Err(problem) if optional && self.secrets.is_absent(place, given) => {
                self.remark(node.span, format!("an optional credential is left out: {problem}"));
                None
            }
            Err(problem) => {
                self.problem(node.span, problem);
                None
            }
        }
    }
}
