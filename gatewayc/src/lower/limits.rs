//! Which limits an operation charges, and which of them are one.

use std::collections::{BTreeMap, HashMap};

use gateway_yaml::{Span, Spanned, suggest};

use crate::diagnostic::{Diagnostic, Diagnostics, GW401, GW403, GW404, GW406, GW409};
use crate::ir::{Limit, LimitKey, LimitUse};
use crate::vocabulary::{LimitChoice, LimitEntry};

/// The limits of a document.
pub(super) struct Limits {
    /// Those that operations charge.
    used: Vec<Limit>,
    /// Where in `used` descriptions are that were met before, by their place in the document. Overlays can change what an alias
    /// stands for in one place of several.
    by_place: HashMap<Span, Vec<(Limit, usize)>>,
    registry: BTreeMap<String, Registered>,
    /// By the place of the list and the kinds.
    unlimited: BTreeMap<(Span, Vec<CallerKind>), Unlimited>,
}

/// Which callers an operation admits.
#[derive(Clone)]
pub(super) struct Known {
    /// Their kinds, in order.
    pub(super) kinds: Vec<CallerKind>,
    /// It asks for credentials at all.
    pub(super) asks: bool,
    /// The limits are at the operation itself.
    pub(super) is_own: bool,
}

/// What a limit can count a caller by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum CallerKind {
    /// A consumer of the deployment.
    Consumer,
    /// A user that a token or a session names.
    User,
    /// An OAuth client that acts for itself.
    Client,
    /// A caller without a name.
    Stranger,
}

impl CallerKind {
    /// Whether a request of such a caller has this part of a key.
    fn has(self, key: &LimitKey) -> bool {
        match key {
            LimitKey::Consumer | LimitKey::Credential => self == Self::Consumer,
            LimitKey::User => self == Self::User,
            // A user's token names the client that the user has allowed.
            LimitKey::Client => matches!(self, Self::User | Self::Client),
            LimitKey::Caller
            | LimitKey::Ip
            | LimitKey::Header(_)
            | LimitKey::Query(_)
            | LimitKey::Path
            | LimitKey::Const(_) => true,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Consumer => "consumers",
            Self::User => "users",
            Self::Client => "OAuth clients that act for themselves",
            Self::Stranger => "callers without a credential",
        }
    }
}

/// Operations whose callers meet no limit of one list: the first, and how many more.
struct Unlimited {
    who: String,
    more: usize,
}

struct Registered {
    name: Span,
    /// None where it has been reported.
    limit: Option<Limit>,
    used: Option<usize>,
}

impl Limits {
    pub(super) fn new(registry: &[(Spanned<String>, Option<Limit>)]) -> Self {
        let registry = registry.iter().map(|(name, limit)| {
            (name.value.clone(), Registered { name: name.span, limit: limit.clone(), used: None })
        });
        Self { used: Vec::new(), by_place: HashMap::new(), registry: registry.collect(), unlimited: BTreeMap::new() }
    }

    /// What an operation charges; `place` is what those entries are called after that have no name.
    pub(super) fn charge(
        &mut self,
        entries: &[LimitEntry],
        place: &str,
        who: &str,
        known: &Known,
        diagnostics: &mut Diagnostics,
    ) -> Vec<LimitUse> {
        let (mut uses, mut counts_someone) = (Vec::new(), true);
        for (index, entry) in entries.iter().enumerate() {
            let limit = match &entry.limit {
                LimitChoice::Broken => None,
                LimitChoice::Named(name) => self.named(name, entry.cost, diagnostics),
                LimitChoice::Inline(limit) => {
                    let met = self.by_place.entry(entry.span).or_default();
                    let known = met.iter().find(|(known, _)| known == limit).map(|(_, used)| *used);
                    Some(known.unwrap_or_else(|| {
                        let several = entries.len() > 1;
                        let name = match limit.name.as_str() {
                            "" if several => format!("{place} {}", index + 1),
                            "" => place.to_owned(),
                            name => name.to_owned(),
                        };
                        self.used.push(Limit { name, ..limit.clone() });
                        met.push((limit.clone(), self.used.len() - 1));
                        self.used.len() - 1
                    }))
                }
            };
            let Some(limit) = limit else { continue };
            counts_someone &= self.check_key(limit, entry, who, known, diagnostics);
            uses.push(LimitUse { limit, cost: entry.cost });
            let all: u64 = uses.iter().filter(|used| used.limit == limit).map(|used| used.cost).sum();
            if all > entry.cost && self.used.get(limit).is_some_and(|limit| all > limit.algorithm.capacity()) {
                diagnostics.push(
                    Diagnostic::error(GW404, "no request would ever pass: together, its costs are more than the limit")
                        .at(entry.span, "charged to the same limit as another entry"),
                );
            }
        }
        if counts_someone && uses.len() == entries.len() {
            self.note_unlimited(entries, &uses, who, known);
        }
        uses
    }

    /// Notes the kinds of caller that no limit of a list counts.
    fn note_unlimited(&mut self, entries: &[LimitEntry], uses: &[LimitUse], who: &str, known: &Known) {
        let Some(first) = entries.first().filter(|_| known.asks || known.is_own) else { return };
        let counts = |used: &LimitUse, kind: CallerKind| {
            let limit = &self.used[used.limit];
            !limit.skips_missing_key || limit.key.iter().any(|key| kind.has(key))
        };
        let kinds: Vec<CallerKind> =
            known.kinds.iter().copied().filter(|kind| !uses.iter().any(|used| counts(used, *kind))).collect();
        if !kinds.is_empty() {
            let unlimited = self.unlimited.entry((first.span, kinds));
            unlimited.and_modify(|known| known.more += 1).or_insert(Unlimited { who: who.to_owned(), more: 0 });
        }
    }

    fn named(&mut self, name: &Spanned<String>, cost: u64, diagnostics: &mut Diagnostics) -> Option<usize> {
        let Some(known) = self.registry.get_mut(&name.value) else {
            let near = suggest(name, self.registry.keys().map(String::as_str));
            let diagnostic = Diagnostic::error(GW401, format!("no limit is called `{}`", name.value))
                .at(name.span, "not in `limits` at the root");
            diagnostics.push(diagnostic.did_you_mean(near));
            return None;
        };
        let limit = known.limit.as_ref();
        if let Some(limit) = limit.filter(|limit| cost > limit.algorithm.capacity()) {
            diagnostics.push(
                Diagnostic::error(GW404, "no request would ever pass: it costs more than the limit")
                    .at(name.span, format!("`cost` is more than {}", limit.algorithm.capacity())),
            );
        }
        if known.used.is_none() {
            known.used = Some(self.used.len());
            self.used.extend(limit.cloned());
        }
        limit.and(known.used)
    }

    /// A key about callers, where no such caller is known, is not what the author thinks. Returns whether the limit
    /// counts any caller by its key.
    fn check_key(
        &self,
        limit: usize,
        entry: &LimitEntry,
        who: &str,
        known: &Known,
        diagnostics: &mut Diagnostics,
    ) -> bool {
        // What is written for all operations may leave public ones alone.
        let Some(limit) = self.used.get(limit).filter(|_| known.asks || known.is_own) else { return true };
        let is_missing = |key: &LimitKey| !known.kinds.iter().any(|kind| kind.has(key));
        let Some(key) = limit.key.first().filter(|_| limit.key.iter().all(is_missing)) else { return true };
        let instead = if limit.skips_missing_key { "so nothing is limited" } else { "so the address counts" };
        diagnostics.push(
            Diagnostic::warning(GW406, format!("no scheme tells {who} the `{}` that its limit counts by", key))
                .at(entry.span, format!("no such caller is known there, {instead}"))
                .help("`key: [caller]` counts each caller: the consumer, the user, the client, or the address")
                .because_of(format!("{:?}", entry.span), who),
        );
        false
    }

    /// The limits that are charged, and a word about those that are not.
    pub(super) fn used(self, diagnostics: &mut Diagnostics) -> Vec<Limit> {
        let complete = !diagnostics.has_errors();
        for ((list, kinds), Unlimited { who, more }) in self.unlimited {
            let kinds: Vec<&str> = kinds.into_iter().map(CallerKind::name).collect();
            let more = if more == 0 { String::new() } else { format!(" and {more} more") };
            diagnostics.push(
                Diagnostic::warning(GW409, format!("{} meet no limit of {who}{more}", kinds.join(" and ")))
                    .at(list, "they have none of the keys, and `onMissingKey: skip` leaves them out")
                    .help("`key: [caller]` counts each caller: the consumer, the user, the client, or the address"),
            );
        }
        for (name, registered) in self.registry {
            if registered.used.is_none() && complete {
                diagnostics.push(
                    Diagnostic::warning(GW403, format!("no operation charges the limit `{name}`"))
                        .at(registered.name, "never used"),
                );
            }
        }
        self.used
    }
}
