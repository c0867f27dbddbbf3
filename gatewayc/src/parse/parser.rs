//! What the parsing of all parts of a document shares.

use gateway_yaml::{FileId, Node, Span};

use crate::ast::Version;
use crate::diagnostic::{Diagnostic, GW114};
use crate::resolve::Resolver;
use crate::schema::SchemaSet;

/// Reads one document after the other.
pub(super) struct Parser<'s, 'p> {
    pub(super) resolver: Resolver<'s, 'p>,
    /// The version of the document that is being parsed.
    pub(super) version: Version,
    /// Whether all references to its security schemes lead somewhere.
    pub(super) schemes_complete: bool,
    /// `serverVariables` at its root.
    pub(super) server_variables: Option<Node>,
    /// Whether no operation of that document has been lost so far.
    pub(super) complete: bool,
    /// Its schemas.
    pub(super) schemas: SchemaSet,
    /// Its file.
    pub(super) file: FileId,
    /// Its root, or a path item of it, asks for responses to be checked.
    pub(super) checks_responses: bool,
    /// What is said of pages of other origins holds for the operations of a path, or for all.
    pub(super) has_cors: bool,
}

impl Parser<'_, '_> {
    pub(super) fn report(&mut self, diagnostic: Diagnostic) {
        self.resolver.diagnostics.push(diagnostic);
    }

    /// The list under a key: nothing where the key is absent or null, a diagnostic where it is something else.
    pub(super) fn list(&mut self, node: &Node, key: &str, what: &str) -> Option<Vec<Node>> {
        let value = self.resolver.get(node, key)?;
        if value.is_null() {
            return None;
        }
        if value.as_sequence().is_none() {
            let headline = format!("`{key}` of {what} is {}, not a list", value.kind_name());
            let diagnostic = Diagnostic::error(GW114, headline).at(value.span, "expected a list");
            self.report(diagnostic.help("write `- ` before each item, or `[…]` around them"));
        }
        value.as_sequence().map(<[Node]>::to_vec)
    }

    pub(super) fn expect_mapping(&mut self, node: &Node, what: &str) -> bool {
        self.expect_mapping_under(node, what, node.span)
    }

    pub(super) fn expect_mapping_under(&mut self, node: &Node, what: &str, span: Span) -> bool {
        if node.as_mapping().is_some() {
            return true;
        }
        let found = if node.is_null() { "empty" } else { node.kind_name() };
        let headline = format!("{what} is {found}, not a mapping");
        self.report(Diagnostic::error(GW114, headline).at(span, "expected a mapping"));
        false
    }

    pub(super) fn missing(&mut self, parent: &Node, what: &str, key: &str, example: &str) {
        let at = match parent.as_mapping().and_then(|mapping| mapping.entries().first()) {
            Some(first) => first.key.span,
            None => parent.span,
        };
        let diagnostic = Diagnostic::error(GW114, format!("{what} has no `{key}`"));
        self.report(diagnostic.at(at, "in this object").help(format!("write `{example}`")));
    }
}

/// `true`, also as text: real documents quote their booleans.
pub(super) fn is_true(node: &Node) -> bool {
    node.as_bool() == Some(true) || node.as_str() == Some("true")
}
