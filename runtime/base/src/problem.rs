//! Mistakes in settings and files, with the place where each was found.

use std::fmt;

use crate::operator_log::visible;

/// A mistake in the deployment, reported before anything is opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Problem(pub(crate) String);

/// Where a setting was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingPlace(pub(crate) String);

impl Problem {
    /// A mistake at a known place.
    pub fn at(place: &SettingPlace, message: impl fmt::Display) -> Self {
        Self::plain(format!("{}: {message}", place.0))
    }

    /// A mistake that is nowhere in particular, such as something missing.
    pub fn plain(message: impl Into<String>) -> Self {
        Self(visible(&without_credentials(&message.into())).into_owned())
    }
}

/// A text without the part before `@` in the URLs in it, and without their queries: both may hold a password, and the text
/// goes into a log.
pub(crate) fn without_credentials(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("://").map(|at| at + 3) {
        out.push_str(&rest[..start]);
        rest = &rest[start..];
        // An `@` after a slash may still end a password that has one: nothing before the last `@` is shown.
        let end = rest.find(['`', ' ', '"', '\'', '\n']).unwrap_or(rest.len());
        let (url, after) = rest.split_at(end);
        let at = url.rfind('@');
        let shown = &url[at.unwrap_or(0)..];
        let (shown, has_query) = shown.split_once('?').map_or((shown, false), |(before, _)| (before, true));
        out.extend([if at.is_some() { "…" } else { "" }, shown, if has_query { "?…" } else { "" }]);
        rest = after;
    }
    out + rest
}
