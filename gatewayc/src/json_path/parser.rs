//! The grammar of RFC 9535, with its rules on types of functions.

use crate::json_path::evaluate::regex;
use crate::json_path::syntax::{Comparison, Condition, Operand, Query, Segment, Selector};

/// Filters in filters, parentheses in parentheses, functions in functions.
const MAX_NESTING: usize = 32;
/// The integers that JSON can exchange (RFC 7493 §2.2).
const LARGEST: i64 = (1 << 53) - 1;

/// What is no query, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SyntaxError {
    /// The byte of the text at which it stops to be a query.
    pub(crate) at: usize,
    /// What is wrong there, in words for the author.
    pub(crate) message: String,
}

/// Reads a query.
pub(crate) fn parse(text: &str) -> Result<Query, SyntaxError> {
    let mut parser = Parser { text, at: 0, nesting: 0 };
    if !parser.take("$") {
        return Err(parser.wrong("a query begins with `$`, the root of the document"));
    }
    let segments = parser.segments()?;
    if parser.at < text.len() {
        return Err(parser.wrong("expected `.name`, `['name']`, `[*]` or the end"));
    }
    Ok(Query { from_current: false, segments })
}

struct Parser<'t> {
    text: &'t str,
    at: usize,
    nesting: usize,
}

type Parsed<T> = Result<T, SyntaxError>;

/// A part of a condition, before it is clear whether it is compared.
enum Part {
    Operand(Operand),
    Query(Query),
    Condition(Condition),
}

impl<'t> Parser<'t> {
    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn take(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    fn blanks(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start_matches([' ', '\t', '\n', '\r']).len();
    }

    fn wrong(&self, message: impl Into<String>) -> SyntaxError {
        SyntaxError { at: self.at, message: message.into() }
    }

    fn expect(&mut self, token: &str) -> Parsed<()> {
        if self.take(token) { Ok(()) } else { Err(self.wrong(format!("expected `{token}`"))) }
    }

    fn deeper<T>(&mut self, part: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        self.nesting += 1;
        if self.nesting > MAX_NESTING {
            return Err(self.wrong(format!("a query nests at most {MAX_NESTING} levels deep")));
        }
        let parsed = part(self);
        self.nesting -= 1;
        parsed
    }

    fn segments(&mut self) -> Parsed<Vec<Segment>> {
        let mut segments = Vec::new();
        loop {
            let before = self.at;
            self.blanks();
            let segment = if self.take("..") {
                let selectors = match self.peek() {
                    Some('[') => self.bracketed()?,
                    _ => vec![self.shorthand()?],
                };
                Segment { of_descendants: true, selectors }
            } else if self.take(".") {
                Segment { of_descendants: false, selectors: vec![self.shorthand()?] }
            } else if self.peek() == Some('[') {
                Segment { of_descendants: false, selectors: self.bracketed()? }
            } else {
                // Blanks belong to a segment only.
                self.at = before;
                return Ok(segments);
            };
            segments.push(segment);
        }
    }

    /// `*` or a name without quotes.
    fn shorthand(&mut self) -> Parsed<Selector> {
        if self.take("*") {
            return Ok(Selector::Wildcard);
        }
        let is_first = |c: char| c.is_ascii_alphabetic() || c == '_' || !c.is_ascii();
        let rest = self.rest();
        if !rest.starts_with(is_first) {
            let message =
                "expected a name or `*`; a name with other characters stands in brackets and quotes, as `['/a-b']`";
            return Err(self.wrong(message));
        }
        let end = rest.find(|c: char| !is_first(c) && !c.is_ascii_digit()).unwrap_or(rest.len());
        self.at += end;
        Ok(Selector::Name(rest[..end].to_owned()))
    }

    fn bracketed(&mut self) -> Parsed<Vec<Selector>> {
        self.expect("[")?;
        let mut selectors = Vec::new();
        loop {
            self.blanks();
            selectors.push(self.selector()?);
            self.blanks();
            if self.take("]") {
                return Ok(selectors);
            }
            if !self.take(",") {
                return Err(self.wrong("expected `,` or `]`"));
            }
        }
    }

    fn selector(&mut self) -> Parsed<Selector> {
        match self.peek() {
            Some('\'' | '"') => Ok(Selector::Name(self.string()?)),
            Some('*') => {
                self.at += 1;
                Ok(Selector::Wildcard)
            }
            Some('?') => {
                self.at += 1;
                self.blanks();
                Ok(Selector::Filter(self.deeper(Self::any)?))
            }
            Some('0'..='9' | '-' | ':') => self.index_or_slice(),
            _ => Err(self.wrong("expected a name in quotes, a number, `*` or a filter such as `?@.x`")),
        }
    }

    fn index_or_slice(&mut self) -> Parsed<Selector> {
        let start = self.integer()?;
        let after = self.at;
        self.blanks();
        if !self.take(":") {
            self.at = after;
            return start.map(Selector::Index).ok_or_else(|| self.wrong("expected a number"));
        }
        self.blanks();
        let end = self.integer()?;
        let after = self.at;
        self.blanks();
        let step = if self.take(":") {
            self.blanks();
            self.integer()?
        } else {
            self.at = after;
            None
        };
        Ok(Selector::Slice { start, end, step: step.unwrap_or(1) })
    }

    fn integer(&mut self) -> Parsed<Option<i64>> {
        let rest = self.rest();
        let digits = rest.strip_prefix('-').unwrap_or(rest);
        let length = digits.len() - digits.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let sign = rest.len() - digits.len();
        if length == 0 && sign == 0 {
            return Ok(None);
        }
        let number = &rest[..sign + length];
        let is_well_formed = length > 0 && (length == 1 || !digits.starts_with('0')) && number != "-0";
        match number.parse::<i64>() {
            Ok(integer) if is_well_formed && integer.abs() <= LARGEST => {
                self.at += number.len();
                Ok(Some(integer))
            }
            _ => Err(self.wrong("not an integer: no zeros in front, no `-0`, and at most 2⁵³ - 1")),
        }
    }

    fn string(&mut self) -> Parsed<String> {
        let quote = self.peek().unwrap_or('\'');
        self.at += 1;
        let mut string = String::new();
        loop {
            let Some(c) = self.peek() else { return Err(self.wrong("a closing quote is missing")) };
            match c {
                _ if c == quote => {
                    self.at += 1;
                    return Ok(string);
                }
                '\\' => {
                    self.at += 1;
                    string.push(self.escape(quote)?);
                }
                '\0'..'\u{20}' => return Err(self.wrong("a control character in quotes is written as an escape")),
                _ => {
                    self.at += c.len_utf8();
                    string.push(c);
                }
            }
        }
    }

    fn escape(&mut self, quote: char) -> Parsed<char> {
        let escaped = match self.peek() {
            Some('b') => '\u{8}',
            Some('f') => '\u{c}',
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some('u') => {
                self.at += 1;
                return self.unicode();
            }
            Some(c) if c == quote || matches!(c, '/' | '\\') => c,
            _ => return Err(self.wrong("unknown escape: a backslash is written as `\\\\`")),
        };
        self.at += 1;
        Ok(escaped)
    }

    fn unicode(&mut self) -> Parsed<char> {
        let first = self.four_digits()?;
        let code = match first {
            0xd800..0xdc00 => {
                self.expect("\\u")?;
                match self.four_digits()? {
                    second @ 0xdc00..0xe000 => 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00),
                    _ => return Err(self.wrong("half of a surrogate pair")),
                }
            }
            code => code,
        };
        char::from_u32(code).ok_or_else(|| self.wrong("half of a surrogate pair"))
    }

    fn four_digits(&mut self) -> Parsed<u32> {
        let digits = self.rest().get(..4).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let code = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        let code = code.ok_or_else(|| self.wrong("expected four hexadecimal digits"))?;
        self.at += 4;
        Ok(code)
    }

    /// `a || b`.
    fn any(&mut self) -> Parsed<Condition> {
        let mut alternatives = vec![self.all()?];
        while self.operator("||") {
            alternatives.push(self.all()?);
        }
        Ok(Condition::Any(alternatives))
    }

    /// `a && b`.
    fn all(&mut self) -> Parsed<Condition> {
        let mut conditions = vec![self.condition()?];
        while self.operator("&&") {
            conditions.push(self.condition()?);
        }
        Ok(Condition::All(conditions))
    }

    fn operator(&mut self, operator: &str) -> bool {
        let before = self.at;
        self.blanks();
        if self.take(operator) {
            self.blanks();
            return true;
        }
        self.at = before;
        false
    }

    fn condition(&mut self) -> Parsed<Condition> {
        if self.take("!") {
            self.blanks();
            let condition = if self.peek() == Some('(') { self.parentheses()? } else { self.test()? };
            return Ok(Condition::Not(Box::new(condition)));
        }
        if self.peek() == Some('(') {
            return self.parentheses();
        }
        let start = self.at;
        let part = self.part()?;
        let before = self.at;
        self.blanks();
        let Some(comparison) = self.comparison() else {
            self.at = before;
            return self.tested(part, start);
        };
        let left = self.compared(part, start)?;
        self.blanks();
        let start = self.at;
        let part = self.part()?;
        Ok(Condition::Compare(left, comparison, self.compared(part, start)?))
    }

    fn parentheses(&mut self) -> Parsed<Condition> {
        self.expect("(")?;
        self.blanks();
        let condition = self.deeper(Self::any)?;
        self.blanks();
        self.expect(")")?;
        Ok(condition)
    }

    fn comparison(&mut self) -> Option<Comparison> {
        const COMPARISONS: &[(&str, Comparison)] = &[
            ("==", Comparison::Equal),
            ("!=", Comparison::NotEqual),
            ("<=", Comparison::LessOrEqual),
            (">=", Comparison::GreaterOrEqual),
            ("<", Comparison::Less),
            (">", Comparison::Greater),
        ];
        COMPARISONS.iter().find(|(token, _)| self.take(token)).map(|(_, comparison)| *comparison)
    }

    fn test(&mut self) -> Parsed<Condition> {
        let start = self.at;
        let part = self.part()?;
        self.tested(part, start)
    }

    fn tested(&self, part: Part, start: usize) -> Parsed<Condition> {
        match part {
            Part::Query(query) => Ok(Condition::Exists(query)),
            Part::Condition(condition) => Ok(condition),
            Part::Operand(_) => {
                Err(SyntaxError { at: start, message: "a value alone is no condition: compare it".into() })
            }
        }
    }

    fn compared(&self, part: Part, start: usize) -> Parsed<Operand> {
        let message = match part {
            Part::Operand(operand) => return Ok(operand),
            Part::Query(query) if query.is_single() => return Ok(Operand::Single(query)),
            Part::Query(_) => "a query that may select several values cannot be compared",
            Part::Condition(_) => "`match` and `search` are conditions, and cannot be compared",
        };
        Err(SyntaxError { at: start, message: message.into() })
    }

    /// A query, a literal or a function.
    fn part(&mut self) -> Parsed<Part> {
        match self.peek() {
            Some('@' | '$') => Ok(Part::Query(self.query()?)),
            Some('\'' | '"') => Ok(Part::Operand(Operand::Text(self.string()?))),
            Some('0'..='9' | '-') => Ok(Part::Operand(Operand::Number(self.number()?))),
            Some('a'..='z') => self.word(),
            _ => Err(self.wrong("expected `@`, `$`, a value or a function")),
        }
    }

    fn query(&mut self) -> Parsed<Query> {
        let from_current = self.peek() == Some('@');
        self.at += 1;
        Ok(Query { from_current, segments: self.segments()? })
    }

    fn number(&mut self) -> Parsed<f64> {
        let rest = self.rest();
        let mut length = usize::from(rest.starts_with('-'));
        let digits = |from: usize| {
            let rest = rest.get(from..).unwrap_or_default();
            rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len()
        };
        let integer = digits(length);
        let is_well_formed = integer == 1 || (integer > 1 && !rest[length..].starts_with('0'));
        length += integer;
        let mut is_complete = is_well_formed;
        if rest[length..].starts_with('.') {
            let fraction = digits(length + 1);
            is_complete &= fraction > 0;
            length += 1 + fraction;
        }
        if rest[length..].starts_with(['e', 'E']) {
            let sign = usize::from(rest[length + 1..].starts_with(['+', '-']));
            let exponent = digits(length + 1 + sign);
            is_complete &= exponent > 0;
            length += 1 + sign + exponent;
        }
        let number = rest[..length].parse().ok().filter(|_| is_complete);
        let number = number.ok_or_else(|| self.wrong("not a number of JSON"))?;
        self.at += length;
        Ok(number)
    }

    /// `true`, `false`, `null` or a function.
    fn word(&mut self) -> Parsed<Part> {
        let rest = self.rest();
        let end = rest.find(|c: char| !c.is_ascii_lowercase() && !c.is_ascii_digit() && c != '_').unwrap_or(rest.len());
        let word = &rest[..end];
        if !rest[end..].starts_with('(') {
            let operand = match word {
                "true" => Operand::Bool(true),
                "false" => Operand::Bool(false),
                "null" => Operand::Null,
                _ => return Err(self.wrong("a text stands in quotes, and a query begins with `@` or `$`")),
            };
            self.at += end;
            return Ok(Part::Operand(operand));
        }
        if !["length", "count", "value", "match", "search"].contains(&word) {
            let message =
                format!("there is no function `{word}`: expected `length`, `count`, `value`, `match` or `search`");
            return Err(self.wrong(message));
        }
        self.at += end + 1;
        self.blanks();
        let part = self.deeper(|parser| match word {
            "length" => Ok(Part::Operand(Operand::Length(Box::new(parser.value_argument()?)))),
            "count" => Ok(Part::Operand(Operand::Count(parser.query_argument()?))),
            "value" => Ok(Part::Operand(Operand::OnlyValue(parser.query_argument()?))),
            _ => {
                let text = parser.value_argument()?;
                parser.blanks();
                parser.expect(",")?;
                parser.blanks();
                let start = parser.at;
                let (pattern, whole) = (parser.value_argument()?, word == "match");
                if let Operand::Text(pattern) = &pattern
                    && let Err(error) = regex(pattern, whole)
                {
                    let message = format!("the regular expression cannot be used: {error}");
                    return Err(SyntaxError { at: start, message });
                }
                Ok(Part::Condition(Condition::Matches { text, pattern, whole }))
            }
        })?;
        self.blanks();
        self.expect(")")?;
        Ok(part)
    }

    fn value_argument(&mut self) -> Parsed<Operand> {
        let start = self.at;
        let part = self.part()?;
        self.compared(part, start)
    }

    fn query_argument(&mut self) -> Parsed<Query> {
        match self.peek() {
            Some('@' | '$') => self.query(),
            _ => Err(self.wrong("expected a query that begins with `@` or `$`")),
        }
    }
}
