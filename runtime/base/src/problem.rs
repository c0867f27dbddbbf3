//! Mistakes in settings and files, with the place where each was found.

use std::fmt;

/// A mistake in the deployment, reported before anything is opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem(pub(crate) String);

/// Where a setting was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingPlace(pub(crate) String);

impl Problem {
    /// A mistake at a known place.
    pub fn at(place: &SettingPlace, message: impl fmt::Display) -> Self {
        Self(without_credentials(&format!("{}: {message}", place.0)))
    }

    /// A mistake that is nowhere in particular, such as something missing.
    pub fn plain(message: impl Into<String>) -> Self {
        Self(without_credentials(&message.into()))
    }
}

/// A text without the part before `@` in the URLs in it: it may be a password, and the text goes into a log.
pub(crate) fn without_credentials(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("://").map(|at| at + 3) {
        out.push_str(&rest[..start]);
        rest = &rest[start..];
        let authority = &rest[..rest.find(['/', '`', ' ', '"', '\'', '\n']).unwrap_or(rest.len())];
        if let Some(at) = authority.rfind('@') {
            out.push('…');
            rest = &rest[at..];
        }
    }
    out + rest
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
