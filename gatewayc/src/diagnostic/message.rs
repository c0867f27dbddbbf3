//! One message, and how it is put together.

use gateway_yaml::{Node, Span, Value, plain};

use crate::diagnostic::codes::Code;
use crate::diagnostic::severity::Severity;

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a diagnostic says nothing until it is pushed"]
pub struct Diagnostic {
    /// Its code.
    pub code: Code,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, in the author's words, with no full stop.
    pub headline: String,
    /// The place that is at fault; [`None`] only where no file could be read.
    pub primary: Option<Label>,
    /// Other places that belong to it.
    pub secondary: Vec<Label>,
    /// What to do about it, one line each.
    pub help: Vec<String>,
    /// Text that repairs it, shown as a patch.
    pub suggestion: Option<Suggestion>,
    /// Why the author lives with it, as `acceptRisk` says.
    pub acknowledged: Option<String>,
    /// What one edit would mend in many places.
    pub cause: Option<Cause>,
}

/// What messages have in common that one edit, or the same edit, mends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// Messages with the same code and key become one, in each file.
    pub key: String,
    /// What this message is about, such as "operation `sign`".
    pub subject: String,
}

/// A place and a few words to stand under it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// The place.
    pub span: Span,
    /// The words, may be empty.
    pub text: String,
}

/// Text to put in the place of other text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suggestion {
    /// Why.
    pub text: String,
    /// What is replaced; empty to insert.
    pub span: Span,
    /// The text to paste.
    pub replacement: String,
}

impl Diagnostic {
    /// A mistake.
    pub fn error(code: Code, headline: impl Into<String>) -> Self {
        Self::new(code, Severity::Error, headline.into())
    }

    /// Something that deserves a look.
    pub fn warning(code: Code, headline: impl Into<String>) -> Self {
        Self::new(code, Severity::Warning, headline.into())
    }

    fn new(code: Code, severity: Severity, headline: String) -> Self {
        let (primary, suggestion, acknowledged, cause) = (None, None, None, None);
        let (secondary, help) = (Vec::new(), Vec::new());
        Self { code, severity, headline, primary, secondary, help, suggestion, acknowledged, cause }
    }

    /// The place at fault, with a few words under it.
    pub fn at(mut self, span: Span, text: impl Into<String>) -> Self {
        self.primary = Some(Label { span, text: text.into() });
        self
    }

    /// Another place that belongs to it.
    pub fn also(mut self, span: Span, text: impl Into<String>) -> Self {
        self.secondary.push(Label { span, text: text.into() });
        self
    }

    /// A line on what to do.
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help.push(text.into());
        self
    }

    /// Makes one message of all that have the same cause.
    pub fn because_of(mut self, key: impl Into<String>, subject: impl Into<String>) -> Self {
        self.cause = Some(Cause { key: key.into(), subject: subject.into() });
        self
    }

    /// "did you mean `…`?", where there is something to mean.
    pub fn did_you_mean(self, word: Option<&str>) -> Self {
        match word {
            Some(word) => self.help(format!("did you mean `{word}`?")),
            None => self,
        }
    }

    /// A number, or `true`, in quotes is text: says so where this is the value.
    pub fn without_quotes(self, node: &Node) -> Self {
        let is_quoted = |text: &&str| matches!(plain(text), Value::Number(_) | Value::Bool(_));
        match node.as_str().filter(is_quoted) {
            Some(text) => self.help(format!("remove the quotes: in quotes, `{text}` is text")),
            None => self,
        }
    }

    /// Text that repairs it.
    pub fn suggest(mut self, text: impl Into<String>, span: Span, replacement: impl Into<String>) -> Self {
        self.suggestion = Some(Suggestion { text: text.into(), span, replacement: replacement.into() });
        self
    }
}
