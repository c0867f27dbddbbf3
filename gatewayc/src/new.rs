//! `gatewayc new`: a project that builds, tests and runs, from nothing or from an OpenAPI document.

pub(crate) mod add;
mod answers;
mod crates;
mod document;
mod fault;
mod overlay;
mod project;
mod quoted;

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use answers::Answers;
use crates::Crates;
use document::{Origin, overlay_name};

/// Write a new project: a package that serves an OpenAPI document.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  gatewayc new shop-gateway
  gatewayc new shop-gateway --from shop.yaml --upstream http://127.0.0.1:3000 --auth keys --public /health
  gatewayc new shop-gateway --from shop.yaml --upstream http://127.0.0.1:3000 \\
      --auth oidc=https://idp.example/.well-known/openid-configuration,audience=https://api.example --limit 100/m")]
pub(crate) struct New {
    /// The folder of the project, which must be empty or not there yet
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// An OpenAPI document to serve; it is copied as it is, and an overlay beside it says what the gateway needs
    #[arg(long, value_name = "FILE|URL")]
    from: Option<String>,
    /// Fetch the document where `--from` is a URL, with curl
    #[arg(long)]
    allow_network: bool,
    /// Where the crates of the gateway come from: a folder with their source, a git URL with `#` and a revision, or a
    /// version [default: the source that this program was built from, where it is still there, or else its version]
    #[arg(long, value_name = "PATH|URL#REVISION|VERSION")]
    gateway: Option<String>,
    #[command(flatten)]
    answers: Answers,
}

/// Writes the project.
///
/// # Errors
/// What is wrong with the arguments or the document, and files that cannot be read or written.
pub(crate) fn run(new: &New) -> io::Result<ExitCode> {
    let package = project::package_name(&new.folder)?;
    let crates = Crates::find(new.gateway.as_deref(), &new.folder)?;
    let origin = match &new.from {
        Some(from) => Some(document::read(from, new.allow_network, None, Some(&package))?),
        None => {
            new.answers.refuse_without_document()?;
            None
        }
    };
    let mut files = project::files(&package, &crates);
    match &origin {
        Some(Origin { name, copies, parsed }) => {
            files.extend(copies.iter().map(|(path, bytes)| (format!("specs/{path}"), bytes.clone())));
            if let Some(text) = overlay::text(&new.answers, parsed, name)? {
                files.push((format!("specs/{}", overlay_name(name, copies)), text.into_bytes()));
            }
        }
        None => files.push((format!("specs/{package}.yaml"), project::starter(&package).into_bytes())),
    }
    project::write(&new.folder, &files, crates.lock_file())?;
    project::conclude(&new.folder)
}
