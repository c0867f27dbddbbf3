//! What the documents that are served say beyond the tables: examples.

use std::sync::{Arc, Mutex, PoisonError};

use gatewayc::ast::{Document, Operation};
use gatewayc::examples::{DescribedContent, request_body};
use gatewayc::ir;
use gatewayc::source::SourceSet;

/// The documents that are served now.
#[derive(Clone, Default)]
pub(crate) struct Described(Arc<Mutex<Documents>>);

#[derive(Default)]
struct Documents {
    documents: Vec<Document>,
    sources: Option<SourceSet<'static>>,
}

/// The name of an operation here: its API, and its place in the document.
pub(crate) fn mark(api: &str, operation: &ir::Operation) -> String {
    format!("{api} {} {}", operation.span.file.0, operation.span.start)
}

impl Described {
    /// Answers for these documents from now on.
    pub(crate) fn serve_for(&self, documents: Vec<Document>, sources: SourceSet<'static>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Documents { documents, sources: Some(sources) };
    }

    /// The body of the request of an operation, by its [`mark`].
    pub(crate) fn request_body(&self, mark: &str) -> Option<DescribedContent> {
        let mut inside = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Documents { documents, sources } = &mut *inside;
        request_body(&find(documents, mark)?.node, sources.as_mut()?)
    }
}

/// The operation with a [`mark`].
pub(crate) fn find<'d>(documents: &'d [Document], mark: &str) -> Option<&'d Operation> {
    let mut words = mark.rsplitn(3, ' ');
    let start = words.next()?.parse::<u32>().ok()?;
    let file = words.next()?.parse::<u32>().ok()?;
    let api = words.next()?;
    let document = documents.iter().find(|document| document.name == api)?;
    document
        .paths
        .iter()
        .flat_map(|path| &path.operations)
        .find(|operation| (operation.span.file.0, operation.span.start) == (file, start))
}
