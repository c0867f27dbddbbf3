//! Parameters in cookies.

use std::borrow::Cow;

use gateway_schema::schemas::{Kinds, Schemas};

use crate::encoding::Encoding;
use crate::finding::{Finding, Findings};
use crate::parameter::Parameter;
use crate::prepared::PreparedContract;
use crate::style::{Problem, Shape};
use crate::tables::{Explode, Mode, ParameterLocation, Style, Written};

/// A cookie, as it was sent.
#[derive(Clone, Copy)]
struct Cookie<'c> {
    name: &'c str,
    /// Nothing if it is not UTF-8.
    value: Option<&'c str>,
    is_described: bool,
}

pub(super) fn check<'r>(
    contract: &PreparedContract,
    schemas: &Schemas,
    fields: &mut dyn Iterator<Item = (&'r str, &'r [u8])>,
    findings: &mut Findings,
) {
    let unknown = &contract.table.unknown;
    let is_cookie = |location| location == ParameterLocation::Cookie;
    let mut parameters = contract.parameters.iter().filter(|one| is_cookie(one.table.location)).peekable();
    if parameters.peek().is_none() && unknown.cookie == Mode::Off {
        return;
    }
    let lines = fields.filter(|(name, _)| name.eq_ignore_ascii_case("cookie"));
    let mut cookies: Vec<Cookie<'r>> =
        lines.flat_map(|(_, line)| line.split(|byte| *byte == b';')).filter_map(cookie).collect();
    for parameter in parameters {
        let is_its = |name: &str| {
            (name == parameter.table.name && !parameter.is_always_spread())
                || parameter.members.iter().any(|member| **member == *name)
        };
        let mut own = Vec::new();
        for cookie in cookies.iter_mut().filter(|cookie| is_its(cookie.name)) {
            cookie.is_described = true;
            own.push(*cookie);
        }
        if parameter.table.mode == Mode::Off {
            continue;
        }
        if own.is_empty() {
            parameter.report_missing(findings);
        } else if let Err(problem) = check_cookies(parameter, schemas, &own) {
            parameter.report(findings, problem);
        }
    }
    if unknown.cookie == Mode::Off {
        return;
    }
    for Cookie { name, .. } in cookies.into_iter().filter(|cookie| !cookie.is_described) {
        if !unknown.known.contains(&(ParameterLocation::Cookie, name)) {
            findings.add(unknown.cookie, || Finding::parameter(ParameterLocation::Cookie, name, "is not described"));
        }
    }
}

/// What stands between two `;`; nothing where that is nothing, or has no name that could be described.
fn cookie(pair: &[u8]) -> Option<Cookie<'_>> {
    let pair = pair.trim_ascii();
    let end = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
    let (name, value) = pair.split_at_checked(end)?;
    let name = std::str::from_utf8(name).ok().filter(|_| !pair.is_empty())?;
    let value = std::str::from_utf8(value.get(1..).unwrap_or_default()).ok();
    Some(Cookie { name, value, is_described: false })
}

fn check_cookies(parameter: &Parameter, schemas: &Schemas, cookies: &[Cookie<'_>]) -> Result<(), Problem> {
    let is_cookie_style = matches!(parameter.table.written, Written::As(Style::Cookie, _));
    let encoding = if is_cookie_style { Encoding::Plain } else { Encoding::Percent };
    let is_exploded = matches!(parameter.table.written, Written::As(_, Explode::Yes));
    let is_apart = is_exploded && !is_cookie_style && parameter.kinds.overlaps(Kinds::ARRAY | Kinds::OBJECT);
    let mut all: Vec<(&str, &str)> = Vec::with_capacity(cookies.len());
    for cookie in cookies {
        let Some(value) = cookie.value else { return Err(Problem::Text("is not UTF-8".into())) };
        if !is_apart {
            all.push((cookie.name, value));
            continue;
        }
        // Exploded with `form`, values stand apart as in a query: `a=1&a=2`.
        let mut pieces = value.split('&');
        all.push((cookie.name, pieces.next().unwrap_or_default()));
        all.extend(pieces.map(|piece| piece.split_once('=').unwrap_or((piece, ""))));
    }
    let own = parameter.table.name;
    if parameter.may_be_spread && !all.iter().any(|(name, _)| *name == own) {
        let members = all.iter().map(|(name, value)| (Cow::Borrowed(*name), *value)).collect();
        return parameter.check_shapes(schemas, vec![Shape::Members(members)], encoding);
    }
    // Two cookies of one name may be of two paths, and servers take the one or the other (RFC 6265 §4.2.2).
    let may_be_several = parameter.may_be_repeated() && (is_cookie_style || cookies.len() == 1);
    match all.as_slice() {
        [(_, value)] if !parameter.may_be_repeated() => parameter.check_text(schemas, value, encoding),
        [_, _, ..] if !may_be_several => Err(Problem::Text("is there more than once".into())),
        several if several.iter().all(|(name, _)| *name == own) => {
            let items = Shape::Items(several.iter().map(|(_, value)| *value).collect());
            let single = several.first().filter(|_| several.len() == 1 && crate::scalar::has_scalars(parameter.kinds));
            let shapes = single.map(|(_, value)| Shape::Scalar(value)).into_iter().chain([items]).collect();
            parameter.check_shapes(schemas, shapes, encoding)
        }
        _ => Err(Problem::Text(format!("must be written as `{own}=…` for each item").into())),
    }
}
