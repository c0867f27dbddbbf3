//! The bodies of refusals.

pub use gateway_terms::refusal::{ErrorClass, ErrorFormat};

/// A refusal's body.
#[derive(Debug, Clone)]
pub struct ErrorBody {
    /// Which refusals carry it.
    pub class: ErrorClass,
    /// The JSON text.
    pub json: String,
}
