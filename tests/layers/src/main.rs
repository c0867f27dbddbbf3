//! Prints the import graph of a crate: `cargo run --package gateway-layers -- runtime/src/lib.rs`.
#![allow(clippy::print_stdout)]

use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    for root in std::env::args_os().skip(1).map(PathBuf::from) {
        match layers::imports(&root) {
            Ok(imports) => {
                println!("{}", root.display());
                for (file, arrows) in &imports {
                    for (target, names) in arrows {
                        let names: Vec<&str> = names.iter().map(String::as_str).collect();
                        println!("  {} -> {}: {}", file.display(), target.display(), names.join(", "));
                    }
                }
                for circle in layers::circles(&imports) {
                    let files: Vec<String> = circle.iter().map(|file| file.display().to_string()).collect();
                    println!("  circle of {}: {}", files.len(), files.join(", "));
                }
            }
            Err(error) => {
                println!("{error}");
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}
