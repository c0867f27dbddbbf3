//! Values of keywords that are no schemas.

use std::fmt;

use super::super::kinds::Kinds;
use super::super::node::Constants;
use super::super::table::Table;
use crate::json::{Builder, Document, Kind, Value};
use crate::number::{Decimal, Limit};
use crate::pattern::PatternError;

/// What is wrong with the value of a keyword; its place is known to the preparer.
#[derive(Debug)]
pub(super) enum ValueError {
    /// It is of another kind than this.
    Not(&'static str),
    /// It is an array without items.
    Empty,
    /// The value of `multipleOf` is 0 or less.
    NotPositive,
    /// It names no type.
    UnknownType(String),
    /// It refers to a schema that is not there.
    UnknownSchema(String),
    /// The keyword itself is not known.
    UnknownKeyword,
    /// The members of a discriminator are not all there.
    Discriminator,
    /// There are more schemas than can be numbered.
    TooManySchemas,
    /// It is no regular expression.
    Pattern(PatternError),
}

impl fmt::Display for ValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Not(expected) => write!(f, "must be {expected}"),
            Self::Empty => f.write_str("must not be empty"),
            Self::NotPositive => f.write_str("must be more than 0"),
            Self::UnknownType(name) => write!(f, "`{name}` is no type of JSON"),
            Self::UnknownSchema(name) => write!(f, "there is no schema `{name}`"),
            Self::UnknownKeyword => f.write_str("is no keyword of schemas"),
            Self::Discriminator => f.write_str("must have `property` and `mapping`"),
            Self::TooManySchemas => f.write_str("there are too many schemas"),
            Self::Pattern(error) => {
                write!(f, "is no pattern of ECMA-262: {} (at byte {})", error.message, error.at)
            }
        }
    }
}

pub(super) type Result<T> = std::result::Result<T, ValueError>;

pub(super) fn text<'v>(value: Value<'v>) -> Result<&'v str> {
    if value.kind() == Kind::String { Ok(value.text()) } else { Err(ValueError::Not("a text")) }
}

pub(super) fn boolean(value: Value<'_>) -> Result<bool> {
    match value.kind() {
        Kind::True => Ok(true),
        Kind::False => Ok(false),
        _ => Err(ValueError::Not("`true` or `false`")),
    }
}

pub(super) fn number(value: Value<'_>) -> Result<Limit> {
    if value.kind() == Kind::Number { Ok(Limit::new(value.text())) } else { Err(ValueError::Not("a number")) }
}

pub(super) fn count(value: Value<'_>) -> Result<usize> {
    let number = Some(value).filter(|value| value.kind() == Kind::Number);
    let count = number.and_then(|number| Decimal::of(number.text()).to_count());
    count.ok_or(ValueError::Not("0 or a positive integer"))
}

pub(super) fn array<'v>(value: Value<'v>) -> Result<Vec<Value<'v>>> {
    match value.kind() {
        Kind::Array if value.is_empty() => Err(ValueError::Empty),
        Kind::Array => Ok(value.items().collect()),
        _ => Err(ValueError::Not("an array")),
    }
}

pub(super) fn names(value: Value<'_>) -> Result<Box<[Box<str>]>> {
    if value.kind() != Kind::Array {
        return Err(ValueError::Not("an array of texts"));
    }
    let mut names: Vec<Box<str>> = value.items().map(|name| text(name).map(Into::into)).collect::<Result<_>>()?;
    names.sort_unstable();
    names.dedup();
    Ok(names.into())
}

pub(super) fn kinds(value: Value<'_>) -> Result<Kinds> {
    let kind = |value| {
        let name = text(value)?;
        Kinds::named(name).ok_or_else(|| ValueError::UnknownType(name.to_owned()))
    };
    if value.kind() == Kind::String {
        return kind(value);
    }
    array(value)?.into_iter().try_fold(Kinds::NONE, |kinds, value| Ok(kinds | kind(value)?))
}

/// Values of `enum` are listed in a message if they are no more than this, and not longer.
const LISTED: (usize, usize) = (10, 100);

pub(super) fn constants(keyword: &'static str, values: &[Value<'_>]) -> Constants {
    let listed: Vec<String> = values.iter().take(LISTED.0 + 1).map(|value| format!("`{}`", shown(*value))).collect();
    let list = listed.join(", ");
    let message = match values.len() {
        _ if list.is_empty() || list.len() > LISTED.1 + listed.len() * 4 || listed.len() > LISTED.0 => {
            "must be one of the described values".to_owned()
        }
        1 => format!("must be {list}"),
        _ => format!("must be one of {list}"),
    };
    let (texts, others): (Vec<Value<'_>>, _) = values.iter().copied().partition(|value| value.kind() == Kind::String);
    let mut names: Vec<&str> = texts.into_iter().map(Value::text).collect();
    names.sort_unstable();
    names.dedup();
    Constants {
        keyword,
        texts: Table::new(names.into_iter().map(|name| (name.into(), ()))),
        others: others.into_iter().map(owned).collect(),
        message: message.into(),
    }
}

/// A value as a message says it: texts without their quotes.
fn shown(value: Value<'_>) -> String {
    if value.kind() == Kind::String { value.text().to_owned() } else { format!("{value:?}") }
}

fn owned(value: Value<'_>) -> Document<'static> {
    let mut builder = Builder::new();
    builder.value(value);
    builder.finish()
}
