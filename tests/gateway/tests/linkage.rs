//! What the documents use is in the binary, and nothing else; the table is in `tests/support/symbols.rs`.

#[path = "../../support/symbols.rs"]
mod symbols;

#[test]
fn a_gateway_with_tokens_rules_and_an_authorization_server() {
    symbols::check("gateway-tests", env!("CARGO_BIN_EXE_gateway-tests"));
}
