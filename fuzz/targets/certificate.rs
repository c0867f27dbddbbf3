//! Certificates of clients, as a TLS library hands them over.
#![no_main]

use gateway_wire::certificate::Certificate;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some(found) = Certificate::parse(input) else { return };
    let is_visible = |byte: u8| (b' '..=b'~').contains(&byte);
    assert!(found.subject.bytes().all(is_visible), "a subject that no header can hold");
    for name in &found.names {
        let (kind, _) = name.split_once(':').expect("a kind");
        assert!(["DNS", "IP", "URI", "email"].contains(&kind), "{name}");
    }
    assert!(found.dns_names().all(|name| !name.bytes().any(|byte| byte.is_ascii_uppercase())));
});
