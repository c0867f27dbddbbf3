//! `limits` and `rateLimit`.

use std::time::Duration;

use gateway_terms::limit::{self as terms, LimitMistake, MAX_LIMIT, Place, Reading, is_name};
use gateway_terms::store::{StoreMistake, fits_store};
use gateway_yaml::{Entry, Node, Span, Spanned};

use crate::diagnostic::{Diagnostic, GW104, GW404, GW405, GW407, GW410};
use crate::ir::{FailureLimit, Limit, LimitAlgorithm, LimitHeaders, LimitKey, LimitStore, OnStoreError, StoreMode};
use crate::units;
use crate::vocabulary::json::json;
use crate::vocabulary::reader::Reader;

/// An entry of `rateLimit`.
#[derive(Debug, Clone)]
pub struct LimitEntry {
    /// What is limited.
    pub limit: LimitChoice,
    /// `cost`.
    pub cost: u64,
    /// Its place, which also distinguishes it from others of the same words.
    pub span: Span,
}

/// A limit by name, or described in place.
#[derive(Debug, Clone)]
pub enum LimitChoice {
    /// `use`: a name under `limits`.
    Named(Spanned<String>),
    /// A description; without a name of its own, it is called after its place.
    Inline(Limit),
    /// Something that has been reported.
    Broken,
}

/// Reads `rateLimit`.
pub(super) fn entries(reader: &mut Reader<'_>, node: &Node) -> Vec<LimitEntry> {
    reader.list(node, "`rateLimit`").iter().map(|item| entry(reader, item)).collect()
}

fn entry(reader: &mut Reader<'_>, node: &Node) -> LimitEntry {
    let members = Members::of(reader, node, "an entry of `rateLimit`");
    let cost = match members.get("cost") {
        Some(node) => whole(reader, node, "`cost`", 1).unwrap_or(1),
        None => 1,
    };
    let limit = match members.get("use") {
        Some(name) => {
            for stray in members.entries.iter().filter(|entry| !["use", "cost"].contains(&&*entry.key.name)) {
                reader.report(
                    Diagnostic::error(GW405, format!("`{}` is said where the limit is defined", stray.key.name))
                        .at(stray.key.span, "`use` takes a limit as it is")
                        .help("write it under `limits`, or describe a limit of its own here"),
                );
            }
            match reader.text(name, "`use`") {
                Some(text) => LimitChoice::Named(Spanned::new(name.span, text.to_owned())),
                None => LimitChoice::Broken,
            }
        }
        None => match limit(reader, node, &members) {
            Some(limit) => {
                check_cost(reader, &members, cost, &limit);
                LimitChoice::Inline(limit)
            }
            None => LimitChoice::Broken,
        },
    };
    LimitEntry { limit, cost, span: node.span }
}

fn check_cost(reader: &mut Reader<'_>, members: &Members<'_>, cost: u64, limit: &Limit) {
    if let Some(node) = members.get("cost")
        && cost > limit.algorithm.capacity()
    {
        reader.report(
            Diagnostic::error(GW404, "no request would ever pass: it costs more than the limit")
                .at(node.span, format!("more than {}", limit.algorithm.capacity())),
        );
    }
}

/// Reads `limits` at the root.
pub(super) fn registry(reader: &mut Reader<'_>, node: &Node) -> Vec<(Spanned<String>, Option<Limit>)> {
    let mut limits = Vec::new();
    for Entry { key, value } in reader.mapping(node, "`limits`") {
        let name = Spanned::new(key.span, key.name.to_string());
        let members = Members::of(reader, value, "a limit");
        for stray in members.entries.iter().filter(|entry| ["use", "cost", "name"].contains(&&*entry.key.name)) {
            reader.report(
                Diagnostic::error(GW405, format!("`{}` means nothing under `limits`", stray.key.name))
                    .at(stray.key.span, "said where the limit is used"),
            );
        }
        if !is_name(&key.name) {
            reader.report(Diagnostic::error(GW104, "this is no name for a limit").at(key.span, NAME));
        }
        let limit =
            limit(reader, value, &members).map(|limit| Limit { name: name.value.clone(), shared: true, ..limit });
        limits.push((name, limit));
    }
    limits
}

const NAME: &str = "expected visible ASCII without quotes and backslashes";

/// The members of one limit.
struct Members<'n> {
    entries: Vec<&'n Entry>,
}

impl<'n> Members<'n> {
    fn of(reader: &mut Reader<'_>, node: &'n Node, what: &str) -> Self {
        Self { entries: reader.known(node, what, &Place::Document.members()) }
    }

    fn entry(&self, name: &str) -> Option<&'n Entry> {
        self.entries.iter().copied().find(|entry| &*entry.key.name == name)
    }

    fn get(&self, name: &str) -> Option<&'n Node> {
        self.entry(name).map(|entry| &entry.value)
    }
}

fn limit(reader: &mut Reader<'_>, node: &Node, members: &Members<'_>) -> Option<Limit> {
    let algorithm = algorithm(reader, node);
    let mut key = match members.get("key") {
        Some(node) => keys(reader, node),
        None => vec![LimitKey::Ip],
    };
    key.dedup();
    let missing = [("ip", false), ("skip", true)];
    let skips_missing_key = members
        .get("onMissingKey")
        .and_then(|node| reader.choice(node, "`onMissingKey`", &missing))
        .unwrap_or_default();
    let status = members.get("status").and_then(|node| {
        let status = terms::status(node);
        if status.is_none() {
            reader.wrong(node, "`status`", "expected a status from 400 to 599");
        }
        status
    });
    let name = members.get("name").and_then(|node| {
        let text = reader.text(node, "`name`")?;
        if !is_name(text) {
            reader.wrong(node, "`name`", NAME);
        }
        Some(text.to_owned())
    });
    let prefix = members.get("headerPrefix").and_then(|node| {
        let text = reader.text(node, "`headerPrefix`")?;
        if !terms::is_header_prefix(text) {
            reader.wrong(node, "`headerPrefix`", "expected letters, digits and `-`, for `X-<prefix>-RateLimit-Limit`");
        }
        Some(text.to_owned())
    });
    let shows =
        members.get("headers").and_then(|node| reader.choice(node, "`headers`", terms::HEADERS)).unwrap_or(true);
    if let Some(entry) = members.entry("headerPrefix")
        && !shows
    {
        reader.report(
            Diagnostic::error(GW405, "`headerPrefix` means nothing beside `headers: none`")
                .at(entry.key.span, "no headers are sent"),
        );
    }
    let headers = match (prefix, shows) {
        (Some(prefix), true) => LimitHeaders::Prefixed(prefix),
        (None, true) => LimitHeaders::Default,
        (_, false) => LimitHeaders::None,
    };
    let store = store(reader, members);
    let algorithm = algorithm?;
    if let (Some(store), Some(entry)) = (&store, members.entry("store")) {
        check_store(reader, entry, members, algorithm, store);
    }
    Some(Limit {
        name: name.unwrap_or_default(),
        shared: false,
        algorithm,
        key,
        skips_missing_key,
        status: status.unwrap_or(terms::USUAL_STATUS),
        body: members.get("body").map(json).unwrap_or_default(),
        headers,
        store,
    })
}

/// `store`, with `mode` and `onStoreError`.
fn store(reader: &mut Reader<'_>, members: &Members<'_>) -> Option<LimitStore> {
    let Some(named) = members.get("store") else {
        for stray in ["mode", "onStoreError"].into_iter().filter_map(|name| members.entry(name)) {
            reader.report(
                Diagnostic::error(GW405, format!("`{}` means nothing without `store`", stray.key.name))
                    .at(stray.key.span, "each gateway counts for itself")
                    .help("write `store: shared` beside it, or remove it"),
            );
        }
        return None;
    };
    let mode = members.get("mode").and_then(|node| reader.choice(node, "`mode`", StoreMode::WORDS)).unwrap_or_default();
    let on_error = members
        .get("onStoreError")
        .and_then(|node| reader.choice(node, "`onStoreError`", OnStoreError::WORDS))
        .unwrap_or_default();
    let name = reader.text(named, "`store`")?;
    // It is a key of `gateway.yaml` that the environment can spell.
    let good = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if name.is_empty() || !good {
        reader.wrong(named, "`store`", "expected the name of a store in gateway.yaml: small letters, digits and `-`");
        return None;
    }
    Some(LimitStore { name: name.to_owned(), mode, on_error })
}

/// What several gateways cannot count together.
fn check_store(
    reader: &mut Reader<'_>,
    entry: &Entry,
    members: &Members<'_>,
    algorithm: LimitAlgorithm,
    store: &LimitStore,
) {
    let Err(mistake) = fits_store(algorithm, store.mode) else { return };
    reader.report(match mistake {
        StoreMistake::Held => Diagnostic::error(GW407, "requests under way cannot be counted in a store")
            .at(entry.key.span, "a gateway that dies would never give its slots back")
            .help("remove `store`, and divide `limit` by the number of gateways"),
        StoreMistake::WaitsAhead => {
            Diagnostic::error(GW407, "requests that wait for their turn cannot be counted ahead")
                .at(members.entry("mode").unwrap_or(entry).key.span, "turns come one at a time")
                .help("write `mode: exact`, or `delay: false`")
        }
        StoreMistake::TooLarge => Diagnostic::error(GW407, "the limit is too large for a store to count exactly")
            .at(entry.key.span, "its scripts have whole numbers up to 2^53")
            .help("use a shorter `interval` of whole seconds with a smaller `limit`; the rate stays the same"),
    });
}

fn algorithm(reader: &mut Reader<'_>, node: &Node) -> Option<LimitAlgorithm> {
    let Reading { algorithm, mistakes } = terms::read_algorithm(node, Place::Document);
    for mistake in mistakes {
        report(reader, mistake);
    }
    algorithm
}

fn report(reader: &mut Reader<'_>, mistake: LimitMistake<'_>) {
    let at = mistake.span();
    let diagnostic = match mistake {
        LimitMistake::NoAlgorithm(_) => Diagnostic::error(GW404, "the limit does not say by which algorithm")
            .at(at, "`algorithm` is missing")
            .help(format!("it can be `{}`", terms::algorithm_names().join("`, `"))),
        LimitMistake::UnknownAlgorithm(node) => {
            reader.choice(node, "`algorithm`", &terms::algorithm_names().map(|name| (name, ())));
            return;
        }
        LimitMistake::Stray(key, numbers) => {
            let name = numbers.algorithm;
            Diagnostic::error(GW405, format!("`{}` means nothing to {name}", key.name))
                .at(at, "would not be enforced")
                .help(format!("{name} has `{}`", [numbers.required, numbers.optional].concat().join("`, `")))
        }
        LimitMistake::Missing { member, numbers, .. } => {
            Diagnostic::error(GW404, format!("`{member}` is required for {}", numbers.algorithm))
                .at(at, format!("without `{member}`"))
                .help(example(numbers.algorithm))
        }
        LimitMistake::NotWhole { member, node, least } => not_whole(node, &format!("`{member}`"), least),
        LimitMistake::NotDuration { member, node } => {
            reader.unit(node, &format!("`{member}`"), units::duration);
            return;
        }
        LimitMistake::NotRate(node) => {
            reader.unit(node, "`rate`", units::rate);
            return;
        }
        LimitMistake::NotBoolean(node) => {
            reader.boolean(node, "`delay`");
            return;
        }
        LimitMistake::NobodyWaits(_) => {
            Diagnostic::error(GW405, "`delay` of concurrency is what the `burst` waits, and there is none")
                .at(at, "no request would wait")
        }
        LimitMistake::LongWait(_) => Diagnostic::error(GW404, "a request would wait for more than a minute")
            .at(at, "a waiting client holds a connection")
            .help("use a smaller `burst` or `delay`, or `delay: false`"),
        LimitMistake::Uncountable(_) => Diagnostic::error(GW404, "the limit is too large for its interval")
            .at(at, "cannot be counted exactly")
            .help("use a shorter interval with a smaller limit; the rate stays the same"),
    };
    reader.report(diagnostic);
}

fn example(algorithm: &str) -> &'static str {
    match algorithm {
        "leaky-bucket" => "write `rate: 10/s`, and perhaps `burst: 20`",
        "concurrency" => "write `limit: 10`",
        _ => "write `limit: 100, interval: 60s`",
    }
}

fn whole(reader: &mut Reader<'_>, node: &Node, what: &str, least: u64) -> Option<u64> {
    let number = terms::whole(node, least);
    if number.is_none() {
        reader.report(not_whole(node, what, least));
    }
    number
}

fn not_whole(node: &Node, what: &str, least: u64) -> Diagnostic {
    let given = node.as_text().map_or_else(|| node.kind_name().to_owned(), |text| format!("`{text}`"));
    let diagnostic = Diagnostic::error(GW404, format!("{what} cannot be {given}"))
        .at(node.span, format!("expected a whole number from {least} to {MAX_LIMIT}"));
    diagnostic.without_quotes(node)
}

/// `failedAuthentication`: a limit, or `off`.
pub(crate) fn failed_authentication(reader: &mut Reader<'_>, node: &Node) -> Option<FailureLimit> {
    // YAML 1.1 has it that `off` is false; this is no 1.1.
    if node.as_text() == Some("off") {
        return None;
    }
    const WHAT: &str = "`failedAuthentication`";
    if node.as_mapping().is_none() {
        reader.wrong(node, WHAT, "expected `{limit: 100, interval: 60s}` or `off`");
        return None;
    }
    let entries = reader.known(node, WHAT, &["limit", "interval", "key"]);
    let member = |name: &str| entries.iter().find(|entry| &*entry.key.name == name).map(|entry| &entry.value);
    let (Some(limit), Some(interval_node)) = (member("limit"), member("interval")) else {
        let missing = if member("limit").is_none() { "limit" } else { "interval" };
        reader.report(
            Diagnostic::error(GW104, format!("{WHAT} needs `{missing}`"))
                .at(node.span, format!("`{missing}` is missing"))
                .help("write `{limit: 100, interval: 60s}`"),
        );
        return None;
    };
    let limit = whole(reader, limit, "`limit`", 1);
    let interval = reader.unit(interval_node, "`interval`", units::duration);
    if interval.is_some_and(|interval| interval < Duration::from_secs(1) || interval.subsec_nanos() != 0) {
        reader.wrong(interval_node, "`interval` of `failedAuthentication`", "expected whole seconds, at least `1s`");
        return None;
    }
    let key = match member("key") {
        None => vec![LimitKey::Ip],
        Some(node) => {
            let key = keys(reader, node);
            let is_known = |part: &LimitKey| matches!(part, LimitKey::Ip | LimitKey::Header(_) | LimitKey::Const(_));
            if !key.iter().all(is_known) {
                reader.wrong(node, "`key`", "a wrong credential names no caller: `ip`, `header:X` or `const:X`");
                return None;
            }
            if let Some(LimitKey::Header(name)) = key.iter().find(|part| matches!(part, LimitKey::Header(_))) {
                reader.report(
                    Diagnostic::warning(GW410, format!("{WHAT} counts by the header `{name}`, which clients choose"))
                        .at(node.span, "another value is another counter")
                        .help("count by `ip`, unless a proxy in front of the gateway sets the header in every request"),
                );
            }
            key
        }
    };
    Some(FailureLimit { limit: limit?, interval: interval?, key })
}

fn keys(reader: &mut Reader<'_>, node: &Node) -> Vec<LimitKey> {
    let mut keys = Vec::new();
    for item in reader.words(node, "`key`") {
        let Some(text) = reader.text(item, "a part of `key`") else { continue };
        match gateway_terms::key::LimitKey::named(text) {
            Some(key) => keys.push(key.map(|text| (*text).to_owned())),
            None => reader.wrong(
                item,
                "a part of `key`",
                "expected `caller`, `ip`, `client`, `consumer`, `user`, `credential`, `path`, `header:X`, `query:X` or `const:X`",
            ),
        }
    }
    if node.as_sequence().is_some_and(<[Node]>::is_empty) {
        reader.wrong(node, "`key`", "one part or more; `const:all` counts all requests together");
    }
    keys
}
