//! The policy of the whole gateway in words. A change here changes who may do what: read it before you accept it.

#[test]
fn policy() {
    insta::assert_snapshot!(gatewayc::policy_test::policy());
}
