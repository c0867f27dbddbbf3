//! Prints what a binary serves, for people.

use gateway_access::tables::{Access, ConsumerRules, Requirement};
use gateway_proxy::tables::{AcceptedRisk, Action, Gateway, Https, Operation, Rule, RuleEffect};
use gateway_terms::text_table::aligned;

/// One line per operation: method, path, operation, who may call, upstream or builtin.
pub fn route_table(gateway: &Gateway) -> String {
    let mut rows: Vec<[String; 5]> = vec![["METHOD", "PATH", "OPERATION", "ACCESS", "UPSTREAM"].map(str::to_owned)];
    for api in gateway.apis {
        for route in api.routes {
            let mut path = route.template.to_owned();
            for condition in route.when {
                let text = condition.to_string();
                // Several conditions on one part are written as in a query.
                let first = text.chars().next().is_none_or(|mark| !path[route.template.len()..].contains(mark));
                path += &if first { text } else { text.replacen(['?', '#'], "&", 1) };
            }
            rows.extend(route.operations.iter().map(|operation| row(operation, &path)));
        }
        rows.extend(api.rules.iter().map(rule_row));
    }
    let mut out: String = aligned(&rows, 2).iter().map(|line| format!("{line}\n")).collect();
    for api in gateway.apis {
        if let Https::Required { redirect_to, .. } = &api.https {
            let what = if redirect_to.is_empty() { "refused" } else { "redirected" };
            out.push_str(&format!("{}: plain HTTP is {what}\n", api.source));
        }
        for risk in api.accepted_risks {
            let AcceptedRisk { lint, what, reason } = risk;
            let reason = reason.replace(char::is_control, " ");
            out.push_str(&format!("{}: {what} accepts {lint}: {reason}\n", api.source));
        }
    }
    out
}

fn row(operation: &Operation, path: &str) -> [String; 5] {
    let action = match &operation.action {
        Action::Forward { to, split, mirror, .. } => {
            let others = split.iter().map(|entry| format!(", {}", entry.to.name));
            let copied = mirror.iter().map(|mirror| format!(", copied to {}", mirror.to.name));
            format!("-> {}{}", to.name, others.chain(copied).collect::<String>())
        }
        Action::Answer(builtin) => format!("-> builtin {}", builtin.name()),
    };
    [operation.method.to_owned(), path.to_owned(), operation.id.to_owned(), who(operation), action]
}

/// Rules are tried after all paths, in this order.
fn rule_row(rule: &Rule) -> [String; 5] {
    let pattern = rule.matcher.to_string();
    let [method, _, id, who, target] = match &rule.effect {
        RuleEffect::Proxy { operation, to } => {
            let [method, path, id, who, target] = row(operation, &pattern);
            [method, path, id, who, format!("{target} as {to}")]
        }
        RuleEffect::Rewrite { to, last } => {
            answer(rule, format!("rewritten to {to}{}", if *last { ", without further rules" } else { "" }))
        }
        RuleEffect::Redirect { to, status } => answer(rule, format!("{status} to {to}")),
        RuleEffect::Respond { status, .. } => answer(rule, status.to_string()),
    };
    [method, pattern, id, who, target]
}

/// What anyone gets.
fn answer(rule: &Rule, what: String) -> [String; 5] {
    ["ANY".to_owned(), String::new(), rule.id.to_owned(), "public".to_owned(), format!("-> {what}")]
}

/// Who may call, with the rules about consumers.
fn who(operation: &Operation) -> String {
    let ConsumerRules { allow, groups, deny, methods } = operation.consumers;
    let mut parts = vec![access(&operation.access)];
    let admitted: Vec<String> = allow
        .iter()
        .map(|name| (*name).to_owned())
        .chain(groups.iter().map(|group| format!("group {group}")))
        .collect();
    if !admitted.is_empty() {
        parts.push(format!("only {}", admitted.join(", ")));
    }
    if !deny.is_empty() {
        parts.push(format!("not {}", deny.join(", ")));
    }
    parts.extend(methods.iter().map(|(name, methods)| format!("{name} with {}", methods.join(", "))));
    if !operation.anonymous.consumer.is_empty() {
        parts.push(format!("anonymous as {}", operation.anonymous.consumer));
    }
    if operation.anonymous.despite_invalid {
        parts.push("anonymous even with a bad credential".to_owned());
    }
    parts.join("; ")
}

fn access(access: &Access) -> String {
    match access {
        Access::Anyone { because } if because.starts_with("security") => "public".to_owned(),
        Access::Anyone { because } => format!("public ({because})"),
        Access::OneOf(alternatives) => alternatives
            .iter()
            .map(|alternative| all_of(alternative, alternatives.len() > 1))
            .collect::<Vec<_>>()
            .join(" or "),
    }
}

fn all_of(requirements: &[Requirement], among_others: bool) -> String {
    let parts: Vec<String> = requirements
        .iter()
        .map(|requirement| {
            if requirement.scopes.is_empty() {
                requirement.scheme.name().to_owned()
            } else {
                format!("{}[{}]", requirement.scheme.name(), requirement.scopes.join(" "))
            }
        })
        .collect();
    match parts.len() {
        0 => "anonymous".to_owned(),
        1 => parts.concat(),
        _ if among_others => format!("({})", parts.join(" and ")),
        _ => parts.join(" and "),
    }
}
