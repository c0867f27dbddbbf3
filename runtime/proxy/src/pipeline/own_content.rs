//! Compresses what the gateway answers itself: all of it is there, so that its length is known.

use std::borrow::Cow;

use crate::compression::choice::{Offer, Plan, Subject};
use crate::compression::head::Values;
use crate::compression::{Coding, PIECE};
use gateway_wire::answer::OwnAnswer;
use gateway_wire::field_lines::FieldLines;
use gateway_wire::header_edits::HeaderEdits;
use gateway_wire::http1::head::Field;

/// An answer as a client wants it; `edits` are what the operation changes of it.
pub(super) async fn compress(own: OwnAnswer, offer: Offer, edits: Option<&HeaderEdits>) -> OwnAnswer {
    match plan(&own, offer, edits) {
        Plan::Pass => own,
        Plan::Vary | Plan::VaryWithoutLength => OwnAnswer { fields: described(&own.fields, None, false), ..own },
        Plan::VaryWeakly => OwnAnswer { fields: described(&own.fields, None, true), ..own },
        Plan::Code(coding) => match encode(offer, coding, &own.body).await {
            Some(body) => {
                let fields = described(&own.fields, Some(coding.coding().name()), false);
                OwnAnswer { fields, body: Cow::Owned(body), ..own }
            }
            None => OwnAnswer { fields: described(&own.fields, None, false), ..own },
        },
    }
}

fn plan(own: &OwnAnswer, offer: Offer, edits: Option<&HeaderEdits>) -> Plan {
    let replaced = |name: &str| edits.is_some_and(|edits| edits.replaces(name));
    let defaults = own.defaults.iter().filter(|(name, _)| !replaced(name));
    let changed = edits.into_iter().flat_map(|edits| edits.set.iter().chain(edits.add)).copied();
    let fields = std::iter::once(("Content-Type", own.content_type)).chain(own.fields.iter());
    let fields = fields.chain(defaults).chain(changed).map(|(name, value)| (name, value.as_bytes()));
    // The length in an answer to HEAD is that of the coded content.
    offer.plan(Subject { status: own.status, fields, length: Some(own.body.len() as u64), to_head: false })
}

fn described(fields: &FieldLines, coding: Option<&'static str>, is_weak: bool) -> FieldLines {
    let received: Vec<Field<'_>> = fields.iter().map(|(name, value)| Field { name, value: value.as_bytes() }).collect();
    let (mut values, mut described) = (Values::default(), FieldLines::new());
    for field in values.describe(&received, coding, is_weak) {
        if let Ok(value) = std::str::from_utf8(field.value) {
            described.push_if_valid(field.name, value);
        }
    }
    described
}

/// The content in a coding; nothing where there is no memory for that.
pub(super) async fn encode(offer: Offer, coding: &'static dyn Coding, content: &[u8]) -> Option<Vec<u8>> {
    let (mut encoder, _taken) = offer.encoder(coding, Some(content.len() as u64))?;
    let mut coded = Vec::new();
    for (index, piece) in content.chunks(PIECE).enumerate() {
        if index > 0 {
            tokio::task::yield_now().await;
        }
        encoder.encode(piece, &mut coded).ok()?;
    }
    encoder.finish(&mut coded).ok()?;
    Some(coded)
}
