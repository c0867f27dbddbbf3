//! Texts that have a structure by `style` and `explode` (OpenAPI 3.2 §4.12, "Style Values" and "Style Examples").

mod brackets;
mod part;
mod shape;
mod value;

pub(crate) use brackets::are_brackets;
pub(crate) use part::unreadable;
pub(crate) use shape::{Format, Shape, shapes};
pub(crate) use value::{Problem, check, value};
