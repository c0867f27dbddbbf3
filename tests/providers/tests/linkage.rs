//! What the documents use is in the binary, and nothing else; the table is in `tests/support/symbols.rs`.

#[path = "../../support/symbols.rs"]
mod symbols;

#[test]
fn a_gateway_with_providers() {
    symbols::check("gateway-providers", env!("CARGO_BIN_EXE_gateway-providers"));
}
