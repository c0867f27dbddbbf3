//! Values of settings: secrets, durations, sizes, names.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::problem::{Problem, SettingPlace};
use crate::secret::{Encoding, Secret, SecretStore};
use crate::settings::Settings;

/// Where a secret of the settings is.
#[derive(Debug, Clone)]
pub struct SecretSetting {
    source: SecretPlace,
    place: SettingPlace,
}

#[derive(Debug, Clone)]
pub(crate) enum SecretPlace {
    Env(String),
    File(String),
}

impl SecretSetting {
    /// Fetches it.
    ///
    /// # Errors
    /// It is missing or empty.
    pub fn read(&self, secrets: &SecretStore) -> Result<Secret, Problem> {
        let found = match &self.source {
            SecretPlace::Env(name) => secrets.variable(name, Encoding::Plain),
            SecretPlace::File(path) => secrets.file(path, Encoding::Plain),
        };
        found.map_err(|problem| Problem::at(&self.place, problem))
    }
}

/// What a setting says below the names of an API and of something in it.
pub fn below<'a, T>(
    given: &'a BTreeMap<(String, String), (T, SettingPlace)>,
    api: &str,
    name: &str,
) -> Option<(&'a T, &'a SettingPlace)> {
    let exact = given.get(&(api.to_owned(), name.to_owned()));
    let spelt =
        || given.iter().find(|((a, n), _)| is_same_name(a, api) && is_same_name(n, name)).map(|(_, found)| found);
    exact.or_else(spelt).map(|(value, place)| (value, place))
}

/// Environment variables have neither letter case nor hyphens.
pub fn is_same_name(one: &str, other: &str) -> bool {
    crate::settings::folded(one) == crate::settings::folded(other)
}

/// A secret, in a variable or in a file.
pub fn secret(settings: &mut Settings, path: &str) -> Option<SecretSetting> {
    let mut found = None;
    for (member, source) in [("env", SecretPlace::Env as fn(String) -> SecretPlace), ("file", SecretPlace::File)] {
        let Some(setting) = settings.take(&format!("{path}.{member}")) else { continue };
        let Some(text) = settings.text(&setting) else { continue };
        if found.is_some() {
            let message = format!("`{path}` has an `env` and a `file`; write one of them");
            settings.problems.push(Problem::at(&setting.place, message));
        }
        found = Some(SecretSetting { source: source(text), place: setting.place });
    }
    if let Some(setting) = settings.take(path) {
        // The value may be the secret: it is not repeated.
        let message = format!("expected `{path}: {{env: NAME}}` or `{path}: {{file: PATH}}`");
        settings.problems.push(Problem::at(&setting.place, message));
    }
    found
}

/// Reads the setting at `path` into `into`, which keeps its value where nothing is set, or where `parse` gives `None`.
/// The latter is a problem that says what was `expected`.
pub fn read_into<T>(
    settings: &mut Settings,
    path: &str,
    expected: &str,
    parse: impl Fn(&str) -> Option<T>,
    into: &mut T,
) {
    if let Some(setting) = settings.take(path)
        && let Some(value) = settings.parse(&setting, expected, parse)
    {
        *into = value;
    }
}

/// A duration with its unit, such as `250ms` or `10m`; `None` for anything else and for zero.
pub fn duration(text: &str) -> Option<Duration> {
    gateway_yaml::units::duration(text).ok().filter(|duration| !duration.is_zero())
}

/// A size in bytes, such as `64KiB`, from 1 KiB to 1 MiB; `None` for anything else.
pub fn size(text: &str) -> Option<usize> {
    let bytes = gateway_yaml::units::size(text).ok()?;
    usize::try_from(bytes).ok().filter(|bytes| (1 << 10..=1 << 20).contains(bytes))
}
