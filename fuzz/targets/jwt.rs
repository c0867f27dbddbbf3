//! Forged tokens.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "support.rs"]
mod support;

fuzz_target!(|input: &[u8]| {
    let (place, token) = input.split_first().map_or((0, input), |(first, rest)| (first % 3, rest));
    let (target, before): (&str, &[u8]) = match place {
        0 => ("/v1/notes", b"Authorization: Bearer "),
        1 => ("/reports/feed", b"Authorization: Bearer "),
        _ => ("/v1/notes", b"Authorization: "),
    };
    support::refused(target, &[before, token].concat());
});
