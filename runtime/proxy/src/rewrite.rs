//! Makes the path that the upstream sees.

use std::fmt;

use gateway_route::RequestPath;
use regex_lite::Regex;

use crate::rule_pattern::PatternError;

/// A rewrite that needs an engine; reached through `&'static dyn`, so that it is linked only where a document uses it.
pub trait Rewriter: fmt::Debug + Sync {
    /// Builds the engine.
    ///
    /// # Errors
    /// The expression of the rewrite cannot be used.
    fn prepare(&self) -> Result<Box<dyn PreparedRewrite>, PatternError>;

    /// The base path that the rewrite does not see.
    fn base(&self) -> &'static str;
}

/// A rewrite that is ready to run.
pub trait PreparedRewrite: fmt::Debug + Send + Sync {
    /// The new path for `path`, both percent-encoded; `None` leaves it.
    fn rewrite(&self, path: &str) -> Option<String>;
}

/// Replaces the path where a regular expression matches it, and leaves it otherwise.
#[derive(Debug)]
pub struct RegexRewrite {
    /// The base path of `servers`, which the expression does not see; `""` for none.
    pub base: &'static str,
    /// The expression, in the syntax of `regex-lite`: linear time, no look-around.
    pub pattern: &'static str,
    /// The new path; `$1` or `${1}` stands for a group.
    pub to: &'static str,
}

impl Rewriter for RegexRewrite {
    fn prepare(&self) -> Result<Box<dyn PreparedRewrite>, PatternError> {
        match Regex::new(self.pattern) {
            Ok(regex) => Ok(Box::new(PreparedRegex { regex, to: braced(self.to) })),
            Err(error) => Err(PatternError { pattern: self.pattern, source: Box::new(error) }),
        }
    }

    fn base(&self) -> &'static str {
        self.base
    }
}

#[derive(Debug)]
struct PreparedRegex {
    regex: Regex,
    to: String,
}

impl PreparedRewrite for PreparedRegex {
    fn rewrite(&self, path: &str) -> Option<String> {
        match self.regex.replacen(path, 1, self.to.as_str()) {
            std::borrow::Cow::Borrowed(_) => None,
            std::borrow::Cow::Owned(new) => Some(new),
        }
    }
}

/// `/$1_$2` means group 1, an underscore, group 2, as in every other gateway; the library would look for a group
/// called `1_`, so numbers are put in braces.
fn braced(to: &str) -> String {
    let mut out = String::with_capacity(to.len() + 8);
    let mut rest = to;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        if digits > 0 {
            out.push_str(&format!("${{{}}}", &rest[..digits]));
            rest = &rest[digits..];
        } else if let Some(after) = rest.strip_prefix('$') {
            out.push_str("$$");
            rest = after;
        } else {
            out.push('$');
        }
    }
    out + rest
}

/// A path template cut into literals and parameters.
#[derive(Debug)]
pub struct PathTemplate(Vec<Piece>);

#[derive(Debug)]
enum Piece {
    Literal(Box<str>),
    Parameter(Box<str>),
}

impl PathTemplate {
    /// Cuts `/people/{id}`; the compiler has checked that the parameters exist.
    pub fn parse(template: &str) -> Self {
        let mut pieces = Vec::new();
        let mut rest = template;
        while let Some((literal, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}').unwrap_or((after, ""));
            pieces.push(Piece::Literal(literal.into()));
            pieces.push(Piece::Parameter(name.trim_start_matches('+').trim_end_matches('+').into()));
            rest = after;
        }
        pieces.push(Piece::Literal(rest.into()));
        Self(pieces)
    }

    /// Appends the template with its parameters replaced by what `value` gives, percent-encoded as received.
    pub(crate) fn fill<'a>(&self, out: &mut Vec<u8>, mut value: impl FnMut(&str) -> Option<&'a str>) {
        for piece in &self.0 {
            match piece {
                Piece::Literal(text) => out.extend_from_slice(text.as_bytes()),
                Piece::Parameter(name) => out.extend_from_slice(value(name).unwrap_or("").as_bytes()),
            }
        }
    }
}

/// Whether a path made by a rewrite may be sent: it starts with `/`, and has no dot segment.
pub(crate) fn is_safe(path: &[u8]) -> bool {
    std::str::from_utf8(path).is_ok_and(|path| RequestPath::parse(path).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn group_numbers_end_at_the_first_other_character() {
        let rewrite = RegexRewrite { base: "", pattern: "^/rx/([a-z]+)/([a-z]+)/([a-z]+)$", to: "/$1_$2_$3" };
        let prepared = rewrite.prepare().expect("a good pattern");
        assert_eq!(prepared.rewrite("/rx/a/b/c").as_deref(), Some("/a_b_c"));
        assert_eq!(prepared.rewrite("/rx/1/b/c"), None);
        assert_eq!(braced("/${1}x$$y$2z"), "/${1}x$$y${2}z");
    }

    #[test]
    fn templates_are_filled() {
        let template = PathTemplate::parse("/people/{id}/articles/{post}.html");
        let mut out = Vec::new();
        template.fill(&mut out, |name| Some(if name == "id" { "4%202" } else { "hello" }));
        assert_eq!(out, b"/people/4%202/articles/hello.html");
    }

    #[test]
    fn targets_with_dot_segments_are_unsafe() {
        assert!(is_safe(b"/a/b"));
        assert!(!is_safe(b"/a/../b"));
        assert!(!is_safe(b"a"));
    }
}
