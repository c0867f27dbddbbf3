//! Regular expressions of documents, and texts from requests.
#![no_main]

use gateway_schema::pattern::Pattern;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &str| {
    let (pattern, text) = input.split_once('\n').unwrap_or((input, input));
    let Ok(pattern) = Pattern::new(pattern) else { return };
    let outcome = pattern.find(text);
    // Nothing is remembered from one text to the next.
    assert_eq!(outcome, pattern.find(text));
});
