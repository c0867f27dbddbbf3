//! Reads `consumers.yaml`: every mistake is reported with its place, and with one mistake nothing of the file is used.
//!
//! The file may hold millions of consumers, so it is read one consumer at a time. Any value in the place of a secret
//! is never repeated: it may be the secret itself.

pub(crate) mod credential;
pub(crate) mod limit;
pub(crate) mod parties;

use std::collections::{HashMap, HashSet};
use std::fmt::Display;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use gateway_yaml::{Entry, FileId, Node, Span, load_each, position, suggest};

use crate::consumers::{ByName, Consumer, Consumers, Identity};
use crate::source::Source;
use gateway_base::problem::Problem;
use gateway_base::timestamp;
use gateway_limits::rule::{OwnLimit, Rule};

/// Sections that belong to later versions, or to other programs that share the file.
const OTHER_SECTIONS: &[&str] = &["groups"];

/// Sections for authorization servers.
const PARTIES: &[&str] = &["oauthClients", "users", "permissions"];

/// More mistakes, or warnings, are only counted: finding the place of each takes a pass over the whole file.
const TOLD: usize = 50;

impl Source {
    /// Whether this text could be the file's; returns the consumers that an operation needs and that are not there.
    ///
    /// # Errors
    /// Everything that is wrong with it, each with its place.
    pub fn check(&self, text: &str) -> Result<Vec<&'static str>, Vec<Problem>> {
        let (consumers, _) = parse(self, text)?;
        let mut missing: Vec<&str> =
            self.needed.iter().copied().filter(|name| consumers.named(name).is_none()).collect();
        missing.sort_unstable();
        Ok(missing)
    }

    pub(crate) fn read(&self) -> Result<(Consumers, Vec<Problem>), Vec<Problem>> {
        static READINGS: AtomicU64 = AtomicU64::new(1);
        if std::fs::metadata(&self.file).is_ok_and(|data| !data.is_file()) {
            return Err(vec![Problem::plain(format!("{} is not a file", self.file.display()))]);
        }
        let text = std::fs::read_to_string(&self.file)
            .map_err(|error| vec![Problem::plain(format!("{} cannot be read: {error}", self.file.display()))])?;
        let (mut consumers, remarks) = consumers(self, &text)?;
        consumers.generation = READINGS.fetch_add(1, Relaxed);
        Ok((consumers, remarks))
    }
}

/// Reads the file's text.
///
/// # Errors
/// All mistakes.
pub(super) fn consumers(source: &Source, text: &str) -> Result<(Consumers, Vec<Problem>), Vec<Problem>> {
    let (found, remarks) = parse(source, text)?;
    for name in &source.needed {
        if found.named(name).is_none() {
            let message =
                format!("{}: there is no consumer `{name}`, and an operation needs it", source.file.display());
            return Err(vec![Problem::plain(message)]);
        }
    }
    Ok((found, remarks))
}

/// The same, whichever consumers operations need.
fn parse(source: &Source, text: &str) -> Result<(Consumers, Vec<Problem>), Vec<Problem>> {
    let mut reading = Reading {
        source,
        text,
        found: Consumers::default(),
        groups: HashSet::new(),
        roles: HashMap::new(),
        limits: HashMap::new(),
        problems: Messages::default(),
        remarks: Messages::default(),
    };
    let loaded = load_each(FileId(0), text, "consumers", |node| reading.consumer(&node));
    for error in loaded.errors {
        reading.problem(error.span, error.message);
    }
    if let Some(node) = loaded.node {
        reading.document(&node);
    }
    let Reading { found, problems, remarks, .. } = reading;
    if problems.is_empty() { Ok((found, remarks.finish("remarks"))) } else { Err(problems.finish("mistakes")) }
}

struct Reading<'a> {
    source: &'a Source,
    text: &'a str,
    found: Consumers,
    /// Many consumers share few groups and sets of roles.
    groups: HashSet<Arc<str>>,
    roles: HashMap<Vec<Box<str>>, Arc<[Box<str>]>>,
    limits: HashMap<Vec<OwnLimit>, Arc<[Rule]>>,
    problems: Messages,
    remarks: Messages,
}

/// What is reported, up to [`TOLD`], and how much more there is.
#[derive(Default)]
struct Messages {
    list: Vec<Problem>,
    more: usize,
}

impl Messages {
    fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    fn is_full(&self) -> bool {
        self.list.len() >= TOLD
    }

    fn finish(mut self, what: &str) -> Vec<Problem> {
        if self.more > 0 {
            self.list.push(Problem::plain(format!("and {} more {what}", self.more)));
        }
        self.list
    }
}

impl Reading<'_> {
    fn at(&self, span: Span, message: impl Display) -> Problem {
        let at = position(self.text, span.start);
        Problem::plain(format!("{}:{}:{}: {message}", self.source.file.display(), at.line, at.column))
    }

    fn problem(&mut self, span: Span, message: impl Display) {
        if self.problems.is_full() {
            self.problems.more += 1;
        } else {
            self.problems.list.push(self.at(span, message));
        }
    }

    fn remark(&mut self, span: Span, message: impl Display) {
        if self.remarks.is_full() {
            self.remarks.more += 1;
        } else {
            self.remarks.list.push(self.at(span, message));
        }
    }

    fn document(&mut self, node: &Node) {
        let Some(sections) = node.as_mapping() else {
            return self.problem(node.span, "expected `consumers:` and a list");
        };
        if ["consumers"].iter().chain(PARTIES).all(|section| sections.get(section).is_none()) {
            self.problem(node.span, "there is no section `consumers`; write `consumers: []` if there are none");
        }
        for entry in sections.iter() {
            match &*entry.key.name {
                "consumers" if entry.value.as_sequence().is_none() => {
                    let found = entry.value.kind_name();
                    self.problem(entry.value.span, format!("expected a list of consumers, found {found}"));
                }
                "consumers" => {}
                name if PARTIES.contains(&name) => {}
                name if OTHER_SECTIONS.contains(&name) => {
                    self.remark(entry.key.span, format!("`{name}` is not used by this version"));
                }
                name => {
                    let known = ["consumers"].iter().chain(PARTIES).chain(OTHER_SECTIONS).copied();
                    let hint = suggest(name, known)
                        .map_or_else(|| "expected `consumers`".to_owned(), |near| format!("did you mean `{near}`?"));
                    self.problem(entry.key.span, format!("unknown section `{name}`; {hint}"));
                }
            }
        }
        self.parties(node);
    }

    fn consumer(&mut self, node: &Node) {
        const KNOWN: &[&str] = &["username", "group", "roles", "labels", "rateLimit", "credentials"];
        let Some(members) = self.members(node, "a consumer", KNOWN) else { return };
        let member = |name: &str| members.iter().find(|entry| &*entry.key.name == name).map(|entry| &entry.value);
        let Some(name) = member("username") else {
            return self.problem(node.span, "a consumer needs a `username`");
        };
        let Some(username) = self.text_of(name, "`username`") else { return };
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        if username.is_empty() || !username.bytes().all(is_name) {
            let username = username.escape_default();
            return self
                .problem(name.span, format!("`{username}` is not a user name: letters, digits, `_` and `-` [GW605]"));
        }
        if self.found.named(username).is_some() {
            return self.problem(name.span, format!("there are two consumers called `{username}` [GW605]"));
        }
        let limits = member("rateLimit").map(|node| self.limits(node)).unwrap_or_default();
        let group = member("group").and_then(|node| self.text_of(node, "`group`"));
        let roles = member("roles").map(|node| self.texts(node, "`roles`")).unwrap_or_default();
        let custom_id = member("labels").and_then(|node| self.custom_id(node));
        let consumer = Arc::new(Consumer {
            username: username.into(),
            group: group.map(|group| self.group(group)),
            roles: self.shared_roles(roles),
            custom_id: custom_id.map(Into::into),
            limits,
        });
        self.found.by_name.insert(ByName(Arc::clone(&consumer)));
        if let Some(credentials) = member("credentials") {
            match credentials.as_sequence() {
                Some(list) => list.iter().for_each(|node| self.credential(node, &consumer)),
                None => {
                    let found = credentials.kind_name();
                    self.problem(credentials.span, format!("expected a list of credentials, found {found}"));
                }
            }
        }
    }

    /// The entries of a mapping, all of which are known.
    fn members<'n>(&mut self, node: &'n Node, what: &str, known: &[&str]) -> Option<&'n [Entry]> {
        let Some(mapping) = node.as_mapping() else {
            self.problem(node.span, format!("expected {what}, found {}", node.kind_name()));
            return None;
        };
        for entry in mapping.iter().filter(|entry| !known.contains(&&*entry.key.name)) {
            let help = match suggest(&entry.key.name, known.iter().copied()) {
                Some(near) => format!("; did you mean `{near}`?"),
                None => format!("; it can have `{}`", known.join("`, `")),
            };
            self.problem(entry.key.span, format!("unknown key `{}` in {what}{help}", entry.key.name));
        }
        Some(mapping.entries())
    }

    fn text_of<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n str> {
        // `username: 2024` and `group: true` are names as well.
        let text = node.as_text();
        if text.is_none() {
            self.problem(node.span, format!("{what} is {}, not text", node.kind_name()));
        }
        text
    }

    fn word<T: Copy>(&mut self, node: &Node, what: &str, table: &[(&'static str, T)]) -> Option<T> {
        let text = self.text_of(node, what)?;
        let found = table.iter().find(|(name, _)| *name == text);
        if found.is_none() {
            let names = table.iter().map(|(name, _)| *name);
            let hint = suggest(text, names.clone()).map_or_else(
                || format!("expected one of `{}`", names.collect::<Vec<_>>().join("`, `")),
                |near| format!("did you mean `{near}`?"),
            );
            self.problem(node.span, format!("{what}: there is no `{}`; {hint}", text.escape_default()));
        }
        found.map(|(_, value)| *value)
    }

    fn texts<'n>(&mut self, node: &'n Node, what: &str) -> Vec<&'n str> {
        let Some(items) = node.as_sequence() else {
            self.problem(node.span, format!("{what} is {}, not a list", node.kind_name()));
            return Vec::new();
        };
        items.iter().filter_map(|item| self.text_of(item, what)).collect()
    }

    fn custom_id<'n>(&mut self, labels: &'n Node) -> Option<&'n str> {
        let Some(entries) = labels.as_mapping() else {
            self.problem(labels.span, format!("`labels` is {}, not a mapping", labels.kind_name()));
            return None;
        };
        let mut custom_id = None;
        for Entry { key, value } in entries.iter() {
            let text = self.text_of(value, "a label");
            if &*key.name == "customId" {
                custom_id = text.map(|text| (text, value.span));
            }
        }
        let (custom_id, span) = custom_id?;
        if !custom_id.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
            let odd = custom_id.escape_default();
            self.problem(span, format!("the label customId `{odd}` cannot stand in a header"));
        }
        Some(custom_id)
    }

    fn group(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.groups.get(name) {
            return Arc::clone(known);
        }
        let group: Arc<str> = name.into();
        self.groups.insert(Arc::clone(&group));
        group
    }

    fn shared_roles(&mut self, roles: Vec<&str>) -> Arc<[Box<str>]> {
        let roles: Vec<Box<str>> = roles.into_iter().map(Into::into).collect();
        if let Some(known) = self.roles.get(&roles) {
            return Arc::clone(known);
        }
        let shared: Arc<[Box<str>]> = roles.clone().into();
        self.roles.insert(roles, Arc::clone(&shared));
        shared
    }

    fn identity(
        &mut self,
        node: &Node,
        id: Option<&str>,
        expires: Option<&Node>,
        consumer: &Arc<Consumer>,
    ) -> Option<Identity> {
        if let Some(id) = id
            && (!(1..=256).contains(&id.len()) || !id.bytes().all(|byte| byte.is_ascii_graphic()))
        {
            self.problem(node.span, format!("`{}` is not an id: 1 to 256 visible characters", id.escape_default()));
            return None;
        }
        let expires = match expires {
            None => Identity::NEVER,
            Some(node) => match node.as_text().and_then(timestamp::parse) {
                Some(seconds) => seconds,
                None => {
                    self.problem(node.span, "`expires` is not a time such as 2026-12-31 or 2026-12-31T23:59:59Z");
                    return None;
                }
            },
        };
        Some(Identity { consumer: Arc::clone(consumer), credential: id.map(Into::into), expires })
    }
}
