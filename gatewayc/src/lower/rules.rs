//! `rules`: what becomes of requests that no path matches. What forwards is an operation like any other.

use crate::diagnostic::{Diagnostic, GW199, GW503};
use crate::ir::{Action, Operation, Rewrite, Rule, RuleEffect, Upstream};
use crate::lower::browsers::DescribedFields;
use crate::lower::lowering::Lowering;
use crate::lower::operations::Particulars;
use crate::vocabulary::{Inheritable, RuleChoice, RulePolicy};

impl Lowering<'_> {
    pub(super) fn rules(&mut self) -> Vec<Rule> {
        let policies = std::mem::take(&mut self.root.rules);
        let written = policies.len();
        let rules = policies.into_iter().enumerate();
        let rules: Vec<Rule> = rules.filter_map(|(index, policy)| self.rule(index, policy?)).collect();
        let is_broken = self.document.rule_security.iter().any(|security| self.schemes.is_broken(security.as_ref()));
        if rules.len() < written && !self.diagnostics.has_errors() && !is_broken {
            let headline = "a rule was not compiled, and no reason was given; this is a bug of gatewayc";
            self.diagnostics.push(Diagnostic::error(GW199, headline));
        }
        rules
    }

    fn rule(&mut self, index: usize, policy: RulePolicy) -> Option<Rule> {
        let RulePolicy { at, scope, pattern, choice, accepted } = policy;
        let id = format!("rule {}", index + 1);
        self.accept(accepted, &id, vec![scope]);
        let effect = match choice {
            RuleChoice::Rewrite { to, last } => RuleEffect::Rewrite { to, last },
            RuleChoice::Redirect { to, status } => RuleEffect::Redirect { to, status },
            RuleChoice::Respond { status, content_type, body } => RuleEffect::Respond { status, content_type, body },
            RuleChoice::Proxy { upstream, to, content_type } => {
                let operation = self.proxy(&id, index, at, *upstream, content_type)?;
                RuleEffect::Proxy { to, operation: Box::new(operation) }
            }
        };
        Some(Rule { id, pattern, effect, span: at })
    }

    /// The operation of a rule that forwards: it inherits from the root, but for what is about the upstream.
    fn proxy(
        &mut self,
        id: &str,
        index: usize,
        at: gateway_yaml::Span,
        upstream: Upstream,
        content_type: Option<String>,
    ) -> Option<Operation> {
        let Some(security) = self.document.rule_security.get(index).and_then(Option::as_ref) else {
            self.diagnostics.push(
                Diagnostic::error(GW503, format!("unprotected rule: {id} forwards, and has no `security`"))
                    .at(at, "anyone could call it")
                    .help("write `security: []` to make it public, or name a scheme; rules do not inherit it"),
            );
            return None;
        };
        let access = self.schemes.read(security, self.diagnostics)?;
        let mut policy = Inheritable::default().or(&self.root.inheritable);
        self.check_consumers(&Inheritable::default(), &policy, Some(&access), id, at);
        let place = self.document.name.clone();
        let limits = self.charge(&policy, &access, &place, id, false);
        if let Some(content_type) = content_type {
            let headers = policy.response_headers.get_or_insert_default();
            let is_type = |name: &str| name.eq_ignore_ascii_case("content-type");
            headers.set.retain(|(name, _)| !is_type(name));
            headers.add.retain(|(name, _)| !is_type(name));
            headers.set.push(("Content-Type".to_owned(), content_type));
        }
        let upstream = self.upstreams.at(upstream)?;
        let particulars = Particulars {
            id: id.to_owned(),
            method: Operation::ANY.to_owned(),
            summary: String::new(),
            access,
            action: Action::Forward {
                upstream,
                rewrite: Rewrite::Received { base: String::new() },
                split: Vec::new(),
                mirror: None,
            },
            parameters: Vec::new(),
            listed_values: Vec::new(),
            contract: crate::ir::Contract::NOTHING,
            described_statuses: Vec::new(),
            limits,
            fields: DescribedFields::default(),
            span: at,
        };
        Some(particulars.with(&policy))
    }
}
