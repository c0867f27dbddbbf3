//! What no document uses is not in the binary.

#[path = "../../support/symbols.rs"]
mod symbols;

#[test]
fn a_gateway_without_tokens_has_no_token_library_and_asks_nobody() {
    let names = symbols::of(env!("CARGO_BIN_EXE_gateway-public-only"));
    assert!(names.contains("runtime"), "the names are there");
    for library in [
        "jsonwebtoken",
        "RegexRewrite",
        "RulePattern",
        "regex_lite",
        "SignatureCheck",
        "8provider6client",
        "5redis",
        "rusqlite",
        "sqlite3_open",
        "tokio_postgres",
        "minijinja",
    ] {
        assert!(!names.contains(library), "{library} is linked");
    }
}
