//! One action on a document.

use std::sync::Arc;

use gateway_yaml::{MAX_DEPTH, Node, Span, Spanned, Value};

use crate::diagnostic::{Diagnostic, GW123};
use crate::json_path::{Location, Query, select};
use crate::overlay::edit::{Conflict, Findings, at, at_mut, emptied_security, key, merge, remove, size};
use crate::overlay::read::{Action, Change};

/// Values that the overlays of one document may add. The largest documents known have half of it.
const MAX_ADDED: usize = 1_000_000;

/// What came of an action.
#[derive(Default)]
pub(super) struct Edited {
    pub(super) doubts: Vec<Doubt>,
    pub(super) problem: Option<Diagnostic>,
}

/// What may not be meant.
pub(super) enum Doubt {
    NothingSelected,
    AlternativesAdded { update: Span, present: Span },
}

/// Why an action cannot be done.
type Problem = Box<Diagnostic>;

fn problem(headline: impl Into<String>, at: Span, label: impl Into<String>) -> Diagnostic {
    Diagnostic::error(GW123, headline).at(at, label)
}

/// Performs an action. `added` counts the values that overlays have brought so far.
pub(super) fn perform(action: &Action, minor: u8, root: &mut Node, added: &mut usize) -> Edited {
    perform_on(action, minor, root, added)
        .unwrap_or_else(|problem| Edited { doubts: Vec::new(), problem: Some(*problem) })
}

fn perform_on(action: &Action, minor: u8, root: &mut Node, added: &mut usize) -> Result<Edited, Problem> {
    let targets = selected(&action.query, &action.target, root)?;
    if targets.is_empty() {
        return Ok(Edited { doubts: vec![Doubt::NothingSelected], problem: None });
    }
    let update = match &action.change {
        Change::Remove => {
            if targets.iter().any(Vec::is_empty) {
                return Err(problem("the document itself cannot be removed", action.target.span, "selects all of it")
                    .help("select what is in it, such as `$.servers`")
                    .into());
            }
            if let Some(emptied) = emptied_security(root, &targets) {
                return Err(problem(
                    "this action would leave an empty `security`, which makes operations public",
                    action.target.span,
                    "removes all that is asked for",
                )
                .also(emptied, "nothing is left of this")
                .help(
                    "remove the whole `security`, and say in an action after it who may call: `{target: …, update: \
                     {security: []}}` where everyone may",
                )
                .into());
            }
            remove(root, &targets);
            return Ok(Edited::default());
        }
        Change::Update(update) => update.clone(),
        Change::Copy(source, query) => copied(source, query, root)?,
    };
    check_kinds(action, minor, &targets, root)?;
    check_size(action, &targets, &update, added)?;
    let mut findings = Findings::default();
    for target in &targets {
        let name = key(root, target).map(str::to_owned);
        let Some(node) = at_mut(root, target) else { continue };
        match &mut node.value {
            // An entry in 1.0; 1.1 adds the items of a list.
            Value::Sequence(items) if minor == 0 || update.as_sequence().is_none() => {
                if name.as_deref() == Some("security") && !items.is_empty() {
                    findings.alternatives.push((update.span, node.span));
                }
                Arc::make_mut(items).push(update.clone());
            }
            _ => merge(node, &update, name.as_deref(), &mut findings),
        }
    }
    let problem = findings.conflict.map(|conflict| incompatible(action, &conflict));
    let doubt = |&(update, present): &(Span, Span)| Doubt::AlternativesAdded { update, present };
    Ok(Edited { doubts: findings.alternatives.first().map(doubt).into_iter().collect(), problem })
}

fn selected(query: &Query, text: &Spanned<String>, root: &Node) -> Result<Vec<Location>, Problem> {
    select(query, root).map_err(|_| {
        problem("this query looks at too many values", text.span, "given up after 20 million")
            .help("a query from `$` or over `..` in a filter is asked for each value: begin with `@`")
            .into()
    })
}

/// The one value that `copy` selects.
fn copied(source: &Spanned<String>, query: &Query, root: &Node) -> Result<Node, Problem> {
    match &selected(query, source, root)?[..] {
        [only] => {
            at(root, only).cloned().ok_or_else(|| problem("this is a bug of gatewayc", source.span, "here").into())
        }
        [] => Err(problem("there is nothing to copy", source.span, "matches nothing in the document").into()),
        several => {
            let headline = format!("`copy` selects {} values, and one can be copied", several.len());
            Err(problem(headline, source.span, "selects several")
                .help("name the value: `$.paths['/notes']`, not `$.paths.*`")
                .into())
        }
    }
}

/// What is selected must be of one kind (1.1), and none of it a text or a number (1.0).
fn check_kinds(action: &Action, minor: u8, targets: &[Location], root: &Node) -> Result<(), Problem> {
    let kind = |node: &Node| match node.value {
        Value::Mapping(_) => "a mapping",
        Value::Sequence(_) => "a list",
        _ => "a value",
    };
    let mut nodes = targets.iter().filter_map(|target| at(root, target));
    let Some(first) = nodes.next() else { return Ok(()) };
    let is_value = |node: &&Node| kind(node) == "a value";
    if let Some(node) = std::iter::once(first).chain(nodes.clone()).find(is_value).filter(|_| minor == 0) {
        return Err(problem(
            "an overlay of version 1.0 updates mappings and lists only",
            action.target.span,
            "selects something else",
        )
        .also(node.span, format!("this is {}", node.kind_name()))
        .help("select the mapping that it is in, or write `overlay: 1.1.0`")
        .into());
    }
    if let Some(other) = nodes.find(|node| kind(node) != kind(first)) {
        return Err(problem(
            "the target selects values of several kinds",
            action.target.span,
            "all mappings, all lists or all values",
        )
        .also(first.span, format!("{} here", kind(first)))
        .help(format!("another one is {}: select them by two actions", kind(other)))
        .into());
    }
    Ok(())
}

fn check_size(action: &Action, targets: &[Location], update: &Node, added: &mut usize) -> Result<(), Problem> {
    let (count, height) = size(update);
    *added = added.saturating_add(count.saturating_mul(targets.len()));
    if *added > MAX_ADDED {
        let headline = format!("the overlays of this document add more than {MAX_ADDED} values");
        return Err(problem(headline, action.target.span, format!("here {count} in {} places", targets.len())).into());
    }
    let deepest = targets.iter().map(Vec::len).max().unwrap_or_default();
    if deepest + height > MAX_DEPTH as usize {
        let headline = format!("lists and mappings nest deeper than {MAX_DEPTH} levels");
        return Err(problem(headline, action.target.span, "after this action").into());
    }
    Ok(())
}

fn incompatible(action: &Action, conflict: &Conflict) -> Diagnostic {
    let &Conflict { target, update, target_kind, update_kind } = conflict;
    let diagnostic = match &action.change {
        Change::Copy(source, _) => {
            problem(format!("{update_kind} cannot be copied into {target_kind}"), source.span, "copied from here")
        }
        _ => problem(format!("{update_kind} cannot be merged into {target_kind}"), update, update_kind),
    };
    diagnostic
        .also(target, format!("{target_kind} in the document"))
        .help("to replace it, remove it in an action before this one: `{target: …, remove: true}`")
}
