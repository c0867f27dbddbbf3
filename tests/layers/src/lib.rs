//! The import graph of a crate, read from its source: which file takes which names from which.
//!
//! Every path counts, whether it stands in a `use` declaration or is written out in the code. A name that a module only
//! passes on is taken from the module that defines it. Code behind `#[cfg(test)]` is left out. Calls of methods are not
//! seen: they name no module.

mod circles;
mod imports;
mod items;
mod modules;
mod paths;

pub use circles::circles;
pub use imports::{Imports, imports};
