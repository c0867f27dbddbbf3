//! JSON that is read as every recipient reads it, and schemas that it is checked against.
//!
//! The compiler writes schemas in one form, whatever dialect a document is in ([`schemas`]); the gateway prepares them once
//! and checks values. Both use the same checker: what the compiler says of an example is what the gateway would say of it.

pub mod format;
pub mod json;
pub mod number;
pub mod pattern;
pub mod schemas;
