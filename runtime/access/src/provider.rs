//! Identity providers, which the gateway asks for keys and about tokens.
//!
//! All of it, TLS included, is reached from the statics of the schemes that need it: a gateway without such a scheme has
//! none of it in its binary.

pub(crate) mod discovery;
pub mod introspection;
pub mod keys;
