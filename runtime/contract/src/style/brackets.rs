//! Names with brackets: `a[b]=1`, `a[b][c]=1`, `a[0]=1`, `a[]=1`.
//!
//! OpenAPI describes one level, for objects (`deepObject`). What documents mean by it is what their servers read: levels below,
//! and lists with or without numbers.

use std::borrow::Cow;

use gateway_schema::json::Builder;
use gateway_schema::schemas::{Direction, Kinds, SchemaId, Schemas};

use super::part::part;
use crate::encoding::Encoding;
use crate::scalar::has_scalars;

/// Brackets that a name has at most.
const MOST_BRACKETS: usize = 20;

/// A value with its way through the brackets, from the outermost one.
struct Pair<'t> {
    steps: Vec<&'t str>,
    text: &'t str,
}

/// What a value is read with.
struct Reading<'s> {
    schemas: &'s Schemas,
    encoding: Encoding,
    direction: Direction,
}

/// Whether what follows a name is brackets: `[b]`, `[b][c]`, `[]`.
pub(crate) fn are_brackets(text: &str) -> bool {
    steps(text).is_some()
}

/// Adds the value that pairs make; each has the brackets behind the name, and a text.
///
/// # Errors
/// What keeps them from being one.
pub(super) fn add(
    builder: &mut Builder,
    schemas: &Schemas,
    schema: SchemaId,
    pairs: &[(Cow<'_, str>, &str)],
    encoding: Encoding,
    direction: Direction,
) -> Result<(), Cow<'static, str>> {
    let mut read = Vec::with_capacity(pairs.len());
    for (brackets, text) in pairs {
        let steps = steps(brackets).ok_or("has brackets that cannot be read")?;
        read.push(Pair { steps, text });
    }
    read.sort_by(|one, other| one.steps.cmp(&other.steps));
    Reading { schemas, encoding, direction }.value(builder, Some(schema), &read, 0)
}

/// What stands in the brackets.
fn steps(brackets: &str) -> Option<Vec<&str>> {
    let mut steps = Vec::new();
    let mut rest = brackets;
    while !rest.is_empty() {
        let (step, behind) = rest.strip_prefix('[')?.split_once(']')?;
        if step.contains('[') || steps.len() >= MOST_BRACKETS {
            return None;
        }
        steps.push(step);
        rest = behind;
    }
    Some(steps).filter(|steps| !steps.is_empty())
}

impl Reading<'_> {
    /// Adds the value of pairs that share their first steps, in the order of what follows these.
    fn value(
        &self,
        builder: &mut Builder,
        schema: Option<SchemaId>,
        pairs: &[Pair<'_>],
        level: usize,
    ) -> Result<(), Cow<'static, str>> {
        let ends = pairs.iter().take_while(|pair| pair.steps.len() == level).count();
        if ends == pairs.len() {
            return self.texts(builder, schema, pairs);
        }
        if ends > 0 {
            return Err("has a member that is both a value and a name of others".into());
        }
        let step = |pair: &Pair<'_>| pair.steps.get(level).copied().unwrap_or_default().to_owned();
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let (mut are_empty, mut are_numbers) = (true, true);
        for pair in pairs {
            let step = step(pair);
            are_empty &= step.is_empty();
            are_numbers &= is_number(&step);
        }
        let kinds = schema.map_or(Kinds::ALL, |schema| self.schemas.kinds(schema));
        let is_list = kinds.contains(Kinds::ARRAY) && (are_empty || (are_numbers && kinds != Kinds::ALL));
        if is_list {
            return self.list(builder, schema, pairs, level, are_empty);
        }
        builder.object();
        for group in pairs.chunk_by(|one, other| step(one) == step(other)) {
            let name = group.first().map(step).unwrap_or_default();
            builder.name(&name);
            let member = schema.and_then(|schema| self.schemas.property(schema, &name));
            self.value(builder, member, group, level + 1)?;
        }
        builder.end();
        Ok(())
    }

    fn list(
        &self,
        builder: &mut Builder,
        schema: Option<SchemaId>,
        pairs: &[Pair<'_>],
        level: usize,
        are_empty: bool,
    ) -> Result<(), Cow<'static, str>> {
        let step = |pair: &Pair<'_>| pair.steps.get(level).copied().unwrap_or_default().to_owned();
        let are_texts = pairs.iter().all(|pair| pair.steps.len() == level + 1);
        let mut items: Vec<&[Pair<'_>]> = if are_empty && are_texts {
            pairs.chunks(1).collect()
        } else {
            // Names in empty brackets are of one item: where another one begins, servers do not agree.
            pairs.chunk_by(|one, other| step(one) == step(other)).collect()
        };
        if !are_empty {
            let number = |item: &&[Pair<'_>]| item.first().and_then(|pair| step(pair).parse::<u64>().ok());
            items.sort_by_key(number);
            if items.iter().any(|item| number(item).is_none())
                || items.windows(2).any(|two| matches!(two, [one, other] if number(one) == number(other)))
            {
                return Err("has numbers of items that are too large, or the same".into());
            }
        }
        builder.array();
        for (index, item) in items.into_iter().enumerate() {
            let schema = schema.and_then(|schema| self.schemas.items(schema, index));
            self.value(builder, schema, item, level + 1)?;
        }
        builder.end();
        Ok(())
    }

    /// Adds one text, or several as a list.
    fn texts(
        &self,
        builder: &mut Builder,
        schema: Option<SchemaId>,
        pairs: &[Pair<'_>],
    ) -> Result<(), Cow<'static, str>> {
        let Self { schemas, encoding, direction } = *self;
        let kinds = schema.map_or(Kinds::STRING, |schema| schemas.kinds(schema));
        let is_list = kinds.contains(Kinds::ARRAY);
        if let ([pair], false) = (pairs, is_list && !has_scalars(kinds)) {
            return part(builder, &encoding.decode(pair.text)?, schemas, schema, direction);
        }
        if !is_list {
            return Err("has a member more than once".into());
        }
        builder.array();
        for (index, pair) in pairs.iter().enumerate() {
            let item = schema.and_then(|schema| schemas.items(schema, index));
            part(builder, &encoding.decode(pair.text)?, schemas, item, direction)?;
        }
        builder.end();
        Ok(())
    }
}
