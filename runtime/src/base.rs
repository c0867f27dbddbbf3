//! What every layer needs: digests, secrets, settings, problems, time, encodings, outgoing connections, operator messages.

#[macro_use]
pub(crate) mod operator_log;
pub(crate) mod address;
pub(crate) mod connector;
pub(crate) mod deadline;
pub(crate) mod digest;
pub(crate) mod encoding;
pub(crate) mod file_state;
pub(crate) mod jose;
pub(crate) mod origin;
pub(crate) mod problem;
pub(crate) mod process;
pub(crate) mod random;
pub(crate) mod secret;
pub(crate) mod setting_values;
pub(crate) mod settings;
pub(crate) mod store_settings;
pub(crate) mod supervise;
pub(crate) mod timestamp;
pub(crate) mod trust;
pub(crate) mod units;
