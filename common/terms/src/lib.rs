//! What the compiler and the gateway both need of the contract between them: the words of documents that are also words
//! of the gateway's own files, with one grammar, and the plain values that generated code names.
//!
//! What is wrong with a file is a value here; its message is written where the file is read.

pub mod algorithm;
pub mod authority;
pub mod compression;
pub mod contract;
pub mod hmac;
pub mod jwt;
pub mod key;
pub mod limit;
pub mod oauth;
pub mod operation;
pub mod refusal;
pub mod share;
pub mod store;
pub mod text_table;
pub mod token;
pub mod upstream;
