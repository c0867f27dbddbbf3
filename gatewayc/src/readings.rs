//! Operations that one upstream may take for each other, because it reads their paths with less care than the gateway.

use std::collections::BTreeMap;

use gateway_route::{Meaning, PathReading, RequestPath, Rivals, Selectors, UpstreamView, asks_no_less};

use crate::ir::{Access, Action, ConsumerRules, Operation, Requirement, Rewrite, Route, Upstream};

/// The operations with one method that one upstream gets under the same paths, by index: of the route, and within it.
pub(crate) struct Group {
    /// What the upstream takes for the same, as the document says.
    pub(crate) certain: PathReading,
    /// What it may take for the same.
    pub(crate) possible: PathReading,
    /// The operations.
    pub(crate) operations: Vec<(usize, usize)>,
}

/// A view of a group; its values are indices into [`Group::operations`].
pub(crate) type View = UpstreamView<usize>;

impl Group {
    /// Every group of an API.
    pub(crate) fn all(routes: &[Route], upstreams: &[Upstream]) -> Vec<Self> {
        let mut groups: BTreeMap<(&str, &str, &str), Self> = BTreeMap::new();
        for (index, route) in routes.iter().enumerate() {
            for (position, operation) in route.operations.iter().enumerate() {
                // What is rewritten is matched here, and read there, under different paths.
                let Action::Forward { upstream, rewrite: Rewrite::Received { base } } = &operation.action else {
                    continue;
                };
                let Some(upstream) = upstreams.iter().find(|known| known.name == *upstream) else { continue };
                let group = groups.entry((&upstream.url, base, &operation.method)).or_insert(Self {
                    certain: PathReading::EXACT,
                    possible: PathReading::EXACT,
                    operations: Vec::new(),
                });
                group.certain = group.certain.or(upstream.paths.certain());
                group.possible = group.possible.or(upstream.paths.possible());
                group.operations.push((index, position));
            }
        }
        // HEAD is answered as GET where it is not described itself.
        let is_described =
            |route: usize| routes[route].operations.iter().any(|operation: &Operation| operation.method == "HEAD");
        let gets: Vec<(_, Vec<(usize, usize)>)> = groups
            .iter()
            .filter(|((.., method), _)| *method == "GET")
            .map(|((url, base, _), group)| ((*url, *base), group.operations.clone()))
            .collect();
        for ((url, base), operations) in gets {
            if let Some(heads) = groups.get_mut(&(url, base, "HEAD")) {
                heads.operations.extend(operations.into_iter().filter(|(route, _)| !is_described(*route)));
            }
        }
        groups.into_values().filter(|group| group.differ(routes)).collect()
    }

    /// Whether it makes a difference which operation is meant.
    fn differ(&self, routes: &[Route]) -> bool {
        let mut all = (0..self.operations.len()).map(|index| self.operation(routes, index));
        let Some(first) = all.next() else { return false };
        all.any(|other| !is_same_access(first, other))
    }

    /// An operation of the group.
    pub(crate) fn operation<'r>(&self, routes: &'r [Route], index: usize) -> &'r Operation {
        let (route, position) = self.operations[index];
        &routes[route].operations[position]
    }

    /// A view of the group, of which the upstream reads the paths as `certain` says, and may read them as `possible`
    /// says.
    pub(crate) fn view(&self, routes: &[Route], certain: PathReading, possible: PathReading) -> View {
        let operations = self.operations.iter().enumerate().map(|(index, (route, _))| {
            let route = &routes[*route];
            (route.template.clone(), route.when.clone(), index)
        });
        UpstreamView::new(certain, possible, operations)
    }
}

/// Notes the operations of which some paths may be read as those of another operation, so that the stricter one answers.
pub(crate) fn mark_contested(routes: &mut [Route], upstreams: &[Upstream]) {
    for group in Group::all(routes, upstreams) {
        let mut contested = Vec::new();
        if group.certain != PathReading::EXACT {
            let rivals = group.view(routes, group.certain, group.certain).rivals();
            contested.extend(group.contested(routes, &rivals, |one, other| !is_same_access(one, other)));
        }
        for possible in PathReading::between(group.certain, group.possible) {
            let rivals = group.view(routes, group.certain, possible).rivals();
            let is_way_around = |open: &Operation, closed: &Operation| admits_anyone(open) && !admits_anyone(closed);
            contested.extend(group.contested(routes, &rivals, is_way_around));
        }
        for (route, position) in contested {
            routes[route].operations[position].contested = true;
        }
    }
}

impl Group {
    /// The operations with a rival that makes a difference; all of them where there are too many rivals to look at.
    fn contested<'a>(
        &'a self,
        routes: &'a [Route],
        rivals: &'a Rivals,
        differ: impl Fn(&Operation, &Operation) -> bool + 'a,
    ) -> impl Iterator<Item = (usize, usize)> + 'a {
        let all = (0..self.operations.len()).filter(|_| !rivals.is_complete);
        let some = rivals
            .pairs
            .iter()
            .filter(move |(entry, rival)| differ(self.operation(routes, *entry), self.operation(routes, *rival)));
        all.chain(some.map(|(entry, _)| *entry)).map(|index| self.operations[index])
    }
}

/// Which operation answers a request for a path that was matched for another one.
pub(crate) enum Stricter<'a> {
    /// The one that was matched.
    Same,
    /// One that the upstream may take the path for, with the names and values of its parameters.
    Other(&'a Route, &'a Operation, Vec<(String, String)>),
    /// None: the upstream could mean several, and none asks for all that the others do.
    None,
}

/// Finds the stricter of the operations that the upstream could mean; `place` is that of the one that was matched.
pub(crate) fn stricter<'a>(
    routes: &'a [Route],
    upstreams: &[Upstream],
    place: (usize, usize),
    path: &RequestPath<'_>,
    selectors: Selectors<'_>,
) -> Stricter<'a> {
    let groups = Group::all(routes, upstreams);
    let found = groups.iter().find_map(|group| Some((group, group.operations.iter().position(|it| *it == place)?)));
    let Some((group, entry)) = found.filter(|(group, entry)| group.operation(routes, *entry).contested) else {
        return Stricter::Same;
    };
    let matched = group.operation(routes, entry);
    let certain = (group.certain != PathReading::EXACT).then_some(group.certain);
    let possible = PathReading::between(group.certain, group.possible);
    let possible = possible.into_iter().filter(|_| admits_anyone(matched));
    let mut others = Vec::new();
    for possible in certain.into_iter().chain(possible) {
        let view = group.view(routes, group.certain, possible);
        let Some(read) = view.read(path) else { continue };
        match view.meaning(entry, &read, selectors) {
            Meaning::Same => {}
            Meaning::UnclearQuery => return Stricter::None,
            Meaning::Others(found) => others.extend(found.into_iter().map(|(index, params)| {
                let params = params.iter().map(|param| (param.name.to_owned(), param.decoded().into_owned()));
                (*index, params.collect::<Vec<_>>())
            })),
        }
    }
    let all = || others.iter().map(|(index, _)| group.operation(routes, *index)).chain([matched]);
    let is_strictest = |candidate: &Operation| all().all(|other| asks_for_all_of(candidate, other));
    if is_strictest(matched) {
        return Stricter::Same;
    }
    let strictest = others.iter().find(|(index, _)| is_strictest(group.operation(routes, *index)));
    strictest.map_or(Stricter::None, |(index, params)| {
        let (route, position) = group.operations[*index];
        Stricter::Other(&routes[route], &routes[route].operations[position], params.clone())
    })
}

/// Whether a request without a credential is admitted.
pub(crate) fn admits_anyone(operation: &Operation) -> bool {
    match &operation.access {
        Access::Anyone { .. } => true,
        Access::OneOf(alternatives) => alternatives.iter().any(Vec::is_empty),
    }
}

fn is_same_access(one: &Operation, other: &Operation) -> bool {
    alternatives(one) == alternatives(other) && one.consumers == other.consumers
}

/// Whether one of two operations asks for all that the other asks for.
pub(crate) fn are_comparable(one: &Operation, other: &Operation) -> bool {
    asks_for_all_of(one, other) || asks_for_all_of(other, one)
}

/// Whether whoever may call one operation may call the other as well.
fn asks_for_all_of(strict: &Operation, lax: &Operation) -> bool {
    let covers = |given: &Requirement, asked: &Requirement| {
        given.scheme == asked.scheme && asked.scopes.iter().all(|scope| given.scopes.contains(scope))
    };
    asks_no_less(alternatives(strict), alternatives(lax), covers)
        && (lax.consumers == ConsumerRules::default() || strict.consumers == lax.consumers)
}

fn alternatives(operation: &Operation) -> &[Vec<Requirement>] {
    const ANYONE: &[Vec<Requirement>] = &[Vec::new()];
    match &operation.access {
        Access::Anyone { .. } => ANYONE,
        Access::OneOf(alternatives) => alternatives,
    }
}
