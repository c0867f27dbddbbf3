//! The upstreams of a document, and which of them its operations use.

use std::collections::BTreeMap;

use gateway_yaml::{Span, suggest};

use crate::diagnostic::{Diagnostic, Diagnostics, GW520, GW521, GW522};
use crate::ir::Upstream;
use crate::vocabulary::{Root, UpstreamChoice};

/// The upstreams of a document and which of them are used.
pub(super) struct Upstreams {
    known: BTreeMap<String, Known>,
    /// Whether something is wrong with `upstream` that has been reported once.
    reported_missing: bool,
}

struct Known {
    policy: Upstream,
    declared: Option<Span>,
    /// Of the operation that describes it, if it is described in place.
    first_use: Span,
    used: bool,
}

impl Upstreams {
    pub(super) fn new(root: &Root, reported_missing: bool, diagnostics: &mut Diagnostics) -> Self {
        let mut known = BTreeMap::new();
        for (name, policy) in &root.upstreams {
            if name.value.is_empty() {
                diagnostics.push(Diagnostic::error(GW521, "an upstream needs a name").at(name.span, "empty"));
            }
            known.insert(
                name.value.clone(),
                Known { policy: policy.clone(), declared: Some(name.span), first_use: name.span, used: false },
            );
        }
        Self { known, reported_missing }
    }

    /// The name of the upstream that a policy means.
    pub(super) fn choose(
        &mut self,
        choice: &Option<UpstreamChoice>,
        who: &str,
        at: Span,
        diagnostics: &mut Diagnostics,
    ) -> Option<String> {
        match choice {
            Some(UpstreamChoice::Broken) => None,
            Some(UpstreamChoice::Named(name)) => {
                if let Some(known) = self.known.get_mut(&name.value) {
                    known.used = true;
                    return Some(name.value.clone());
                }
                let near = suggest(name, self.known.keys().map(String::as_str));
                let diagnostic = Diagnostic::error(GW521, format!("no upstream is called `{}`", name.value))
                    .at(name.span, "not in `upstreams` at the root");
                diagnostics.push(diagnostic.did_you_mean(near));
                None
            }
            Some(UpstreamChoice::Inline { name, policy }) => {
                // Two descriptions of one address may differ in their timeouts.
                let names = std::iter::once(name.clone()).chain((2..).map(|number| format!("{name} {number}")));
                let free = |name: &String| {
                    self.known.get(name).is_none_or(|known| known.declared.is_none() && known.policy == **policy)
                };
                let name = names.into_iter().find(free)?;
                self.known.insert(
                    name.clone(),
                    Known { policy: (**policy).clone(), declared: None, first_use: at, used: true },
                );
                Some(name)
            }
            None => {
                if !self.reported_missing {
                    self.reported_missing = true;
                    diagnostics.push(
                        Diagnostic::error(GW520, format!("{who} has no upstream"))
                            .at(at, "where should it go?")
                            .help("write `upstream: {url: \"http://127.0.0.1:8080\"}` in `x-gateway` at the root, the path or the operation"),
                    );
                }
                None
            }
        }
    }

    /// What is described under a name.
    pub(super) fn described(&self, name: &str) -> Option<&Upstream> {
        self.known.get(name).map(|known| &known.policy)
    }

    /// The upstream of this address: one that the document describes, or one of its own.
    pub(super) fn at(&mut self, policy: Upstream) -> Option<String> {
        if let Some((name, known)) = self.known.iter_mut().find(|(_, known)| known.policy.endpoints == policy.endpoints)
        {
            known.used = true;
            return Some(name.clone());
        }
        let name = policy.first_url().split_once("://").map_or("", |(_, authority)| authority).to_owned();
        let choice = UpstreamChoice::Inline { name, policy: Box::new(policy) };
        self.choose(&Some(choice), "", Span::default(), &mut Diagnostics::new())
    }

    pub(super) fn used(self, diagnostics: &mut Diagnostics) -> Vec<Upstream> {
        let complete = !diagnostics.has_errors();
        let mut used = Vec::new();
        for (name, Known { policy, declared, first_use, used: is_used }) in self.known {
            // While something is wrong, it may be what would use it.
            if let Some(span) = declared.filter(|_| complete && !is_used) {
                diagnostics.push(
                    Diagnostic::warning(GW522, format!("no operation uses the upstream `{name}`"))
                        .at(span, "never called"),
                );
            }
            if is_used {
                used.push(Upstream { name, span: declared.unwrap_or(first_use), ..policy });
            }
        }
        used
    }
}
