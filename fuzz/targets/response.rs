//! An upstream's bytes, on their way to a client.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "support.rs"]
mod support;

const REQUEST: &[u8] = b"GET /v1/health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

fuzz_target!(|answer: &[u8]| {
    support::with(|harness| {
        let outcome = harness.exchange(REQUEST, answer);
        let text = String::from_utf8_lossy(&outcome.received);
        let mut finals = 0;
        let mut rest = &*outcome.received;
        // Informational responses, then one final one, whose body is not looked into.
        while finals == 0 && !rest.is_empty() {
            let mut fields = [support::EMPTY; 128];
            let (status, length) = support::head(rest, &mut fields).unwrap_or_else(|| panic!("no head in {text}"));
            rest = &rest[length..];
            finals += usize::from(status >= 200);
        }
        assert_eq!(finals, 1, "{text}");
    });
});
