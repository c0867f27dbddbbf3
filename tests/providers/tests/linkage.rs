//! What the documents use is in the binary: the counterpart of `public-only/tests/linkage.rs`.

#[path = "../../support/symbols.rs"]
mod symbols;

#[test]
fn a_gateway_with_providers_has_a_client_with_tls() {
    let names = symbols::of(env!("CARGO_BIN_EXE_gateway-providers"));
    for library in ["rustls", "8provider6client", "jsonwebtoken"] {
        assert!(names.contains(library), "{library} is not linked");
    }
}
