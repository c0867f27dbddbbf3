//! YAML and JSON into a tree whose every value knows its place in the file.
//!
//! Documents reach the compiler and configuration reaches the gateway through this crate, so that every mistake
//! anywhere is reported with file, line and column. Scalars follow the core schema of YAML 1.2 (`on` and `no` are
//! text), keys are always text (`200` is `"200"`), JSON is read by the same parser.

mod de;
mod error;
mod load;
mod node;
mod number;
mod scalar;
mod span;
mod suggest;
pub mod units;

pub use de::{DeError, Spanned, from_node};
pub use error::{ErrorKind, LoadError};
pub use load::{Loaded, MAX_DEPTH, load, load_all, load_each};
pub use node::{Entry, Key, Mapping, Node, Value};
pub use number::Number;
pub use scalar::plain;
pub use span::{FileId, LineIndex, Position, Span, position};
pub use suggest::{nearest, same_word, suggest};
