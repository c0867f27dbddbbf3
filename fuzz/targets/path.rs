//! The normal form of paths, and the router: no spelling of a path reaches what another one does not.
#![no_main]

use std::sync::LazyLock;

use gateway_route::{RequestPath, Router, RouterBuilder, Template};
use libfuzzer_sys::fuzz_target;

static ROUTER: LazyLock<Router<()>> = LazyLock::new(|| {
    let mut builder = RouterBuilder::new();
    for template in ["/", "/a/{b}", "/a/b", "/a/{b}.json", "/{a}:{b}", "/a/{+rest}", "/docs('{key}')", "/a/{b}/c"] {
        builder.insert(Template::parse(template).expect("a template"), Vec::new(), ());
    }
    builder.build().0
});

fuzz_target!(|input: &[u8]| {
    let (path, query) = match input.iter().position(|byte| *byte == b'?') {
        Some(at) => (&input[..at], std::str::from_utf8(&input[at + 1..]).ok()),
        None => (input, None),
    };
    let Ok(path) = RequestPath::parse(path) else { return };
    let canonical = path.canonical();
    // What is forwarded is read the same by the next gateway.
    let again = RequestPath::parse(path.wire()).expect("a normal form is a path");
    assert_eq!((again.wire(), again.canonical()), (path.wire(), canonical));
    assert!(canonical.split('/').all(|segment| segment != "." && segment != ".."), "{canonical}");
    let found = ROUTER.find(&path, query).map(|found| found.index);
    assert_eq!(found, ROUTER.find(&again, query).map(|found| found.index), "{canonical}");
    if let Some(found) = ROUTER.find(&path, query) {
        for param in found.params.iter() {
            let _ = param.decoded();
        }
    }
    let _ = ROUTER.explain(&path, query);
});
