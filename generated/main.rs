//! The gateway: what this repository's documents say, and nothing else.

/// What the binary can do beside serving.
const COMMANDS: &[gateway_runtime::Command] = &[
    #[cfg(feature = "demo")]
    gateway_demo::DEMO,
    #[cfg(feature = "dev")]
    gateway_dev::DEV,
];

fn main() -> std::process::ExitCode {
    gateway_runtime::main_with(&gateway::GATEWAY, COMMANDS)
}
