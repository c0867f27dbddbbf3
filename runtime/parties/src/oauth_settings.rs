//! Settings of authorization servers.

use std::path::PathBuf;
use std::time::Duration;

use gateway_base::problem::SettingPlace;
use gateway_base::setting_values::{SecretSetting, duration, read_into, secret};
use gateway_base::settings::Settings;

/// What authorization servers share in this deployment.
#[derive(Debug, Clone)]
pub struct OauthSettings {
    /// The name of the store where they remember things.
    pub store: Option<(String, SettingPlace)>,
    /// What JWTs are signed with: a private key in PEM, of RSA or P-256.
    pub signing_key: Option<SecretSetting>,
    /// Pages of the deployment's own, relative to the folder of `gateway.yaml`.
    pub templates: Option<(PathBuf, SettingPlace)>,
    /// How long a checked access token is cached.
    pub cache: Duration,
}

/// Sessions of users.
#[derive(Debug, Clone)]
pub struct SessionSettings {
    /// What forms are protected with; made by the store if the deployment has none.
    pub secret: Option<SecretSetting>,
    /// From the last request.
    pub idle: Duration,
    /// From the login.
    pub absolute: Duration,
}

/// Reads `oauth.*`; mistakes are added to the problems of `settings`. What is not set is as in `defaults`, but for the
/// signing key, which has no default.
pub fn read_oauth(settings: &mut Settings, defaults: OauthSettings) -> OauthSettings {
    let mut oauth = defaults;
    if let Some(setting) = settings.take("oauth.store") {
        oauth.store = settings.text(&setting).map(|name| (name, setting.place));
    }
    oauth.signing_key = secret(settings, "oauth.signingKey");
    if let Some(setting) = settings.take("oauth.templates") {
        oauth.templates = settings.text(&setting).map(|folder| (PathBuf::from(folder), setting.place));
    }
    read_into(
        settings,
        "oauth.cache",
        "a duration from 0s to 60s",
        |text| gateway_yaml::units::duration(text).ok().filter(|cache| *cache <= Duration::from_secs(60)),
        &mut oauth.cache,
    );
    oauth
}

/// Reads `session.*`; mistakes are added to the problems of `settings`. What is not set is as in `defaults`, but for
/// the secret, which has no default.
pub fn read_session(settings: &mut Settings, defaults: SessionSettings) -> SessionSettings {
    let mut session = defaults;
    session.secret = secret(settings, "session.secret");
    const LONGEST: Duration = Duration::from_secs(400 * 86_400);
    let length = |text: &str| duration(text).filter(|length| (Duration::from_secs(1)..=LONGEST).contains(length));
    const LENGTH: &str = "a duration from 1s to 400d, such as 30m or 8h";
    read_into(settings, "session.idleTimeout", LENGTH, length, &mut session.idle);
    read_into(settings, "session.absoluteTimeout", LENGTH, length, &mut session.absolute);
    session
}
