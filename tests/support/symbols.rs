//! What the linker leaves out of a gateway whose documents do not use it.

/// A part of the runtime, by a name among the symbols of the binaries that have it.
struct Part {
    symbol: &'static str,
    /// The gateways of these tests whose documents use it. Each part has one at least: a name that is no longer there
    /// fails in it, and does not pass for a part that is left out elsewhere.
    used_by: &'static [&'static str],
}

/// The names of functions, types and crates, without their modules: those may move.
static PARTS: &[Part] = &[
    // Tokens.
    Part { symbol: "jsonwebtoken", used_by: &["gateway-tests", "gateway-providers"] },
    // Signatures over requests.
    Part { symbol: "SignatureCheck", used_by: &["gateway-tests"] },
    // Compression of responses.
    Part { symbol: "GzipEncoder", used_by: &["gateway-tests"] },
    Part { symbol: "BrotliEncoder", used_by: &["gateway-tests"] },
    Part { symbol: "ZSTD_compressStream", used_by: &["gateway-tests"] },
    // Rewrites and rules with regular expressions.
    Part { symbol: "RegexRewrite", used_by: &["gateway-tests"] },
    Part { symbol: "RulePattern", used_by: &["gateway-tests"] },
    Part { symbol: "regex_lite", used_by: &["gateway-tests"] },
    // The client of identity providers. Keys of the others come from the environment and from files.
    Part { symbol: "within_deadline", used_by: &["gateway-providers", "gateway-tests"] },
    // Tokens and signatures for upstreams.
    Part { symbol: "token_of", used_by: &["gateway-tests"] },
    Part { symbol: "canonical_query", used_by: &["gateway-tests"] },
    // The client of Redis, where limits are counted.
    Part { symbol: "MultiplexedConnection", used_by: &["gateway-stores"] },
    // The databases and the pages of an authorization server.
    Part { symbol: "rusqlite", used_by: &["gateway-tests"] },
    Part { symbol: "sqlite3_open", used_by: &["gateway-tests"] },
    Part { symbol: "tokio_postgres", used_by: &["gateway-tests"] },
    Part { symbol: "minijinja", used_by: &["gateway-tests"] },
];

/// Fails where the binary of a gateway lacks a part that its documents use, or has one that they do not use.
pub(crate) fn check(gateway: &str, binary: &str) {
    let names = of(binary);
    // Every gateway has this: the names have not been stripped.
    assert!(names.contains("tokio"), "{gateway} has no names");
    for Part { symbol, used_by } in PARTS {
        assert!(!used_by.is_empty(), "nobody would notice that `{symbol}` has another name");
        match (names.contains(symbol), used_by.contains(&gateway)) {
            (false, true) => panic!("`{symbol}` is not in {gateway}: it has another name, or is no longer linked"),
            (true, false) => panic!("`{symbol}` is in {gateway}, whose documents do not use it"),
            (true, true) | (false, false) => {}
        }
    }
}

/// The symbols of `binary`, one per line, as `nm` of the binutils (which Rust needs to link) lists them.
fn of(binary: &str) -> String {
    let output = std::process::Command::new("nm").arg(binary).output().expect("nm runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}
