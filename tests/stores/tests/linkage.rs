//! What the documents use is in the binary, and nothing else; the table is in `tests/support/symbols.rs`.

#[path = "../../support/symbols.rs"]
mod symbols;

#[test]
fn a_gateway_with_stores() {
    symbols::check("gateway-stores", env!("CARGO_BIN_EXE_gateway-stores"));
}
