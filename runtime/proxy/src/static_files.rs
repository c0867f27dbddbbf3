//! `static`: files that were compiled in.

use gateway_access::builtin::{Answer, Builtin, Call, PreparedBuiltin};
use gateway_access::scheme::Resources;
use gateway_base::digest::Digest;
use gateway_wire::answer::OwnAnswer;
use gateway_wire::entity_tag::is_known;
use gateway_wire::field_lines::{FieldLines, StaticField};

const NO_STORE: StaticField = StaticField::new("Cache-Control", "no-store");
const NO_CACHE: StaticField = StaticField::new("Cache-Control", "no-cache");
const NO_SNIFF: StaticField = StaticField::new("X-Content-Type-Options", "nosniff");
/// Where a page is reached with a token or a code in its URL, links must not pass it on.
const NO_REFERRER: StaticField = StaticField::new("Referrer-Policy", "no-referrer");

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
        let mut files: Vec<Prepared> = self.files.iter().map(Prepared::of).collect();
        files.sort_by_key(|prepared| prepared.file.path);
        Ok(Box::new(FileSet { parameter: self.parameter, files: files.into() }))
    }
}

#[derive(Debug)]
struct FileSet {
    parameter: &'static str,
    files: Box<[Prepared]>,
}

#[derive(Debug)]
struct Prepared {
    file: &'static StaticFile,
    /// In quotes.
    etag: String,
}

impl Prepared {
    fn of(file: &'static StaticFile) -> Self {
        let etag = format!("\"{}\"", &Digest::of(file.bytes).to_hex()[..32]);
        Self { file, etag }
    }

    /// Whether the client has this very file (RFC 9110 §13.1.2).
    fn is_known(&self, call: &Call<'_>) -> bool {
        let conditions = call.view.fields.iter().filter(|field| field.name.eq_ignore_ascii_case("if-none-match"));
        is_known(conditions.map(|field| field.value), Some(self.etag.as_bytes())).unwrap_or(false)
    }

    fn answer(&self, call: &Call<'_>) -> OwnAnswer {
        let (status, body) = if self.is_known(call) { (304, &b""[..]) } else { (200, self.file.bytes) };
        // What is for certain callers must not be cached (RFC 6750 §5.3).
        let caching = if call.caller.is_some() { NO_STORE } else { NO_CACHE };
        let defaults = FieldLines::of(&[caching, NO_SNIFF, NO_REFERRER]);
        OwnAnswer { defaults, ..OwnAnswer::plain(status, self.file.content_type, body) }.with("ETag", &self.etag)
    }
}

impl FileSet {
    fn find(&self, path: &str) -> Option<&Prepared> {
        self.files.binary_search_by(|prepared| prepared.file.path.cmp(path)).ok().map(|index| &self.files[index])
    }
}

impl PreparedBuiltin for FileSet {
    fn answer(&self, call: &Call<'_>) -> Answer {
        let found = match self.parameter {
            "" => self.files.first(),
            name => {
                let rest = call.params.and_then(|params| params.get(name)).map(|param| param.decoded());
                let rest = rest.as_deref().unwrap_or_default();
                let index = || format!("{rest}index.html");
                match rest {
                    "" => self.find(&index()),
                    folder if folder.ends_with('/') => self.find(&index()),
                    file => self.find(file),
                }
            }
        };
        found.map_or_else(|| OwnAnswer::message(404, "Not found"), |prepared| prepared.answer(call)).into()
    }
}
