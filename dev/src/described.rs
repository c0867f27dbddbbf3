//! What the documents that are served say beyond the tables: examples.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use gatewayc::ast::{Document, Operation};
use gatewayc::examples::{DescribedContent, DescribedResponse, request_body, responses};
use gatewayc::ir;
use gatewayc::source::SourceSet;

/// The documents that are served now.
#[derive(Clone, Default)]
pub(crate) struct Described(Arc<Mutex<Documents>>);

#[derive(Default)]
struct Documents {
    documents: Vec<Document>,
    sources: Option<SourceSet<'static>>,
    /// The responses of the operations that were asked for.
    known: HashMap<String, Arc<Vec<DescribedResponse>>>,
}

/// The name of an operation here: its API, and its place in the document.
pub(crate) fn mark(api: &ir::Api, operation: &ir::Operation) -> String {
    format!("{} {} {}", api.name, operation.span.file.0, operation.span.start)
}

impl Described {
    /// Answers for these documents from now on.
    pub(crate) fn serve_for(&self, documents: Vec<Document>, sources: SourceSet<'static>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) =
            Documents { documents, sources: Some(sources), known: HashMap::new() };
    }

    /// The responses of an operation, by its [`mark`].
    pub(crate) fn responses(&self, mark: &str) -> Option<Arc<Vec<DescribedResponse>>> {
        let mut inside = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Documents { documents, sources, known } = &mut *inside;
        if let Some(known) = known.get(mark) {
            return Some(Arc::clone(known));
        }
        let found = Arc::new(responses(&find(documents, mark)?.node, sources.as_mut()?));
        known.insert(mark.to_owned(), Arc::clone(&found));
        Some(found)
    }

    /// The body of its request.
    pub(crate) fn request_body(&self, mark: &str) -> Option<DescribedContent> {
        let mut inside = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Documents { documents, sources, .. } = &mut *inside;
        request_body(&find(documents, mark)?.node, sources.as_mut()?)
    }
}

fn find<'d>(documents: &'d [Document], mark: &str) -> Option<&'d Operation> {
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
