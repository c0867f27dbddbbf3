//! Fills the templates. Plain text is refused: see [`names`](super::names).

use std::sync::Arc;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Object, Value};
use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior};

use super::names::{Comment, Ident};

/// Source text that may stand in a generated file.
#[derive(Debug)]
struct Source(String);

impl Object for Source {}

impl From<&Ident> for SourceValue {
    fn from(ident: &Ident) -> Self {
        Self::of(ident.as_str())
    }
}

impl From<Comment> for SourceValue {
    fn from(comment: Comment) -> Self {
        Self::of(comment.as_str())
    }
}

/// A value that the templates accept.
#[derive(Debug, Clone)]
pub(super) struct SourceValue(Value);

impl SourceValue {
    /// Text that we wrote, such as an expression that was laid out.
    pub(super) fn ours(text: impl AsRef<str>) -> Self {
        Self::of(text.as_ref())
    }

    fn of(text: &str) -> Self {
        Self(Value::from_dyn_object(Arc::new(Source(text.to_owned()))))
    }
}

impl From<SourceValue> for Value {
    fn from(value: SourceValue) -> Self {
        value.0
    }
}

/// Fills one of our templates.
///
/// # Panics
/// On a mistake in a template, which is ours and which every test would show.
pub(super) fn fill(name: &'static str, template: &'static str, values: Value) -> String {
    match try_fill(name, template, values) {
        Ok(text) => text,
        Err(error) => panic!("this is a bug of gatewayc: the template {name} cannot be filled: {error:#}\n{template}"),
    }
}

fn try_fill(name: &'static str, template: &'static str, values: Value) -> Result<String, Error> {
    let mut environment = Environment::empty();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    let mut syntax = SyntaxConfig::builder();
    syntax.block_delimiters("<%", "%>").variable_delimiters("<<<", ">>>").comment_delimiters("<#", "#>");
    environment.set_syntax(syntax.trim_blocks(true).keep_trailing_newline(true).build()?);
    environment.set_formatter(|out, _, value| match value.downcast_object_ref::<Source>() {
        Some(source) => out.write_str(&source.0).map_err(Error::from),
        None => Err(Error::new(
            ErrorKind::BadSerialization,
            format!("{} must be an identifier, a literal or a comment", value.kind()),
        )),
    });
    environment.add_template(name, template)?;
    environment.get_template(name)?.render(values)
}

#[cfg(test)]
mod tests {
    use minijinja::context;

    use super::*;

    #[test]
    fn plain_text_is_refused() {
        assert!(try_fill("t", "<<< x >>>", context! { x => "text" }).is_err());
        assert!(try_fill("t", "<<< x >>>", context! { y => Value::from(SourceValue::ours("text")) }).is_err());
        assert_eq!(
            try_fill("t", "<<< x >>>", context! { x => Value::from(SourceValue::ours("text")) }).ok().as_deref(),
            Some("text")
        );
    }
}
