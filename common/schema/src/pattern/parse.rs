//! Patterns into trees (ECMA-262 §22.2.1, with the flag `u`; from Annex B only what cannot be misunderstood).

use super::char_set::CharSet;
use super::class::class;
use super::cursor::Cursor;
use super::error::PatternError;
use super::escape::{self, Escaped};
use super::node::{Assertion, Node};

/// Groups in each other; more are refused.
const DEEPEST: usize = 100;

/// Reads a pattern.
pub(super) fn parse(text: &str) -> Result<Node, PatternError> {
    let mut cursor = Cursor::new(text);
    let node = choice(&mut cursor, 0)?;
    if cursor.peek().is_some() {
        return Err(PatternError::new(cursor.at(), "`)` closes no group"));
    }
    Ok(node)
}

/// Alternatives, up to the end or a `)`.
fn choice(cursor: &mut Cursor<'_>, deep: usize) -> Result<Node, PatternError> {
    let mut nodes = vec![sequence(cursor, deep)?];
    while cursor.take('|') {
        nodes.push(sequence(cursor, deep)?);
    }
    Ok(match nodes.pop() {
        Some(only) if nodes.is_empty() => only,
        last => {
            nodes.extend(last);
            Node::Choice(nodes)
        }
    })
}

fn sequence(cursor: &mut Cursor<'_>, deep: usize) -> Result<Node, PatternError> {
    let mut nodes = Vec::new();
    while let Some(next) = cursor.peek() {
        if next == '|' || next == ')' {
            break;
        }
        let node = atom(cursor, deep)?;
        let is_place = matches!(node, Node::Assert(_)) && next != '(';
        match quantified(cursor, node, is_place)? {
            Node::Empty => {}
            Node::Sequence(inner) => nodes.extend(inner),
            node => nodes.push(node),
        }
    }
    Ok(match nodes.pop() {
        None => Node::Empty,
        Some(only) if nodes.is_empty() => only,
        last => {
            nodes.extend(last);
            Node::Sequence(nodes)
        }
    })
}

fn atom(cursor: &mut Cursor<'_>, deep: usize) -> Result<Node, PatternError> {
    let at = cursor.at();
    Ok(match cursor.next() {
        None => Node::Empty,
        Some('^') => Node::Assert(Assertion::Start),
        Some('$') => Node::Assert(Assertion::End),
        Some('.') => Node::Set(escape::line_ends().negated()),
        Some('[') => Node::Set(class(cursor, at)?),
        Some('(') => group(cursor, at, deep)?,
        Some('\\') => match escape::escape(cursor, at)? {
            Escaped::Character(code) => Node::Set(CharSet::of(code)),
            Escaped::Set(set) => Node::Set(set),
            Escaped::Assertion(assertion) => Node::Assert(assertion),
        },
        Some(sign @ ('*' | '+' | '?')) => {
            return Err(PatternError::new(at, format!("`{sign}` has nothing to repeat")));
        }
        Some('{') => {
            if counts(cursor)?.is_some() {
                return Err(PatternError::new(at, "`{` has nothing to repeat"));
            }
            Node::Set(CharSet::of(u32::from('{')))
        }
        Some(other) => Node::Set(CharSet::of(u32::from(other))),
    })
}

/// A group whose `(` at `at` is read.
fn group(cursor: &mut Cursor<'_>, at: usize, deep: usize) -> Result<Node, PatternError> {
    if deep >= DEEPEST {
        return Err(PatternError::new(at, format!("more than {DEEPEST} groups stand in each other")));
    }
    let look = if cursor.take_text("?:") {
        None
    } else if cursor.take_text("?=") {
        Some((false, false))
    } else if cursor.take_text("?!") {
        Some((false, true))
    } else if cursor.take_text("?<=") {
        Some((true, false))
    } else if cursor.take_text("?<!") {
        Some((true, true))
    } else if cursor.take_text("?<") {
        name(cursor, at)?;
        None
    } else if cursor.peek() == Some('?') {
        let message = "`(?` must be followed by `:`, `=`, `!`, `<=`, `<!` or `<name>`: ECMA-262 has no other groups";
        return Err(PatternError::new(at, message));
    } else {
        None
    };
    let node = choice(cursor, deep + 1)?;
    if !cursor.take(')') {
        return Err(PatternError::new(at, "`(` is never closed"));
    }
    Ok(match look {
        Some((behind, negative)) => Node::Look { node: Box::new(node), behind, negative },
        None => node,
    })
}

/// The name of a group, which nothing here refers to.
fn name(cursor: &mut Cursor<'_>, at: usize) -> Result<(), PatternError> {
    let mut length = 0;
    loop {
        match cursor.next() {
            Some('>') if length > 0 => return Ok(()),
            Some(letter) if letter == '_' || letter == '$' || letter.is_alphabetic() => {}
            Some(digit) if length > 0 && digit.is_numeric() => {}
            _ => return Err(PatternError::new(at, "the name of a group must be like `(?<name>`")),
        }
        length += 1;
    }
}

/// A node with the quantifier behind it, if there is one. Behind a place such as `^`, none may be.
fn quantified(cursor: &mut Cursor<'_>, node: Node, is_place: bool) -> Result<Node, PatternError> {
    let at = cursor.at();
    let (min, max) = match cursor.peek() {
        Some('*') => (0, None),
        Some('+') => (1, None),
        Some('?') => (0, Some(1)),
        Some('{') => {
            let mut ahead = cursor.clone();
            ahead.next();
            let Some(counts) = counts(&mut ahead)? else { return Ok(node) };
            *cursor = ahead;
            counts
        }
        _ => return Ok(node),
    };
    if cursor.at() == at {
        cursor.next();
    }
    if max.is_some_and(|max| max < min) {
        return Err(PatternError::new(at, "the counts in `{…}` are out of order"));
    }
    if is_place {
        return Err(PatternError::new(at, "the quantifier has nothing to repeat: an assertion stands before it"));
    }
    // A lazy quantifier matches the same texts.
    cursor.take('?');
    Ok(match (node, min, max) {
        (Node::Empty, _, _) | (_, _, Some(0)) => Node::Empty,
        (node, 1, Some(1)) => node,
        (node, min, max) => Node::Repeat { node: Box::new(node), min, max },
    })
}

/// The counts behind a `{`; `None` where it stands for itself.
fn counts(cursor: &mut Cursor<'_>) -> Result<Option<(u32, Option<u32>)>, PatternError> {
    let at = cursor.at();
    let mut ahead = cursor.clone();
    let min = number(&mut ahead);
    let has_comma = ahead.take(',');
    let max = if has_comma { number(&mut ahead) } else { min };
    if !ahead.take('}') {
        return Ok(None);
    }
    let Some(min) = min else {
        // Annex B reads it as text, which is not what authors mean.
        return match max {
            Some(max) => Err(PatternError::new(at, format!("`{{,{max}}}` is no quantifier: write `{{0,{max}}}`"))),
            None => Ok(None),
        };
    };
    *cursor = ahead;
    Ok(Some((min, max)))
}

fn number(cursor: &mut Cursor<'_>) -> Option<u32> {
    let mut number = None;
    while let Some(digit) = cursor.peek().and_then(|next| next.to_digit(10)) {
        cursor.next();
        number = Some(number.unwrap_or(0_u32).saturating_mul(10).saturating_add(digit));
    }
    number
}
