//! What responses say to browsers, in words.

use crate::ir::{Cors, CorsPolicy};
use crate::policy::lines::line;
use crate::units::show_duration;

/// What the table at the head of a module says about an operation: nothing where pages of other origins may not call.
pub(super) fn word(cors: Option<&Cors>) -> &'static str {
    if cors.is_some() { "; cors" } else { "" }
}

/// Which pages may call an operation, and what its responses tell browsers.
pub(super) fn write(out: &mut String, cors: Option<&Cors>, security_headers: &[(String, String)]) {
    if let Some(Cors { policy, methods, headers, exposed }) = cors {
        line(out, "cors", &origins(policy));
        for (what, names) in [("methods", methods), ("headers", headers), ("exposes", exposed)] {
            if !names.is_empty() {
                line(out, &format!("cors {what}"), &names.join(", "));
            }
        }
    }
    if !security_headers.is_empty() {
        line(out, "security headers", &self::security_headers(security_headers));
    }
}

/// The same for requests that no path matches.
pub(super) fn write_unrouted(out: &mut String, cors: Option<&Cors>, security_headers: &[(String, String)]) {
    if let Some(cors) = cors {
        line(out, "cors of unknown paths", &origins(&cors.policy));
    }
    if !security_headers.is_empty() {
        line(out, "security headers of unknown paths", &self::security_headers(security_headers));
    }
}

fn origins(policy: &CorsPolicy) -> String {
    let mut text = policy.shown().join(", ");
    if policy.credentials {
        text += "; with credentials";
    }
    if let Some(max_age) = policy.max_age {
        text += &format!("; remembered for {}", show_duration(max_age));
    }
    if policy.private_network {
        text += "; from public networks";
    }
    if policy.enforce {
        text += "; others refused";
    }
    text
}

fn security_headers(headers: &[(String, String)]) -> String {
    headers.iter().map(|(name, value)| format!("{name}: {value}")).collect::<Vec<_>>().join("; ")
}
