//! The path parameters of operations: what they take, and what they must look like.

use gateway_route::{Allowance, Ambiguous, Template};
use gateway_yaml::{Node, suggest};

use crate::ast;
use crate::diagnostic::{Diagnostic, Diagnostics, GW512, GW513};
use crate::ir::{ParameterKind, PathParameter};
use crate::vocabulary::{self, Place};

/// The path parameters of an operation; its own replace those of its path item.
pub(super) struct Parameters<'a> {
    declared: Vec<&'a ast::Parameter>,
    greedy: Vec<&'a str>,
    /// What they take that servers read differently.
    allowances: Vec<(&'a str, Allowance)>,
}

impl<'a> Parameters<'a> {
    pub(super) fn new(path: &'a ast::PathItem, operation: &'a ast::Operation, diagnostics: &mut Diagnostics) -> Self {
        let mut found = Self { declared: Vec::new(), greedy: Vec::new(), allowances: Vec::new() };
        for parameter in operation.parameters.iter().chain(&path.parameters) {
            let in_path = parameter.location == ast::ParameterLocation::Path;
            let place = if in_path { Place::PathParameter } else { Place::OtherParameter };
            let policy = parameter.gateway.as_ref().map(|node| vocabulary::parameter(node, place, diagnostics));
            let policy = policy.unwrap_or_default();
            let known = found.declared.iter().any(|other| other.name.value == parameter.name.value);
            if !in_path || known {
                continue;
            }
            found.declared.push(parameter);
            if policy.is_greedy || parameter.allow_reserved {
                found.greedy.push(&parameter.name);
            }
            // `/map/;point=50,20`: the semicolon is how the document writes the value.
            let of_style = if matches!(parameter.written, ast::Written::As(ast::Style::Matrix, _)) {
                &[Ambiguous::Semicolon][..]
            } else {
                &[]
            };
            found.allowances.push((&parameter.name, policy.allowance.and(Allowance::of(of_style))));
        }
        found
    }

    pub(super) fn greedy(&self) -> impl Iterator<Item = &str> {
        self.greedy.iter().copied()
    }

    /// The template with what its parameters take.
    pub(super) fn allow(&self, template: Template) -> Template {
        self.allowances.iter().fold(template, |template, (name, allowance)| template.with_allowance(name, *allowance))
    }

    /// Every parameter of the template is declared, and the other way round.
    pub(super) fn check(
        &self,
        template: &Template,
        path: &ast::PathItem,
        operation: &ast::Operation,
        diagnostics: &mut Diagnostics,
    ) {
        // What a reference that leads nowhere would have declared is not known.
        let complete = path.parameters_complete && operation.parameters_complete;
        let is_declared = |name: &str| self.declared.iter().any(|parameter| parameter.name.value == name);
        for name in template.names().filter(|name| complete && !is_declared(name)) {
            let headline = format!("`{{{name}}}` in `{}` is not declared under `parameters`", path.key.value);
            let declared = self
                .declared
                .iter()
                .map(|parameter| parameter.name.value.as_str())
                .filter(|known| !template.names().any(|name| name == *known));
            let diagnostic = Diagnostic::warning(GW512, headline)
                .at(path.key.span, "taken for text")
                .also(operation.span, "by this operation");
            diagnostics.push(diagnostic.did_you_mean(suggest(name, declared)));
        }
        for parameter in
            self.declared.iter().filter(|parameter| !template.names().any(|name| name == parameter.name.value))
        {
            let headline = format!("the path parameter `{}` is not in `{}`", parameter.name.value, path.key.value);
            diagnostics.push(
                Diagnostic::warning(GW513, headline)
                    .at(parameter.name.span, "never has a value")
                    .also(path.key.span, "the path"),
            );
        }
    }

    /// The values that `enum` lists, for parameters that have one.
    pub(super) fn listed_values(&self, template: &Template, root: &Node) -> Vec<(String, Vec<String>)> {
        let declared =
            self.declared.iter().filter(|parameter| template.names().any(|name| name == parameter.name.value));
        let listed = declared.filter_map(|parameter| {
            let values = resolved(parameter.schema.as_ref()?, root)?.get("enum")?.as_sequence()?;
            let texts = values.iter().filter_map(|value| value.as_text().map(str::to_owned));
            Some((parameter.name.value.clone(), texts.collect()))
        });
        listed.collect()
    }

    /// Parameters with a type, in the order of the template.
    pub(super) fn typed(&self, template: &Template, root: &Node) -> Vec<PathParameter> {
        let mut typed: Vec<PathParameter> = Vec::new();
        for name in template.names() {
            let declared = self.declared.iter().find(|parameter| parameter.name.value == name);
            let kind = declared.and_then(|parameter| kind(parameter.schema.as_ref()?, root));
            if let Some(kind) = kind
                && typed.iter().all(|other| other.name != name)
            {
                typed.push(PathParameter { name: name.to_owned(), kind });
            }
        }
        typed
    }
}

/// The first parameter that takes more in one of two templates that are the same otherwise.
pub(super) fn differently_allowed(one: &Template, other: &Template) -> Option<String> {
    let both = one.allowances().zip(other.allowances());
    both.into_iter().find(|(one, other)| one.1 != other.1).map(|((name, _), _)| name.to_owned())
}

/// What a schema's references lead to, as far as it stands in the same document.
fn resolved<'n>(schema: &'n Node, root: &'n Node) -> Option<&'n Node> {
    let mut schema = schema;
    for _ in 0..16 {
        match schema.get("$ref").and_then(Node::as_str) {
            // `#` is the file that the reference is in, which need not be this one.
            Some(_) if schema.span.file != root.span.file => return None,
            Some(reference) => schema = root.pointer(reference.strip_prefix('#')?)?,
            None => break,
        }
    }
    Some(schema)
}

/// The type of a schema.
fn kind(schema: &Node, root: &Node) -> Option<ParameterKind> {
    let given = resolved(schema, root)?.get("type")?;
    // From OpenAPI 3.1 on, types are a list as well.
    let word = match given.as_sequence() {
        Some([only]) => only.as_str()?,
        _ => given.as_str()?,
    };
    match word {
        "integer" => Some(ParameterKind::Integer),
        "number" => Some(ParameterKind::Number),
        "boolean" => Some(ParameterKind::Boolean),
        _ => None,
    }
}
