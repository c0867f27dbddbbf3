//! What a test of a gateway calls to compare its policy with the one that was reviewed.
//!
//! ```no_run
//! // tests/policy.rs, with the crate `insta`:
//! # macro_rules! assert_snapshot { ($text:expr) => { assert!(!$text.is_empty()) } }
//! # mod insta { pub(crate) use assert_snapshot; }
//! # fn main() {
//! insta::assert_snapshot!(gatewayc::policy_test::policy("specs"));
//! # }
//! ```

use std::path::Path;

use crate::build_script::open;
use crate::diagnostic::{Format, render};
use crate::policy;

/// The policy of the documents in a folder, in words: who may call each operation, and what becomes of the request. The
/// folder is read as `build.rs` reads it; a relative path starts at the package, where Cargo runs tests.
///
/// # Panics
/// With all messages, where the documents have errors or there is none: the gateway would not build either.
#[must_use]
pub fn policy(specs: impl AsRef<Path>) -> String {
    let mut sources = open(specs.as_ref()).unwrap_or_else(|message| panic!("{message}"));
    let checked = crate::check(&mut sources);
    assert!(!checked.diagnostics.has_errors(), "{}", render(&checked.diagnostics, &sources, Format::Human));
    policy::render(&checked.gateway)
}
