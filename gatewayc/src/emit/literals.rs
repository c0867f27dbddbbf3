//! Sizes, times and places as generated code writes them.

use std::time::Duration;

use crate::emit::layout::Expression;
use crate::ir::CredentialLocation;
use crate::units::ByteSize;

pub(super) fn size(size: ByteSize) -> Expression {
    let (unit, count) = match size.0 {
        bytes if bytes > 0 && bytes % (1 << 20) == 0 => ("ByteSize::mib", bytes >> 20),
        bytes if bytes > 0 && bytes % (1 << 10) == 0 => ("ByteSize::kib", bytes >> 10),
        bytes => ("ByteSize::bytes", bytes),
    };
    Expression::Call(unit, vec![Expression::number(count)])
}

pub(super) fn duration(duration: Duration) -> Expression {
    let milliseconds = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    if milliseconds.is_multiple_of(1_000) {
        Expression::Call("Duration::from_secs", vec![Expression::number(milliseconds / 1_000)])
    } else {
        Expression::Call("Duration::from_millis", vec![Expression::number(milliseconds)])
    }
}

pub(super) fn boolean(flag: bool) -> Expression {
    Expression::word(if flag { "true" } else { "false" })
}

pub(super) fn locations(locations: &[CredentialLocation]) -> Expression {
    let location = |location: &CredentialLocation| {
        let (kind, name) = match location {
            CredentialLocation::Header(name) => ("CredentialLocation::Header", name),
            CredentialLocation::Query(name) => ("CredentialLocation::Query", name),
            CredentialLocation::Cookie(name) => ("CredentialLocation::Cookie", name),
            CredentialLocation::Form(name) => ("CredentialLocation::Form", name),
            CredentialLocation::Subprotocol(prefix) => ("CredentialLocation::Subprotocol", prefix),
        };
        Expression::Call(kind, vec![Expression::text(name)])
    };
    Expression::Slice(locations.iter().map(location).collect())
}
