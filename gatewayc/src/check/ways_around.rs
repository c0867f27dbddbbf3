//! Public paths that are a way around guarded ones, because an upstream reads paths with less care than the gateway.

use std::collections::{BTreeMap, BTreeSet};

use gateway_route::{Ambiguous, Meaning, Params, PathReading, RequestPath, Router, RouterBuilder, Template};
use gateway_yaml::Span;

use crate::diagnostic::{Diagnostic, Diagnostics, GW507, GW509};
use crate::ir::{Api, Gateway, ParameterKind, PathParameter, Route};
use crate::policy;
use crate::readings::{Group, View, admits_anyone};

/// Public operations with a guarded one that the same upstream may serve in their place.
pub(super) fn check(api: &Api, router: &Router<usize>, diagnostics: &mut Diagnostics) {
    let answers = |path: &RequestPath<'_>| router.find(path, None).map(|found| &api.routes[*found.value]);
    let mut found = Found::default();
    for group in Group::of(api) {
        check_certainly_equal(&group, |_, _, _| true, diagnostics);
        let search = Search { answers: &answers, group: &group, concerns: |_, _, _| true };
        found.extend(search.by_reading());
        found.extend(search.by_decoding());
    }
    found.report(diagnostics);
}

/// The same for operations of several documents, or with several base paths, that one upstream gets.
pub(super) fn check_across(gateway: &Gateway, diagnostics: &mut Diagnostics) {
    let mut builder = RouterBuilder::new();
    for route in gateway.apis.iter().flat_map(|api| &api.routes) {
        builder.insert(route.template.clone(), route.when.clone(), route);
    }
    let (router, _) = builder.build();
    let answers = |path: &RequestPath<'_>| router.find(path, None).map(|found| *found.value);
    let mut found = Found::default();
    for group in Group::across(&gateway.apis) {
        let place = |index: usize| (group.operations[index].api, group.base(index));
        let Some(first) = (!group.operations.is_empty()).then(|| place(0)) else { continue };
        if (1..group.operations.len()).all(|index| place(index) == first) {
            continue;
        }
        // What is asked for under another base path is no answer to the same request.
        let is_elsewhere = |group: &Group<'_>, one: usize, other: usize| {
            group.operations[one].api != group.operations[other].api && group.base(one) == group.base(other)
        };
        check_certainly_equal(&group, is_elsewhere, diagnostics);
        let concerns = |group: &Group<'_>, one: usize, other: usize| {
            let place = |index: usize| (group.operations[index].api, group.base(index));
            place(one) != place(other)
        };
        let search = Search { answers: &answers, group: &group, concerns };
        found.extend(search.as_written());
        found.extend(search.by_reading());
        found.extend(search.by_decoding());
    }
    found.report(diagnostics);
}

/// Ways around guarded routes, by the place of the public one in its document.
#[derive(Default)]
struct Found<'a>(BTreeMap<Span, (&'a Route, Vec<WayAround<'a>>)>);

impl<'a> Found<'a> {
    fn extend(&mut self, ways: Vec<(&'a Route, WayAround<'a>)>) {
        for (public, way) in ways {
            self.0.entry(public.span).or_insert((public, Vec::new())).1.push(way);
        }
    }

    fn report(self, diagnostics: &mut Diagnostics) {
        for (public, mut ways) in self.0.into_values() {
            ways.sort_by_key(|way| (way.guarded.span, way.upstream.is_some()));
            ways.dedup_by_key(|way| way.guarded.span);
            // What needs no special upstream comes first.
            ways.sort_by_key(|way| way.upstream.is_some());
            diagnostics.extend(report(public, &ways));
        }
    }
}

/// A guarded route, and a request that shows how to get there.
struct WayAround<'a> {
    guarded: &'a Route,
    /// What an upstream does that serves it, in words; nothing where each does.
    upstream: Option<&'static str>,
    /// The path of the request.
    request: String,
    /// The path that the upstream may take it for.
    meaning: String,
    /// What to write where the upstream does not.
    denial: Option<&'static str>,
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

struct Search<'s, 'a> {
    /// The route that answers a path.
    answers: &'s dyn Fn(&RequestPath<'_>) -> Option<&'a Route>,
    group: &'s Group<'a>,
    concerns: Concerns,
}

impl<'a> Search<'_, 'a> {
    fn is_public(&self, operation: usize) -> bool {
        admits_anyone(self.group.operation(operation))
    }

    /// A public operation and a guarded one that are to be compared.
    fn is_candidate(&self, public: usize, guarded: usize) -> bool {
        self.is_public(public) && !self.is_public(guarded) && (self.concerns)(self.group, public, guarded)
    }

    /// Ways around that no server needs to read differently: two base paths, of which the upstream gets none.
    fn as_written(&self) -> Vec<(&'a Route, WayAround<'a>)> {
        let view = self.group.view(PathReading::EXACT, PathReading::EXACT);
        // They are not matched side by side, so that it does not count which is more specific.
        let pairs = view.rivals().pairs.into_iter().flat_map(|(one, other)| [(one, other), (other, one)]);
        let pairs = pairs.filter(|(public, guarded)| {
            self.group.base(*public) != self.group.base(*guarded) && self.is_candidate(*public, *guarded)
        });
        let found = pairs.filter_map(|(public, guarded)| {
            let meaning = view.example(public, guarded)?;
            let request = format!("{}{meaning}", self.group.base(public));
            let path = RequestPath::parse(&request).ok()?;
            if !self.answers(public, &path) {
                return None;
            }
            let guarded = self.group.route(guarded);
            Some((self.group.route(public), WayAround { guarded, upstream: None, request, meaning, denial: None }))
        });
        found.collect()
    }

    /// Ways around for an upstream that takes more for the same than the document says. Where it says so, the stricter
    /// operation answers.
    fn by_reading(&self) -> Vec<(&'a Route, WayAround<'a>)> {
        let Group { certain, possible, .. } = *self.group;
        let mut found = Vec::new();
        for kind in
            KINDS.iter().filter(|kind| kind.reading.or(certain) != certain && kind.reading.or(possible) == possible)
        {
            if !self.can_matter(kind) {
                continue;
            }
            let view = self.group.view(certain.or(kind.reading), certain.or(kind.reading));
            let pairs = view.rivals().pairs.into_iter();
            let pairs = pairs.filter(|(public, guarded)| self.is_candidate(*public, *guarded));
            found.extend(pairs.filter_map(|(public, guarded)| {
                let way = self.misread(&view, kind, public, guarded)?;
                Some((self.group.route(public), way))
            }));
        }
        found
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
    fn misread(&self, view: &View, kind: &Kind, public: usize, guarded: usize) -> Option<WayAround<'a>> {
        let meaning = view.example(public, guarded)?;
        let template = self.group.forwarded(public).to_string();
        let mut requests = (kind.spell)(&meaning, &template).into_iter();
        let request = requests.find(|request| self.is_misread(view, request, public, guarded))?;
        let request = format!("{}{request}", self.group.base(public));
        let guarded = self.group.route(guarded);
        Some(WayAround { guarded, upstream: Some(kind.upstream), request, meaning, denial: Some(kind.denial) })
    }

    /// Whether an upstream that gets this path may take it for one of the guarded operation.
    fn is_misread(&self, view: &View, path: &str, public: usize, guarded: usize) -> bool {
        let request = format!("{}{path}", self.group.base(public));
        let (Ok(path), Ok(request)) = (RequestPath::parse(path), RequestPath::parse(&request)) else { return false };
        let Some(read) = view.read(&path).filter(|_| self.answers(public, &request)) else { return false };
        match view.meaning(public, &read, None) {
            Meaning::Others(others) => others.iter().any(|(index, _)| **index == guarded),
            Meaning::Same | Meaning::UnclearQuery => false,
        }
    }

    /// Ways around through parameters that may take what servers read differently.
    fn by_decoding(&self) -> Vec<(&'a Route, WayAround<'a>)> {
        let takes_more = |operation: &usize| {
            let mut allowances = self.group.route(*operation).template.allowances();
            allowances.any(|(_, allowance)| allowance.characters().next().is_some())
        };
        let all = || 0..self.group.operations.len();
        let public: Vec<usize> = all().filter(|index| self.is_public(*index)).filter(takes_more).collect();
        let bases: BTreeSet<&str> = public.iter().map(|index| self.group.base(*index)).collect();
        let by_route: BTreeMap<*const Route, usize> =
            public.iter().map(|index| (std::ptr::from_ref(self.group.route(*index)), *index)).collect();
        let mut found = Vec::new();
        // One request is answered by one route, so that it is enough to look at each request once.
        for guarded in all().filter(|index| !self.is_public(*index)) {
            let meaning = sample(&self.group.forwarded(guarded).to_string());
            let mut known = BTreeSet::new();
            for (base, (character, spelling)) in
                bases.iter().flat_map(|base| spellings(&meaning).into_iter().map(move |spelling| (base, spelling)))
            {
                let request = format!("{base}{spelling}");
                let Ok(path) = RequestPath::parse(&request) else { continue };
                let route = (self.answers)(&path).map(std::ptr::from_ref);
                let public = route.and_then(|route| by_route.get(&route));
                let Some(&public) = public.filter(|public| self.answers(**public, &path)) else { continue };
                if !self.is_candidate(public, guarded) || !known.insert(public) {
                    continue;
                }
                let upstream = match character {
                    Ambiguous::EncodedSlash => "decodes `%2F` before it looks for segments",
                    Ambiguous::EncodedPercent => "decodes paths twice",
                    Ambiguous::Backslash => "takes a backslash for a slash",
                    Ambiguous::Semicolon => "drops what is behind a `;`",
                };
                let (meaning, guarded) = (meaning.clone(), self.group.route(guarded));
                let way = WayAround { guarded, upstream: Some(upstream), request, meaning, denial: None };
                found.push((self.group.route(public), way));
            }
        }
        found
    }

    /// Whether this operation of the group answers a request for the path, with the types of its parameters.
    fn answers(&self, operation: usize, path: &RequestPath<'_>) -> bool {
        let route = self.group.route(operation);
        let Some(params) = Params::of(&route.template, path) else { return false };
        let fits = |parameter: &PathParameter| {
            let value = params.get(&parameter.name);
            value.is_none_or(|value| fits_type(parameter.kind, value.canonical))
        };
        (self.answers)(path).is_some_and(|found| std::ptr::eq(found, route))
            && self.group.operation(operation).parameters.iter().all(fits)
    }
}

/// Whether a value may have the type; the gateway refuses it otherwise.
fn fits_type(kind: ParameterKind, value: &str) -> bool {
    match kind {
        ParameterKind::Integer => value.parse::<i64>().is_ok(),
        ParameterKind::Number => value.parse::<f64>().is_ok_and(f64::is_finite),
        ParameterKind::Boolean => matches!(value, "true" | "false"),
    }
}

/// The path in capitals; where the public template has literals, as it has them.
fn in_capitals(path: &str, template: &str) -> Vec<String> {
    let mut own = template.split('/');
    let segments = path.split('/').map(|segment| match own.next() {
        Some(literal) if literal.eq_ignore_ascii_case(segment) => literal.to_owned(),
        _ => capitals(segment),
    });
    vec![segments.collect::<Vec<_>>().join("/"), capitals(path)]
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

/// A path of a template.
fn sample(template: &str) -> String {
    let (mut sample, mut rest) = (String::new(), template);
    while let Some((before, after)) = rest.split_once('{') {
        sample += before;
        sample.push('x');
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
    let WayAround { guarded, upstream, request, meaning, denial } = ways.first()?;
    let ask = match ways.len() - 1 {
        0 => ", which asks".to_owned(),
        more => format!(" and {more} more, which ask"),
    };
    let headline = format!("`{}` is public and covers `{}`{ask} for a credential", public.template, guarded.template);
    let label = match upstream {
        Some(upstream) => format!("an upstream that {upstream} serves `{request}` as `{}`", guarded.template),
        None => format!("the upstream gets `{request}` as `{meaning}`, like `{}`", guarded.template),
    };
    let mut diagnostic = Diagnostic::warning(GW507, headline).at(public.span, label).also(guarded.span, "guarded");
    if public.template.is_greedy() {
        diagnostic = diagnostic.help("prefer a narrower prefix before the greedy parameter");
    }
    let help = match (denial, upstream) {
        (Some(denial), _) => format!("if the upstream does not, write {denial} under `paths` of the upstream"),
        (None, Some(_)) => "if the upstream does not, accept it: `acceptRisk: [{lint: GW507, reason: …}]`".to_owned(),
        (None, None) => "give both the same `security`, or an upstream of its own with another path to one".to_owned(),
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
