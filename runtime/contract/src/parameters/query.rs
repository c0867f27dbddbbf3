//! Parameters in the query.

use std::borrow::Cow;

use gateway_schema::schemas::{Kinds, Schemas};

use crate::encoding::Encoding;
use crate::finding::{Finding, Findings};
use crate::parameter::Parameter;
use crate::prepared::PreparedContract;
use crate::query_names::Target;
use crate::scalar::has_scalars;
use crate::style::{self, Problem, Shape};
use crate::tables::{Mode, ParameterLocation, Style, Written};
use crate::whole_query;

/// A pair of the query that belongs to a parameter.
struct Found<'q> {
    parameter: usize,
    /// The member of an object; with `deepObject`, what stands in brackets behind the name.
    member: Option<Cow<'q, str>>,
    /// As it was sent.
    value: &'q str,
}

pub(super) fn check(contract: &PreparedContract, schemas: &Schemas, query: &str, findings: &mut Findings) {
    let is_query = |location| matches!(location, ParameterLocation::Query | ParameterLocation::QueryString);
    if contract.undecodable == Mode::Off && !contract.parameters.iter().any(|one| is_query(one.table.location)) {
        return;
    }
    if let Some(whole) = contract.query_names.whole.and_then(|index| contract.parameters.get(index)) {
        return whole_query::check(whole, schemas, query, findings);
    }
    let mut is_broken = vec![false; contract.parameters.len()];
    let mut found = sort_out(contract, query, findings, &mut is_broken);
    // Pairs of one parameter stay in the order of the query.
    found.sort_by_key(|pair| pair.parameter);
    let mut groups = found.chunk_by(|left, right| left.parameter == right.parameter).peekable();
    for ((index, parameter), is_broken) in contract.parameters.iter().enumerate().zip(is_broken) {
        let is_its = |group: &&[Found<'_>]| group.first().is_some_and(|pair| pair.parameter == index);
        let pairs = groups.next_if(is_its).unwrap_or_default();
        if parameter.table.location != ParameterLocation::Query || parameter.table.mode == Mode::Off || is_broken {
            continue;
        }
        if pairs.is_empty() {
            parameter.report_missing(findings);
        } else if let Err(problem) = check_pairs(parameter, schemas, pairs) {
            parameter.report(findings, problem);
        }
    }
}

/// Finds out which pair belongs to which parameter, and what belongs to none.
fn sort_out<'q>(
    contract: &PreparedContract,
    query: &'q str,
    findings: &mut Findings,
    is_broken: &mut [bool],
) -> Vec<Found<'q>> {
    let mut found = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (raw_name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let decoded = Encoding::Form.decode(raw_name);
        let name = match decoded {
            Ok(name) => name,
            Err(error) => {
                let finding = || Finding::parameter(ParameterLocation::Query, raw_name, error.to_string());
                findings.add(contract.undecodable, finding);
                continue;
            }
        };
        let belongs = belongs(contract, &name);
        let parameter = match belongs {
            Belongs::To { parameter, .. } | Belongs::Unreadable(parameter) => contract.parameters.get(parameter),
            Belongs::Known | Belongs::Nothing => None,
        };
        let mode = parameter.map_or(contract.undecodable, |parameter| parameter.table.mode);
        let own_name = parameter.map_or(name.as_ref(), |parameter| parameter.table.name);
        let report = |findings: &mut Findings, mode, message: &str| {
            findings.add(mode, || Finding::parameter(ParameterLocation::Query, own_name, message));
        };
        let mut mark_broken = |parameter: usize| {
            // More about the same parameter would say nothing new.
            let is_first = is_broken.get(parameter).is_some_and(|is_broken| !is_broken);
            is_broken.get_mut(parameter).into_iter().for_each(|is_broken| *is_broken = true);
            is_first
        };
        if let Err(error) = Encoding::Form.decode(value) {
            match belongs {
                Belongs::To { parameter, .. } | Belongs::Unreadable(parameter) if !mark_broken(parameter) => {}
                _ => report(findings, mode, &error.to_string()),
            }
            continue;
        }
        match belongs {
            Belongs::To { parameter, member } => found.push(Found { parameter, member, value }),
            Belongs::Unreadable(parameter) => {
                if mark_broken(parameter) {
                    report(findings, mode, "has brackets that cannot be read");
                }
            }
            Belongs::Known => {}
            Belongs::Nothing => report(findings, contract.table.unknown.query, "is not described"),
        }
    }
    found
}

/// What a name belongs to.
enum Belongs {
    To {
        parameter: usize,
        member: Option<Cow<'static, str>>,
    },
    /// No brackets with a name, or too many.
    Unreadable(usize),
    Known,
    Nothing,
}

fn belongs(contract: &PreparedContract, name: &str) -> Belongs {
    let names = &contract.query_names;
    match names.get(name) {
        Some(Target::Parameter(parameter)) => return Belongs::To { parameter, member: None },
        Some(Target::Member(parameter)) => {
            return Belongs::To { parameter, member: Some(Cow::Owned(name.to_owned())) };
        }
        Some(Target::Known) => return Belongs::Known,
        None => {}
    }
    if let Some((parameter, members)) = names.deep(name) {
        return match style::are_brackets(members) {
            true => Belongs::To { parameter, member: Some(Cow::Owned(members.to_owned())) },
            false => Belongs::Unreadable(parameter),
        };
    }
    match names.rest {
        Some(parameter) => Belongs::To { parameter, member: Some(Cow::Owned(name.to_owned())) },
        None => Belongs::Nothing,
    }
}

fn check_pairs(parameter: &Parameter, schemas: &Schemas, pairs: &[Found<'_>]) -> Result<(), Problem> {
    if parameter.table.may_be_empty && pairs.iter().all(|pair| pair.value.is_empty() && pair.member.is_none()) {
        return Ok(());
    }
    let named = pairs.iter().filter_map(|pair| Some((pair.member.clone()?, pair.value)));
    let members: Vec<(Cow<'_, str>, &str)> = named.collect();
    let is_deep = matches!(parameter.table.written, Written::As(Style::DeepObject, _));
    if is_deep && !members.is_empty() {
        if members.len() < pairs.len() {
            return Err(Problem::Text("is there with brackets and without".into()));
        }
        return parameter.check_shapes(schemas, vec![Shape::Brackets(members)], Encoding::Form);
    }
    if !members.is_empty() {
        return parameter.check_shapes(schemas, vec![Shape::Members(members)], Encoding::Form);
    }
    let mut values = pairs.iter().map(|pair| pair.value);
    let (Some(first), is_repeated) = (values.next(), values.next().is_some()) else { return Ok(()) };
    if is_repeated && !parameter.may_be_repeated() {
        return Err(Problem::Text("is there more than once".into()));
    }
    if !parameter.may_be_repeated() {
        return parameter.check_text(schemas, first, Encoding::Form);
    }
    let mut shapes = vec![Shape::Items(pairs.iter().map(|pair| pair.value).collect())];
    if !is_repeated && has_scalars(parameter.kinds) {
        shapes.insert(0, Shape::Scalar(first));
    }
    // Servers split what stands apart all the same where the style has a delimiter of its own.
    if let (Written::As(style @ (Style::SpaceDelimited | Style::PipeDelimited), explode), false) =
        (parameter.table.written, is_repeated)
    {
        let format = parameter.format(style, explode, Encoding::Form);
        shapes.extend(style::shapes(format, Kinds::ARRAY, first).unwrap_or_default());
    }
    parameter.check_shapes(schemas, shapes, Encoding::Form)
}
