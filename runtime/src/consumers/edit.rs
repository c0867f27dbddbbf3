//! Changes to the text of `consumers.yaml` that leave everything else in it as it is: order, comments, style.
//!
//! Pure: text in, text out. Who may be changed is found by the reader's own parser, so that both agree.

use gateway_yaml::{FileId, Node, Span, load_each};

/// What is added to a file.
#[derive(Debug, Clone)]
pub(crate) enum Change<'a> {
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

/// A consumer as it stands in the file.
#[derive(Debug)]
pub(crate) struct Listed {
    pub(crate) username: String,
    pub(crate) group: Option<String>,
    pub(crate) roles: Vec<String>,
    /// Type, id and end of each credential.
    pub(crate) credentials: Vec<(String, Option<String>, Option<String>)>,
}

/// All consumers, in the order of the file.
///
/// # Errors
/// Why it cannot be read.
pub(crate) fn list(text: &str) -> Result<Vec<Listed>, String> {
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
/// Why it cannot be changed: there is no such consumer or credential, there is one already, or the file's style leaves no
/// safe place.
pub(crate) fn apply(text: &str, change: &Change<'_>) -> Result<String, String> {
    let found = Found::of(text, change.consumer())?;
    let consumer = || {
        found
            .consumer
            .as_ref()
            .ok_or_else(|| format!("there is no consumer `{}`", change.consumer().unwrap_or_default()))
    };
    let credential = |id: &str| -> Result<(usize, &Node), String> {
        let credentials = consumer()?.get("credentials").and_then(Node::as_sequence).unwrap_or_default();
        let mut named =
            credentials.iter().enumerate().filter(|(_, node)| node.get("id").and_then(Node::as_text) == Some(id));
        match (named.next(), named.next()) {
            (Some(one), None) => Ok(one),
            (None, _) => Err(format!("`{}` has no credential `{id}`", change.consumer().unwrap_or_default())),
            (Some(_), Some(_)) => Err(format!("several credentials are called `{id}`")),
        }
    };
    let edited = match change {
        Change::AddConsumer(item) => match &found.list {
            Some(list) => List { text, span: *list, items: found.items.clone() }.insert(item),
            None => Err("there is no section `consumers`; write `consumers: []`".to_owned()),
        },
        Change::AddCredential(_, item) => add_credential(text, consumer()?, item),
        Change::RemoveConsumer(_) => {
            consumer()?;
            let list = found.list.ok_or("there is no section `consumers`")?;
            List { text, span: list, items: found.items.clone() }.remove(found.index)
        }
        Change::RemoveCredential(_, id) => {
            let (index, _) = credential(id)?;
            let list = consumer()?.get("credentials").ok_or("there are no credentials")?;
            List::of(text, list).remove(index)
        }
        Change::SetMember(_, id, name, value) => set_member(text, credential(id)?.1, name, value),
    }?;
    // The parser has the last word on what the change made of the file.
    let before = list(text)?.len();
    let after = list(&edited)?.len();
    let expected = match change {
        Change::AddConsumer(_) => before + 1,
        Change::RemoveConsumer(_) => before - 1,
        _ => before,
    };
    if after == expected { Ok(edited) } else { Err(BY_HAND.to_owned()) }
}

const BY_HAND: &str = "the style of the file leaves no safe place for the change; make it by hand";

impl<'a> Change<'a> {
    /// Whom it is about, unless it is somebody new.
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

fn each(text: &str, item: impl FnMut(Node)) -> Result<gateway_yaml::Loaded, String> {
    let loaded = load_each(FileId(0), text, "consumers", item);
    match loaded.errors.first() {
        None => Ok(loaded),
        Some(error) => {
            let at = gateway_yaml::position(text, error.span.start);
            Err(format!("line {}: {}", at.line, error.message))
        }
    }
}

/// What a change needs to know of the file.
struct Found {
    /// Where the list of consumers stands.
    list: Option<Span>,
    items: Vec<Span>,
    consumer: Option<Node>,
    /// Which of the items it is.
    index: usize,
}

impl Found {
    fn of(text: &str, username: Option<&str>) -> Result<Self, String> {
        let mut found = Self { list: None, items: Vec::new(), consumer: None, index: 0 };
        let loaded = each(text, |node| {
            if username.is_some() && node.get("username").and_then(Node::as_text) == username {
                found.index = found.items.len();
                found.consumer = Some(node.clone());
            }
            found.items.push(node.span);
        })?;
        let list = loaded.node.as_ref().and_then(|node| node.get("consumers"));
        found.list = list.filter(|list| list.as_sequence().is_some()).map(|list| list.span);
        Ok(found)
    }
}

/// A list in the text.
struct List<'a> {
    text: &'a str,
    span: Span,
    items: Vec<Span>,
}

impl<'a> List<'a> {
    fn of(text: &'a str, node: &Node) -> Self {
        let items = node.as_sequence().unwrap_or_default().iter().map(|item| item.span).collect();
        Self { text, span: node.span, items }
    }

    fn is_flow(&self) -> bool {
        self.text[self.span.start as usize..].starts_with('[')
    }

    fn insert(&self, item: &str) -> Result<String, String> {
        match (self.items.last(), self.is_flow()) {
            (None, true) => splice(self.text, self.span.start as usize + 1..self.span.start as usize + 1, item),
            (Some(last), true) => splice(self.text, last.end as usize..last.end as usize, &format!(", {item}")),
            (Some(last), false) => {
                let indent = self.dash(self.items.first().unwrap_or(last))?;
                let at = end_of_line(self.text, last.end as usize);
                splice(self.text, at..at, &format!("\n{}- {item}", " ".repeat(indent)))
            }
            (None, false) => Err(BY_HAND.to_owned()),
        }
    }

    fn remove(&self, index: usize) -> Result<String, String> {
        let item = self.items.get(index).ok_or(BY_HAND)?;
        let next = self.items.get(index + 1);
        if self.items.len() == 1 {
            let (start, end) = if self.is_flow() {
                (self.span.start as usize, self.span.end as usize)
            } else {
                // Up to the key's colon, so that `[]` stands behind it.
                let dash = self.text[..item.start as usize].rfind('-').ok_or(BY_HAND)?;
                let key = self.text[..dash].trim_end().len();
                (key, end_of_line(self.text, item.end as usize))
            };
            let empty = if self.is_flow() { "[]" } else { " []" };
            return splice(self.text, start..end, empty);
        }
        match (self.is_flow(), next, index) {
            (true, Some(next), _) => splice(self.text, item.start as usize..next.start as usize, ""),
            (true, None, _) => {
                let before = self.items[index - 1];
                splice(self.text, before.end as usize..item.end as usize, "")
            }
            (false, ..) => {
                self.dash(item)?;
                let start = start_of_line(self.text, item.start as usize);
                let end = (end_of_line(self.text, item.end as usize) + 1).min(self.text.len());
                splice(self.text, start..end, "")
            }
        }
    }

    /// The column of the dash before an item that has lines of its own.
    fn dash(&self, item: &Span) -> Result<usize, String> {
        let start = start_of_line(self.text, item.start as usize);
        let before = &self.text[start..item.start as usize];
        let column = before.len() - before.trim_start_matches(' ').len();
        let dash = before[column..].strip_prefix('-').ok_or(BY_HAND)?;
        if dash.chars().all(|letter| letter == ' ') { Ok(column) } else { Err(BY_HAND.to_owned()) }
    }
}

fn add_credential(text: &str, consumer: &Node, item: &str) -> Result<String, String> {
    match consumer.get("credentials") {
        Some(list) if list.as_sequence().is_some() => List::of(text, list).insert(item),
        Some(_) => Err("`credentials` is not a list".to_owned()),
        None => set_member(text, consumer, "credentials", &format!("[{item}]")),
    }
}

/// Gives a mapping a member that it may have already.
fn set_member(text: &str, mapping: &Node, name: &str, value: &str) -> Result<String, String> {
    let entries = mapping.as_mapping().ok_or(BY_HAND)?;
    if let Some(known) = entries.get(name) {
        return splice(text, known.span.range(), value);
    }
    let (Some(first), Some(last)) = (entries.entries().first(), entries.entries().last()) else {
        return Err(BY_HAND.to_owned());
    };
    if text[mapping.span.start as usize..].starts_with('{') {
        let at = last.value.span.end as usize;
        return splice(text, at..at, &format!(", {name}: {value}"));
    }
    let column = first.key.span.start as usize - start_of_line(text, first.key.span.start as usize);
    let at = end_of_line(text, mapping.span.end as usize);
    splice(text, at..at, &format!("\n{}{name}: {value}", " ".repeat(column)))
}

fn splice(text: &str, range: std::ops::Range<usize>, with: &str) -> Result<String, String> {
    let (before, after) = (text.get(..range.start).ok_or(BY_HAND)?, text.get(range.end..).ok_or(BY_HAND)?);
    Ok([before, with, after].concat())
}

fn start_of_line(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |newline| newline + 1)
}

/// Where the line break after `at` stands, behind a comment if there is one.
fn end_of_line(text: &str, at: usize) -> usize {
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
    fn who_is_not_there_is_not_changed() {
        for (change, words) in [
            (Change::RemoveConsumer("eve"), "no consumer `eve`"),
            (Change::AddCredential("eve", "{}"), "no consumer `eve`"),
            (Change::RemoveCredential("ann", "a9"), "no credential `a9`"),
            (Change::SetMember("ben", "a1", "expires", "x"), "no credential `a1`"),
        ] {
            let problem = apply(BLOCK, &change).expect_err("not there");
            assert!(problem.contains(words), "{problem}");
        }
        assert!(apply("groups: {}", &Change::AddConsumer("{username: a}")).is_err());
        assert!(apply("consumers: {", &Change::AddConsumer("{username: a}")).is_err());
    }
}
