//! The names of what a binary is made of.

/// The symbols of `binary`, one per line, as `nm` of the binutils (which Rust needs to link) tells them.
pub(crate) fn of(binary: &str) -> String {
    let output = std::process::Command::new("nm").arg(binary).output().expect("nm runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}
