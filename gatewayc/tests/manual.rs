//! The index of diagnostics in the manual is written from the table of codes.

use gatewayc::diagnostic::CODES;

const INDEX: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/diagnostics.md");

#[test]
fn the_index_of_diagnostics_is_current() {
    let mut expected = String::from(
        "# Diagnostics\n\nEvery mistake has a code, and every code a page; `gatewayc explain GW202` prints it. This list is written by a test from the table of codes.\n\n| code | name | in short |\n|---|---|---|\n",
    );
    for code in CODES {
        let number = code.code;
        expected += &format!("| [{number}](../gatewayc/docs/{number}.md) | {} | {} |\n", code.name, code.summary);
    }
    if std::env::var_os("GATEWAY_TEST_UPDATE").is_some() {
        std::fs::write(INDEX, &expected).expect("the manual can be written");
    }
    let found = std::fs::read_to_string(INDEX).unwrap_or_default();
    assert!(found == expected, "docs/diagnostics.md is not current; run with GATEWAY_TEST_UPDATE=1 and commit it");
}
