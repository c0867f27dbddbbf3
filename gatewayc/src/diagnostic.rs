//! Messages for the author of a document: what is wrong, where, and what to write instead.

mod codes;
mod collection;
mod fault;
mod message;
mod render;
mod repair;
mod severity;

pub use codes::*;
pub use collection::{Acceptance, Diagnostics};
pub(crate) use fault::fault;
pub use message::{Cause, Diagnostic, Label, Suggestion};
pub use render::{Format, render};
pub use repair::apply;
pub use severity::Severity;
