//! The gateway of the end-to-end tests, to be fuzzed.
#![allow(dead_code, reason = "each target uses its part")]

use gateway_runtime::fuzzing::Harness;
use libfuzzer_sys as _;

#[path = "../../tests/support/secrets.rs"]
mod secrets;

thread_local! {
    static HARNESS: Harness = Harness::new(
        &gateway_tests::GATEWAY,
        &[
            &format!("consumers.file={}", concat!(env!("CARGO_MANIFEST_DIR"), "/consumers.yaml")),
            "insecureLiterals=true",
            "listeners.fuzz.bind=127.0.0.1:0",
            "stores.default.kind=memory",
            "admin.key.env=FUZZ_ADMIN_KEY",
            "trustedProxies=[127.0.0.1/32]",
        ],
        &[secrets::SECRETS, &[("FUZZ_ADMIN_KEY", "administrators that nobody guesses")]].concat(),
    );
}

pub(crate) fn with(what: impl FnOnce(&Harness)) {
    HARNESS.with(what);
}

/// A request for `target` with these fields, whatever they are, is not let pass.
pub(crate) fn refused(target: &str, fields: &[u8]) {
    let request = [format!("GET {target} HTTP/1.1\r\nHost: a\r\n").as_bytes(), fields, b"\r\n\r\n"].concat();
    with(|harness| {
        let outcome = harness.exchange(&request, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        // What follows the fields may be another request, for something that is public.
        let first = outcome.received.get(9..12).unwrap_or_default();
        assert!(first != b"200", "{}", String::from_utf8_lossy(&outcome.received));
    });
}

pub(crate) const EMPTY: httparse::Header<'static> = httparse::EMPTY_HEADER;

/// The status and the length of the head of a response.
pub(crate) fn head<'a>(bytes: &'a [u8], fields: &mut [httparse::Header<'a>]) -> Option<(u16, usize)> {
    let mut response = httparse::Response::new(fields);
    match response.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => Some((response.code?, length)),
        _ => None,
    }
}
