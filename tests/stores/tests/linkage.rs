//! What the documents use is in the binary: the counterpart of `public-only/tests/linkage.rs`.

#[path = "../../support/symbols.rs"]
mod symbols;

#[test]
fn a_gateway_with_a_store_has_a_client_for_it() {
    let names = symbols::of(env!("CARGO_BIN_EXE_gateway-stores"));
    for library in ["5redis", "rustls"] {
        assert!(names.contains(library), "{library} is not linked");
    }
    assert!(!names.contains("jsonwebtoken"), "no document takes tokens");
}
