//! What the documents use is in the binary, and nothing else; the table is in `tests/support/symbols.rs`.

#[path = "../../support/symbols.rs"]
mod symbols;

#[test]
fn a_gateway_without_security_schemes() {
    symbols::check("gateway-public-only", env!("CARGO_BIN_EXE_gateway-public-only"));
}
