//! Builds the gateway of `benches/specs` as production does: with the profile `dist`, without the demo.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where this workspace is.
pub(crate) fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_path_buf).unwrap_or_default()
}

/// A folder beside the other build output, so that `target/release/gateway` stays the gateway of `specs/`.
pub(crate) fn target() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace().join("target"), PathBuf::from);
    target.join("benches")
}

/// The gateway to measure: the one that `BENCH_GATEWAY` names, else a new one.
pub(crate) fn gateway() -> io::Result<PathBuf> {
    if let Some(program) = std::env::var_os("BENCH_GATEWAY") {
        return std::path::absolute(program);
    }
    let built = cargo(&workspace().join("benches/specs")).args(["--bin", "gateway"]).status()?;
    if !built.success() {
        return Err(io::Error::other("the gateway does not build"));
    }
    Ok(target().join("dist/gateway"))
}

/// `cargo build` of the gateway package with other documents.
pub(crate) fn cargo(specs: &Path) -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--profile", "dist", "--no-default-features", "--package", "gateway", "--target-dir"]);
    command.arg(target()).current_dir(workspace());
    command.env("GATEWAY_SPECS", specs).env_remove("GATEWAY_GENERATED").env_remove("GATEWAY_LOCKED");
    command
}
