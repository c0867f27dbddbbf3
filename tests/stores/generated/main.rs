//! The gateway: what this folder's documents say, and nothing else.

fn main() -> std::process::ExitCode {
    gateway_runtime::main(&gateway_stores::GATEWAY)
}
