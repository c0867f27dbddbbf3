//! The secrets that the documents and the consumers of the end-to-end tests refer to: the variables and their values.

/// The secret that the tests' tokens are signed with, for the APIs `notes` and `files`.
pub(crate) const SECRET: &str = "a secret of the tests: 32 bytes or more";

/// [`SECRET`] in Base64.
const SECRET_IN_BASE64: &str = "YSBzZWNyZXQgb2YgdGhlIHRlc3RzOiAzMiBieXRlcyBvciBtb3Jl";

pub(crate) const SECRETS: &[(&str, &str)] = &[
    ("NOTES_JWT_SECRET", SECRET),
    ("FILES_SESSION_SECRET", SECRET_IN_BASE64),
    ("TEST_TOKEN_SECRET", SECRET),
    ("TEST_PASSWORD", "correct horse"),
    ("TEST_ADMIN_KEY", "administrators of the tests"),
    ("TEST_PARTNER_TOKEN", "a token of the gateway"),
    ("TEST_AWS_KEY_ID", "AKIDEXAMPLE"),
    ("TEST_AWS_KEY", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
    ("TEST_OLAF_KEY", "olaf-secret"),
    ("TEST_ANN_KEY", "ann-secret"),
    ("TEST_MALLORY_KEY", "mallory-secret"),
];
