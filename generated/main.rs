//! The gateway: what this repository's documents say, and nothing else.

#[cfg(feature = "demo")]
fn main() -> std::process::ExitCode {
    gateway_runtime::main_with(&gateway::GATEWAY, &[gateway_demo::DEMO])
}

#[cfg(not(feature = "demo"))]
fn main() -> std::process::ExitCode {
    gateway_runtime::main(&gateway::GATEWAY)
}
