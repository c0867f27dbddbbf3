//! A client's bytes, through the whole pipeline.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "support.rs"]
mod support;

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

fuzz_target!(|input: &[u8]| {
    support::with(|harness| {
        let outcome = harness.exchange(input, ANSWER);
        if input.starts_with(b"PRI * HTTP/2.0\r\n\r\n") {
            return;
        }
        let received = &outcome.received;
        assert!(received.is_empty() || received.starts_with(b"HTTP/1."), "{:?}", String::from_utf8_lossy(received));
        let answered = received.windows(15).filter(|window| window.ends_with(b" 200 OK")).count();
        assert!(outcome.forwarded >= answered.min(1) && outcome.forwarded <= 64, "{outcome:?}");
    });
});
