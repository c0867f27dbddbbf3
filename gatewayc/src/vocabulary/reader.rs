//! The members of `x-gateway`: which stand where, and what is said about those that do not.

use gateway_yaml::{Entry, Key, Node, Value, suggest};

use crate::diagnostic::{Diagnostic, Diagnostics, GW102, GW104};

/// Where an `x-gateway` stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// At the document's root.
    Root,
    /// In a path item.
    PathItem,
    /// In an operation.
    Operation,
    /// In a path parameter.
    PathParameter,
    /// In another parameter, where nothing may stand.
    OtherParameter,
    /// In a security scheme.
    Scheme,
    /// In a server.
    Server,
}

impl Place {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Root => "the root",
            Self::PathItem => "a path item",
            Self::Operation => "an operation",
            Self::PathParameter => "a path parameter",
            Self::OtherParameter => "a parameter that is not in the path",
            Self::Scheme => "a security scheme",
            Self::Server => "a server",
        }
    }
}

/// A member of `x-gateway`.
#[derive(Debug)]
pub struct Member {
    /// Its name.
    pub name: &'static str,
    /// Where it may be.
    pub places: &'static [Place],
}

const ROOT: &[Place] = &[Place::Root];
const ANYWHERE: &[Place] = &[Place::Root, Place::PathItem, Place::Operation];
const OPERATION: &[Place] = &[Place::Operation];
const PATH_PARAMETER: &[Place] = &[Place::PathParameter];
const SCHEME: &[Place] = &[Place::Scheme];

/// The whole vocabulary.
pub static MEMBERS: &[Member] = &[
    Member { name: "version", places: ROOT },
    Member { name: "upstreams", places: ROOT },
    Member { name: "identityHeaders", places: ROOT },
    Member { name: "errors", places: ROOT },
    Member { name: "preflight", places: ROOT },
    Member { name: "limits", places: ROOT },
    Member { name: "https", places: ROOT },
    Member { name: "failedAuthentication", places: &[Place::Root, Place::Scheme] },
    Member { name: "authorizationServer", places: &[Place::Root, Place::Scheme] },
    Member { name: "rules", places: ROOT },
    Member { name: "public", places: ROOT },
    Member { name: "serverVariables", places: &[Place::Root, Place::Server] },
    Member { name: "upstream", places: ANYWHERE },
    Member { name: "split", places: ANYWHERE },
    Member { name: "mirror", places: ANYWHERE },
    Member { name: "rewrite", places: ANYWHERE },
    Member { name: "requestHeaders", places: ANYWHERE },
    Member { name: "responseHeaders", places: ANYWHERE },
    Member { name: "compress", places: ANYWHERE },
    Member { name: "cache", places: ANYWHERE },
    Member { name: "maxBody", places: ANYWHERE },
    Member { name: "acceptRisk", places: &[Place::Root, Place::PathItem, Place::Operation, Place::Scheme] },
    Member { name: "rateLimit", places: ANYWHERE },
    Member { name: "validation", places: ANYWHERE },
    Member { name: "cors", places: ANYWHERE },
    Member { name: "securityHeaders", places: ANYWHERE },
    Member { name: "consumers", places: ANYWHERE },
    Member { name: "anonymous", places: ANYWHERE },
    Member { name: "retry", places: OPERATION },
    Member { name: "upgrade", places: OPERATION },
    Member { name: "builtin", places: OPERATION },
    Member { name: "keyClaim", places: OPERATION },
    Member { name: "grants", places: OPERATION },
    Member { name: "file", places: OPERATION },
    Member { name: "dir", places: OPERATION },
    Member { name: "greedy", places: PATH_PARAMETER },
    Member { name: "encodedSlash", places: PATH_PARAMETER },
    Member { name: "encodedPercent", places: PATH_PARAMETER },
    Member { name: "backslash", places: PATH_PARAMETER },
    Member { name: "semicolon", places: PATH_PARAMETER },
    Member { name: "alsoIn", places: SCHEME },
    Member { name: "forward", places: SCHEME },
    Member { name: "realm", places: SCHEME },
    Member { name: "bare", places: SCHEME },
    Member { name: "jwt", places: SCHEME },
    Member { name: "token", places: SCHEME },
    Member { name: "hmac", places: SCHEME },
    Member { name: "session", places: SCHEME },
    Member { name: "credential", places: SCHEME },
    Member { name: "onMissing", places: SCHEME },
];

/// Reads nodes and says what is wrong with them.
pub(crate) struct Reader<'d> {
    diagnostics: &'d mut Diagnostics,
}

impl<'d> Reader<'d> {
    pub(crate) fn new(diagnostics: &'d mut Diagnostics) -> Self {
        Self { diagnostics }
    }

    pub(crate) fn report(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    /// The members that are allowed here; the others are reported. `None` for what is no mapping.
    pub(crate) fn members<'n>(&mut self, node: &'n Node, place: Place) -> Option<Vec<&'n Entry>> {
        let Some(mapping) = node.as_mapping() else {
            let here = MEMBERS.iter().filter(|member| member.places.contains(&place)).map(|member| member.name);
            self.not_a_mapping(node, "`x-gateway`", &here.collect::<Vec<_>>());
            return None;
        };
        let mut members = Vec::new();
        for entry in mapping {
            let name = &*entry.key.name;
            let here = MEMBERS.iter().filter(|member| member.places.contains(&place)).map(|member| member.name);
            match MEMBERS.iter().find(|member| member.name == name) {
                Some(member) if !member.places.contains(&place) => {
                    let places: Vec<_> = member.places.iter().map(|place| place.name()).collect();
                    self.report(
                        Diagnostic::error(
                            GW102,
                            format!("`{name}` means nothing in the `x-gateway` of {}", place.name()),
                        )
                        .at(entry.key.span, "misplaced key")
                        .help(format!("`{name}` may stand in the `x-gateway` of {}", places.join(" or "))),
                    );
                }
                Some(_) => members.push(entry),
                None => self.unknown(&entry.key, &format!("the `x-gateway` of {}", place.name()), here),
            }
        }
        Some(members)
    }

    /// The entries of a mapping with a fixed set of keys; others are reported.
    pub(crate) fn known<'n>(&mut self, node: &'n Node, what: &str, keys: &[&str]) -> Vec<&'n Entry> {
        if node.as_mapping().is_none() {
            self.not_a_mapping(node, what, keys);
        }
        let mut entries: Vec<&Entry> = node.as_mapping().into_iter().flatten().collect();
        entries.retain(|entry| {
            let known = keys.contains(&&*entry.key.name);
            if !known {
                self.unknown(&entry.key, what, keys.iter().copied());
            }
            known
        });
        entries
    }

    /// A scalar or a list where a mapping with these keys is needed.
    fn not_a_mapping(&mut self, node: &Node, what: &str, keys: &[&str]) {
        let help = match (keys.first(), what.strip_prefix('`').and_then(|what| what.strip_suffix('`'))) {
            (Some(first), Some(name)) => format!("write `{name}: {{{first}: …}}`; it can have `{}`", keys.join("`, `")),
            (Some(first), None) => format!("write `{{{first}: …}}`; it can have `{}`", keys.join("`, `")),
            (None, _) => "write keys and values".to_owned(),
        };
        let diagnostic = Diagnostic::error(GW104, format!("{what} cannot be {}", given(node)));
        self.report(diagnostic.at(node.span, "expected a mapping").help(help));
    }

    /// Whether a mapping has keys that are not known there, which have been reported. What seems to be missing is
    /// probably one of them.
    pub(crate) fn has_unknown(node: &Node, keys: &[&str]) -> bool {
        node.as_mapping().into_iter().flatten().any(|entry| !keys.contains(&&*entry.key.name))
    }

    /// The entries of a mapping; anything else is reported and has none.
    pub(crate) fn mapping<'n>(&mut self, node: &'n Node, what: &str) -> Vec<&'n Entry> {
        if node.as_mapping().is_none() {
            let diagnostic = Diagnostic::error(GW104, format!("{what} cannot be {}", given(node)));
            let name = what.trim_matches('`');
            self.report(diagnostic.at(node.span, "expected a mapping").help(format!("write `{name}: {{name: …}}`")));
        }
        node.as_mapping().into_iter().flatten().collect()
    }

    /// The items of a list; anything else is reported and has none.
    pub(crate) fn list<'n>(&mut self, node: &'n Node, what: &str) -> &'n [Node] {
        if node.as_sequence().is_none() {
            let diagnostic = Diagnostic::error(GW104, format!("{what} cannot be {}", given(node)));
            self.report(diagnostic.at(node.span, "expected a list").help(match &node.value {
                Value::Mapping(_) => "write `- ` before its first key, or `[{…}]`".to_owned(),
                _ => "write `- ` before each item, or `[…]`".to_owned(),
            }));
        }
        node.as_sequence().unwrap_or_default()
    }

    /// The items of a list of words; anything else is reported and has none.
    pub(crate) fn words<'n>(&mut self, node: &'n Node, what: &str) -> &'n [Node] {
        if node.as_text().is_none() && node.as_bool().is_none() {
            return self.list(node, what);
        }
        let diagnostic = Diagnostic::error(GW104, format!("{what} cannot be {}", given(node)));
        self.report(diagnostic.at(node.span, "expected a list").help(format!("write `[{}]`", shown(node))));
        &[]
    }

    /// Text in a list of texts.
    pub(crate) fn texts(&mut self, node: &Node, what: &str) -> Vec<String> {
        let items = self.words(node, what).iter();
        items.filter_map(|item| self.text(item, what).map(str::to_owned)).collect()
    }

    pub(crate) fn text<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n str> {
        if node.as_str().is_none() {
            self.wrong(node, what, "expected text");
        }
        node.as_str()
    }

    pub(crate) fn boolean(&mut self, node: &Node, what: &str) -> Option<bool> {
        if node.as_bool().is_none() {
            self.wrong(node, what, "expected `true` or `false`");
        }
        node.as_bool()
    }

    pub(crate) fn choice<T: Copy>(&mut self, node: &Node, what: &str, choices: &[(&str, T)]) -> Option<T> {
        let text = node.as_str().unwrap_or_default();
        let found = choices.iter().find(|(name, _)| *name == text).map(|(_, value)| *value);
        if found.is_none() {
            let names: Vec<_> = choices.iter().map(|(name, _)| *name).collect();
            let diagnostic = Diagnostic::error(GW104, format!("{what} cannot be {}", given(node)))
                .at(node.span, format!("expected `{}`", names.join("` or `")));
            self.report(diagnostic.without_quotes(node).did_you_mean(suggest(text, names)));
        }
        found
    }

    pub(crate) fn unit<T>(&mut self, node: &Node, what: &str, read: fn(&str) -> Result<T, &'static str>) -> Option<T> {
        let text = node.as_text().unwrap_or_default();
        let result = read(text);
        if let Err(expected) = &result {
            let diagnostic =
                Diagnostic::error(GW104, format!("{what} cannot be {}", given(node))).at(node.span, *expected);
            self.report(match units_of(text).into_iter().find(|text| read(text).is_ok()) {
                Some(meant) => diagnostic.help(format!("write `{meant}`")),
                None => diagnostic,
            });
        }
        result.ok()
    }

    /// A value of the wrong kind.
    pub(crate) fn wrong(&mut self, node: &Node, what: &str, expected: &str) {
        let diagnostic = Diagnostic::error(GW104, format!("{what} cannot be {}", given(node)));
        self.report(diagnostic.at(node.span, expected).without_quotes(node));
    }

    pub(crate) fn unknown<'k>(&mut self, key: &Key, what: &str, known: impl Iterator<Item = &'k str> + Clone) {
        let near = suggest(&key.name, known.clone()).map(str::to_owned);
        let mut diagnostic = Diagnostic::error(GW102, format!("unknown key `{}` in {what}", key.name))
            .at(key.span, "means nothing here");
        if near.is_none() && MEMBERS.iter().any(|member| member.name == &*key.name) {
            diagnostic = diagnostic.help(format!("`{}` stands directly in `x-gateway`", key.name));
        } else if near.is_none() {
            let names: Vec<_> = known.collect();
            if !names.is_empty() {
                diagnostic = diagnostic.help(format!("it can be `{}`", names.join("`, `")));
            }
        }
        self.report(diagnostic.did_you_mean(near.as_deref()));
    }
}

/// What a value with another unit, or with none, may mean.
fn units_of(text: &str) -> Vec<String> {
    const UNITS: &[(&str, &[&str])] = &[
        ("", &["s"]),
        ("sec second seconds secs", &["s"]),
        ("min minute minutes mins", &["m"]),
        ("hour hours hr hrs", &["h"]),
        ("day days", &["d"]),
        ("msec millis milliseconds", &["ms"]),
        ("s m h d ms", &["s", "m", "h", "d", "ms"]),
        ("k kb kib", &["KiB"]),
        ("m mb mib", &["MiB"]),
        ("g gb gib", &["GiB"]),
    ];
    let text = text.trim().to_ascii_lowercase();
    let (number, unit) = text.split_at(text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len()));
    let unit = unit.trim();
    let fitting = UNITS.iter().filter(|(words, _)| words.split(' ').any(|word| word == unit));
    let units = fitting.flat_map(|(words, meant)| match *words {
        "s m h d ms" => meant.iter().filter(|meant| **meant == unit).copied().collect(),
        _ => meant.to_vec(),
    });
    units.map(|unit| format!("{number}{unit}")).collect()
}

/// The value in a headline.
fn given(node: &Node) -> String {
    if node.as_sequence().is_some_and(<[Node]>::is_empty) {
        return "an empty list".to_owned();
    }
    match node.as_text() {
        Some(text) if text.len() < 60 => format!("`{text}`"),
        _ => node.as_bool().map_or_else(|| node.kind_name().to_owned(), |value| format!("`{value}`")),
    }
}

/// The value in a help, as far as it is short.
fn shown(node: &Node) -> String {
    match (node.as_text(), node.as_bool()) {
        (Some(text), _) if text.len() < 60 => text.to_owned(),
        (_, Some(value)) => value.to_string(),
        _ => "…".to_owned(),
    }
}
