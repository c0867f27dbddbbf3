//! `static`: files that were compiled in.

use crate::access::Resources;
use crate::builtin::{Builtin, Call, OwnAnswer, PreparedBuiltin};

/// The builtin `static`: one file, or those of a folder.
#[derive(Debug)]
pub struct StaticFiles {
    /// The path parameter that names the file; `""` for the only one.
    pub parameter: &'static str,
    /// Ordered by path.
    pub files: &'static [StaticFile],
}

/// A file.
#[derive(Debug)]
pub struct StaticFile {
    /// Below the folder, with `/` between its parts.
    pub path: &'static str,
    /// Of the response.
    pub content_type: &'static str,
    /// The content.
    pub bytes: &'static [u8],
}

impl Builtin for StaticFiles {
    fn name(&self) -> &'static str {
        "static"
    }

    fn prepare(&self, _: &Resources) -> Result<Box<dyn PreparedBuiltin>, Vec<String>> {
        Ok(Box::new(Shelf { parameter: self.parameter, files: self.files }))
    }
}

#[derive(Debug)]
struct Shelf {
    parameter: &'static str,
    files: &'static [StaticFile],
}

impl PreparedBuiltin for Shelf {
    fn answer(&self, _: &Call<'_>) -> OwnAnswer {
        let _ = (self.parameter, self.files);
        OwnAnswer::message(404, "Not found")
    }
}
