//! The APIs of this gateway. What is compiled is what the build script wrote; the files here are its reviewed copy.

include!(concat!(env!("OUT_DIR"), "/gateway.rs"));
