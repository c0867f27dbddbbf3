//! Operations that another file makes public: a document that takes its paths from there says so itself.

use gateway_yaml::{Span, suggest};

use crate::ast::{Operation, Security};
use crate::diagnostic::{Diagnostic, GW215};
use crate::lower::lowering::Lowering;
use crate::lower::naming::title;
use crate::source::SourceSet;

impl Lowering<'_> {
    /// Reports operations that anyone may call because of a text that is neither in the document nor in an overlay, unless
    /// `public` names them.
    pub(super) fn check_public(&mut self, sources: &SourceSet<'_>) {
        let is_own = |span: Span| span.file == self.document.file || sources.home(span.file) != span.file;
        let mut named = vec![false; self.root.public.len()];
        let mut operations = Vec::new();
        for path in &self.document.paths {
            for operation in &path.operations {
                let name = format!("{} {}", operation.method, path.key.value);
                let opened = self.opened_at(operation);
                let foreign = opened.first().copied().filter(|_| !opened.iter().any(|span| is_own(*span)));
                let said = self.root.public.iter().position(|public| public.value == name);
                if let (Some(_), Some(said)) = (foreign, said) {
                    named[said] = true;
                } else if let Some(span) = foreign {
                    let headline = format!("another file makes {} public", title(path, operation));
                    self.diagnostics.push(
                        Diagnostic::error(GW215, headline)
                            .at(span, "the document that refers to it does not say so")
                            .help(format!(
                                "where anyone may call it, write `x-gateway: {{public: [\"{name}\"]}}` at the root of `{}` or \
                                 of its overlay",
                                self.document.path
                            ))
                            .because_of("public by reference", name.clone()),
                    );
                }
                operations.push(name);
            }
        }
        let needless = self.root.public.iter().zip(named).filter(|(_, named)| !named);
        for (public, _) in needless {
            self.diagnostics.push(if operations.contains(&public.value) {
                let headline = format!("`public` names `{}`, which no other file makes public", public.value);
                Diagnostic::warning(GW215, headline).at(public.span, "has no effect").help(
                    "what makes an operation public is `security: []` in it; `public` repeats that of another file",
                )
            } else {
                let near = suggest(&public.value, operations.iter().map(String::as_str));
                Diagnostic::error(GW215, format!("`public` names `{}`, and there is no such operation", public.value))
                    .at(public.span, "not an operation of this document")
                    .did_you_mean(near)
            });
        }
    }

    /// Where it is written that anyone may call an operation.
    fn opened_at(&self, operation: &Operation) -> Vec<Span> {
        match operation.security.as_ref().or(self.document.security.as_ref()) {
            Some(Security::AnyOf(alternatives)) if alternatives.value.is_empty() => vec![alternatives.span],
            Some(Security::AnyOf(alternatives)) => {
                let anonymous = alternatives.value.iter().filter(|alternative| alternative.requirements.is_empty());
                anonymous.map(|alternative| alternative.span).collect()
            }
            Some(Security::Broken(_)) | None => Vec::new(),
        }
    }
}
