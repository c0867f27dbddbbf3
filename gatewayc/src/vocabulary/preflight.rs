//! `preflight`: what `OPTIONS` gets where no operation describes it.

use crate::ir::Preflight;

/// `preflight`.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum PreflightPolicy {
    /// To the upstream, without a credential.
    Forward,
    /// By the gateway.
    Answer,
    /// 405.
    #[default]
    Deny,
}

impl PreflightPolicy {
    /// What is left to decide at run time: forwarding is an operation of its own.
    pub(crate) fn without_operation(self) -> Preflight {
        if self == Self::Answer { Preflight::Answer } else { Preflight::Deny }
    }
}
