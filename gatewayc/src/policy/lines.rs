//! The lines of the policy.

use std::fmt::Write as _;

use crate::ir::{SecretReference, SecretSource};

/// A line below the heading of a paragraph.
pub(super) fn line(out: &mut String, what: &str, value: &str) {
    let _ = writeln!(out, "  {what}: {}", one_line(value));
}

/// Text that cannot pretend to be another line.
pub(super) fn one_line(text: &str) -> String {
    text.chars()
        .flat_map(|character| {
            let escaped: Vec<char> =
                if character.is_control() { character.escape_debug().collect() } else { vec![character] };
            escaped
        })
        .collect()
}

/// Where a secret comes from.
pub(super) fn secret(reference: &SecretReference) -> String {
    let place = match &reference.source {
        SecretSource::Env(name) => format!("environment variable {name}"),
        SecretSource::File(path) => format!("file {path}"),
    };
    if reference.base64 { format!("{place}, in base64") } else { place }
}
