//! Programs of this machine, and their versions.

use std::path::{Path, PathBuf};
use std::process::Command;

pub(super) fn on_path(program: &str) -> Option<PathBuf> {
    let mut folders: Vec<PathBuf> = std::env::split_paths(&std::env::var_os("PATH")?).collect();
    folders.extend(["/usr/sbin".into(), "/usr/local/sbin".into()]);
    folders.into_iter().map(|folder| folder.join(program)).find(|path| path.is_file())
}

/// The first line with a digit that a program prints about itself.
pub(super) fn version(program: &Path, argument: &str) -> String {
    let Ok(output) = Command::new(program).arg(argument).output() else { return String::new() };
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    let line = text.lines().find(|line| line.bytes().any(|byte| byte.is_ascii_digit())).unwrap_or_default();
    let word =
        line.split([' ', '/', '-']).find(|word| word.starts_with(|c: char| c.is_ascii_digit()) && word.contains('.'));
    word.unwrap_or(line).to_owned()
}
