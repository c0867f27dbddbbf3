//! What every layer needs: digests, secrets, settings, problems, time, encodings, outgoing connections, operator messages.

pub mod address;
pub mod connector;
pub mod count;
pub mod deadline;
pub mod digest;
pub mod encoding;
pub mod file_state;
pub mod jose;
pub mod operator_log;
pub mod origin;
pub mod problem;
pub mod process;
pub mod random;
pub mod secret;
pub mod setting_values;
pub mod settings;
pub mod store_settings;
pub mod supervise;
pub mod timestamp;
pub mod trust;
pub mod units;

#[cfg(test)]
#[path = "../../../tests/support/silent.rs"]
mod silent;
