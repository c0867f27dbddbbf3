//! Paths that an upstream may read as those of another operation: the stricter of the two answers.
//!
//! The compiler marks the affected operations (`contested`); requests for others cost nothing here.

use std::collections::BTreeMap;

use gateway_route::{
    Candidates, Condition, Forwarded, Group, Meaning, Params, ReadPath, RequestPath, Selectors, Strictest, Template,
    UpstreamPaths, asks_no_less, joined, strictest,
};

use crate::deployment::{
    PlacedRoute, PreparedAction, PreparedForward, PreparedListener, PreparedOperation, ServedOperation, ServedRoute,
};
use crate::tables::{Action, Operation, Rewrite};
use crate::upstream::Endpoint;
use crate::upstream::cluster::Cluster;
use crate::views::{Contested, Place, Views};
use gateway_access::tables::{Access, Requirement};

/// A request that an upstream could take for one of two operations, none of which asks for all that the other does.
#[derive(Debug)]
pub(crate) struct Ambiguity;

impl Views {
    /// Views of the upstreams with contested operations; sets their places in the routes.
    pub fn new(routes: &mut [PlacedRoute], templates: &[(Template, Vec<Condition>)]) -> Self {
        let mut views = Vec::new();
        for Group { method, certain, possible, operations: members } in groups(routes) {
            let operation = |(route, position): Place| &routes[route].prepared.operations[position];
            let places: Vec<Place> = members.iter().map(|(place, _)| *place).collect();
            // The compiler compares operations of one document and one address; settings may give two the same address.
            let compared = |(place, url): &Member| (operation(*place).api.name, *url);
            let is_new = members.iter().any(|member| compared(member) != compared(&members[0]))
                && !places.iter().all(|place| admits_anyone(operation(*place).table));
            let is_contested = |operation: &PreparedOperation| operation.table.contested || is_new;
            if !places.iter().any(|place| is_contested(operation(*place))) {
                continue;
            }
            let operations = places.iter().map(|place| {
                let (template, when) = &templates[place.0];
                (template.clone(), when.clone(), *place)
            });
            views.push(Candidates::new(certain, possible, operations));
            for (entry, (route, position)) in places.iter().enumerate() {
                let PlacedRoute { prepared, contested, .. } = &mut routes[*route];
                let operation = &prepared.operations[*position];
                // A GET in the view of HEAD is checked in its own.
                if operation.table.method == method && is_contested(operation) {
                    contested[*position].push(Contested { view: views.len() - 1, entry });
                }
            }
        }
        Self(views.into())
    }
}

/// An operation, and where one of its upstreams is.
type Member = (Place, &'static str);

/// The operations that one upstream gets under the same paths.
fn groups(routes: &[PlacedRoute]) -> Vec<Group<'static, Member>> {
    let mut forwarded = Vec::new();
    let servers = servers(routes);
    for (index, route) in routes.iter().enumerate() {
        let operations = &route.prepared.operations;
        let has_head = operations.iter().any(|operation| operation.table.method == "HEAD");
        for (position, PreparedOperation { table, action, .. }) in operations.iter().enumerate() {
            // What is rewritten or answered here is read nowhere else under its path.
            let (PreparedAction::Forward(to), Action::Forward { path: Rewrite::Received { base }, .. }) =
                (action, &table.action)
            else {
                continue;
            };
            for to in to.all() {
                let paths: UpstreamPaths = to.upstream().paths;
                let server = servers.get(&to.cluster.number());
                let server = (server, &*to.first().prefix, *base);
                let value = ((index, position), to.upstream().first_url());
                forwarded.push(Forwarded { server, method: table.method, has_head, paths, value });
            }
        }
    }
    Group::all(forwarded)
}

/// The address that stands for each upstream, by its number: upstreams with a common endpoint are one server.
fn servers(routes: &[PlacedRoute]) -> BTreeMap<usize, (String, u16)> {
    let operations = routes.iter().flat_map(|route| &route.prepared.operations);
    let clusters: BTreeMap<usize, &Cluster> = operations
        .filter_map(|operation| match &operation.action {
            PreparedAction::Forward(to) => Some(to),
            PreparedAction::Answer(_) => None,
        })
        .flat_map(PreparedForward::all)
        .map(|to| (to.cluster.number(), &*to.cluster))
        .collect();
    let servers = servers_of(clusters.values().map(|cluster| cluster.described().endpoints));
    clusters.keys().copied().zip(servers).filter_map(|(number, server)| Some((number, server?))).collect()
}

/// For the endpoints of each upstream, the address that stands for its server.
fn servers_of<'e>(upstreams: impl Iterator<Item = &'e [Endpoint]>) -> Vec<Option<(String, u16)>> {
    let place = |Endpoint { host, port, .. }: &Endpoint| (host.trim_end_matches('.').to_owned(), *port);
    let sets: Vec<Vec<_>> = upstreams.map(|endpoints| endpoints.iter().map(place).collect()).collect();
    joined(&sets)
}

/// Which upstreams are one server: for each, the place of the first one with which it has an endpoint in common. What
/// their paths are checked for depends on it.
pub fn partition<'e>(upstreams: impl Iterator<Item = &'e [Endpoint]>) -> Vec<usize> {
    let servers = servers_of(upstreams);
    let first = |server: &Option<(String, u16)>| servers.iter().position(|one| one == server).unwrap_or_default();
    servers.iter().map(first).collect()
}

/// The path as the upstream of a contested operation may read it, for each reading in which it may be another's.
pub(crate) struct Readings(Vec<ReadPath<Place>>);

impl Readings {
    /// The readings of a path that was matched for this operation.
    pub(crate) fn of(listener: &PreparedListener, operation: ServedOperation<'_>, path: &RequestPath<'_>) -> Self {
        let ServedOperation { prepared, contested, .. } = operation;
        let matters =
            |(route, position): &Place| !asks_for_all_of(prepared, listener.route(*route).at(*position).prepared);
        let of_view = |Contested { view, entry }: &Contested| {
            listener.apis.views.0[*view].readings(*entry, path, admits_anyone(prepared.table), matters)
        };
        Self(contested.iter().flat_map(of_view).collect())
    }

    /// The stricter operation that the upstream could mean, with its route and parameters; nothing where it is the one
    /// that was matched.
    ///
    /// # Errors
    /// There is none that asks for all that the others do.
    pub(crate) fn stricter<'a>(
        &'a self,
        listener: &'static PreparedListener,
        operation: ServedOperation<'static>,
        selectors: Selectors<'_>,
    ) -> Result<Option<(ServedRoute<'static>, ServedOperation<'static>, Params<'a>)>, Ambiguity> {
        let mut others: Vec<Candidate<'a>> = Vec::new();
        for read in &self.0 {
            match read.meaning(selectors) {
                Meaning::Same => {}
                Meaning::UnclearQuery => return Err(Ambiguity),
                Meaning::Others(found) => others.extend(found.into_iter().map(|((route, position), params)| {
                    let route = listener.route(*route);
                    (Some((route, params)), route.at(*position))
                })),
            }
        }
        let asks =
            |(_, strict): &Candidate<'_>, (_, lax): &Candidate<'_>| asks_for_all_of(strict.prepared, lax.prepared);
        match strictest(&(None, operation), others, asks) {
            Strictest::Matched => Ok(None),
            Strictest::Other((found, operation)) => Ok(found.map(|(route, params)| (route, operation, params))),
            Strictest::None => Err(Ambiguity),
        }
    }
}

/// An operation that may answer; another one than the matched one with its route and parameters.
type Candidate<'a> = (Option<(ServedRoute<'static>, Params<'a>)>, ServedOperation<'static>);

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
fn asks_for_all_of(strict: &PreparedOperation, lax: &PreparedOperation) -> bool {
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
