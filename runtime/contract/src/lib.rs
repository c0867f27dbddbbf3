//! Requests and responses, checked against what documents describe.
//!
//! Everything here is a function of what a head or a body says; nothing waits, and nothing is sent. [`prepared`] is what is
//! described, ready; [`parameters`], [`body`] and [`response`] compare with it; [`finding`] is what they find.

pub mod body;
mod content;
mod encoding;
mod field;
pub mod finding;
mod form;
mod form_object;
mod media_type;
mod multipart;
mod parameter;
pub mod parameters;
pub mod prepared;
mod query_names;
pub mod response;
mod scalar;
mod style;
pub mod tables;
mod text;
mod whole_query;
