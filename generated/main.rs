//! The gateway: what this repository's documents say, and nothing else.

fn main() -> std::process::ExitCode {
    runtime::main(&gateway::GATEWAY)
}
