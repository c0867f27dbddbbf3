//! Many templates against one path.

use std::borrow::Cow;
use std::cmp::{Ordering, Reverse};
use std::collections::HashMap;
use std::collections::hash_map::Entry;

use crate::ambiguity::{Allowance, Ambiguous};
use crate::matching::{Ranges, matches, matches_shape, refused};
use crate::overlap::{Overlap, includes, overlap};
use crate::path::{RequestPath, decode_at};
use crate::query::{Condition, Part, Reading, Selectors};
use crate::template::{Segment, Template};
use crate::trie::Trie;

/// Collects templates for a [`Router`]; see the crate's documentation for who answers.
#[derive(Debug)]
pub struct RouterBuilder<T> {
    routes: Vec<Route<T>>,
}

impl<T> Default for RouterBuilder<T> {
    fn default() -> Self {
        Self { routes: Vec::new() }
    }
}

impl<T> RouterBuilder<T> {
    /// A builder without templates.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a template with the conditions that it has, and returns its index in the order of insertion.
    pub fn insert(&mut self, template: Template, mut when: Vec<Condition>, value: T) -> usize {
        when.sort_unstable();
        when.dedup();
        self.routes.push(Route { template, when, tested: Box::default(), value });
        self.routes.len() - 1
    }

    /// Builds the router, and names the routes that can never answer because an equal one was inserted before them.
    pub fn build(self) -> (Router<T>, Vec<Conflict>) {
        let (mut router, conflicts) = self.build_without_shapes();
        let Router { routes, trie, plain, .. } = &router;
        router.shapes = Some(Shapes::new(routes, plain, trie));
        (router, conflicts)
    }

    /// The same for a router that is asked little: built in a tenth of the time, slower to find.
    pub(crate) fn build_without_shapes(self) -> (Router<T>, Vec<Conflict>) {
        let mut routes = self.routes;
        let mut order: Vec<usize> = (0..routes.len()).collect();
        order.sort_by(|&a, &b| routes[a].precedence(&routes[b]).then(a.cmp(&b)));
        let mut conflicts = Vec::new();
        order.dedup_by(|later, first| {
            let equal = routes[*first].precedence(&routes[*later]).is_eq();
            if equal {
                conflicts.push(Conflict { first: *first, second: *later });
            }
            equal
        });
        conflicts.sort_unstable_by_key(|conflict| conflict.second);
        note_tested_names(&mut routes, &order);
        let greedy = order.partition_point(|&route| !routes[route].template.is_greedy());
        let (plain, greedy) = order.split_at(greedy);
        let trie = Trie::new(plain.iter().map(|&route| (route, &routes[route].template)));
        let plain = plain.to_vec();
        let prefixes = Prefixes::new(greedy, |route| &routes[route].template);
        (Router { routes, trie, plain, shapes: None, prefixes }, conflicts)
    }
}

/// Two routes with equal templates (names aside) and equal query conditions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conflict {
    /// The index of the route that answers.
    pub first: usize,
    /// The index of the route that never does.
    pub second: usize,
}

/// Finds the route that answers a request; see the crate's documentation for which one that is.
#[derive(Debug)]
pub struct Router<T> {
    routes: Vec<Route<T>>,
    trie: Trie,
    /// Routes without greedy parameters, most specific first.
    plain: Vec<usize>,
    /// Without them, the trie is searched on each request.
    shapes: Option<Shapes>,
    prefixes: Prefixes,
}

impl<T> Router<T> {
    /// The route that answers a request for this path, with this query (without `?`) or these [`Selectors`].
    pub fn find<'a, 's>(
        &'a self,
        path: &'a RequestPath<'a>,
        selectors: impl Into<Selectors<'s>>,
    ) -> Option<Match<'a, T>> {
        self.decide(path, selectors.into()).ok()?
    }

    /// Whether no route answers because the query, or a header field, is unclear, although a template matches the path.
    pub fn is_unclear<'s>(&self, path: &RequestPath<'_>, selectors: impl Into<Selectors<'s>>) -> bool {
        self.decide(path, selectors.into()).is_err()
    }

    /// The parameter that keeps the most specific route from matching the path, and the character that it does not
    /// take: for people who ask why a path is not found.
    pub fn refusal(&self, path: &RequestPath<'_>) -> Option<(&str, Ambiguous)> {
        let canonical = path.canonical();
        let mut ranges = Ranges::default();
        let mut refuses = |index: usize| {
            let template = &self.routes[index].template;
            let parameter =
                matches_shape(template, canonical, &mut ranges).then(|| refused(template, canonical, &ranges))??;
            let value = canonical.get(ranges.get(parameter)?)?;
            Some((template.name(parameter), template.allowance(parameter).refused_in(value)?))
        };
        let found = match self.slot(canonical) {
            Some(Slot::Candidates(routes)) => routes.iter().find_map(|&index| refuses(index)),
            Some(Slot::Search) => self.trie.find(canonical, &mut refuses),
            None => None,
        };
        found.or_else(|| self.prefixes.along(canonical).find_map(&mut refuses))
    }

    fn decide<'a>(
        &'a self,
        path: &'a RequestPath<'a>,
        selectors: Selectors<'_>,
    ) -> Result<Option<Match<'a, T>>, UnclearQuery<'a>> {
        let canonical = path.canonical();
        let mut ranges = Ranges::default();
        let mut answers = |index: usize| {
            let route = &self.routes[index];
            if !matches(&route.template, canonical, &mut ranges) {
                return None;
            }
            if let Some(name) = route.unclear_in(selectors) {
                return Some(Err(UnclearQuery { name }));
            }
            route.when.iter().all(|condition| condition.holds(selectors)).then_some(Ok(index))
        };
        let found = match self.slot(canonical) {
            Some(Slot::Candidates(routes)) => routes.iter().find_map(|&index| answers(index)),
            Some(Slot::Search) => self.trie.find(canonical, &mut answers),
            None => None,
        };
        let Some(index) = found.or_else(|| self.prefixes.along(canonical).find_map(&mut answers)).transpose()? else {
            return Ok(None);
        };
        let route = &self.routes[index];
        Ok(Some(Match { index, value: &route.value, params: Params { template: &route.template, path, ranges } }))
    }

    /// Every route whose template matches the path, whatever it asks for beside it, most specific first.
    pub fn matching(&self, path: &RequestPath<'_>) -> Vec<&T> {
        let (canonical, mut ranges, mut found) = (path.canonical(), Ranges::default(), Vec::new());
        let mut visit = |index: usize| -> Option<()> {
            let route = &self.routes[index];
            found.extend(matches(&route.template, canonical, &mut ranges).then_some(&route.value));
            None
        };
        self.trie.find(canonical, &mut visit);
        self.prefixes.along(canonical).for_each(|index| _ = visit(index));
        found
    }

    /// What may match the path without greedy parameters.
    fn slot(&self, canonical: &str) -> Option<&Slot> {
        let Some(shapes) = &self.shapes else { return Some(&Slot::Search) };
        shapes.slots.get(*shapes.router.at(canonical).ok()?.value)
    }

    /// The value of a route by its index in the order of insertion.
    pub fn get(&self, index: usize) -> Option<&T> {
        self.routes.get(index).map(|route| &route.value)
    }

    /// What became of every route, in the order of insertion: for people who ask why.
    pub fn explain<'s>(&self, path: &RequestPath<'_>, selectors: impl Into<Selectors<'s>>) -> Vec<Considered<'_, T>> {
        let selectors = selectors.into();
        let decision = self.decide(path, selectors);
        let outcome = |index: usize, route: &Route<T>| {
            let (canonical, mut ranges) = (path.canonical(), Ranges::default());
            if !matches_shape(&route.template, canonical, &mut ranges) {
                return Outcome::Path { segment: first_difference(&route.template, canonical) };
            }
            if let Some(parameter) = refused(&route.template, canonical, &ranges) {
                let value = ranges.get(parameter).and_then(|range| canonical.get(range)).unwrap_or_default();
                let character = route.template.allowance(parameter).refused_in(value);
                return Outcome::Refused { name: route.template.name(parameter).to_owned(), character };
            }
            if let Err(UnclearQuery { name }) = decision {
                return Outcome::UnclearQuery { name: name.to_owned() };
            }
            if let Some(condition) = route.when.iter().find(|condition| !condition.holds(selectors)) {
                return Outcome::Condition(condition.clone());
            }
            match &decision {
                Ok(Some(winner)) if winner.index != index => Outcome::LessSpecific { than: winner.index },
                _ => Outcome::Answers,
            }
        };
        let routes = self.routes.iter().enumerate();
        let considered = routes.map(|(index, route)| Considered {
            index,
            template: &route.template,
            value: &route.value,
            outcome: outcome(index, route),
        });
        considered.collect()
    }

    /// Pairs of routes of which the first takes every path of its own from the second, which matches more:
    /// `(specific, general)`. Methods that only the general one has are answered with 405 on the paths of the
    /// specific one.
    ///
    /// Bounded: of very many overlapping templates, only the first are reported.
    pub fn masks(&self) -> Vec<(usize, usize)> {
        let mut pairs: Vec<_> = self.neighbours().filter(|&(a, b)| self.strictly_includes(b, a)).collect();
        pairs.sort_unstable();
        pairs
    }

    /// Pairs of routes that share paths although neither is more specific as a whole, each with an example. Segment
    /// by segment from the left, the more specific one answers; an author may have meant the other.
    ///
    /// Bounded: of very many overlapping templates, only the first are reported.
    pub fn overlaps(&self) -> Vec<Overlap> {
        const MOST_PAIRS: usize = 20_000;
        let mut overlaps: Vec<_> = self
            .neighbours()
            .filter(|&(a, b)| self.routes[a].precedence(&self.routes[b]).is_lt() && self.same_query(a, b))
            .take(MOST_PAIRS)
            .filter_map(|(first, second)| {
                let example = overlap(&self.routes[first].template, &self.routes[second].template)?;
                Some(Overlap { first, second, example })
            })
            .collect();
        overlaps.sort_unstable_by_key(|overlap| (overlap.first, overlap.second));
        overlaps
    }

    /// Pairs of different routes, both ways round, that may share paths. Bounded, like [`Self::overlaps`].
    fn neighbours(&self) -> impl Iterator<Item = (usize, usize)> {
        const NODES_EACH: usize = 2_000;
        self.neighbours_within(NODES_EACH).map(|(pair, _)| pair).filter(|(a, b)| a != b)
    }

    /// Pairs of different routes, both ways round, that may share paths; each with whether there may be more of its
    /// first route.
    pub(crate) fn neighbours_within(&self, nodes_each: usize) -> impl Iterator<Item = ((usize, usize), bool)> {
        const NODES: usize = 1_000_000;
        let mut budget = NODES;
        let greedy = &self.prefixes.all;
        (0..self.routes.len()).flat_map(move |index| {
            let template = &self.routes[index].template;
            let mut each = nodes_each.min(budget);
            budget -= each;
            let mut found = Vec::new();
            if template.is_greedy() {
                found.extend(greedy.iter().copied().take(each));
                each -= found.len();
            } else {
                found = self.trie.neighbours(template, &mut each);
                let with_greedy = greedy.iter().copied().take(each);
                found.extend(with_greedy);
            }
            budget += each;
            let is_cut = each == 0;
            // Its own index stands for a list that was cut before anything was found.
            found.retain(|&other| other != index);
            found.extend((is_cut && found.is_empty()).then_some(index));
            found.into_iter().map(move |other| ((index, other), is_cut))
        })
    }

    fn strictly_includes(&self, general: usize, specific: usize) -> bool {
        let (general, specific) = (&self.routes[general], &self.routes[specific]);
        general.when.iter().all(|condition| specific.when.iter().any(|other| condition.covers(other)))
            && !general.template.same_language(&specific.template)
            && includes(&general.template, &specific.template)
    }

    fn same_query(&self, a: usize, b: usize) -> bool {
        self.routes[a].when == self.routes[b].when
    }
}

/// The route that answers.
#[derive(Debug)]
pub struct Match<'a, T> {
    /// Its index in the order of insertion.
    pub index: usize,
    /// What was inserted with it.
    pub value: &'a T,
    /// The path's parameters.
    pub params: Params<'a>,
}

/// The parameters of a path, from left to right.
#[derive(Debug, Clone)]
pub struct Params<'a> {
    template: &'a Template,
    path: &'a RequestPath<'a>,
    ranges: Ranges,
}

impl<'a> Params<'a> {
    /// The parameters of a path that the template matches.
    pub fn of(template: &'a Template, path: &'a RequestPath<'a>) -> Option<Self> {
        let mut ranges = Ranges::default();
        matches(template, path.canonical(), &mut ranges).then_some(Self { template, path, ranges })
    }

    /// The first parameter of this name.
    pub fn get(&self, name: &str) -> Option<Param<'a>> {
        self.iter().find(|param| param.name == name)
    }

    /// All of them; a name may occur twice.
    pub fn iter(&self) -> impl Iterator<Item = Param<'a>> {
        (0..self.ranges.len()).filter_map(|index| {
            let range = self.ranges.get(index)?;
            Some(Param {
                name: self.template.name(index),
                canonical: self.path.canonical().get(range.clone())?,
                wire: self.path.wire_of(range),
            })
        })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.ranges.len()
    }

    /// Whether the template has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The same parameters, free of the router and of the text that the path was read from.
    pub fn detach(&self) -> OwnedParams {
        OwnedParams {
            template: self.template.clone(),
            path: self.path.clone().into_owned(),
            ranges: self.ranges.clone(),
        }
    }
}

/// [`Params`] that borrow nothing, for a request that has to wait.
#[derive(Debug, Clone)]
pub struct OwnedParams {
    template: Template,
    path: RequestPath<'static>,
    ranges: Ranges,
}

impl OwnedParams {
    /// The parameters as they were found; nothing is matched again.
    pub fn params(&self) -> Params<'_> {
        Params { template: &self.template, path: &self.path, ranges: self.ranges.clone() }
    }
}

/// One parameter of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Param<'a> {
    /// The name in the template.
    pub name: &'a str,
    /// The part of [`RequestPath::canonical`].
    pub canonical: &'a str,
    /// The part of [`RequestPath::wire`], fit to be put into another path.
    pub wire: &'a str,
}

impl<'a> Param<'a> {
    /// The value with nothing encoded.
    pub fn decoded(&self) -> Cow<'a, str> {
        if !self.canonical.contains('%') {
            return Cow::Borrowed(self.canonical);
        }
        let text = self.canonical.as_bytes();
        let mut octets = Vec::with_capacity(text.len());
        let mut at = 0;
        while let Some(&octet) = text.get(at) {
            let decoded = if octet == b'%' { decode_at(text, at) } else { None };
            octets.push(decoded.unwrap_or(octet));
            at += if decoded.is_some() { 3 } else { 1 };
        }
        Cow::Owned(String::from_utf8_lossy(&octets).into_owned())
    }
}

/// A route and what became of it.
#[derive(Debug)]
pub struct Considered<'a, T> {
    /// Its index in the order of insertion.
    pub index: usize,
    /// Its template.
    pub template: &'a Template,
    /// What was inserted with it.
    pub value: &'a T,
    /// Whether it answers, or why not.
    pub outcome: Outcome,
}

/// Why a route answers or does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It answers.
    Answers,
    /// It matches, but a more specific one does too.
    LessSpecific {
        /// The index of the one that answers.
        than: usize,
    },
    /// The path matches, and the request does not fulfil this condition.
    Condition(Condition),
    /// The path matches, but no route answers a query that names this parameter more than once, beside a `;` or with a
    /// malformed `%`.
    UnclearQuery {
        /// The parameter's name.
        name: String,
    },
    /// The path would match, but a parameter does not take a character that servers read differently.
    Refused {
        /// The parameter's name.
        name: String,
        /// The first such character.
        character: Option<Ambiguous>,
    },
    /// The path does not match.
    Path {
        /// The first segment, counted from 0, that differs; the number of segments if the path is too short or long.
        segment: usize,
    },
}

#[derive(Debug)]
struct Route<T> {
    template: Template,
    when: Vec<Condition>,
    /// What the conditions of all routes with this template are about.
    tested: Box<[(Part, Box<str>)]>,
    value: T,
}

/// Notes at every route which parameters the routes with its template test; `order` has those side by side.
fn note_tested_names<T>(routes: &mut [Route<T>], order: &[usize]) {
    let mut rest = order;
    while let Some(&first) = rest.first() {
        let template = &routes[first].template;
        let end = rest.iter().take_while(|&&route| routes[route].template.same_language(template)).count();
        let (equal, others) = rest.split_at(end);
        let conditions = equal.iter().flat_map(|&route| &routes[route].when);
        let mut tested: Vec<(Part, Box<str>)> =
            conditions.map(|condition| (condition.part, condition.name.as_str().into())).collect();
        tested.sort_unstable();
        tested.dedup();
        for &route in equal {
            routes[route].tested = tested.clone().into();
        }
        rest = others;
    }
}

/// No route answers: the upstream may read this parameter differently.
struct UnclearQuery<'a> {
    name: &'a str,
}

impl<T> Route<T> {
    fn unclear_in(&self, selectors: Selectors<'_>) -> Option<&str> {
        let is_unclear = |(part, name): &&(Part, Box<str>)| selectors.read(*part, name) == Reading::Unclear;
        self.tested.iter().find(is_unclear).map(|(_, name)| &**name)
    }

    /// `Less` answers first. `Equal` only where the other can never answer.
    fn precedence(&self, other: &Self) -> Ordering {
        let conditions = |route: &Self| {
            let with_value = route.when.iter().filter(|condition| condition.value.is_some()).count();
            Reverse((route.when.len(), with_value))
        };
        self.template
            .specificity(&other.template)
            .then_with(|| conditions(self).cmp(&conditions(other)))
            .then_with(|| self.when.cmp(&other.when))
    }
}

/// Shapes of templates without greedy parameters.
#[derive(Debug)]
struct Shapes {
    router: matchit::Router<usize>,
    slots: Vec<Slot>,
}

#[derive(Debug)]
enum Slot {
    /// All that can match here, most specific first.
    Candidates(Box<[usize]>),
    /// Too many to list: search on each request.
    Search,
}

impl Shapes {
    fn new<T>(routes: &[Route<T>], plain: &[usize], trie: &Trie) -> Self {
        const MOST_NODES: usize = 128;
        const MOST_CANDIDATES: usize = 32;
        let mut shapes = Self { router: matchit::Router::new(), slots: Vec::new() };
        let mut seen = HashMap::new();
        // A value that one parameter refuses is refused by every other one at this place, and is no literal.
        let refuse_alike = plain.iter().all(|&route| {
            let template = &routes[route].template;
            !template.has_ambiguous_literal()
                && template.allowances().all(|(_, allowance)| allowance == Allowance::NONE)
        });
        for &route in plain {
            let segments = routes[route].template.segments();
            let shape: Vec<Option<&str>> = segments
                .iter()
                .map(|segment| if let Segment::Literal(text) = segment { Some(text.as_str()) } else { None })
                .collect();
            let Entry::Vacant(entry) = seen.entry(shape) else {
                continue;
            };
            let shape = entry.key();
            let always = |route: usize| {
                let Route { template, when, .. } = &routes[route];
                when.is_empty() && (refuse_alike || template.names().len() == 0)
            };
            let slot = match trie.candidates(shape, &always, MOST_NODES) {
                Some(candidates) if candidates.len() <= MOST_CANDIDATES => Slot::Candidates(candidates.into()),
                _ => Slot::Search,
            };
            shapes
                .router
                .insert(pattern(shape), shapes.slots.len())
                .expect("shapes differ, and no segment mixes literals and parameters");
            shapes.slots.push(slot);
            entry.insert(());
        }
        shapes
    }
}

/// A shape in `matchit`'s syntax.
fn pattern(shape: &[Option<&str>]) -> String {
    let mut pattern = String::new();
    for (index, segment) in shape.iter().enumerate() {
        pattern.push('/');
        match segment {
            Some(literal) => pattern.push_str(&literal.replace('{', "{{").replace('}', "}}")),
            None => pattern.push_str(&format!("{{{index}}}")),
        }
    }
    pattern
}

/// Greedy templates, by the literal segments that they begin with.
#[derive(Debug)]
pub(crate) struct Prefixes {
    router: matchit::Router<usize>,
    slots: Vec<Prefix>,
    /// Every greedy route, most specific first.
    all: Vec<usize>,
}

#[derive(Debug)]
struct Prefix {
    /// Most specific first.
    routes: Vec<usize>,
    /// The slot of the next shorter prefix, whose routes are less specific.
    shorter: Option<usize>,
}

impl Prefixes {
    /// `greedy` are the templates' indices, most specific first.
    pub(crate) fn new<'a>(greedy: &[usize], template: impl Fn(usize) -> &'a Template) -> Self {
        let mut prefixes = Self { router: matchit::Router::new(), slots: Vec::new(), all: greedy.to_vec() };
        let mut slots: HashMap<Vec<Option<&str>>, usize> = HashMap::new();
        for &route in greedy {
            let literals = template(route).segments().iter().map_while(|segment| match segment {
                Segment::Literal(text) => Some(Some(text.as_str())),
                _ => None,
            });
            let next = prefixes.slots.len();
            let slot = *slots.entry(literals.collect()).or_insert(next);
            if slot == next {
                prefixes.slots.push(Prefix { routes: Vec::new(), shorter: None });
            }
            prefixes.slots[slot].routes.push(route);
        }
        for (literals, &slot) in &slots {
            prefixes.slots[slot].shorter =
                (0..literals.len()).rev().find_map(|length| slots.get(&literals[..length]).copied());
            let pattern = pattern(literals) + "/{*rest}";
            prefixes.router.insert(pattern, slot).expect("prefixes differ, and each is literal up to the end");
        }
        prefixes
    }

    /// The routes whose literal beginning the path has, most specific first.
    pub(crate) fn along(&self, canonical: &str) -> impl Iterator<Item = usize> {
        let first = if self.slots.is_empty() { None } else { self.router.at(canonical).ok().map(|found| *found.value) };
        let slots = std::iter::successors(first.and_then(|slot| self.slots.get(slot)), |prefix| {
            self.slots.get(prefix.shorter?)
        });
        slots.flat_map(|prefix| prefix.routes.iter().copied())
    }
}

/// The first segment in which a path that does not match differs from a template.
fn first_difference(template: &Template, path: &str) -> usize {
    let mut texts = path.get(1..).unwrap_or_default().split('/');
    for (index, segment) in template.segments().iter().enumerate() {
        let Some(text) = texts.next() else {
            return index;
        };
        if segment.is_greedy() || !crate::matching::matches_segment(segment, text, 0, &mut Ranges::default()) {
            return index;
        }
    }
    template.segments().len()
}
