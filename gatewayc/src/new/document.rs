//! The document that a project is made from.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use gatewayc::ast::Document;
use gatewayc::diagnostic::{Format, render};
use gatewayc::files;

use crate::new::fault::wrong;

/// Names that say nothing about a document: the project's name is better.
const GENERIC: &[&str] = &["openapi", "swagger", "api", "spec", "schema", "index", "main", "document", "docs"];
/// A document that is larger is not fetched.
const MOST_BYTES: &str = "100000000";
/// Seconds that fetching may take.
const MOST_SECONDS: &str = "120";

/// A document with all that it refers to.
pub(super) struct Origin {
    /// The name of its file in the project.
    pub(super) name: String,
    /// Every file, by its path below `specs`.
    pub(super) copies: Vec<(String, Vec<u8>)>,
    pub(super) parsed: Document,
}

/// Reads a document and the files that it refers to, all in its folder or below it. It is to be called `name`, or else
/// by its own name, or `instead` of one that says nothing.
pub(super) fn read(from: &str, allow_network: bool, name: Option<&str>, instead: Option<&str>) -> io::Result<Origin> {
    let is_url = from.starts_with("http://") || from.starts_with("https://");
    let fetched = is_url.then(|| fetch(from, allow_network)).transpose()?;
    let path = fetched.as_ref().map_or_else(|| PathBuf::from(from), |fetched| fetched.file.clone());
    if !path.is_file() {
        return Err(wrong(format!("--from: {from} is not a file")));
    }
    // A link is what it leads to, with the files beside that.
    let path = path.canonicalize()?;
    let mut sources = files::source_set(std::slice::from_ref(&path), None)?;
    let (documents, diagnostics) = gatewayc::parse(&mut sources);
    let parsed = documents.into_iter().next().filter(|document| document.complete);
    let Some(parsed) = parsed else {
        let messages = render(&diagnostics, &sources, Format::Human);
        return Err(wrong(format!("--from: {from} cannot be served as it is:\n\n{messages}")));
    };
    let folder = path.parent().unwrap_or_else(|| Path::new("")).to_owned();
    let own = path.file_name().and_then(|name| name.to_str());
    let is_plain =
        |name: &&str| !name.starts_with('.') && name.chars().all(|one| one.is_alphanumeric() || "-_. ".contains(one));
    let own = own.filter(is_plain).ok_or_else(|| {
        wrong(format!(
            "{from}: the name of the file is hidden, or has characters other than letters, digits, - _ and ."
        ))
    })?;
    let mut copies = Vec::new();
    for file in sources.paths() {
        copies.push((file.clone(), std::fs::read(folder.join(&file))?));
    }
    let name = name_for(own, name, instead, &copies)
        .ok_or_else(|| wrong(format!("{from}: the name of the file says nothing about the API; add --name NAME")))?;
    copies.iter_mut().filter(|(path, _)| path == own).for_each(|(path, _)| path.clone_from(&name));
    Ok(Origin { name, copies, parsed })
}

/// The name of the document's file in the project: the one that was asked for; or its own, unless that says nothing; or
/// the one `instead`. Where something refers to the file by its own name, it stays.
fn name_for(own: &str, asked: Option<&str>, instead: Option<&str>, copies: &[(String, Vec<u8>)]) -> Option<String> {
    let (stem, extension) = (stem(own).to_ascii_lowercase(), own.rsplit_once('.').map_or("yaml", |(_, end)| end));
    let extension = if matches!(extension, "json" | "yml") { extension } else { "yaml" };
    let has_extension = own.ends_with(&format!(".{extension}"));
    let has_overlays = copies.iter().any(|(path, _)| path.contains(".overlay."));
    let is_referred_to = has_overlays || copies.iter().any(|(_, bytes)| contains(bytes, format!("{own}#").as_bytes()));
    let says_nothing = GENERIC.contains(&&*stem);
    match asked {
        _ if has_extension && is_referred_to => Some(own.to_owned()),
        Some(asked) => Some(format!("{asked}.{extension}")),
        None if says_nothing => Some(format!("{}.{extension}", instead?)),
        None if has_extension => Some(own.to_owned()),
        None => Some(format!("{stem}.{extension}")),
    }
}

/// The name of the overlay that is written for a document: behind those that it has.
pub(super) fn overlay_name(name: &str, copies: &[(String, Vec<u8>)]) -> String {
    let stem = stem(name);
    let is_taken = copies.iter().any(|(path, _)| path.starts_with(&format!("{stem}.")) && path.contains(".overlay."));
    if is_taken { format!("{stem}.zz-gateway.overlay.yaml") } else { format!("{stem}.overlay.yaml") }
}

/// A file name without its extension.
pub(super) fn stem(name: &str) -> &str {
    name.rsplit_once('.').map_or(name, |(stem, _)| stem)
}

fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}

/// A file that is removed when it is not needed any more.
struct Fetched {
    folder: PathBuf,
    file: PathBuf,
}

impl Drop for Fetched {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn fetch(url: &str, allow_network: bool) -> io::Result<Fetched> {
    if !allow_network {
        return Err(wrong(format!("--from: {url} would be fetched; add --allow-network, or download it first")));
    }
    let name = url.split(['?', '#']).next().unwrap_or_default().rsplit('/').next().unwrap_or_default();
    let is_plain = !name.is_empty()
        && !name.starts_with('.')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
    let folder = std::env::temp_dir().join(format!("gatewayc-new-{}", std::process::id()));
    std::fs::create_dir(&folder)?;
    let fetched = Fetched { file: folder.join(if is_plain { name } else { "openapi.yaml" }), folder };
    let status = Command::new("curl")
        .args(["--fail", "--silent", "--show-error", "--location", "--proto", "=http,https"])
        .args(["--max-time", MOST_SECONDS, "--max-filesize", MOST_BYTES, "--output"])
        .arg(&fetched.file)
        .args(["--", url])
        .status();
    match status {
        Ok(status) if status.success() => Ok(fetched),
        Ok(status) => Err(io::Error::other(format!("--from: {url} cannot be fetched: curl ended with {status}"))),
        Err(error) => Err(io::Error::other(format!("--from: curl cannot be started: {error}; download {url} first"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generic_name_gives_way_to_the_project_s() {
        let referred = [("x.yaml".to_owned(), b"$ref: openapi.yaml#/a".to_vec())];
        for (own, asked, copies, expected) in [
            ("openapi.yaml", None, &[][..], "shop.yaml"),
            ("openapi.json", None, &[], "shop.json"),
            ("openapi.yaml", None, &referred[..], "openapi.yaml"),
            ("Weather.yml", None, &[], "Weather.yml"),
            ("Weather.yml", Some("sun"), &[], "sun.yml"),
            ("weather", None, &[], "weather.yaml"),
            ("openapi", None, &[], "shop.yaml"),
        ] {
            assert_eq!(name_for(own, asked, Some("shop"), copies).as_deref(), Some(expected), "{own}");
        }
        assert_eq!(name_for("openapi.yaml", None, None, &[]), None);
    }
}
