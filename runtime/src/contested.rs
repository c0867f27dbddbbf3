//! Paths that an upstream may read as those of another operation: the stricter of the two answers.
//!
//! The compiler marks the operations that this is about (`contested`); requests for others cost nothing here.

use gateway_route::{
    Condition, Forwarded, Group, Meaning, Params, PathReading, RequestPath, Selectors, Strictest, Template,
    UpstreamPaths, UpstreamView, asks_no_less, strictest,
};

use crate::codegen::{Access, Action, Operation, Requirement, Rewrite, Upstream};
use crate::live::{LiveAction, LiveListener, LiveOperation, LiveRoute};
use crate::upstream::Endpoint;

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

impl Views {
    /// Views of the upstreams with contested operations; tells these where they are.
    pub(crate) fn new(routes: &mut [LiveRoute], templates: &[(Template, Vec<Condition>)]) -> Self {
        let mut views = Vec::new();
        for Group { method, certain, possible, operations: places } in groups(routes) {
            let operation = |(route, position): Place| &routes[route].operations[position];
            // The compiler compares operations of one document and one address; settings may give two the same address.
            let compared = |place: &Place| (operation(*place).api.name, upstream(operation(*place)).map(|it| it.url));
            let is_new = places.iter().any(|place| compared(place) != compared(&places[0]))
                && !places.iter().all(|place| admits_anyone(operation(*place).table));
            let is_contested = |operation: &LiveOperation| operation.table.contested || is_new;
            if !places.iter().any(|place| is_contested(operation(*place))) {
                continue;
            }
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
                    is_contested(operation).then_some(Contested { certain: of_certain.map(entry), possible });
            }
        }
        Self(views.into())
    }
}

/// The operations that one upstream gets under the same paths.
fn groups(routes: &[LiveRoute]) -> Vec<Group<'static, Place>> {
    let mut forwarded = Vec::new();
    for (index, route) in routes.iter().enumerate() {
        let has_head = route.operations.iter().any(|operation| operation.table.method == "HEAD");
        for (position, LiveOperation { table, action, .. }) in route.operations.iter().enumerate() {
            // What is rewritten or answered here is read nowhere else under its path.
            let (LiveAction::Forward(to), Action::Forward { path: Rewrite::Received { base }, .. }) =
                (action, &table.action)
            else {
                continue;
            };
            let paths: UpstreamPaths = to.upstream.paths;
            let Endpoint { host, port, prefix, .. } = &to.endpoint;
            let (server, value) = ((host, port, prefix, *base), (index, position));
            forwarded.push(Forwarded { server, method: table.method, has_head, paths, value });
        }
    }
    Group::all(forwarded)
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
        let mut others: Vec<Candidate<'a>> = Vec::new();
        for (Entry { view, entry }, read) in &self.0 {
            match listener.views.0[*view].meaning(*entry, read, selectors) {
                Meaning::Same => {}
                Meaning::UnclearQuery => return Err(Ambiguity),
                Meaning::Others(found) => others.extend(found.into_iter().map(|((route, position), params)| {
                    let route = &listener.routes[*route];
                    (Some((route, params)), &route.operations[*position])
                })),
            }
        }
        let asks = |(_, strict): &Candidate<'_>, (_, lax): &Candidate<'_>| asks_for_all_of(strict, lax);
        match strictest(&(None, operation), others, asks) {
            Strictest::Matched => Ok(None),
            Strictest::Other((found, operation)) => Ok(found.map(|(route, params)| (route, operation, params))),
            Strictest::None => Err(Ambiguity),
        }
    }
}

/// An operation that may answer; another one than the matched one with its route and parameters.
type Candidate<'a> = (Option<(&'static LiveRoute, Params<'a>)>, &'static LiveOperation);

fn upstream(operation: &LiveOperation) -> Option<&'static Upstream> {
    match &operation.action {
        LiveAction::Forward(to) => Some(to.upstream),
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

/// Whether a caller that one operation admits is admitted by the other as well. Schemes of two documents have nothing in
/// common.
fn asks_for_all_of(strict: &LiveOperation, lax: &LiveOperation) -> bool {
    let is_one_document = strict.api.name == lax.api.name;
    let (strict, lax) = (strict.table, lax.table);
    let covers = |given: &Requirement, asked: &Requirement| {
        is_one_document
            && given.scheme.name() == asked.scheme.name()
            && asked.scopes.iter().all(|scope| given.scopes.contains(scope))
    };
    asks_no_less(alternatives(strict), alternatives(lax), covers)
        && (lax.consumers.is_none() || (is_one_document && strict.consumers == lax.consumers))
}
