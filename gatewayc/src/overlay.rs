//! Overlays (OpenAPI Overlay Specification 1.0 and 1.1): `notes.overlay.yaml` changes what `notes.yaml` says.
//!
//! What an overlay brings keeps its place in the overlay's file, so that every later message points at the text that is
//! at fault. References in it are those of the document.

mod action;
mod edit;
mod read;

use gateway_yaml::{FileId, Node, Span, suggest};

use crate::diagnostic::{Diagnostic, Diagnostics, GW118, GW122, GW124, GW125};
use crate::json_path::Query;
use crate::source::{SourceSet, is_overlay};
use action::{Doubt, Edited, perform};
use read::Overlay;

/// The overlays beside a file, opened.
pub(crate) fn beside(sources: &mut SourceSet<'_>, file: FileId) -> Result<Vec<FileId>, Box<Diagnostic>> {
    if is_overlay(sources.file(file).path()) {
        return Ok(Vec::new());
    }
    match sources.overlays_beside(file) {
        Ok(paths) => Ok(paths.iter().map(|path| sources.open(path)).collect()),
        Err(error) => {
            let headline = format!("the overlays of `{}` cannot be looked for: {error}", sources.file(file).display());
            Err(Diagnostic::error(GW118, headline).at(Span::new(file, 0, 0), "beside this file").into())
        }
    }
}

/// Applies overlays to a file. Returns whether it can be used.
pub(crate) fn apply(
    sources: &mut SourceSet<'_>,
    file: FileId,
    overlays: &[FileId],
    diagnostics: &mut Diagnostics,
) -> bool {
    let Ok(mut root) = sources.file(file).content().cloned() else { return true };
    if overlays.is_empty() {
        return true;
    }
    let (mut usable, mut added) = (true, 0);
    for &overlay in overlays {
        let node = match sources.file(overlay).content() {
            Ok(node) => node.clone(),
            Err(error) => {
                usable = false;
                if sources.file(overlay).errors().is_empty() {
                    let headline = format!("the overlay `{}` cannot be read: {error}", sources.file(overlay).display());
                    let diagnostic = Diagnostic::error(GW118, headline);
                    diagnostics.push(diagnostic.at(first_key(&root), "it belongs to this document"));
                }
                continue;
            }
        };
        let Some(overlay) = read::read(&node, sources, file, diagnostics) else {
            usable = false;
            continue;
        };
        usable &= run(&overlay, &mut root, &mut added, sources, diagnostics);
    }
    sources.overlay(file, overlays.to_vec(), root);
    usable
}

/// Performs the actions of one overlay. Returns whether all of them could be done.
fn run(
    overlay: &Overlay,
    root: &mut Node,
    added: &mut usize,
    sources: &SourceSet<'_>,
    diagnostics: &mut Diagnostics,
) -> bool {
    let doubt = |code, headline: String| match sources.is_strict() {
        true => Diagnostic::error(code, headline),
        false => Diagnostic::warning(code, headline),
    };
    let mut usable = true;
    for action in &overlay.actions {
        let Edited { doubts, problem } = perform(action, overlay.minor, root, added);
        for found in doubts {
            diagnostics.push(match found {
                Doubt::NothingSelected => {
                    let diagnostic = doubt(GW122, "the target of this action matches nothing in the document".into())
                        .at(action.target.span, "nothing is changed");
                    match first_missing(&action.query, root) {
                        Some((name, near)) => diagnostic
                            .help(format!("there is no `{name}` in the document at this place"))
                            .did_you_mean(near),
                        None => diagnostic,
                    }
                }
                Doubt::AlternativesAdded { update, present } => {
                    doubt(GW125, "the overlay adds alternatives to the `security` of the document".into())
                        .at(update, "a list is added to what is there")
                        .also(present, "each of these goes on to admit callers")
                        .help(
                            "to replace it, remove that list in an action before this one: `{target: …, remove: true}`",
                        )
                }
            });
        }
        if let Some(problem) = problem {
            usable = false;
            diagnostics.push(problem);
        }
    }
    usable
}

/// The name at which a query goes astray, and what may be meant.
fn first_missing<'a>(query: &'a Query, root: &'a Node) -> Option<(&'a str, Option<&'a str>)> {
    let mut node = root;
    for name in query.names() {
        match node.get(name) {
            Some(next) => node = next,
            None => {
                let names = node.as_mapping().into_iter().flatten().map(|entry| &*entry.key.name);
                return Some((name, suggest(name, names)));
            }
        }
    }
    None
}

/// The message about an overlay that belongs to no document.
pub(crate) fn stray(sources: &SourceSet<'_>, file: FileId) -> Diagnostic {
    let source = sources.file(file);
    let at = source.content().map_or(Span::new(file, 0, 0), first_key);
    let name = source.path().rsplit('/').next().unwrap_or_default();
    let stem = name.split(".overlay.").next().unwrap_or_default();
    Diagnostic::error(GW124, format!("`{}` is an overlay, and the document it is for is not there", source.display()))
        .at(at, "changes nothing")
        .help(format!("an overlay stands beside its document and begins with its name: `{stem}.yaml`, `{stem}.json`"))
        .help("rename the overlay, or move it beside its document")
}

/// Where a message about a whole file points.
fn first_key(root: &Node) -> Span {
    root.as_mapping().and_then(|mapping| mapping.entries().first()).map_or(root.span, |entry| entry.key.span)
}
