//! Values of keywords that are no schemas.

use super::super::kinds::Kinds;
use super::super::node::Constants;
use super::super::table::Table;
use crate::json::{Builder, Document, Kind, Value};
use crate::number::{Decimal, Limit};

/// What is wrong with a value; its place is known to the preparer.
pub(super) type Result<T> = std::result::Result<T, String>;

pub(super) fn text<'v>(value: Value<'v>) -> Result<&'v str> {
    if value.kind() == Kind::String { Ok(value.text()) } else { Err("must be a text".to_owned()) }
}

pub(super) fn boolean(value: Value<'_>) -> Result<bool> {
    match value.kind() {
        Kind::True => Ok(true),
        Kind::False => Ok(false),
        _ => Err("must be `true` or `false`".to_owned()),
    }
}

pub(super) fn number(value: Value<'_>) -> Result<Limit> {
    if value.kind() == Kind::Number { Ok(Limit::new(value.text())) } else { Err("must be a number".to_owned()) }
}

pub(super) fn count(value: Value<'_>) -> Result<usize> {
    let number = Some(value).filter(|value| value.kind() == Kind::Number);
    let count = number.and_then(|number| Decimal::of(number.text()).to_count());
    count.ok_or_else(|| "must be 0 or a positive integer".to_owned())
}

pub(super) fn array<'v>(value: Value<'v>) -> Result<Vec<Value<'v>>> {
    match value.kind() {
        Kind::Array if value.is_empty() => Err("must not be empty".to_owned()),
        Kind::Array => Ok(value.items().collect()),
        _ => Err("must be an array".to_owned()),
    }
}

pub(super) fn names(value: Value<'_>) -> Result<Box<[Box<str>]>> {
    if value.kind() != Kind::Array {
        return Err("must be an array of texts".to_owned());
    }
    let mut names: Vec<Box<str>> = value.items().map(|name| text(name).map(Into::into)).collect::<Result<_>>()?;
    names.sort_unstable();
    names.dedup();
    Ok(names.into())
}

pub(super) fn kinds(value: Value<'_>) -> Result<Kinds> {
    let kind = |value| {
        let name = text(value)?;
        Kinds::named(name).ok_or_else(|| format!("`{name}` is no type of JSON"))
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
