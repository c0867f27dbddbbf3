//! The loader of documents, `gateway.yaml` and `consumers.yaml`.
#![no_main]

use gateway_yaml::FileId;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &str| {
    let _ = gateway_yaml::load_all(FileId(0), input);
    let _ = gateway_yaml::load_each(FileId(0), input, "consumers", drop);
});
