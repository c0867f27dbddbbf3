//! The gateway that the end-to-end tests talk to, with the command `dev`.

fn main() -> std::process::ExitCode {
    gateway_runtime::main_with(&gateway_tests::GATEWAY, &[gateway_dev::DEV])
}
