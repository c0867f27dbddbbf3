//! What a test of a gateway calls to compare its policy with the one that was reviewed.
//!
//! ```no_run
//! // tests/policy.rs, with the crate `insta`:
//! # macro_rules! assert_snapshot { ($text:expr) => { assert!(!$text.is_empty()) } }
//! # mod insta { pub(crate) use assert_snapshot; }
//! # fn main() {
//! insta::assert_snapshot!(gatewayc::policy_test::policy());
//! # }
//! ```

use std::path::Path;

use crate::build_script::open_documents;
use crate::diagnostic::{Format, render};
use crate::files::Package;
use crate::policy;

/// The policy of this package's documents in words: who may call each operation, and what becomes of the request. They
/// are found as `build.rs` finds them.
///
/// # Panics
/// With all messages, where the documents have errors or there is none: the gateway would not build either.
#[must_use]
pub fn policy() -> String {
    policy_of(None)
}

/// The same for the documents in a folder; a relative path starts at the package, where Cargo runs tests.
///
/// # Panics
/// As for [`policy`].
#[must_use]
pub fn policy_in(specs: impl AsRef<Path>) -> String {
    policy_of(Some(specs.as_ref()))
}

fn policy_of(specs: Option<&Path>) -> String {
    let opened = open_documents(Path::new(""), specs).unwrap_or_else(|message| panic!("{message}"));
    let Package { mut sources, diagnostics, .. } = opened;
    let checked = crate::check(&mut sources).with(diagnostics);
    assert!(!checked.diagnostics.has_errors(), "{}", render(&checked.diagnostics, &sources, Format::Human));
    policy::render(&checked.gateway)
}
