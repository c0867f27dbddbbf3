//! Texts into structures, by `style` and `explode`.

use std::borrow::Cow;

use gateway_schema::schemas::Kinds;

use crate::encoding::Encoding;
use crate::scalar::has_scalars;
use crate::tables::{Explode, Style};

/// A structure that a text may have. Values are still encoded, names are not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Shape<'t> {
    /// None.
    Scalar(&'t str),
    /// A list.
    Items(Vec<&'t str>),
    /// Names with values; a name may be there several times.
    Members(Vec<(Cow<'t, str>, &'t str)>),
    /// Names in brackets, with values: `[a]`, `[a][b]`, `[0]`.
    Brackets(Vec<(Cow<'t, str>, &'t str)>),
}

/// How the text of a value is written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Format<'p> {
    pub(crate) name: &'p str,
    pub(crate) style: Style,
    pub(crate) explode: Explode,
    pub(crate) encoding: Encoding,
}

/// The structures that the text of one value may have, the likeliest one first: one for each kind that the schema admits.
///
/// `form` is what stands behind `name=`: the value of a parameter that is not exploded.
///
/// # Errors
/// What the text must be like to have any.
pub(crate) fn shapes<'t>(format: Format<'_>, kinds: Kinds, text: &'t str) -> Result<Vec<Shape<'t>>, Cow<'static, str>> {
    let exploded = format.explode == Explode::Yes;
    match format.style {
        Style::Matrix => matrix(format, kinds, text),
        Style::Label => {
            let rest = text.strip_prefix('.').ok_or("must begin with `.`")?;
            if exploded {
                return delimited(format, kinds, rest, &["."]);
            }
            let found = delimited(format, kinds, rest, &[","]);
            if rest.contains(',') || !rest.contains('.') {
                return found;
            }
            // OpenAPI up to 3.0.3 has a dot here as well.
            let dotted = delimited(format, kinds, rest, &["."]);
            match (found, dotted) {
                (Ok(found), Ok(dotted)) => Ok(found.into_iter().chain(dotted).collect()),
                (found, dotted) => found.or(dotted),
            }
        }
        Style::SpaceDelimited => delimited(format, kinds, text, &["%20", "+"]),
        Style::PipeDelimited => delimited(format, kinds, text, &["|", "%7C", "%7c"]),
        Style::Simple | Style::Form | Style::Cookie | Style::DeepObject => delimited(format, kinds, text, &[","]),
    }
}

fn matrix<'t>(format: Format<'_>, kinds: Kinds, text: &'t str) -> Result<Vec<Shape<'t>>, Cow<'static, str>> {
    let rest = text.strip_prefix(';').ok_or("must begin with `;`")?;
    let own = |piece: &'t str| {
        let (name, value) = piece.split_once('=').unwrap_or((piece, ""));
        format.encoding.decode(name).is_ok_and(|name| name == format.name).then_some(value)
    };
    let misses = || Cow::Owned(format!("must be written as `;{}=…`", format.name));
    if format.explode == Explode::No {
        return delimited(format, kinds, own(rest).ok_or_else(misses)?, &[","]);
    }
    let mut found = Vec::new();
    let values: Option<Vec<&str>> = rest.split(';').map(own).collect();
    if let Some(values) = values {
        if let ([value], true) = (values.as_slice(), has_scalars(kinds)) {
            found.push(Shape::Scalar(value));
        }
        if kinds.contains(Kinds::ARRAY) {
            found.push(Shape::Items(values));
        }
    }
    if kinds.contains(Kinds::OBJECT) {
        found.push(named(format.encoding, rest.split(';'))?);
    }
    if found.is_empty() { Err(misses()) } else { Ok(found) }
}

/// The structures of a text whose parts stand between delimiters, any of which may do.
fn delimited<'t>(
    format: Format<'_>,
    kinds: Kinds,
    text: &'t str,
    delimiters: &[&str],
) -> Result<Vec<Shape<'t>>, Cow<'static, str>> {
    let mut found = Vec::new();
    let may_be_scalar = has_scalars(kinds);
    let is_plain = format.encoding == Encoding::Plain;
    let has_delimiter = delimiters.iter().any(|delimiter| text.contains(delimiter));
    if may_be_scalar && !has_delimiter {
        found.push(Shape::Scalar(text));
    }
    if kinds.contains(Kinds::ARRAY) {
        let mut items: Vec<&str> = split(text, delimiters).collect();
        if is_plain {
            // Elements of a list in a field may be empty, and do not count (RFC 9110 §5.6.1.2).
            items.retain(|item| !item.trim_matches([' ', '\t']).is_empty());
        }
        found.push(Shape::Items(items));
        if text.is_empty() && !is_plain {
            found.push(Shape::Items(Vec::new()));
        }
    }
    let mut problem = None;
    if kinds.contains(Kinds::OBJECT) {
        let members = match format.explode {
            Explode::Yes => named(format.encoding, split(text, delimiters)),
            Explode::No => alternating(format.encoding, split(text, delimiters)),
        };
        match members {
            Ok(members) => found.push(members),
            Err(message) => problem = Some(message),
        }
    }
    if (may_be_scalar && has_delimiter) || (!may_be_scalar && kinds.contains(Kinds::NULL)) {
        found.push(Shape::Scalar(text));
    }
    match problem {
        Some(message) if found.is_empty() => Err(message),
        _ => Ok(found),
    }
}

/// `R=100`, `G=200`
fn named<'t>(encoding: Encoding, pieces: impl Iterator<Item = &'t str>) -> Result<Shape<'t>, Cow<'static, str>> {
    let mut members = Vec::new();
    for piece in pieces {
        let (name, value) = piece.split_once('=').ok_or("must be written as `name=value` for each member")?;
        members.push((encoding.decode(name)?, value));
    }
    Ok(Shape::Members(members))
}

/// `R`, `100`, `G`, `200`
fn alternating<'t>(
    encoding: Encoding,
    mut pieces: impl Iterator<Item = &'t str>,
) -> Result<Shape<'t>, Cow<'static, str>> {
    let mut members = Vec::new();
    while let Some(name) = pieces.next() {
        let value = pieces.next().ok_or("must have a value behind each name")?;
        members.push((encoding.decode(name)?, value));
    }
    Ok(Shape::Members(members))
}

/// The parts between any of several delimiters.
fn split<'t>(text: &'t str, delimiters: &[&str]) -> impl Iterator<Item = &'t str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let here = rest?;
        // One pass for all delimiters: one that is not there would otherwise be looked for again at each part.
        let found = here.char_indices().find_map(|(at, _)| {
            let tail = here.get(at..)?;
            delimiters.iter().find(|delimiter| tail.starts_with(**delimiter)).map(|delimiter| (at, delimiter.len()))
        });
        let Some((end, length)) = found else { return rest.take() };
        rest = here.get(end + length..);
        here.get(..end)
    })
}
