//! Operations that one upstream may take for each other, because it reads their paths with less care than the gateway.

use gateway_route::{
    Forwarded, Meaning, PathReading, RequestPath, Rivals, Selectors, Strictest, Template, UpstreamView, asks_no_less,
    joined, strictest,
};

use crate::address::Address;
use crate::ir::{Access, Action, Api, ConsumerRules, Operation, Requirement, Rewrite, Route, Upstream};

/// Where an operation is, by index: the API, the route in it, and the operation in the route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) api: usize,
    pub(crate) route: usize,
    pub(crate) operation: usize,
}

/// The operations with one method that one upstream gets.
pub(crate) struct Group<'a> {
    apis: &'a [Api],
    /// What the upstream takes for the same, as the document says.
    pub(crate) certain: PathReading,
    /// What it may take for the same.
    pub(crate) possible: PathReading,
    pub(crate) operations: Vec<Place>,
    /// Of each operation, the path of the upstream's address, the prefix of what it gets; `""` where all have the
    /// same.
    prefixes: Vec<String>,
}

/// The upstreams of each API with the address that stands for all of theirs: upstreams with a common endpoint are one
/// server.
fn servers(apis: &[Api]) -> Vec<Vec<(&Upstream, Address)>> {
    let addresses = |upstream: &Upstream| -> Vec<Address> {
        upstream.endpoints.iter().map(|endpoint| Address::of(&endpoint.url)).collect()
    };
    let place = |address: &Address| (address.host.clone(), address.port);
    let sets: Vec<Vec<(String, u16)>> = apis
        .iter()
        .flat_map(|api| &api.upstreams)
        .map(|upstream| addresses(upstream).iter().map(place).collect())
        .collect();
    let mut chosen = joined(&sets).into_iter();
    let mut of = |upstream| {
        let own = Address::of(Upstream::first_url(upstream));
        let (host, port) = chosen.next().flatten().unwrap_or_else(|| place(&own));
        (upstream, Address { host, port, prefix: own.prefix })
    };
    apis.iter().map(|api| api.upstreams.iter().map(&mut of).collect()).collect()
}

/// A view of a group; its values are indices into [`Group::operations`].
pub(crate) type View = UpstreamView<usize>;

impl<'a> Group<'a> {
    /// Every group of an API in which operations differ in what they ask for. The paths of a group have one base path.
    pub(crate) fn of(api: &'a Api) -> Vec<Self> {
        let apis = std::slice::from_ref(api);
        let mut groups = Self::find(apis, |address, base| (address.clone(), base));
        for group in &mut groups {
            // It is that of the whole group.
            group.prefixes.iter_mut().for_each(String::clear);
        }
        groups
    }

    /// Every group of all APIs in which operations differ in what they ask for, whatever the base paths. Its paths are
    /// those behind the host.
    pub(crate) fn across(apis: &'a [Api]) -> Vec<Self> {
        Self::find(apis, |address, _| (address.host.clone(), address.port))
    }

    fn find<Server: Ord + Clone>(apis: &'a [Api], server: impl Fn(&Address, &'a str) -> Server) -> Vec<Self> {
        let mut forwarded = Vec::new();
        let servers = servers(apis);
        for (index, api) in apis.iter().enumerate() {
            let addresses = &servers[index];
            for (route_index, route) in api.routes.iter().enumerate() {
                let has_head = route.operations.iter().any(|operation| operation.method == "HEAD");
                for (position, operation) in route.operations.iter().enumerate() {
                    // What is rewritten is matched here, and read there, under different paths.
                    let Action::Forward { rewrite: Rewrite::Received { base }, .. } = &operation.action else {
                        continue;
                    };
                    let place = Place { api: index, route: route_index, operation: position };
                    for name in operation.action.upstreams() {
                        let known = addresses.iter().find(|(known, _)| known.name == name);
                        let Some((upstream, address)) = known else { continue };
                        forwarded.push(Forwarded {
                            server: server(address, base),
                            method: &operation.method,
                            has_head,
                            paths: upstream.paths,
                            value: (place, address.prefix.as_str()),
                        });
                    }
                }
            }
        }
        let groups = gateway_route::Group::all(forwarded).into_iter();
        let groups = groups.map(|gateway_route::Group { certain, possible, operations, .. }| Self {
            apis,
            certain,
            possible,
            prefixes: operations.iter().map(|(_, prefix)| (*prefix).to_owned()).collect(),
            operations: operations.into_iter().map(|(place, _)| place).collect(),
        });
        groups.filter(Self::differ).collect()
    }

    /// Whether it makes a difference which operation is meant.
    fn differ(&self) -> bool {
        let mut all = (0..self.operations.len()).map(|index| self.operation(index));
        let Some(first) = all.next() else { return false };
        all.any(|other| !is_same_access(first, other))
    }

    /// The API of an operation.
    pub(crate) fn api(&self, index: usize) -> &'a Api {
        &self.apis[self.operations[index].api]
    }

    /// The route of an operation.
    pub(crate) fn route(&self, index: usize) -> &'a Route {
        &self.api(index).routes[self.operations[index].route]
    }

    /// An operation of the group.
    pub(crate) fn operation(&self, index: usize) -> &'a Operation {
        &self.route(index).operations[self.operations[index].operation]
    }

    /// The base path that the upstream does not get.
    pub(crate) fn base(&self, index: usize) -> &'a str {
        match &self.operation(index).action {
            Action::Forward { rewrite: Rewrite::Received { base }, .. } => base,
            Action::Forward { .. } | Action::Answer(_) => "",
        }
    }

    /// What the upstream gets before the path, where operations of the group differ in it.
    pub(crate) fn prefix(&self, index: usize) -> &str {
        &self.prefixes[index]
    }

    /// The template as the upstream gets it.
    pub(crate) fn forwarded(&self, index: usize) -> Template {
        let template = self.route(index).template.below(self.base(index));
        // An address has been read as a path before.
        match Template::parse(self.prefix(index)) {
            Ok(prefix) => template.behind(&prefix),
            Err(_) => template,
        }
    }

    /// A view of the group, of which the upstream reads the paths as `certain` says, and may read them as `possible`
    /// says. Its paths are those that the upstream gets.
    pub(crate) fn view(&self, certain: PathReading, possible: PathReading) -> View {
        self.view_of(0..self.operations.len(), certain, possible)
    }

    /// The same of some operations.
    pub(crate) fn view_of(
        &self,
        operations: impl IntoIterator<Item = usize>,
        certain: PathReading,
        possible: PathReading,
    ) -> View {
        let operations = operations.into_iter();
        let operations = operations.map(|index| (self.forwarded(index), self.route(index).when.clone(), index));
        UpstreamView::new(certain, possible, operations)
    }
}

/// Notes the operations of which some paths may be read as those of another operation, so that the stricter one answers.
pub(crate) fn mark_contested(api: &mut Api) {
    let mut contested = Vec::new();
    for group in Group::of(api) {
        if group.certain != PathReading::EXACT {
            let rivals = group.view(group.certain, group.certain).rivals();
            contested.extend(group.contested(&rivals, |one, other| !is_same_access(one, other)));
        }
        // Readings that make of the templates the same have the same rivals.
        let mut known = Vec::new();
        for possible in PathReading::between(group.certain, group.possible) {
            let among = possible.among((0..group.operations.len()).map(|index| &group.route(index).template));
            if known.contains(&among) {
                continue;
            }
            known.push(among);
            let rivals = group.view(group.certain, possible).rivals();
            contested.extend(group.contested(&rivals, |open, closed| admits_anyone(open) && !admits_anyone(closed)));
        }
    }
    for Place { route, operation, .. } in contested {
        api.routes[route].operations[operation].contested = true;
    }
}

impl Group<'_> {
    /// Whether one of two operations asks for all that the other asks for. Schemes of two documents have nothing in
    /// common.
    pub(crate) fn are_comparable(&self, one: usize, other: usize) -> bool {
        let is_one_api = self.operations[one].api == self.operations[other].api;
        let asks = |one: usize, other: usize| {
            let (strict, lax) = (self.operation(one), self.operation(other));
            if is_one_api {
                asks_for_all_of(strict, lax)
            } else {
                admits_anyone(lax) && lax.consumers == ConsumerRules::default()
            }
        };
        asks(one, other) || asks(other, one)
    }

    /// The operations with a rival that makes a difference; all of them where there are too many rivals to look at.
    fn contested(&self, rivals: &Rivals, differ: impl Fn(&Operation, &Operation) -> bool) -> Vec<Place> {
        let all = (0..self.operations.len()).filter(|_| !rivals.is_complete);
        let some = rivals.pairs.iter().filter(|(entry, rival)| differ(self.operation(*entry), self.operation(*rival)));
        all.chain(some.map(|(entry, _)| *entry)).map(|index| self.operations[index]).collect()
    }
}

/// An operation that answers in the place of the one that was matched, with the names and values of its parameters.
pub(crate) type Other<'a> = (&'a Route, &'a Operation, Vec<(String, String)>);

/// Finds the stricter of the operations that the upstream could mean; `place` is that of the one that was matched.
pub(crate) fn stricter<'a>(
    api: &'a Api,
    place: (usize, usize),
    path: &RequestPath<'_>,
    selectors: Selectors<'_>,
) -> Strictest<Other<'a>> {
    let (matched_route, matched) = (&api.routes[place.0], &api.routes[place.0].operations[place.1]);
    let place = Place { api: 0, route: place.0, operation: place.1 };
    let groups = Group::of(api);
    let mut others = Vec::new();
    // One for each upstream that may get the request.
    let own = groups.iter().filter_map(|group| Some((group, group.operations.iter().position(|it| *it == place)?)));
    for (group, entry) in own.filter(|_| matched.contested) {
        // The base path is a literal prefix of every path that was matched.
        let below = match path.wire_of(group.base(entry).len()..path.canonical().len()) {
            "" => "/",
            below => below,
        };
        let Ok(below) = RequestPath::parse(below) else { return Strictest::None };
        let certain = (group.certain != PathReading::EXACT).then_some(group.certain);
        let possible = PathReading::between(group.certain, group.possible);
        let possible = possible.into_iter().filter(|_| admits_anyone(matched));
        for possible in certain.into_iter().chain(possible) {
            let view = group.view(group.certain, possible);
            let Some(read) = view.read(&below) else { continue };
            match view.meaning(entry, &read, selectors) {
                Meaning::Same => {}
                Meaning::UnclearQuery => return Strictest::None,
                Meaning::Others(found) => others.extend(found.into_iter().map(|(index, params)| {
                    let params = params.iter().map(|param| (param.name.to_owned(), param.decoded().into_owned()));
                    (group.route(*index), group.operation(*index), params.collect::<Vec<_>>())
                })),
            }
        }
    }
    strictest(&(matched_route, matched, Vec::new()), others, |(_, one, _), (_, other, _)| asks_for_all_of(one, other))
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

/// Whether every caller that may call one operation may call the other as well.
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
