//! `gatewayc add`: one more document for a project.

use std::fs;
use std::io;
use std::path::Path;
use std::process::ExitCode;

use crate::new::answers::Answers;
use crate::new::document::{self, Origin, overlay_name};
use crate::new::fault::wrong;
use crate::new::{overlay, project};

/// Copy one more OpenAPI document into specs/ of this project, with an overlay for what the gateway needs beside it.
#[derive(clap::Args)]
#[command(after_help = "\
Example:
  gatewayc add stock.yaml --upstream http://127.0.0.1:3002 --auth keys")]
pub(crate) struct Add {
    /// The OpenAPI document
    #[arg(value_name = "FILE|URL")]
    from: String,
    /// What the document is called in the project: in gateway.yaml, the log and the metrics [default: its file's name]
    #[arg(long)]
    name: Option<String>,
    /// Fetch the document where it is a URL, with curl
    #[arg(long)]
    allow_network: bool,
    #[command(flatten)]
    answers: Answers,
}

/// Writes the document and its overlay.
///
/// # Errors
/// What is wrong with the arguments or the document, and files that cannot be read or written.
pub(crate) fn run(add: &Add) -> io::Result<ExitCode> {
    let specs = Path::new("specs");
    if !specs.is_dir() {
        return Err(wrong(
            "there is no folder specs here; run it at the top of a project, which `gatewayc new` writes",
        ));
    }
    if let Some(name) = &add.name
        && !(name.starts_with(|first: char| first.is_ascii_alphabetic())
            && name.chars().all(|one| one.is_ascii_alphanumeric() || "-_".contains(one)))
    {
        return Err(wrong(format!("--name: `{name}` is not a name of letters, digits, - and _")));
    }
    let Origin { name, mut copies, parsed } = document::read(&add.from, add.allow_network, add.name.as_deref(), None)?;
    if let Some(text) = overlay::text(&add.answers, &parsed, &name)? {
        copies.push((overlay_name(&name, &copies), text.into_bytes()));
    }
    for (path, bytes) in &copies {
        let path = specs.join(path);
        // Parts that documents share are the same file.
        if path.exists() && fs::read(&path)? != *bytes {
            let path = path.display();
            return Err(wrong(format!("{path} is there already, with another content; choose another --name")));
        }
    }
    for (path, bytes) in &copies {
        let path = specs.join(path);
        path.parent().map_or(Ok(()), fs::create_dir_all)?;
        fs::write(&path, bytes)?;
    }
    project::report(&name)
}
