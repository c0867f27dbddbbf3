//! What is said about an operation and its path, as tables.

use gateway_route::{Allowance, Ambiguous, Template};

use crate::emit::layout::Expression;
use crate::emit::literals::boolean;
use crate::emit::schemes::secret_reference;
use crate::ir::{Anonymous, ConsumerRules, HeaderEdits, Rewrite, SecretReference};

pub(super) fn rewrite(rewrite: &Rewrite) -> Expression {
    match rewrite {
        Rewrite::Received { base } => Expression::Struct("Rewrite::Received", vec![("base", Expression::text(base))]),
        Rewrite::Path(template) => Expression::Call("Rewrite::Path", vec![Expression::text(&template.to_string())]),
        Rewrite::Regex { base, pattern, to } => {
            let fields = vec![
                ("base", Expression::text(base)),
                ("pattern", Expression::text(pattern)),
                ("to", Expression::text(to)),
            ];
            Expression::Call(
                "Rewrite::With",
                vec![Expression::Reference(Box::new(Expression::Struct("RegexRewrite", fields)))],
            )
        }
    }
}

pub(super) fn edits(edits: &HeaderEdits) -> Expression {
    if *edits == HeaderEdits::default() { Expression::word("UNCHANGED") } else { edits_spelt_out(edits) }
}

pub(super) fn edits_spelt_out(edits: &HeaderEdits) -> Expression {
    let pairs = |pairs: &[(String, String)]| {
        Expression::Slice(
            pairs
                .iter()
                .map(|(name, value)| Expression::Call("", vec![Expression::text(name), Expression::text(value)]))
                .collect(),
        )
    };
    let secret = |(name, reference): &(String, SecretReference)| {
        Expression::Call("", vec![Expression::text(name), secret_reference(reference)])
    };
    Expression::Struct(
        "HeaderEdits",
        vec![
            ("remove", Expression::texts(&edits.remove)),
            ("set", pairs(&edits.set)),
            ("set_secret", Expression::Slice(edits.set_secret.iter().map(secret).collect())),
            ("add", pairs(&edits.add)),
        ],
    )
}

pub(super) fn consumer_rules(rules: &ConsumerRules) -> Expression {
    if *rules == ConsumerRules::default() {
        return Expression::word("ConsumerRules::NONE");
    }
    let methods = rules
        .methods
        .iter()
        .map(|(name, methods)| Expression::Call("", vec![Expression::text(name), Expression::texts(methods)]));
    Expression::Struct(
        "ConsumerRules",
        vec![
            ("allow", Expression::texts(&rules.allow)),
            ("groups", Expression::texts(&rules.groups)),
            ("deny", Expression::texts(&rules.deny)),
            ("methods", Expression::Slice(methods.collect())),
        ],
    )
}

pub(super) fn anonymous(anonymous: &Anonymous) -> Expression {
    if *anonymous == Anonymous::default() {
        return Expression::word("Anonymous::NOBODY");
    }
    Expression::Struct(
        "Anonymous",
        vec![
            ("consumer", Expression::text(&anonymous.consumer)),
            ("despite_invalid", boolean(anonymous.despite_invalid)),
        ],
    )
}

/// What parameters take that servers read differently.
pub(super) fn allowances(template: &Template) -> Vec<Expression> {
    let allowed = template.allowances().filter(|(_, allowance)| *allowance != Allowance::NONE);
    let characters = |allowance: Allowance| {
        let words = allowance.characters().map(|one| match one {
            Ambiguous::EncodedSlash => "Ambiguous::EncodedSlash",
            Ambiguous::EncodedPercent => "Ambiguous::EncodedPercent",
            Ambiguous::Backslash => "Ambiguous::Backslash",
            Ambiguous::Semicolon => "Ambiguous::Semicolon",
        });
        Expression::Slice(words.map(Expression::word).collect())
    };
    let value = |(name, allowance)| {
        let fields = vec![("parameter", Expression::text(name)), ("characters", characters(allowance))];
        Expression::Struct("Allowed", fields)
    };
    allowed.map(value).collect()
}
