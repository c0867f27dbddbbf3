//! Schemas of documents, in the one form that the gateway checks values against ([`gateway_schema::schemas`]).
//!
//! Whatever dialect a document is in, the gateway gets the same keywords with the same meaning. What references lead to is a
//! named schema, translated once.

mod dialect;
mod identity;
mod json;
mod keywords;
mod set;
mod translate;
mod values;

pub(crate) use dialect::Dialect;
pub use json::Json;
pub use set::{NamedSchema, Sample, Schema, SchemaSet};
pub(crate) use translate::Translator;
pub(crate) use values::json_of;
