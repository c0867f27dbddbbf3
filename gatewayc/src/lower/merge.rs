//! Routes that are one to a router: templates that differ in the names of parameters only, and literal paths that a
//! template with an `enum` speaks of as well.

use std::cmp::Ordering;
use std::collections::HashMap;

use gateway_route::{Condition, RouterBuilder, Template};

use crate::ir::{Access, Action, Builtin, Operation, ParameterLocation, Rewrite, Route};
use crate::source::percent_decode;

/// Puts the operations of equal templates into one route where no method is in both. What is left has two answers to one
/// request, which is reported.
pub(super) fn merge(routes: Vec<Route>) -> Vec<Route> {
    let mut merged: Vec<Route> = Vec::new();
    let mut twins: HashMap<(String, Vec<Condition>), Vec<usize>> = HashMap::new();
    for route in routes {
        let others = twins.entry((shape(&route.template), route.when.clone())).or_default();
        match others.iter().find(|&&other| can_join(&merged[other], &route)) {
            Some(&first) => join(&mut merged[first], route),
            None => {
                others.push(merged.len());
                merged.push(route);
            }
        }
    }
    merged
}

/// A template without the names of its parameters.
fn shape(template: &Template) -> String {
    let nameless: Vec<(String, Stands)> =
        template.names().map(|name| (name.to_owned(), Stands::Parameter(String::new()))).collect();
    substituted(&template.to_string(), &nameless)
}

/// Whether no request of two equal routes has two answers, and their parameters take the same characters.
fn can_join(first: &Route, second: &Route) -> bool {
    if !takes_the_same(&first.template, &second.template) {
        return false;
    }
    let both = second.described.iter().filter(|(method, _)| first.described.iter().any(|(other, _)| other == method));
    both.into_iter().all(|(method, _)| {
        let preflights = [first, second].map(|route| {
            route.operations.iter().find(|operation| operation.method == *method && is_preflight(operation))
        });
        matches!(preflights, [Some(one), Some(other)] if upstream(one) == upstream(other))
    })
}

/// Whether the parameters of equal templates take the same of what servers read differently.
pub(crate) fn takes_the_same(first: &Template, second: &Template) -> bool {
    let taken = |template: &Template| template.allowances().map(|(_, allowance)| allowance).collect::<Vec<_>>();
    taken(first) == taken(second)
}

/// An operation that no document describes.
fn is_preflight(operation: &Operation) -> bool {
    matches!(operation.access, Access::Anyone { because: "preflight: forward" })
}

fn upstream(operation: &Operation) -> Option<&str> {
    match &operation.action {
        Action::Forward { upstream, .. } => Some(upstream),
        Action::Answer(_) => None,
    }
}

fn join(first: &mut Route, second: Route) {
    let names: Vec<(String, Stands)> = second
        .template
        .names()
        .zip(first.template.names())
        .map(|(theirs, ours)| (theirs.to_owned(), Stands::Parameter(ours.to_owned())))
        .collect();
    for mut operation in second.operations {
        if first.operations.iter().any(|other| other.method == operation.method) {
            continue; // The preflight of both.
        }
        if operation.take_place(&names) {
            first.described.extend(second.described.iter().find(|(method, _)| *method == operation.method).cloned());
            first.operations.push(operation);
        }
    }
    first.operations.sort_by(|a, b| a.method.cmp(&b.method));
    first.described.sort();
}

/// Gives literal paths the operations of a template whose `enum` lists the literal, where they have no such method
/// themselves: the document says that the value is one of the parameter's.
pub(super) fn unmask(routes: &mut [Route]) {
    if routes.iter().flat_map(|route| &route.operations).all(|operation| operation.listed_values.is_empty()) {
        return;
    }
    let mut builder = RouterBuilder::new();
    for route in routes.iter() {
        builder.insert(route.template.clone(), route.when.clone(), ());
    }
    let (router, conflicts) = builder.build();
    if !conflicts.is_empty() {
        return;
    }
    let mut masks = router.masks();
    // Of several templates, the most specific one answers.
    masks.sort_by(|&(_, a), &(_, b)| specificity(&routes[a].template, &routes[b].template));
    for (specific, general) in masks {
        if routes[specific].when != routes[general].when {
            continue;
        }
        let Some(values) = values(&routes[specific].template, &routes[general].template) else { continue };
        for (method, id) in routes[general].described.clone() {
            let has = |route: &Route| route.described.iter().any(|(described, _)| *described == method);
            let operation = routes[general].operations.iter().find(|one| one.method == method && one.id == id);
            let Some(mut operation) = operation.filter(|one| !has(&routes[specific]) && one.lists(&values)).cloned()
            else {
                continue;
            };
            if operation.take_place(&values) {
                let route = &mut routes[specific];
                route.described.push((method, id));
                route.described.sort();
                route.operations.push(operation);
                route.operations.sort_by(|a, b| a.method.cmp(&b.method));
            }
        }
    }
}

fn specificity(one: &Template, other: &Template) -> Ordering {
    one.specificity(other).then_with(|| one.to_string().cmp(&other.to_string()))
}

/// What stands where a parameter stood.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Stands {
    /// A parameter of this name.
    Parameter(String),
    /// Text, as it is on the wire.
    Literal(String),
}

/// What the specific template has for each parameter of the general one; nothing where they are not alike, or where no
/// literal stands for a parameter.
fn values(specific: &Template, general: &Template) -> Option<Vec<(String, Stands)>> {
    let (specific, general) = (specific.to_string(), general.to_string());
    let (ours, theirs): (Vec<&str>, Vec<&str>) = (specific.split('/').collect(), general.split('/').collect());
    let mut values = Vec::new();
    if ours.len() != theirs.len() {
        return None;
    }
    for (ours, theirs) in ours.into_iter().zip(theirs) {
        match (name(theirs), name(ours)) {
            (None, _) if ours == theirs => {}
            (Some(theirs), Some(ours)) => values.push((theirs.to_owned(), Stands::Parameter(ours.to_owned()))),
            (Some(theirs), None) if !ours.contains('{') => {
                values.push((theirs.to_owned(), Stands::Literal(ours.to_owned())));
            }
            _ => return None,
        }
    }
    values.iter().any(|(_, stands)| matches!(stands, Stands::Literal(_))).then_some(values)
}

/// The name of a segment that is one whole parameter.
fn name(segment: &str) -> Option<&str> {
    let name = segment.strip_prefix('{')?.strip_suffix('}')?;
    (!name.contains(['{', '}']) && !name.starts_with('+')).then_some(name)
}

impl Operation {
    /// Whether an `enum` lists every literal that stands for a parameter.
    fn lists(&self, values: &[(String, Stands)]) -> bool {
        values.iter().all(|(name, stands)| match stands {
            Stands::Parameter(_) => true,
            Stands::Literal(text) => {
                let listed = self.listed_values.iter().find(|(parameter, _)| parameter == name);
                listed.is_some_and(|(_, values)| values.iter().any(|value| **value == *percent_decode(text)))
            }
        })
    }

    /// Moves to a template that has this for its parameters. Not possible where the gateway reads a parameter itself.
    fn take_place(&mut self, values: &[(String, Stands)]) -> bool {
        let stands = |name: &str| values.iter().find(|(known, _)| known == name).map(|(_, stands)| stands);
        match &mut self.action {
            Action::Forward { rewrite: Rewrite::Path(template), .. } => match filled(template, values) {
                Some(filled) => *template = filled,
                None => return false,
            },
            Action::Answer(Builtin::Static(files)) => match stands(&files.parameter) {
                Some(Stands::Parameter(name)) => files.parameter.clone_from(name),
                Some(Stands::Literal(_)) => return false,
                None => {}
            },
            Action::Answer(Builtin::Registry { parameter, .. }) => match stands(parameter) {
                Some(Stands::Parameter(name)) => parameter.clone_from(name),
                Some(Stands::Literal(_)) => return false,
                None => {}
            },
            Action::Forward { .. } | Action::Answer(_) => {}
        }
        self.parameters.retain_mut(|parameter| match stands(&parameter.name) {
            Some(Stands::Parameter(name)) => {
                parameter.name.clone_from(name);
                true
            }
            Some(Stands::Literal(_)) => false,
            None => true,
        });
        self.contract.parameters.retain_mut(|parameter| {
            let stands = stands(&parameter.name).filter(|_| parameter.location == ParameterLocation::Path);
            if let Some(Stands::Parameter(name)) = stands {
                parameter.name.clone_from(name);
            }
            !matches!(stands, Some(Stands::Literal(_)))
        });
        for (parameter, _) in &mut self.listed_values {
            if let Some(Stands::Parameter(name)) = values.iter().find(|(known, _)| known == parameter).map(|(_, it)| it)
            {
                parameter.clone_from(name);
            }
        }
        true
    }
}

/// A template with other names, or with text, for its parameters.
fn filled(template: &Template, values: &[(String, Stands)]) -> Option<Template> {
    Template::parse(&substituted(&template.to_string(), values)).ok()
}

/// The normal form of a template, in which braces stand for parameters only.
fn substituted(text: &str, values: &[(String, Stands)]) -> String {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let (parameter, after) = after.split_once('}').unwrap_or((after, ""));
        let (mark, name) = parameter.strip_prefix('+').map_or(("", parameter), |name| ("+", name));
        filled.push_str(before);
        match values.iter().find(|(known, _)| known == name).map(|(_, stands)| stands) {
            Some(Stands::Literal(text)) => filled.push_str(text),
            Some(Stands::Parameter(name)) => filled.push_str(&format!("{{{mark}{name}}}")),
            None => filled.push_str(&format!("{{{parameter}}}")),
        }
        rest = after;
    }
    filled.push_str(rest);
    filled
}
