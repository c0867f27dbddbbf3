//! Public paths that are a way around guarded ones, because an upstream reads paths with less care than the gateway.

mod beside;

use std::cell::{Cell, OnceCell};
use std::collections::{BTreeMap, BTreeSet};

use gateway_route::{Ambiguous, Filler, Meaning, Params, PathReading, RequestPath, Router, Selectors, Template, Value};
use gateway_yaml::Span;

use self::beside::Beside;
use crate::check::routing::router;
use crate::diagnostic::{Diagnostic, Diagnostics, GW507, GW509};
use crate::ir::{Api, Gateway, ParameterKind, Route};
use crate::policy;
use crate::readings::{Group, View, admits_anyone};

/// Public operations with a guarded one that the same upstream may serve in their place.
pub(super) fn check(api: &Api, router: &Router<usize>, diagnostics: &mut Diagnostics) {
    let mut found = Found::default();
    let (fresh, routers) = (OnceCell::new(), std::slice::from_ref(router));
    for group in Group::of(api) {
        check_certainly_equal(&group, |_, _, _| true, diagnostics);
        let places = vec![0; group.operations.len()];
        let fresh = fresh.get_or_init(|| Fresh::of([api].into_iter()));
        Search::new(&group, routers, places, fresh, usize::MAX).run(&mut found);
    }
    found.report(diagnostics);
}

/// The same for operations of several documents, or with several base paths, that one upstream gets.
pub(super) fn check_across(gateway: &Gateway, diagnostics: &mut Diagnostics) {
    /// More take too long, and no one could read what is found.
    const MOST_PAIRS: usize = 10_000;
    let mut found = Found::default();
    let prepared = OnceCell::new();
    for group in Group::across(&gateway.apis) {
        let mut known = BTreeMap::new();
        let places: Vec<usize> = (0..group.operations.len())
            .map(|index| {
                let next = known.len();
                *known.entry((group.operations[index].api, group.base(index), group.prefix(index))).or_insert(next)
            })
            .collect();
        if known.len() < 2 {
            continue;
        }
        // What is asked for under another base path is no answer to the same request.
        let is_elsewhere = |group: &Group<'_>, one: usize, other: usize| {
            let place = |index: usize| (group.base(index), group.prefix(index));
            group.operations[one].api != group.operations[other].api && place(one) == place(other)
        };
        check_certainly_equal(&group, is_elsewhere, diagnostics);
        let (routers, fresh) = prepared.get_or_init(|| {
            let routers: Vec<Router<usize>> = gateway.apis.iter().map(router).collect();
            (routers, Fresh::of(gateway.apis.iter()))
        });
        Search::new(&group, routers, places, fresh, MOST_PAIRS).run(&mut found);
    }
    found.report(diagnostics);
}

/// Ways around guarded routes, by the place of the public one in its document.
#[derive(Default)]
struct Found<'a> {
    ways: BTreeMap<Span, (&'a Route, Vec<WayAround<'a>>)>,
    /// Public routes that represent those that could not be compared with all others.
    incomplete: BTreeMap<Span, &'a Route>,
}

impl<'a> Found<'a> {
    fn push(&mut self, public: &'a Route, way: WayAround<'a>) {
        self.ways.entry(public.span).or_insert((public, Vec::new())).1.push(way);
    }

    fn report(self, diagnostics: &mut Diagnostics) {
        for (public, mut ways) in self.ways.into_values() {
            ways.sort_by_key(|way| (way.guarded.span, way.how.rank()));
            ways.dedup_by_key(|way| way.guarded.span);
            // What needs no special upstream comes first.
            ways.sort_by_key(|way| way.how.rank());
            diagnostics.extend(report(public, &ways));
        }
        for public in self.incomplete.into_values() {
            diagnostics.push(
                Diagnostic::warning(GW507, "there are too many paths to compare public ones with guarded ones")
                    .at(public.span, "this public path, and others, may cover guarded ones that are not named here")
                    .help("give what is public a prefix that no guarded path has, or an upstream of its own")
                    .help("if you have compared them yourself, accept it: `acceptRisk: [{lint: GW507, reason: …}]`"),
            );
        }
    }
}

/// A guarded route, and a request that shows how to get there.
struct WayAround<'a> {
    guarded: &'a Route,
    how: How,
    /// The path of the request, and what it says beside it.
    request: String,
    /// The path that the upstream may take it for.
    meaning: String,
}

/// Why the request gets there.
#[derive(Clone, Copy)]
enum How {
    /// The upstream gets the very path.
    Written,
    /// It reads it so: what it does, in words, and what to write where it does not.
    Read(&'static str, Option<&'static str>),
    /// It gets the very path where the documents are on different listeners; on one, the guarded route answers.
    Listeners,
}

impl How {
    /// What is most certain comes first.
    fn rank(self) -> usize {
        match self {
            Self::Written => 0,
            Self::Read(..) => 1,
            Self::Listeners => 2,
        }
    }
}

/// Texts that stand in no template, so that only parameters take them.
struct Fresh {
    text: String,
    digits: String,
}

impl Fresh {
    fn of<'a>(apis: impl Iterator<Item = &'a Api>) -> Self {
        let templates = apis.flat_map(|api| &api.routes).map(|route| route.template.to_string());
        let all = templates.collect::<String>().to_ascii_lowercase();
        let first = |of: fn(usize) -> String| {
            let mut texts = (2..).map(of);
            texts.find(|text| !all.contains(text)).unwrap_or_default()
        };
        Self { text: first(|number| format!("x{number}")), digits: first(|number| number.to_string()) }
    }

    /// What stands for any value: what reads best first.
    fn fillers(&self) -> [Filler<'_>; 2] {
        [Filler::default(), Filler { text: &self.text, digits: &self.digits }]
    }
}

/// Something that an upstream may take for the same.
struct Kind {
    reading: PathReading,
    /// What such an upstream does.
    upstream: &'static str,
    /// What to write where it does not.
    denial: &'static str,
    /// Other spellings of a path, which a template matches.
    spell: fn(&str, &str) -> Vec<String>,
}

const KINDS: &[Kind] = &[
    Kind {
        reading: PathReading { ignores_case: true, ..PathReading::EXACT },
        upstream: "ignores case",
        denial: "`case: sensitive`",
        spell: in_capitals,
    },
    Kind {
        reading: PathReading { ignores_trailing_slash: true, ..PathReading::EXACT },
        upstream: "ignores a slash at the end",
        denial: "`trailingSlash: distinct`",
        spell: with_another_end,
    },
    Kind {
        reading: PathReading { merges_slashes: true, ..PathReading::EXACT },
        upstream: "takes several slashes for one",
        denial: "`emptySegments: distinct`",
        spell: with_two_slashes,
    },
];

/// Whether two operations of a group are to be compared.
type Concerns = fn(&Group<'_>, usize, usize) -> bool;

/// Pairs of operations of a group that share paths.
type Pairs = Vec<(usize, usize)>;

struct Search<'s, 'a> {
    group: &'s Group<'a>,
    /// By API.
    routers: &'s [Router<usize>],
    /// Of each operation: operations of one API that get their paths in one way have the same.
    places: Vec<usize>,
    fresh: &'s Fresh,
    /// How many pairs may be compared each time.
    most: usize,
    /// How many of them are left.
    left: Cell<usize>,
    /// There were more.
    is_cut: Cell<bool>,
}

impl<'s, 'a> Search<'s, 'a> {
    fn new(
        group: &'s Group<'a>,
        routers: &'s [Router<usize>],
        places: Vec<usize>,
        fresh: &'s Fresh,
        most: usize,
    ) -> Self {
        Self { group, routers, places, fresh, most, left: Cell::new(most), is_cut: Cell::new(false) }
    }

    fn run(&self, found: &mut Found<'a>) {
        let all = || 0..self.group.operations.len();
        let public = all().filter(|index| self.is_public(*index)).map(|index| self.group.route(index));
        let Some(public) = public.min_by_key(|route| route.span) else { return };
        let (open, guarded): (Vec<usize>, Vec<usize>) = all().partition(|index| self.is_public(*index));
        let places = |of: &[usize]| of.iter().map(|index| self.places[*index]).collect::<BTreeSet<_>>();
        let (open, guarded) = (places(&open), places(&guarded));
        let is_apart = |place: &usize| !self.is_across() || guarded.len() > 1 || !guarded.contains(place);
        if guarded.is_empty() || !open.iter().any(is_apart) {
            return;
        }
        let mut rivals = Vec::new();
        if self.is_across() {
            self.as_written(&mut rivals, found);
        }
        self.by_reading(&mut rivals, found);
        self.by_decoding(found);
        let is_complete = rivals.iter().all(|(_, _, is_complete)| *is_complete) && !self.is_cut.get();
        if !is_complete {
            found.incomplete.insert(public.span, public);
        }
    }

    /// Whether the group is of several places.
    fn is_across(&self) -> bool {
        self.places.iter().any(|place| *place != 0)
    }

    fn is_public(&self, operation: usize) -> bool {
        admits_anyone(self.group.operation(operation))
    }

    /// A public operation and a guarded one that are to be compared.
    fn is_candidate(&self, public: usize, guarded: usize) -> bool {
        self.is_public(public)
            && !self.is_public(guarded)
            && (self.places[public] != self.places[guarded] || !self.is_across())
    }

    /// Whether one listener matches both side by side.
    fn is_side_by_side(&self, one: usize, other: usize) -> bool {
        let group = self.group;
        group.base(one) == group.base(other) && group.prefix(one) == group.prefix(other)
    }

    /// The pairs of the group in a reading, the more general one first; both ways round where it does not count which
    /// is more general. Readings that make of the templates the same have the same pairs.
    fn pairs<'r>(
        &self,
        view: &View,
        reading: PathReading,
        known: &'r mut Vec<(PathReading, Pairs, bool)>,
    ) -> &'r Pairs {
        /// What one document is compared with at most.
        const MOST_EACH: usize = 50_000;
        let templates = (0..self.group.operations.len()).map(|index| &self.group.route(index).template);
        let among = reading.among(templates);
        let index = known.iter().position(|(reading, ..)| *reading == among).unwrap_or_else(|| {
            let found = view.rivals_among(MOST_EACH.min(self.most), |one, other| self.is_candidate(one, other));
            let both = found.pairs.iter().flat_map(|&(one, other)| {
                let reverse = self.is_across() && !self.is_side_by_side(one, other);
                [Some((one, other)), reverse.then_some((other, one))].into_iter().flatten()
            });
            let pairs = both.filter(|(public, guarded)| self.is_candidate(*public, *guarded)).collect::<BTreeSet<_>>();
            known.push((among, pairs.into_iter().collect(), found.is_complete));
            known.len() - 1
        });
        &known[index].1
    }

    /// Whether one pair more may be compared.
    fn may_go_on(&self) -> bool {
        let left = self.left.get();
        self.left.set(left.saturating_sub(1));
        self.is_cut.set(self.is_cut.get() || left == 0);
        left > 0
    }

    /// Ways around that no server needs to read differently: two base paths, of which the upstream gets none, or two
    /// documents on different listeners.
    fn as_written(&self, rivals: &mut Vec<(PathReading, Pairs, bool)>, found: &mut Found<'a>) {
        let view = self.group.view(PathReading::EXACT, PathReading::EXACT);
        for &(public, guarded) in self.pairs(&view, PathReading::EXACT, rivals) {
            if !self.may_go_on() {
                break;
            }
            let Some(beside) = self.beside(public, guarded) else { continue };
            let is_way = |path: &String| {
                let answers = |operation: usize| {
                    let below = self.below(operation, path);
                    below.is_some_and(|below| self.answers(operation, below, &beside))
                };
                answers(public) && answers(guarded)
            };
            let fillers = self.fresh.fillers().into_iter();
            let mut paths = fillers
                .flat_map(|filler| view.examples(public, guarded, &|index, name| self.value(index, name), filler));
            let Some(meaning) = paths.find(is_way) else { continue };
            let how = if self.is_side_by_side(public, guarded) { How::Listeners } else { How::Written };
            let below = self.below(public, &meaning).unwrap_or_default();
            let request = beside.of_path(&format!("{}{below}", self.group.base(public)));
            let guarded = self.group.route(guarded);
            found.push(self.group.route(public), WayAround { guarded, how, request, meaning });
        }
    }

    /// Ways around for an upstream that takes more for the same than the document says. Where it says so, the stricter
    /// operation answers.
    fn by_reading(&self, rivals: &mut Vec<(PathReading, Pairs, bool)>, found: &mut Found<'a>) {
        let Group { certain, possible, .. } = *self.group;
        for kind in
            KINDS.iter().filter(|kind| kind.reading.or(certain) != certain && kind.reading.or(possible) == possible)
        {
            if !self.can_matter(kind) {
                continue;
            }
            let reading = certain.or(kind.reading);
            let view = self.group.view(reading, reading);
            let views = self.views(reading);
            self.left.set(self.most);
            for &(public, guarded) in self.pairs(&view, reading, rivals) {
                let is_said = |way: &WayAround<'_>| {
                    matches!(way.how, How::Written) && way.guarded.span == self.group.route(guarded).span
                };
                let route = self.group.route(public);
                let is_known =
                    self.is_across() && found.ways.get(&route.span).is_some_and(|(_, ways)| ways.iter().any(is_said));
                if is_known {
                    continue;
                }
                if !self.may_go_on() {
                    break;
                }
                if let Some(way) = self.misread(&view, &views, kind, public, guarded) {
                    found.push(route, way);
                }
            }
        }
    }

    /// A view of each place, where there are several.
    fn views(&self, reading: PathReading) -> Vec<View> {
        let places = if self.is_across() { self.places.iter().max().map_or(0, |last| last + 1) } else { 0 };
        let mut members = vec![Vec::new(); places];
        for (index, place) in self.places.iter().enumerate().filter(|_| places > 0) {
            members[*place].push(index);
        }
        members.into_iter().map(|members| self.group.view_of(members, reading, reading)).collect()
    }

    /// Whether a template takes a path that such an upstream reads as another one.
    fn can_matter(&self, kind: &Kind) -> bool {
        let templates = || (0..self.group.operations.len()).map(|index| &self.group.route(index).template);
        let is_greedy = || templates().any(Template::is_greedy);
        // Parameters take capitals; no slashes, but for the one at the end that greedy ones take.
        kind.reading.ignores_case
            || kind.reading.among(templates()) != PathReading::EXACT
            || (kind.reading.ignores_trailing_slash && is_greedy())
    }

    /// A path that the public operation takes, and that an upstream may read as one of the guarded operation.
    fn misread(
        &self,
        view: &View,
        views: &[View],
        kind: &Kind,
        public: usize,
        guarded: usize,
    ) -> Option<WayAround<'a>> {
        let beside = self.beside(public, guarded)?;
        let template = self.group.route(public).template.below(self.group.base(public)).to_string();
        let prefix = self.group.prefix(public);
        // In one document, a path counts as guarded although the gateway would refuse the value.
        let of_guarded = if self.is_across() { &[true][..] } else { &[true, false] };
        let fillers = self.fresh.fillers().into_iter();
        let kinds = fillers.flat_map(|filler| of_guarded.iter().map(move |is_typed| (filler, *is_typed)));
        let mut meanings = kinds.flat_map(|(filler, is_typed)| {
            let value = |index: usize, name: &str| {
                if index == public || is_typed { self.value(index, name) } else { Value::Any }
            };
            view.examples(public, guarded, &value, filler)
        });
        let (below, meaning) = meanings.find_map(|meaning| {
            let own = self.below(public, &meaning)?;
            let mut spellings = (kind.spell)(own, &template).into_iter();
            let below = spellings.find(|below| {
                let path = format!("{prefix}{below}");
                self.is_misread(view, views, &path, below, &beside, public, guarded)
            })?;
            Some((below, meaning))
        })?;
        let request = beside.of_path(&format!("{}{below}", self.group.base(public)));
        let guarded = self.group.route(guarded);
        Some(WayAround { guarded, how: How::Read(kind.upstream, Some(kind.denial)), request, meaning })
    }

    /// Whether an upstream that gets this path may take it for one of the guarded operation; `below` is the path without
    /// the prefix.
    #[expect(clippy::too_many_arguments, reason = "what one request is about")]
    fn is_misread(
        &self,
        view: &View,
        views: &[View],
        path: &str,
        below: &str,
        beside: &Beside,
        public: usize,
        guarded: usize,
    ) -> bool {
        let Ok(path) = RequestPath::parse(path) else { return false };
        let Some(read) = view.read(&path).filter(|_| self.answers(public, below, beside)) else { return false };
        beside.select(|selectors| {
            if self.is_across() {
                return views[self.places[guarded]].meant(&path, selectors).any(|other| *other == guarded)
                    && !self.is_described(&views[self.places[public]], &path, selectors, public);
            }
            match view.meaning(public, &read, selectors) {
                Meaning::Others(others) => others.iter().any(|(index, _)| **index == guarded),
                Meaning::Same | Meaning::UnclearQuery => false,
            }
        })
    }

    /// Whether the path is one that other public operations beside this one are described for: then these are compared.
    fn is_described(&self, view: &View, path: &RequestPath<'_>, selectors: Selectors<'_>, public: usize) -> bool {
        let mut others = view.meant(path, selectors).peekable();
        others.peek().is_some() && others.all(|other| *other != public && self.is_public(*other))
    }

    /// Ways around through parameters that may take what servers read differently.
    fn by_decoding(&self, found: &mut Found<'a>) {
        let takes_more = |operation: &usize| {
            let mut allowances = self.group.route(*operation).template.allowances();
            allowances.any(|(_, allowance)| allowance.characters().next().is_some())
        };
        let all = || 0..self.group.operations.len();
        let public: Vec<usize> = all().filter(|index| self.is_public(*index)).filter(takes_more).collect();
        if public.is_empty() {
            return;
        }
        let is_typed = public.iter().any(|index| !self.group.operation(*index).parameters.is_empty());
        let open = self.group.view_of(public, PathReading::EXACT, PathReading::EXACT);
        let views = self.views(PathReading::EXACT);
        self.left.set(self.most);
        for guarded in all().filter(|index| !self.is_public(*index)) {
            let template = self.group.forwarded(guarded).to_string();
            let [plain, fresh] = self.fresh.fillers();
            let fillers = [plain.text, fresh.text, plain.digits, fresh.digits, "true", "false"];
            let count = match (template.contains('{'), is_typed) {
                (false, _) => 1,
                (true, false) => 2,
                (true, true) => fillers.len(),
            };
            let mut known = BTreeSet::new();
            for meaning in fillers[..count].iter().map(|filler| sample(&template, filler)) {
                for (character, spelling) in spellings(&meaning) {
                    let Ok(path) = RequestPath::parse(&spelling) else { continue };
                    for &public in open.matching(&path) {
                        if known.contains(&public) || !self.is_candidate(public, guarded) {
                            continue;
                        }
                        if !self.may_go_on() {
                            return;
                        }
                        let Some(request) = self.is_decoded(&views, &spelling, &meaning, public, guarded) else {
                            continue;
                        };
                        known.insert(public);
                        let upstream = match character {
                            Ambiguous::EncodedSlash => "decodes `%2F` before it looks for segments",
                            Ambiguous::EncodedPercent => "decodes paths twice",
                            Ambiguous::Backslash => "takes a backslash for a slash",
                            Ambiguous::Semicolon => "drops what is behind a `;`",
                        };
                        let (meaning, guarded) = (meaning.clone(), self.group.route(guarded));
                        let way = WayAround { guarded, how: How::Read(upstream, None), request, meaning };
                        found.push(self.group.route(public), way);
                    }
                }
            }
        }
    }

    /// The request of the public operation for a spelling of a path of the guarded one.
    fn is_decoded(
        &self,
        views: &[View],
        spelling: &str,
        meaning: &str,
        public: usize,
        guarded: usize,
    ) -> Option<String> {
        let beside = self.beside(public, guarded)?;
        let below = spelling.strip_prefix(self.group.prefix(public))?;
        if !self.answers(public, below, &beside) {
            return None;
        }
        if self.is_across() {
            let path = RequestPath::parse(meaning).ok()?;
            let is_meant = beside.select(|selectors| {
                self.answers(guarded, self.below(guarded, meaning).unwrap_or_default(), &beside)
                    && !self.is_described(&views[self.places[public]], &path, selectors, public)
            });
            if !is_meant {
                return None;
            }
        }
        Some(beside.of_path(&format!("{}{below}", self.group.base(public))))
    }

    /// What a request says beside its path that both operations are selected by.
    fn beside(&self, one: usize, other: usize) -> Option<Beside> {
        Beside::of(self.group.route(one).when.iter().chain(&self.group.route(other).when))
    }

    /// What the upstream gets, without the prefix of the operation.
    fn below<'p>(&self, operation: usize, path: &'p str) -> Option<&'p str> {
        let count = self.group.prefix(operation).matches('/').count();
        path.match_indices('/').nth(count).map(|(at, _)| &path[at..])
    }

    /// What the values of a parameter are.
    fn value(&self, operation: usize, name: &str) -> Value {
        let known = self.group.operation(operation).parameters.iter().find(|parameter| parameter.name == name);
        known.map_or(Value::Any, |parameter| match parameter.kind {
            ParameterKind::Integer => Value::Integer,
            ParameterKind::Number => Value::Number,
            ParameterKind::Boolean => Value::Boolean,
        })
    }

    /// Whether this operation of the group answers a request for the path below its base path, with the types of its
    /// parameters; the gateway refuses other values.
    fn answers(&self, operation: usize, below: &str, beside: &Beside) -> bool {
        let (route, place) = (self.group.route(operation), self.group.operations[operation]);
        let request = format!("{}{below}", self.group.base(operation));
        let Ok(path) = RequestPath::parse(&request) else { return false };
        let Some(params) = Params::of(&route.template, &path) else { return false };
        let fits = params.iter().all(|param| self.value(operation, param.name).may_be(param.canonical));
        fits && beside.select(|selectors| {
            self.routers[place.api].find(&path, selectors).is_some_and(|found| *found.value == place.route)
        })
    }
}

/// The path in capitals; where the public template has literals, as it has them. A value that has to be `true` cannot be
/// in capitals, so that each segment is tried separately as well.
fn in_capitals(path: &str, template: &str) -> Vec<String> {
    let own = template.split('/').map(Some).chain(std::iter::repeat(None));
    let segments: Vec<(&str, &str)> =
        path.split('/').zip(own).map(|(segment, own)| (segment, own.unwrap_or_default())).collect();
    let as_described = |(segment, own): &(&str, &str)| {
        if own.eq_ignore_ascii_case(segment) { (*own).to_owned() } else { (*segment).to_owned() }
    };
    let in_capitals: Vec<String> = segments.iter().map(|(segment, own)| capitals_in(segment, own)).collect();
    let alone = |index: usize| {
        let mut all: Vec<String> = segments.iter().map(as_described).collect();
        all[index].clone_from(&in_capitals[index]);
        all.join("/")
    };
    let mut found = vec![in_capitals.join("/"), capitals(path)];
    // The first is the nothing before the first slash.
    found.extend((1..segments.len()).filter(|_| segments.len() > 2).map(alone));
    found
}

/// A segment in capitals, but for the literals before and behind the parameters of the template's segment.
fn capitals_in(segment: &str, template: &str) -> String {
    let (start, end) = match (template.find('{'), template.rfind('}')) {
        (Some(start), Some(end)) => (&template[..start], &template[end + 1..]),
        _ if template.eq_ignore_ascii_case(segment) => return template.to_owned(),
        _ => return capitals(segment),
    };
    let is_start = segment.get(..start.len()).is_some_and(|text| text.eq_ignore_ascii_case(start));
    let rest = if is_start { &segment[start.len()..] } else { segment };
    let at = rest.len().saturating_sub(end.len());
    match rest.split_at_checked(at) {
        Some((middle, last)) if is_start && last.eq_ignore_ascii_case(end) => {
            format!("{start}{}{end}", capitals(middle))
        }
        _ => capitals(segment),
    }
}

/// What is percent-encoded stays what it is.
fn capitals(text: &str) -> String {
    let mut parts = text.split('%');
    let first = parts.next().unwrap_or_default().to_ascii_uppercase();
    parts.fold(first, |all, part| {
        let (digits, rest) = part.split_at_checked(2).unwrap_or((part, ""));
        format!("{all}%{digits}{}", rest.to_ascii_uppercase())
    })
}

/// The path with a slash at its end, or without.
fn with_another_end(path: &str, _: &str) -> Vec<String> {
    match path.strip_suffix('/') {
        Some(shorter) if !shorter.is_empty() => vec![shorter.to_owned(), format!("{path}/")],
        _ => vec![format!("{path}/"), path.to_owned()],
    }
}

/// The path with two slashes where it has one.
fn with_two_slashes(path: &str, _: &str) -> Vec<String> {
    path.match_indices('/').map(|(at, _)| format!("{}/{}", &path[..at], &path[at..])).collect()
}

/// A path of a template, with this value of its parameters.
fn sample(template: &str, value: &str) -> String {
    let (mut sample, mut rest) = (String::new(), template);
    while let Some((before, after)) = rest.split_once('{') {
        sample += before;
        sample += value;
        rest = after.split_once('}').map_or("", |(_, rest)| rest);
    }
    sample + rest
}

/// Other spellings of a path, each with the character in it that some server reads as something else.
fn spellings(path: &str) -> Vec<(Ambiguous, String)> {
    let ends = path.match_indices('/').map(|(at, _)| at).filter(|at| *at > 0).chain([path.len()]);
    let mut found = Vec::new();
    for (before, after) in ends.map(|at| path.split_at(at)) {
        if let Some(behind) = after.strip_prefix('/') {
            found.push((Ambiguous::EncodedSlash, format!("{before}%2F{behind}")));
            found.push((Ambiguous::EncodedPercent, format!("{before}%252F{behind}")));
            found.push((Ambiguous::Backslash, format!("{before}%5C{behind}")));
        }
        found.push((Ambiguous::Semicolon, format!("{before};x{after}")));
    }
    found
}

fn report(public: &Route, ways: &[WayAround<'_>]) -> Option<Diagnostic> {
    let WayAround { guarded, how, request, meaning } = ways.first()?;
    let ask = match ways.len() - 1 {
        0 => ", which asks".to_owned(),
        more => format!(" and {more} more, which ask"),
    };
    let headline = format!("`{}` is public and covers `{}`{ask} for a credential", public.template, guarded.template);
    let gets = format!("the upstream gets `{request}` as `{meaning}`, like `{}`", guarded.template);
    let label = match how {
        How::Read(upstream, _) => format!("an upstream that {upstream} serves `{request}` as `{}`", guarded.template),
        How::Written => gets,
        How::Listeners => format!("on a listener of its own, {gets}"),
    };
    let mut diagnostic = Diagnostic::warning(GW507, headline).at(public.span, label).also(guarded.span, "guarded");
    if public.template.is_greedy() {
        diagnostic = diagnostic.help("prefer a narrower prefix before the greedy parameter");
    }
    const ACCEPT: &str = "accept it: `acceptRisk: [{lint: GW507, reason: …}]`";
    let same = "give both the same `security`, or an upstream of its own with another path to one";
    let help = match how {
        How::Read(_, Some(denial)) => format!("if the upstream does not, write {denial} under `paths` of the upstream"),
        How::Read(_, None) => format!("if the upstream does not, {ACCEPT}"),
        How::Written => same.to_owned(),
        How::Listeners => {
            diagnostic = diagnostic.help(same);
            format!("if one listener serves both documents, {ACCEPT}")
        }
    };
    Some(diagnostic.help(help))
}

/// Two paths that are the same to the upstream need one security, or one that includes the other.
fn check_certainly_equal(group: &Group<'_>, concerns: Concerns, diagnostics: &mut Diagnostics) {
    if group.certain == PathReading::EXACT {
        return;
    }
    let view = group.view(group.certain, group.certain);
    for (one, other) in view.rivals().pairs.into_iter().filter(|(one, other)| one < other) {
        let is_said = !concerns(group, one, other) || group.are_comparable(one, other);
        if is_said || !view.are_certainly_equal(one, other) {
            continue;
        }
        let template = |index: usize| &group.route(index).template;
        let headline = format!("the upstream takes `{}` and `{}` for the same", template(one), template(other));
        let asks =
            |index: usize| format!("asks for {}", policy::access(group.api(index), &group.operation(index).access));
        diagnostics.push(
            Diagnostic::error(GW509, headline)
                .at(group.operation(other).span, asks(other))
                .also(group.operation(one).span, asks(one))
                .help("give both the same `security`, or one that asks for all that the other asks for"),
        );
    }
}
