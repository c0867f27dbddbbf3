//! What the documents use is in the binary: the counterpart of `public-only/tests/linkage.rs`.

#[path = "support/symbols.rs"]
mod symbols;

#[test]
fn a_gateway_with_tokens_has_the_token_library() {
    let names = symbols::of(env!("CARGO_BIN_EXE_gateway"));
    for library in
        ["jsonwebtoken", "RegexRewrite", "RulePattern", "SignatureCheck", "rusqlite", "tokio_postgres", "minijinja"]
    {
        assert!(names.contains(library), "{library} is not linked");
    }
    // Its keys come from the environment and from files: nobody is asked for any.
    for library in ["8provider6client", "5redis"] {
        assert!(!names.contains(library), "{library} is linked");
    }
}
