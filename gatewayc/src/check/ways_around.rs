//! Public paths that are a way around guarded ones, because an upstream reads paths with less care than the gateway.

use std::collections::BTreeMap;

use gateway_route::{Ambiguous, Meaning, PathReading, RequestPath, Router};

use crate::diagnostic::{Diagnostic, Diagnostics, GW507, GW509};
use crate::ir::{Api, ParameterKind, PathParameter, Route};
use crate::readings::{Group, View, admits_anyone, are_comparable};

/// Public operations with a guarded one that the same upstream may serve in their place.
pub(super) fn check(api: &Api, router: &Router<usize>, diagnostics: &mut Diagnostics) {
    // By the index of the public route.
    let mut found: BTreeMap<usize, Vec<WayAround>> = BTreeMap::new();
    for group in Group::all(&api.routes, &api.upstreams) {
        check_certainly_equal(api, &group, diagnostics);
        let search = Search { api, router, group: &group };
        for (public, way) in search.by_reading().into_iter().chain(search.by_decoding()) {
            found.entry(public).or_default().push(way);
        }
    }
    for (public, mut ways) in found {
        ways.sort_by_key(|way| way.guarded);
        ways.dedup_by_key(|way| way.guarded);
        diagnostics.extend(report(api, public, &ways));
    }
}

/// A guarded route, and a request that shows how to get there.
struct WayAround {
    guarded: usize,
    /// What an upstream does that serves it, in words.
    upstream: &'static str,
    /// The path of the request.
    request: String,
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

struct Search<'a> {
    api: &'a Api,
    router: &'a Router<usize>,
    group: &'a Group,
}

impl Search<'_> {
    fn route(&self, operation: usize) -> &Route {
        &self.api.routes[self.group.operations[operation].0]
    }

    fn is_public(&self, operation: usize) -> bool {
        admits_anyone(self.group.operation(&self.api.routes, operation))
    }

    /// Ways around for an upstream that takes more for the same than the document says. Where it says so, the stricter
    /// operation answers.
    fn by_reading(&self) -> Vec<(usize, WayAround)> {
        let Group { certain, possible, ref operations } = *self.group;
        let mut found = Vec::new();
        for kind in
            KINDS.iter().filter(|kind| kind.reading.or(certain) != certain && kind.reading.or(possible) == possible)
        {
            let view = self.group.view(&self.api.routes, certain.or(kind.reading), certain.or(kind.reading));
            let pairs = view.rivals().pairs.into_iter();
            let pairs = pairs.filter(|(public, guarded)| self.is_public(*public) && !self.is_public(*guarded));
            found.extend(pairs.filter_map(|(public, guarded)| {
                let way = self.misread(&view, kind, public, guarded)?;
                Some((operations[public].0, way))
            }));
        }
        found
    }

    /// A path that the public operation takes, and that an upstream may read as one of the guarded operation.
    fn misread(&self, view: &View, kind: &Kind, public: usize, guarded: usize) -> Option<WayAround> {
        let meaning = view.example(public, guarded)?;
        let template = self.route(public).template.to_string();
        let mut requests = (kind.spell)(&meaning, &template).into_iter();
        let request = requests.find(|request| self.is_misread(view, request, public, guarded))?;
        let guarded = self.group.operations[guarded].0;
        Some(WayAround { guarded, upstream: kind.upstream, request, denial: Some(kind.denial) })
    }

    fn is_misread(&self, view: &View, request: &str, public: usize, guarded: usize) -> bool {
        let Ok(path) = RequestPath::parse(request) else { return false };
        let Some(read) = view.read(&path).filter(|_| self.answers(public, &path)) else { return false };
        match view.meaning(public, &read, None) {
            Meaning::Others(others) => others.iter().any(|(index, _)| **index == guarded),
            Meaning::Same | Meaning::UnclearQuery => false,
        }
    }

    /// Ways around through parameters that may take what servers read differently.
    fn by_decoding(&self) -> Vec<(usize, WayAround)> {
        let all = 0..self.group.operations.len();
        let takes_more = |operation: &usize| {
            let mut allowances = self.route(*operation).template.allowances();
            allowances.any(|(_, allowance)| allowance.characters().next().is_some())
        };
        let mut found = Vec::new();
        for public in all.clone().filter(|operation| self.is_public(*operation)).filter(takes_more) {
            for guarded in all.clone().filter(|operation| !self.is_public(*operation)) {
                let meaning = sample(&self.route(guarded).template.to_string());
                let spelling = spellings(&meaning)
                    .into_iter()
                    .find(|(_, request)| RequestPath::parse(request).is_ok_and(|path| self.answers(public, &path)));
                let Some((character, request)) = spelling else { continue };
                let upstream = match character {
                    Ambiguous::EncodedSlash => "decodes `%2F` before it looks for segments",
                    Ambiguous::EncodedPercent => "decodes paths twice",
                    Ambiguous::Backslash => "takes a backslash for a slash",
                    Ambiguous::Semicolon => "drops what is behind a `;`",
                };
                let guarded = self.group.operations[guarded].0;
                let way = WayAround { guarded, upstream, request, denial: None };
                found.push((self.group.operations[public].0, way));
            }
        }
        found
    }

    /// Whether this operation of the group answers a request for the path, with the types of its parameters.
    fn answers(&self, operation: usize, path: &RequestPath<'_>) -> bool {
        let Some(found) = self.router.find(path, None) else { return false };
        let fits = |parameter: &PathParameter| {
            let value = found.params.get(&parameter.name);
            value.is_none_or(|value| fits_type(parameter.kind, value.canonical))
        };
        let parameters = &self.group.operation(&self.api.routes, operation).parameters;
        *found.value == self.group.operations[operation].0 && parameters.iter().all(fits)
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

fn report(api: &Api, public: usize, ways: &[WayAround]) -> Option<Diagnostic> {
    let WayAround { guarded, upstream, request, denial } = ways.first()?;
    let (public, guarded) = (&api.routes[public], &api.routes[*guarded]);
    let ask = match ways.len() - 1 {
        0 => ", which asks".to_owned(),
        more => format!(" and {more} more, which ask"),
    };
    let headline = format!("`{}` is public and covers `{}`{ask} for a credential", public.template, guarded.template);
    let mut diagnostic = Diagnostic::warning(GW507, headline)
        .at(public.span, format!("an upstream that {upstream} serves `{request}` as `{}`", guarded.template))
        .also(guarded.span, "guarded");
    if public.template.is_greedy() {
        diagnostic = diagnostic.help("prefer a narrower prefix before the greedy parameter");
    }
    let help = match denial {
        Some(denial) => format!("if the upstream does not, write {denial} under `paths` of the upstream"),
        None => "if the upstream does not, accept it: `acceptRisk: [{lint: GW507, reason: …}]`".to_owned(),
    };
    Some(diagnostic.help(help))
}

/// Two paths that are the same to the upstream need one security, or one that includes the other.
fn check_certainly_equal(api: &Api, group: &Group, diagnostics: &mut Diagnostics) {
    if group.certain == PathReading::EXACT {
        return;
    }
    let view = group.view(&api.routes, group.certain, group.certain);
    let operation = |index: usize| group.operation(&api.routes, index);
    for (one, other) in view.rivals().pairs.into_iter().filter(|(one, other)| one < other) {
        if !view.are_certainly_equal(one, other) || are_comparable(operation(one), operation(other)) {
            continue;
        }
        let template = |index: usize| &api.routes[group.operations[index].0].template;
        let headline = format!("the upstream takes `{}` and `{}` for the same", template(one), template(other));
        diagnostics.push(
            Diagnostic::error(GW509, headline)
                .at(operation(other).span, "asks for one credential")
                .also(operation(one).span, "asks for another one")
                .help("give both the same `security`, or one that asks for all that the other asks for"),
        );
    }
}
