//! The schemas of a document that requests and responses are checked against.

use crate::schema::{Json, Sample, Schema};

/// The schemas that are checked, and what was said about them.
#[derive(Default)]
pub(super) struct CheckedSchemas<'a> {
    pub(super) used: Vec<&'a Schema>,
    /// Examples and defaults beside them.
    pub(super) samples: Vec<&'a Sample>,
    /// Schemas of bodies that got a name here.
    pub(super) named: Vec<(String, Json)>,
    /// Which of the named schemas are known already: as they are, and as errors.
    pub(super) said: [Vec<bool>; 2],
}
