//! Paths that an upstream may read as those of another operation: the stricter of the two answers.
//!
//! The compiler marks the operations that this is about (`contested`); requests for others cost nothing here.

use std::collections::BTreeMap;

use gateway_route::{
    Condition, Meaning, Params, PathReading, RequestPath, Selectors, Template, UpstreamView, asks_no_less,
};

use crate::codegen::{Access, Operation, Requirement, Rewrite};
use crate::live::{LiveAction, LiveListener, LiveOperation, LiveRoute};

/// Where an operation is in [`LiveListener::routes`]: the route, and the place in it.
type Place = (usize, usize);

/// The operations of a listener as their upstreams may read the paths.
#[derive(Debug, Default)]
pub(crate) struct Views(Box<[UpstreamView<Place>]>);

/// Which views an operation is in, as what.
#[derive(Debug, Clone)]
pub(crate) struct Contested {
    /// A view of what the upstream takes for the same, as the document says.
    certain: Option<Entry>,
    /// Views of what it may take for the same, where this operation admits anyone.
    possible: Vec<Entry>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    view: usize,
    entry: usize,
}

/// A request that an upstream could take for one of two operations, none of which asks for all that the other does.
#[derive(Debug)]
pub(crate) struct Ambiguity;

/// What an operation is forwarded as: to the upstream of this API and URL, with this method, less this base path.
type Group = (&'static str, &'static str, &'static str, &'static str);

impl Views {
    /// Views of the upstreams with contested operations; tells these where they are.
    pub(crate) fn new(routes: &mut [LiveRoute], templates: &[(Template, Vec<Condition>)]) -> Self {
        let mut groups: BTreeMap<Group, Vec<Place>> = BTreeMap::new();
        for (index, route) in routes.iter().enumerate() {
            for (position, operation) in route.operations.iter().enumerate() {
                groups.entry(group(operation)).or_default().push((index, position));
            }
        }
        // HEAD is answered as GET where it is not described itself.
        let gets: Vec<(Group, Vec<Place>)> = groups
            .iter()
            .filter(|((.., method), _)| *method == "GET")
            .map(|(key, places)| (*key, places.clone()))
            .collect();
        for ((api, url, base, _), places) in gets {
            let Some(heads) = groups.get_mut(&(api, url, base, "HEAD")) else { continue };
            let is_described = |route: usize| routes[route].operations.iter().any(|other| other.table.method == "HEAD");
            heads.extend(places.into_iter().filter(|(route, _)| !is_described(*route)));
        }
        let mut views = Vec::new();
        for ((.., method), places) in groups {
            let all = || places.iter().map(|(route, position)| &routes[*route].operations[*position]);
            if !all().any(|operation| operation.table.contested) {
                continue;
            }
            let upstreams = || all().filter_map(upstream_paths);
            let certain = upstreams().fold(PathReading::EXACT, |all, paths| all.or(paths.certain()));
            let possible = upstreams().fold(PathReading::EXACT, |all, paths| all.or(paths.possible()));
            let mut view = |possible: PathReading| {
                let operations = places.iter().map(|place| {
                    let (template, when) = &templates[place.0];
                    (template.clone(), when.clone(), *place)
                });
                views.push(UpstreamView::new(certain, possible, operations));
                views.len() - 1
            };
            let of_certain = (certain != PathReading::EXACT).then(|| view(certain));
            let of_possible: Vec<usize> = PathReading::between(certain, possible).into_iter().map(view).collect();
            for (entry, (route, position)) in places.iter().enumerate() {
                let operation = &mut routes[*route].operations[*position];
                if operation.table.method != method {
                    continue; // A GET in the view of HEAD.
                }
                let entry = |view: usize| Entry { view, entry };
                let is_open = admits_anyone(operation.table);
                let possible = of_possible.iter().filter(|_| is_open).map(|view| entry(*view)).collect();
                operation.contested =
                    operation.table.contested.then_some(Contested { certain: of_certain.map(entry), possible });
            }
        }
        Self(views.into())
    }
}

/// The path as the upstream of a contested operation may read it, for each view in which that is another.
pub(crate) struct Readings(Vec<(Entry, RequestPath<'static>)>);

impl Readings {
    /// The readings of a path that was matched for this operation.
    pub(crate) fn of(listener: &LiveListener, operation: &LiveOperation, path: &RequestPath<'_>) -> Self {
        let Some(Contested { certain, possible }) = &operation.contested else { return Self(Vec::new()) };
        let entries = certain.iter().chain(possible);
        Self(entries.filter_map(|entry| Some((*entry, listener.views.0[entry.view].read(path)?))).collect())
    }

    /// The stricter operation that the upstream could mean, with its route and parameters; nothing where it is the one
    /// that was matched.
    ///
    /// # Errors
    /// There is none that asks for all that the others do.
    pub(crate) fn stricter<'a>(
        &'a self,
        listener: &'static LiveListener,
        operation: &'static LiveOperation,
        selectors: Selectors<'_>,
    ) -> Result<Option<(&'static LiveRoute, &'static LiveOperation, Params<'a>)>, Ambiguity> {
        let mut others = Vec::new();
        for (Entry { view, entry }, read) in &self.0 {
            match listener.views.0[*view].meaning(*entry, read, selectors) {
                Meaning::Same => {}
                Meaning::UnclearQuery => return Err(Ambiguity),
                Meaning::Others(found) => others.extend(found.into_iter().map(|((route, position), params)| {
                    let route = &listener.routes[*route];
                    (route, &route.operations[*position], params)
                })),
            }
        }
        let all = || others.iter().map(|(_, other, _)| *other).chain([operation]);
        if all().all(|other| asks_for_all_of(operation.table, other.table)) {
            return Ok(None);
        }
        let is_strictest = |candidate: &Operation| all().all(|other| asks_for_all_of(candidate, other.table));
        let strictest = others.iter().position(|(_, other, _)| is_strictest(other.table));
        strictest.map(|index| Some(others.swap_remove(index))).ok_or(Ambiguity)
    }
}

fn group(operation: &LiveOperation) -> Group {
    let (url, base) = match (&operation.action, &operation.table.action) {
        (LiveAction::Forward(to), crate::codegen::Action::Forward { path: Rewrite::Received { base }, .. }) => {
            (to.upstream.url, *base)
        }
        // What is rewritten or answered here is read by nobody else under its path.
        _ => ("", operation.table.id),
    };
    (operation.api.name, url, base, operation.table.method)
}

fn upstream_paths(operation: &LiveOperation) -> Option<crate::codegen::UpstreamPaths> {
    match &operation.action {
        LiveAction::Forward(to) => Some(to.upstream.paths),
        LiveAction::Answer(_) => None,
    }
}

fn alternatives(operation: &Operation) -> &'static [&'static [Requirement]] {
    match operation.access {
        Access::Anyone { .. } => &[&[]],
        Access::OneOf(alternatives) => alternatives,
    }
}

fn admits_anyone(operation: &Operation) -> bool {
    alternatives(operation).iter().any(|alternative| alternative.is_empty())
}

/// Whether whoever may call one operation may call the other as well.
fn asks_for_all_of(strict: &Operation, lax: &Operation) -> bool {
    let covers = |given: &Requirement, asked: &Requirement| {
        given.scheme.name() == asked.scheme.name() && asked.scopes.iter().all(|scope| given.scopes.contains(scope))
    };
    asks_no_less(alternatives(strict), alternatives(lax), covers)
        && (lax.consumers.is_none() || strict.consumers == lax.consumers)
}
