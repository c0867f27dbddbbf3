//! Compiles the documents in `specs/`; see `gatewayc::build_script`.

fn main() {
    gatewayc::build_script::run();
}
