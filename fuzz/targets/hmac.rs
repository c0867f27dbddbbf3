//! Forged signatures, in all profiles.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "support.rs"]
mod support;

fuzz_target!(|input: &[u8]| {
    let (place, fields) = input.split_first().map_or((0, input), |(first, rest)| (first % 4, rest));
    let target = ["/deliveries/orders", "/deliveries/parcels/7", "/deliveries/tours/7", "/deliveries/scans"][place as usize];
    support::refused(target, fields);
});
