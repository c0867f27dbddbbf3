//! What load balancers send in front of a connection.
#![no_main]

use gateway_wire::proxy_protocol::{MAX_BINARY, parse};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let whole = parse(input);
    if let Ok(Some((_, length))) = whole {
        assert!(length <= input.len().min(MAX_BINARY));
        assert_eq!(parse(&input[..length]), whole, "what follows makes a difference");
    }
    assert!(input.len() < MAX_BINARY || whole != Ok(None), "there is no end");
    // However it comes apart, it is the same header, or none.
    for end in 0..input.len().min(256) {
        match parse(&input[..end]) {
            Ok(None) => {}
            known => assert_eq!(known, whole, "{end}"),
        }
    }
});
