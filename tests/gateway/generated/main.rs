//! The gateway that the end-to-end tests talk to.

fn main() -> std::process::ExitCode {
    gateway_runtime::main_with(&gateway_tests::GATEWAY, &[gateway_demo::DEMO])
}
