//! The hash of the parts of a request by which its endpoint is chosen: the same in every process and after every start.

use gateway_access::limit_key::Subject;
use gateway_access::request_view::{CredentialLocation, Found};
use gateway_base::address::Address;
use gateway_limits::rule::{KeyParts as _, PartKind};

use crate::tables::HashKey;
use crate::upstream::balance::mix;

/// Of these parts of a request; `None` where it has none of them.
pub(crate) fn hash(keys: &[HashKey], subject: &Subject<'_>) -> Option<u64> {
    let address = Address::of(subject.address);
    let (mut state, mut has_any) = (0xcbf2_9ce4_8422_2325, false);
    let mut add = |kind: PartKind, bytes: &[u8]| {
        has_any |= !matches!(kind, PartKind::Missing);
        state = fnv(fnv(state, &[kind as u8]), &(bytes.len() as u64).to_le_bytes());
        state = fnv(state, bytes);
    };
    for key in keys {
        match key {
            HashKey::Part(part) => {
                let part = subject.part(part, &address);
                add(part.kind, &part.bytes);
            }
            HashKey::Cookie(name) => match CredentialLocation::Cookie(name).find(subject.view) {
                Found::One(value) if !value.is_empty() => add(PartKind::Value, value.as_bytes()),
                Found::Ambiguous => add(PartKind::Several, b""),
                Found::One(_) | Found::Nothing => add(PartKind::Missing, b""),
            },
        }
    }
    has_any.then(|| mix(state))
}

/// Of a text, such as an address.
pub(crate) fn of_text(text: &str) -> u64 {
    mix(fnv(0xcbf2_9ce4_8422_2325, text.as_bytes()))
}

/// FNV-1a.
fn fnv(state: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(state, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3))
}
