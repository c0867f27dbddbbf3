//! What a document cannot say about how it is served, as flags say it.

use std::fmt;
use std::io;
use std::str::FromStr;

use crate::new::fault::wrong;

/// Answers to what the gateway needs and a document does not say; what is not answered stands in the overlay to be chosen.
#[derive(Debug, clap::Args)]
pub(crate) struct Answers {
    /// Where the service is, such as http://127.0.0.1:3000
    #[arg(long, value_name = "URL")]
    pub(super) upstream: Option<String>,
    /// How callers prove who they are, where the document does not say how that is checked: `keys` (API keys of
    /// consumers), `passwords`, `oidc=URL`, `jwks=URL` or `introspection=URL,client=ID,secret=VARIABLE`, each of the last
    /// three with `audience=VALUE`; or `none`
    #[arg(long, value_name = "HOW")]
    pub(super) auth: Option<Auth>,
    /// A path whose operations everyone may call; repeatable
    #[arg(long, value_name = "PATH")]
    pub(super) public: Vec<String>,
    /// How many requests each caller may make, such as 100/m
    #[arg(long, value_name = "COUNT/UNIT")]
    pub(super) limit: Option<Limit>,
}

/// How callers prove who they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Auth {
    /// Everyone may call.
    Nobody,
    Keys,
    Passwords,
    Oidc {
        url: String,
        audience: Option<String>,
    },
    Jwks {
        url: String,
        audience: Option<String>,
    },
    Introspection {
        url: String,
        client: String,
        secret: String,
        audience: Option<String>,
    },
}

/// So many in an interval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Limit {
    pub(super) count: u64,
    /// Of an interval, as documents write it.
    pub(super) interval: &'static str,
}

impl Answers {
    /// Without a document, there is nothing that they could answer.
    pub(super) fn refuse_without_document(&self) -> io::Result<()> {
        let given = [
            ("--upstream", self.upstream.is_some()),
            ("--auth", self.auth.is_some()),
            ("--public", !self.public.is_empty()),
            ("--limit", self.limit.is_some()),
        ];
        match given.iter().find(|(_, is_given)| *is_given) {
            Some((flag, _)) => Err(wrong(format!("{flag} is about the document of --from; without one, edit specs/"))),
            None => Ok(()),
        }
    }
}

/// What is wrong with the value of a flag.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum AnswerError {
    /// A member has no `=`.
    NotAMember(String),
    /// The URL of a provider is missing, or is no URL; this is the word before it.
    NoUrl(String),
    /// A member is missing.
    Missing(&'static str),
    /// The word names no way to prove who calls.
    UnknownAuth,
    /// A member means nothing for the way.
    UnknownMember { member: String, auth: String },
    /// It is no limit.
    NotALimit,
}

impl fmt::Display for AnswerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAMember(text) => write!(f, "`{text}` is not NAME=VALUE"),
            Self::NoUrl(auth) => write!(f, "write {auth}=https://…"),
            Self::Missing(name) => write!(f, "`{name}=…` is missing"),
            Self::UnknownAuth => f.write_str("it is keys, passwords, oidc=URL, jwks=URL, introspection=URL or none"),
            Self::UnknownMember { member, auth } => write!(f, "`{member}` means nothing for {auth}"),
            Self::NotALimit => f.write_str("it is a number and a unit, such as 10/s, 100/m or 1000/h"),
        }
    }
}

impl std::error::Error for AnswerError {}

impl FromStr for Auth {
    type Err = AnswerError;

    fn from_str(text: &str) -> Result<Self, AnswerError> {
        let (kind, url) = text
            .split(',')
            .next()
            .unwrap_or_default()
            .split_once('=')
            .map_or((text, None), |(kind, url)| (kind, Some(url)));
        let mut members: Vec<(&str, &str)> = Vec::new();
        for member in text.split(',').skip(1) {
            members.push(member.split_once('=').ok_or_else(|| AnswerError::NotAMember(member.to_owned()))?);
        }
        let mut take = |name: &str| {
            let at = members.iter().position(|(known, _)| *known == name)?;
            Some(members.remove(at).1.to_owned())
        };
        let needs_url = || {
            let url = url.filter(|url| url.starts_with("https://") || url.starts_with("http://"));
            url.map(str::to_owned).ok_or_else(|| AnswerError::NoUrl(kind.to_owned()))
        };
        let auth = match kind {
            "none" => Self::Nobody,
            "keys" => Self::Keys,
            "passwords" => Self::Passwords,
            "oidc" => Self::Oidc { url: needs_url()?, audience: take("audience") },
            "jwks" => Self::Jwks { url: needs_url()?, audience: take("audience") },
            "introspection" => {
                let needed = |value: Option<String>, name| value.ok_or(AnswerError::Missing(name));
                Self::Introspection {
                    url: needs_url()?,
                    client: needed(take("client"), "client")?,
                    secret: needed(take("secret"), "secret")?,
                    audience: take("audience"),
                }
            }
            _ => return Err(AnswerError::UnknownAuth),
        };
        match members.first() {
            Some((name, _)) => Err(AnswerError::UnknownMember { member: (*name).to_owned(), auth: kind.to_owned() }),
            None => Ok(auth),
        }
    }
}

impl FromStr for Limit {
    type Err = AnswerError;

    fn from_str(text: &str) -> Result<Self, AnswerError> {
        let (count, unit) = text.split_once('/').ok_or(AnswerError::NotALimit)?;
        let count = count.parse().ok().filter(|count| *count > 0).ok_or(AnswerError::NotALimit)?;
        let interval = match unit {
            "s" => "1s",
            "m" => "1m",
            "h" => "1h",
            "d" => "24h",
            _ => return Err(AnswerError::NotALimit),
        };
        Ok(Self { count, interval })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_or_refused_with_a_reason() {
        let url = || "https://idp.example/keys".to_owned();
        let audience = Some("https://api.example".to_owned());
        let jwks = Auth::Jwks { url: url(), audience };
        assert_eq!("jwks=https://idp.example/keys,audience=https://api.example".parse(), Ok(jwks));
        assert_eq!("keys".parse(), Ok(Auth::Keys));
        let introspection =
            Auth::Introspection { url: url(), client: "gw".into(), secret: "IDP".into(), audience: None };
        assert_eq!("introspection=https://idp.example/keys,client=gw,secret=IDP".parse(), Ok(introspection));
        for wrong in [
            "",
            "key",
            "oidc",
            "oidc=idp.example",
            "jwks=https://a,aud=x",
            "keys,audience=x",
            "introspection=https://a",
        ] {
            assert!(wrong.parse::<Auth>().is_err(), "{wrong}");
        }
        assert_eq!("100/m".parse(), Ok(Limit { count: 100, interval: "1m" }));
        for wrong in ["100", "0/s", "/s", "5/w", "-1/s"] {
            assert!(wrong.parse::<Limit>().is_err(), "{wrong}");
        }
    }
}
