//! What the compiler writes compiles: its golden files, against this runtime.

mod everything {
    include!("../../../gatewayc/tests/golden/everything.rs");
}

mod oauth {
    include!("../../../gatewayc/tests/golden/oauth.rs");
}

mod public {
    include!("../../../gatewayc/tests/golden/public.rs");
}

#[test]
fn golden_modules_are_tables_of_the_runtime() {
    assert_eq!(everything::API.name, "everything");
    assert_eq!(everything::API.schemes.len(), 10);
    assert_eq!(oauth::API.schemes.len(), 5);
    assert_eq!(public::API.routes.iter().map(|route| route.operations.len()).sum::<usize>(), 3);
}
