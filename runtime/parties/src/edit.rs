//! Changes to the text of `consumers.yaml` that leave everything else in it as it is: order, comments, style.
//!
//! Pure: text in, text out. The reader's own parser finds what may be changed, so that both agree.

use gateway_yaml::{DeError, FileId, LoadError, Node, Span, from_node, load, load_each};
use serde_json::Value;

use gateway_base::digest::Digest;

/// What is added to a file.
#[derive(Debug, Clone)]
pub enum Change<'a> {
    /// A consumer, in flow style: `{username: …}`.
    AddConsumer(&'a str),
    /// A credential, in flow style, to this consumer.
    AddCredential(&'a str, &'a str),
    /// Takes a consumer away.
    RemoveConsumer(&'a str),
    /// Takes a consumer's credential away.
    RemoveCredential(&'a str, &'a str),
    /// Gives a consumer's credential a member: consumer, credential, name, value.
    SetMember(&'a str, &'a str, &'a str, &'a str),
}

/// Why a file cannot be read or changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// It is not YAML.
    #[error("line {line}: {source}")]
    Unreadable {
        /// Counted from 1.
        line: usize,
        /// What is wrong there.
        source: Box<LoadError>,
    },
    /// What is to be added is not YAML.
    #[error("what is to be added is not YAML: {0}")]
    Addition(#[source] Box<LoadError>),
    /// A value of the file cannot be compared.
    #[error(transparent)]
    Value(Box<DeError>),
    /// There is no consumer of this name.
    #[error("there is no consumer `{0}`")]
    NoConsumer(String),
    /// The consumer has no credential with this id.
    #[error("`{username}` has no credential `{id}`")]
    NoCredential {
        /// The consumer.
        username: String,
        /// What was looked for.
        id: String,
    },
    /// The consumer has several credentials with this id.
    #[error("several credentials are called `{0}`")]
    SeveralCredentials(String),
    /// There is no list that a consumer can be added to.
    #[error("there is no list `consumers`; write `consumers: []`")]
    NoList,
    /// The consumer's `credentials` is something else than a list.
    #[error("`credentials` is not a list")]
    CredentialsNotList,
    /// The change would mean something else than it should.
    #[error("the style of the file leaves no safe place for the change; make it by hand")]
    ByHand,
}

/// A consumer as in the file.
#[derive(Debug)]
pub struct Listed {
    /// The unique name; empty where the file has none.
    pub username: String,
    /// The group; `None` for a consumer without one.
    pub group: Option<String>,
    /// The roles, in the order of the file.
    pub roles: Vec<String>,
    /// Type, id and end of each credential.
    pub credentials: Vec<(String, Option<String>, Option<String>)>,
}

/// All consumers, in the order of the file.
///
/// # Errors
/// It is not YAML.
pub fn list(text: &str) -> Result<Vec<Listed>, EditError> {
    let mut listed = Vec::new();
    each(text, |node| {
        let text_at = |node: &Node, name: &str| node.get(name).and_then(Node::as_text).map(str::to_owned);
        let texts = |node: Option<&Node>| -> Vec<String> {
            let items = node.and_then(Node::as_sequence).unwrap_or_default();
            items.iter().filter_map(Node::as_text).map(str::to_owned).collect()
        };
        let credentials = node.get("credentials").and_then(Node::as_sequence).unwrap_or_default();
        listed.push(Listed {
            username: text_at(&node, "username").unwrap_or_default(),
            group: text_at(&node, "group"),
            roles: texts(node.get("roles")),
            credentials: credentials
                .iter()
                .map(|node| (text_at(node, "type").unwrap_or_default(), text_at(node, "id"), text_at(node, "expires")))
                .collect(),
        });
    })?;
    Ok(listed)
}

/// The text after a change.
///
/// # Errors
/// There is no such consumer or credential, there are several, or the file's style leaves no safe place.
pub fn apply(text: &str, change: &Change<'_>) -> Result<String, EditError> {
    let found = Found::of(text, change.consumer())?;
    let username = change.consumer().unwrap_or_default();
    let consumer = || found.consumer.as_ref().ok_or_else(|| EditError::NoConsumer(username.to_owned()));
    let credential = |id: &str| -> Result<(usize, &Node), EditError> {
        let credentials = consumer()?.get("credentials").and_then(Node::as_sequence).unwrap_or_default();
        let is_called = |node: &Node| node.get("id").and_then(Node::as_text) == Some(id);
        let mut named = credentials.iter().enumerate().filter(|(_, node)| is_called(node));
        match (named.next(), named.next()) {
            (Some(one), None) => Ok(one),
            (None, _) => Err(EditError::NoCredential { username: username.to_owned(), id: id.to_owned() }),
            (Some(_), Some(_)) => Err(EditError::SeveralCredentials(id.to_owned())),
        }
    };
    // What the change is to mean, in values rather than in text.
    let mut expected = found.values.clone();
    let mut of_consumer = |edit: &mut dyn FnMut(&mut Value) -> Option<()>| -> Result<(), EditError> {
        let mut value = found.consumer.as_ref().map(value_of).transpose()?.unwrap_or_default();
        edit(&mut value).ok_or(EditError::ByHand)?;
        if let Some(known) = expected.get_mut(found.index) {
            *known = digest_of(&value);
        }
        Ok(())
    };
    let edited = match change {
        Change::AddConsumer(item) => {
            expected.push(digest_of(&value_in(item)?));
            found.list(text)?.insert(item)
        }
        Change::AddCredential(_, item) => {
            let added = value_in(item)?;
            let edited = add_credential(text, consumer()?, item);
            of_consumer(&mut |value| {
                let credentials =
                    value.as_object_mut()?.entry("credentials").or_insert_with(|| Value::Array(Vec::new()));
                if credentials.is_null() {
                    *credentials = Value::Array(Vec::new());
                }
                credentials.as_array_mut()?.push(added.clone());
                Some(())
            })?;
            edited
        }
        Change::RemoveConsumer(_) => {
            consumer()?;
            expected.remove(found.index);
            found.list(text)?.remove(found.index)
        }
        Change::RemoveCredential(_, id) => {
            let (index, _) = credential(id)?;
            of_consumer(&mut |value| {
                value.get_mut("credentials")?.as_array_mut().map(|list| drop(list.remove(index)))
            })?;
            let entry =
                consumer()?.as_mapping().and_then(|mapping| mapping.entry("credentials")).ok_or(EditError::ByHand)?;
            List::of(text, &entry.value, Some(entry.key.span)).remove(index)
        }
        Change::SetMember(_, id, name, with) => {
            let (index, node) = credential(id)?;
            let member = value_in(with)?;
            of_consumer(&mut |value| {
                let credential = value.get_mut("credentials")?.get_mut(index)?.as_object_mut()?;
                credential.insert((*name).to_owned(), member.clone());
                Some(())
            })?;
            set_member(text, node, name, with)
        }
    }?;
    // The parser has the last word: this changed, and nothing else. Anchors, scalars of several lines and whatever else
    // there may be can make text mean something else than it looks.
    if Found::of(&edited, None).is_ok_and(|after| after.values == expected) {
        Ok(edited)
    } else {
        Err(EditError::ByHand)
    }
}

fn value_of(node: &Node) -> Result<Value, EditError> {
    from_node(node).map_err(|error| EditError::Value(Box::new(error)))
}

fn value_in(text: &str) -> Result<Value, EditError> {
    load(FileId(0), text).map_err(|error| EditError::Addition(Box::new(error))).and_then(|node| value_of(&node))
}

/// A digest to compare values by, in little room: a file may hold millions. Maps are ordered by their keys.
fn digest_of(value: &Value) -> Digest {
    Digest::of(value.to_string().as_bytes())
}

impl<'a> Change<'a> {
    /// The consumer that it changes, unless it adds one.
    fn consumer(&self) -> Option<&'a str> {
        match self {
            Self::AddConsumer(_) => None,
            Self::AddCredential(name, _)
            | Self::RemoveConsumer(name)
            | Self::RemoveCredential(name, _)
            | Self::SetMember(name, ..) => Some(name),
        }
    }
}

fn each(text: &str, item: impl FnMut(Node)) -> Result<gateway_yaml::Loaded, EditError> {
    let loaded = load_each(FileId(0), text, "consumers", item);
    match loaded.errors.first() {
        None => Ok(loaded),
        Some(error) => {
            let line = gateway_yaml::position(text, error.span.start).line;
            Err(EditError::Unreadable { line, source: Box::new(error.clone()) })
        }
    }
}

/// What a change needs to know of the file.
struct Found {
    /// The key `consumers`, and the place of its list.
    list: Option<(Span, Span)>,
    items: Vec<Span>,
    /// What each item says.
    values: Vec<Digest>,
    consumer: Option<Node>,
    /// Which of the items it is.
    index: usize,
}

impl Found {
    fn of(text: &str, username: Option<&str>) -> Result<Self, EditError> {
        let mut found = Self { list: None, items: Vec::new(), values: Vec::new(), consumer: None, index: 0 };
        let loaded = each(text, |node| {
            if username.is_some() && node.get("username").and_then(Node::as_text) == username {
                found.index = found.items.len();
                found.consumer = Some(node.clone());
            }
            found.items.push(node.span);
            found.values.push(value_of(&node).map_or_else(|_| Digest::of(b""), |value| digest_of(&value)));
        })?;
        let entry = loaded.node.as_ref().and_then(Node::as_mapping).and_then(|root| root.entry("consumers"));
        found.list =
            entry.filter(|entry| entry.value.as_sequence().is_some()).map(|entry| (entry.key.span, entry.value.span));
        Ok(found)
    }

    fn list<'t>(&self, text: &'t str) -> Result<List<'t>, EditError> {
        let (key, span) = self.list.ok_or(EditError::NoList)?;
        Ok(List { text, span, items: self.items.clone(), key: Some(key) })
    }
}

/// A list in the text.
struct List<'a> {
    text: &'a str,
    span: Span,
    items: Vec<Span>,
    /// The key that it is under.
    key: Option<Span>,
}

impl<'a> List<'a> {
    fn of(text: &'a str, node: &Node, key: Option<Span>) -> Self {
        let items = node.as_sequence().unwrap_or_default().iter().map(|item| item.span).collect();
        Self { text, span: node.span, items, key }
    }

    fn is_flow(&self) -> bool {
        self.text[self.span.start as usize..].starts_with('[')
    }

    fn insert(&self, item: &str) -> Result<String, EditError> {
        match (self.items.last(), self.is_flow()) {
            (None, true) => splice(self.text, self.span.start as usize + 1..self.span.start as usize + 1, item),
            (Some(last), true) => splice(self.text, last.end as usize..last.end as usize, &format!(", {item}")),
            (Some(last), false) => {
                let indent = self.dash(self.items.first().unwrap_or(last))?;
                let at = last_line_end(self.text, last.end as usize);
                splice(self.text, at..at, &format!("\n{}- {item}", " ".repeat(indent)))
            }
            (None, false) => Err(EditError::ByHand),
        }
    }

    fn remove(&self, index: usize) -> Result<String, EditError> {
        let item = self.items.get(index).ok_or(EditError::ByHand)?;
        let next = self.items.get(index + 1);
        match (self.is_flow(), next, index) {
            (true, Some(next), _) => splice(self.text, item.start as usize..next.start as usize, ""),
            (true, None, 0) => splice(self.text, item.start as usize..item.end as usize, ""),
            (true, None, _) => {
                let before = self.items[index - 1];
                splice(self.text, before.end as usize..item.end as usize, "")
            }
            (false, ..) => {
                self.dash(item)?;
                let start = start_of_line(self.text, item.start as usize);
                let end = (last_line_end(self.text, item.end as usize) + 1).min(self.text.len());
                let without = splice(self.text, start..end, "")?;
                if self.items.len() > 1 {
                    return Ok(without);
                }
                // A key without a value would be nothing, not an empty list.
                let key = self.key.ok_or(EditError::ByHand)?.end as usize;
                let colon = key + without.get(key..).and_then(|rest| rest.find(':')).ok_or(EditError::ByHand)? + 1;
                splice(&without, colon..colon, " []")
            }
        }
    }

    /// The column of the dash before an item that has lines of its own.
    fn dash(&self, item: &Span) -> Result<usize, EditError> {
        let start = start_of_line(self.text, item.start as usize);
        let before = &self.text[start..item.start as usize];
        let column = before.len() - before.trim_start_matches(' ').len();
        let dash = before[column..].strip_prefix('-').ok_or(EditError::ByHand)?;
        if dash.chars().all(|letter| letter == ' ') { Ok(column) } else { Err(EditError::ByHand) }
    }
}

fn add_credential(text: &str, consumer: &Node, item: &str) -> Result<String, EditError> {
    let entry = consumer.as_mapping().and_then(|mapping| mapping.entry("credentials"));
    match entry.map(|entry| (entry.key.span, &entry.value)) {
        Some((key, list)) if list.as_sequence().is_some() => List::of(text, list, Some(key)).insert(item),
        // `credentials:` with nothing behind it.
        Some((key, nothing)) if nothing.is_null() => {
            let key = key.end as usize;
            let colon = key + text.get(key..).and_then(|rest| rest.find(':')).ok_or(EditError::ByHand)? + 1;
            splice(text, colon..colon, &format!(" [{item}]"))
        }
        Some(_) => Err(EditError::CredentialsNotList),
        None => set_member(text, consumer, "credentials", &format!("[{item}]")),
    }
}

/// Gives a mapping a member that it may have already.
fn set_member(text: &str, mapping: &Node, name: &str, value: &str) -> Result<String, EditError> {
    let entries = mapping.as_mapping().ok_or(EditError::ByHand)?;
    if let Some(known) = entries.get(name) {
        return splice(text, known.span.range(), value);
    }
    let (Some(first), Some(last)) = (entries.entries().first(), entries.entries().last()) else {
        return Err(EditError::ByHand);
    };
    if text[mapping.span.start as usize..].starts_with('{') {
        let at = last.value.span.end as usize;
        return splice(text, at..at, &format!(", {name}: {value}"));
    }
    let column = first.key.span.start as usize - start_of_line(text, first.key.span.start as usize);
    let at = last_line_end(text, mapping.span.end as usize);
    splice(text, at..at, &format!("\n{}{name}: {value}", " ".repeat(column)))
}

fn splice(text: &str, range: std::ops::Range<usize>, with: &str) -> Result<String, EditError> {
    let (before, after) =
        (text.get(..range.start).ok_or(EditError::ByHand)?, text.get(range.end..).ok_or(EditError::ByHand)?);
    Ok([before, with, after].concat())
}

fn start_of_line(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |newline| newline + 1)
}

/// Where the last line of what ends at `at` ends, behind a comment if there is one. What ends with a scalar of several
/// lines ends with the line break behind it.
fn last_line_end(text: &str, at: usize) -> usize {
    let at = text[..at].trim_end().len();
    text[at..].find('\n').map_or(text.len(), |newline| at + newline)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCK: &str = "\
# Who may call.
consumers:
  - username: ann # the first
    credentials:
      - {id: a1, type: key, key: {env: A}} # old
      - id: a2
        type: key
        key: {env: B}
  # a comment about ben
  - username: ben
    group: gold
  - {username: cat, credentials: [{id: c1, type: key, key: {env: C}}, {id: c2, type: key, key: {env: D}}]}
groups: {gold: {}}
";

    fn changed(text: &str, change: &Change<'_>) -> String {
        apply(text, change).unwrap_or_else(|problem| panic!("{change:?}: {problem}"))
    }

    #[test]
    fn everything_else_stays() {
        for (change, removed, added) in [
            (Change::AddConsumer("{username: dan}"), "", "  - {username: dan}\n"),
            (Change::AddCredential("ann", "{id: a3}"), "", "      - {id: a3}\n"),
            (Change::AddCredential("ben", "{id: b1}"), "", "    credentials: [{id: b1}]\n"),
            (Change::AddCredential("cat", "{id: c3}"), "", ", {id: c3}"),
            (Change::RemoveConsumer("ben"), "  - username: ben\n    group: gold\n", ""),
            (Change::RemoveCredential("ann", "a1"), "      - {id: a1, type: key, key: {env: A}} # old\n", ""),
            (Change::RemoveCredential("ann", "a2"), "      - id: a2\n        type: key\n        key: {env: B}\n", ""),
            (Change::RemoveCredential("cat", "c1"), "{id: c1, type: key, key: {env: C}}, ", ""),
            (Change::RemoveCredential("cat", "c2"), ", {id: c2, type: key, key: {env: D}}", ""),
            (Change::SetMember("ann", "a1", "expires", "2027-01-01"), "", ", expires: 2027-01-01"),
            (Change::SetMember("ann", "a2", "expires", "2027-01-01"), "", "        expires: 2027-01-01\n"),
        ] {
            let after = changed(BLOCK, &change);
            assert_eq!(after.len() + removed.len(), BLOCK.len() + added.len(), "{change:?}\n{after}");
            assert!(after.contains(added) && (removed.is_empty() || !after.contains(removed)), "{change:?}\n{after}");
            let without = if added.is_empty() { after.clone() } else { after.replacen(added, "", 1) };
            let original = if removed.is_empty() { BLOCK.to_owned() } else { BLOCK.replacen(removed, "", 1) };
            assert_eq!(without, original, "{change:?}");
        }
    }

    #[test]
    fn lists_may_become_empty_and_grow_again() {
        for text in [
            "consumers: []\n",
            "consumers:\n  - username: ann\n",
            "consumers: [{username: ann}]",
            "{\"consumers\": []}",
        ] {
            let empty = apply(text, &Change::RemoveConsumer("ann")).unwrap_or_else(|_| text.to_owned());
            assert!(list(&empty).expect("readable").is_empty(), "{empty}");
            let full = changed(&empty, &Change::AddConsumer("{username: ben, credentials: []}"));
            let full = changed(&full, &Change::AddCredential("ben", "{id: b1, type: key}"));
            let full = changed(&full, &Change::AddCredential("ben", "{id: b2, type: key}"));
            let full = changed(&full, &Change::RemoveCredential("ben", "b1"));
            let listed = list(&full).expect("readable");
            assert_eq!(listed.len(), 1, "{full}");
            assert_eq!(listed[0].credentials, [("key".to_owned(), Some("b2".to_owned()), None)], "{full}");
        }
    }

    #[test]
    fn odd_styles_are_changed_rightly_or_not_at_all() {
        const ODD: &str = "\
consumers:
  - username: dora
    group: >-
      gold
  - username: root
    credentials:
      # laptop
      - &first
        id: r1
        type: key
        key:
          file: >-
            a
      - *first
  - username: carl
    credentials:
      # the only one
      - {id: c1, type: key}
  - username: null-credentials
    credentials:
  - {username: ben, credentials: &shared [{id: b1, type: key}]}
  - {username: cat, credentials: *shared}
";
        let listed = |text: &str, name: &str| {
            let listed = list(text).expect("readable").into_iter().find(|listed| listed.username == name);
            listed.expect("there").credentials.into_iter().filter_map(|(_, id, _)| id).collect::<Vec<_>>()
        };
        for (change, name, ids) in [
            (Change::AddCredential("dora", "{id: d1}"), "dora", &["d1"][..]),
            (Change::RemoveCredential("carl", "c1"), "carl", &[]),
            (Change::AddCredential("null-credentials", "{id: n1}"), "null-credentials", &["n1"]),
            (Change::AddConsumer("{username: new, credentials: [{id: w1}]}"), "new", &["w1"]),
        ] {
            let after = changed(ODD, &change);
            assert_eq!(listed(&after, name), ids, "{change:?}\n{after}");
            assert!(after.contains("# laptop") && after.contains("# the only one"), "{after}");
        }
        for change in [
            Change::SetMember("root", "r1", "expires", "2027-01-01"),
            Change::RemoveCredential("root", "r1"),
            Change::AddCredential("ben", "{id: b2}"),
            Change::AddCredential("cat", "{id: b2}"),
            Change::SetMember("cat", "b1", "expires", "2027-01-01"),
            Change::RemoveCredential("cat", "b1"),
        ] {
            assert!(apply(ODD, &change).is_err(), "{change:?}\n{:?}", apply(ODD, &change));
        }
        let only = "consumers:\n  # the only one\n  - username: ann\n";
        let empty = changed(only, &Change::RemoveConsumer("ann"));
        assert_eq!(empty, "consumers: []\n  # the only one\n");
    }

    #[test]
    fn an_unknown_consumer_is_not_changed() {
        let no_credential = |username: &str, id: &str| {
            let (username, id) = (username.to_owned(), id.to_owned());
            EditError::NoCredential { username, id }
        };
        for (change, why) in [
            (Change::RemoveConsumer("eve"), EditError::NoConsumer("eve".to_owned())),
            (Change::AddCredential("eve", "{}"), EditError::NoConsumer("eve".to_owned())),
            (Change::RemoveCredential("ann", "a9"), no_credential("ann", "a9")),
            (Change::SetMember("ben", "a1", "expires", "x"), no_credential("ben", "a1")),
        ] {
            assert_eq!(apply(BLOCK, &change), Err(why));
        }
        let add = Change::AddConsumer("{username: a}");
        assert_eq!(apply("groups: {}", &add), Err(EditError::NoList));
        assert!(matches!(apply("consumers: {", &add), Err(EditError::Unreadable { line: 1, .. })));
    }
}
