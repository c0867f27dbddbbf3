//! The parts of a compiled API gateway.

pub mod codegen;
