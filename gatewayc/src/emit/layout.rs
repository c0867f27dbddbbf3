//! Expressions, laid out as `rustfmt` does with this repository's settings.

use super::names::{Ident, Literal};
use crate::schema::Json;

/// The longest line.
const WIDTH: usize = 120;
/// Elements up to this width share lines.
const TINY: usize = 10;

/// An expression. Text of an author is in it only as [`Ident`] or [`Literal`].
#[derive(Debug, Clone)]
pub(crate) enum Expression {
    /// Source text that we chose, or a literal.
    Atom(String),
    /// `Name { field: value }`.
    Struct(&'static str, Vec<(&'static str, Expression)>),
    /// `&[a, b]`.
    Slice(Vec<Expression>),
    /// `Name(a)`, or a tuple where the name is empty.
    Call(&'static str, Vec<Expression>),
    /// `&expression`.
    Reference(Box<Expression>),
}

use Expression::{Atom, Call, Reference, Slice, Struct};

impl Expression {
    /// Our own words.
    pub(crate) fn word(text: &'static str) -> Self {
        Atom(text.to_owned())
    }

    /// A string.
    pub(crate) fn text(text: &str) -> Self {
        Atom(Literal::new(text).as_str().to_owned())
    }

    /// A string with as few escapes as can be.
    pub(crate) fn readable(text: &str) -> Self {
        Atom(Literal::raw(text).as_str().to_owned())
    }

    /// JSON.
    pub(crate) fn json(json: &Json) -> Self {
        Self::readable(&json.for_tables())
    }

    /// Strings.
    pub(crate) fn texts<'t>(texts: impl IntoIterator<Item = &'t String>) -> Self {
        Slice(texts.into_iter().map(|text| Self::text(text)).collect())
    }

    /// A number.
    pub(crate) fn number(number: u64) -> Self {
        Atom(number.to_string())
    }

    /// `&NAME`.
    pub(crate) fn reference_to(ident: &Ident) -> Self {
        Atom(format!("&{}", ident.as_str()))
    }

    /// `&module::API`.
    pub(crate) fn reference_into(module: &Ident, name: &'static str) -> Self {
        Atom(format!("&{}::{name}", module.as_str()))
    }

    /// The source text, for a place that is indented and has `before` characters on its line already.
    pub(crate) fn layout(&self, indent: usize, before: usize) -> String {
        let mut out = String::new();
        self.write(&mut out, indent, before, 1);
        out
    }

    /// The source text of a static, which has `before` on its line already. What fits into the next line goes there
    /// as a whole.
    pub(crate) fn layout_of_static(&self, before: &str) -> String {
        const INDENT: usize = 4;
        let before = before.trim_end();
        let width = self.flat().chars().count() + 1;
        if before.len() + 1 + width > WIDTH && INDENT + width <= WIDTH {
            return format!("{before}\n{:INDENT$}{}", "", self.flat());
        }
        format!("{before} {}", self.layout(0, before.len() + 1))
    }

    /// On one line.
    fn flat(&self) -> String {
        match self {
            Atom(text) => text.clone(),
            Struct(name, fields) => {
                let fields: Vec<_> = fields.iter().map(|(field, value)| format!("{field}: {}", value.flat())).collect();
                format!("{name} {{ {} }}", fields.join(", "))
            }
            Slice(items) => format!("&[{}]", flat_list(items)),
            Call(name, items) => format!("{name}({})", flat_list(items)),
            Reference(inner) => format!("&{}", inner.flat()),
        }
    }

    /// `column` is where the expression begins; `after` is what must still fit behind it.
    fn write(&self, out: &mut String, indent: usize, column: usize, after: usize) {
        let flat = self.flat();
        if matches!(self, Atom(_)) || column + flat.chars().count() + after <= WIDTH {
            out.push_str(&flat);
            return;
        }
        let inner = indent + 4;
        match self {
            Atom(_) => {}
            Struct(name, fields) => {
                out.push_str(name);
                out.push_str(" {");
                for (field, value) in fields {
                    new_line(out, inner);
                    out.push_str(field);
                    out.push_str(": ");
                    value.write(out, inner, inner + field.len() + 2, 1);
                    out.push(',');
                }
                new_line(out, indent);
                out.push('}');
            }
            Reference(value) => {
                out.push('&');
                value.write(out, indent, column + 1, after);
            }
            Slice(items) => write_list(out, "&[", items, "]", indent, column, after),
            Call(name, items) => write_list(out, &format!("{name}("), items, ")", indent, column, after),
        }
    }

    /// Whether a single element may open on the line of the bracket before it.
    fn overflows(&self) -> bool {
        match self {
            Atom(_) => false,
            Struct(..) | Slice(_) | Call(..) => true,
            Reference(inner) => inner.overflows(),
        }
    }
}

fn write_list(
    out: &mut String,
    open: &str,
    items: &[Expression],
    close: &str,
    indent: usize,
    column: usize,
    after: usize,
) {
    out.push_str(open);
    if let [only] = items
        && only.overflows()
    {
        only.write(out, indent, column + open.len(), after + 1);
        out.push_str(close);
        return;
    }
    let inner = indent + 4;
    let flat: Vec<String> = items.iter().map(Expression::flat).collect();
    if close == "]" && flat.iter().all(|item| item.chars().count() <= TINY) {
        let mut column = WIDTH;
        for item in &flat {
            let width = item.chars().count();
            if column + 1 + width + 1 > WIDTH {
                new_line(out, inner);
                column = inner + width + 1;
            } else {
                out.push(' ');
                column += 1 + width + 1;
            }
            out.push_str(item);
            out.push(',');
        }
    } else {
        for item in items {
            new_line(out, inner);
            item.write(out, inner, inner, 1);
            out.push(',');
        }
    }
    new_line(out, indent);
    out.push_str(close);
}

fn flat_list(items: &[Expression]) -> String {
    let items: Vec<_> = items.iter().map(Expression::flat).collect();
    items.join(", ")
}

fn new_line(out: &mut String, indent: usize) {
    out.push('\n');
    out.extend(std::iter::repeat_n(' ', indent));
}
