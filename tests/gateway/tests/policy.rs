//! The policies of the tests' documents in words: what `gatewayc::policy_test` gives to a team's test.

use gatewayc::policy_test::{policy, policy_in};

#[test]
fn policy_of_the_documents() {
    insta::assert_snapshot!("policy", policy());
}

#[test]
fn policy_with_a_store() {
    insta::assert_snapshot!(policy_in("../stores/specs"));
}

#[test]
fn policy_with_ambiguous_paths() {
    insta::assert_snapshot!(policy_in("../paths/specs"));
}
