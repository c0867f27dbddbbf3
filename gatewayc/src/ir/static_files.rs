//! Files that are compiled in.

use std::sync::Arc;

/// One file, or those of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StaticFiles {
    /// As the document names it.
    pub source: String,
    /// The path parameter that names the file; `""` for the only one.
    pub parameter: String,
    /// Ordered by path.
    pub files: Vec<StaticFile>,
}

/// A file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StaticFile {
    /// Below the folder, with `/` between its parts.
    pub path: String,
    /// Below the specs root.
    pub source: String,
    /// Of the response.
    pub content_type: &'static str,
    /// What was read.
    pub bytes: Arc<[u8]>,
}

/// The type of a file by its extension.
pub fn content_type(path: &str) -> &'static str {
    const TYPES: &[(&str, &str)] = &[
        ("avif", "image/avif"),
        ("css", "text/css; charset=utf-8"),
        ("csv", "text/csv; charset=utf-8"),
        ("gif", "image/gif"),
        ("htm", "text/html; charset=utf-8"),
        ("html", "text/html; charset=utf-8"),
        ("ico", "image/vnd.microsoft.icon"),
        ("jpeg", "image/jpeg"),
        ("jpg", "image/jpeg"),
        ("js", "text/javascript; charset=utf-8"),
        ("json", "application/json"),
        ("map", "application/json"),
        ("md", "text/markdown; charset=utf-8"),
        ("mjs", "text/javascript; charset=utf-8"),
        ("pdf", "application/pdf"),
        ("png", "image/png"),
        ("svg", "image/svg+xml"),
        ("txt", "text/plain; charset=utf-8"),
        ("wasm", "application/wasm"),
        ("webmanifest", "application/manifest+json"),
        ("webp", "image/webp"),
        ("woff", "font/woff"),
        ("woff2", "font/woff2"),
        ("xml", "application/xml"),
        ("yaml", "application/yaml"),
        ("yml", "application/yaml"),
    ];
    let name = path.rsplit('/').next().unwrap_or_default();
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension).to_ascii_lowercase();
    TYPES.iter().find(|(known, _)| *known == extension).map_or("application/octet-stream", |(_, kind)| kind)
}
