//! User names and passwords of consumers (RFC 7617).

use std::sync::Arc;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use crate::caller::{Caller, Denial, Question, Refusal, RequestContext};
use crate::request_view::{CredentialLocation, Found, RequestView};
use crate::scheme::{Authenticator, Resources, Scheme};
use gateway_parties::password::{Expected, PASSWORDS};
use gateway_parties::store::ConsumerStore;
use gateway_parties::stored_password::StoredPassword;

/// Where the credential is.
const PLACE: &[CredentialLocation] = &[CredentialLocation::Header("Authorization")];

/// A longer credential, in bytes, is unknown.
const MAX_CREDENTIAL: usize = 4096;

/// Some clients leave the padding out.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// An `http` scheme with `scheme: basic` (OpenAPI).
#[derive(Debug)]
pub struct Basic {
    /// The key under `components/securitySchemes`.
    pub name: &'static str,
    /// `realm` of the challenge (RFC 7617 §2).
    pub realm: &'static str,
    /// The upstream sees user name and password.
    pub forward: bool,
}

impl Scheme for Basic {
    fn name(&self) -> &'static str {
        self.name
    }

    fn prepare(&self, resources: &Resources) -> Result<Box<dyn Authenticator>, Vec<String>> {
        if !resources.consumers.is_configured() {
            return Err(vec!["passwords belong to consumers; write `consumers: {file: consumers.yaml}`".to_owned()]);
        }
        let Self { realm, forward, .. } = *self;
        Ok(Box::new(PasswordCheck { realm, forward, consumers: Arc::clone(&resources.consumers) }))
    }
}

#[derive(Debug)]
struct PasswordCheck {
    realm: &'static str,
    forward: bool,
    consumers: Arc<ConsumerStore>,
}

impl Authenticator for PasswordCheck {
    fn authenticate(&self, view: &RequestView<'_>, now: RequestContext) -> Result<Caller, Refusal> {
        let (user, password) = credential(view)?;
        let consumers = self.consumers.current();
        let known = consumers.with_user(&user, now.unix_seconds);
        let expected = match known.map(|known| &known.password) {
            Some(StoredPassword::Argon2id(hash)) => Expected::Argon2id(hash),
            Some(StoredPassword::Digest(digest)) => Expected::Digest(digest),
            None => Expected::Nobody,
        };
        let caller = known.map(|known| Caller::consumer(&known.identity));
        match (PASSWORDS.recall(&expected, &password, consumers.costliest_password()), caller) {
            (Ok(()), Some(caller)) => Ok(caller),
            (Ok(()), None) => Err(wrong().into()),
            (Err(attempt), caller) => Err(Refusal::Ask(Question::Work(Box::pin(async move {
                match (PASSWORDS.check(attempt).await, caller) {
                    (Ok(true), Some(caller)) => Ok(caller),
                    (Ok(_), _) => Err(wrong()),
                    (Err(_), _) => Err(Denial::Unavailable),
                }
            })))),
        }
    }

    fn challenge(&self) -> String {
        format!("Basic realm=\"{}\", charset=\"UTF-8\"", self.realm)
    }

    fn locations(&self) -> (&'static [CredentialLocation], bool) {
        (PLACE, self.forward)
    }
}

/// An unknown user and a wrong password are the same to the client.
fn wrong() -> Denial {
    Denial::Invalid { message: "Invalid user authorization", why: "an unknown user or a wrong password" }
}

/// The user name and the password that a request brings.
fn credential(view: &RequestView<'_>) -> Result<(String, Vec<u8>), Denial> {
    const MESSAGE: &str = "Invalid authorization in request";
    let invalid = |why| Denial::Invalid { message: MESSAGE, why };
    let value = match view.first_at(PLACE).map(|(_, found)| found) {
        None => return Err(Denial::Missing { message: "Missing authorization in request" }),
        Some(Found::One(value)) => value,
        Some(Found::Ambiguous | Found::Nothing) => return Err(invalid("several credentials, or one that is not text")),
    };
    let (scheme, rest) = value.split_once(' ').unwrap_or((&value, ""));
    if !scheme.eq_ignore_ascii_case("basic") {
        // The credential of another scheme.
        return Err(Denial::Missing { message: MESSAGE });
    }
    if rest.len() > MAX_CREDENTIAL {
        return Err(invalid("the credential is too long"));
    }
    let mut decoded = BASE64.decode(rest.trim_matches(' ')).map_err(|_| invalid("not in base64"))?;
    // The first colon ends the name; a password may have more (RFC 7617 §2).
    let colon = memchr::memchr(b':', &decoded).ok_or_else(|| invalid("no colon"))?;
    let password = decoded.split_off(colon + 1);
    decoded.truncate(colon);
    let user = String::from_utf8(decoded).map_err(|_| invalid("the user name is not in UTF-8"))?;
    Ok((user, password))
}

#[cfg(test)]
mod tests {
    use super::*;
    use gateway_wire::http1::head::Field;

    fn read(value: &str) -> Result<(String, Vec<u8>), Denial> {
        credential(&RequestView::of(&[Field { name: "authorization", value: value.as_bytes() }], None))
    }

    #[test]
    fn the_first_colon_ends_the_name() {
        for (value, user, password) in [
            ("Basic YTpi", "a", &b"b"[..]),
            ("basic  Y2FybDpwYTpzczp3b3Jk", "carl", b"pa:ss:word"),
            ("BASIC YTo", "a", b""),
            ("Basic OmI=", "", b"b"),
            ("Basic YSBiOiBjIA==", "a b", b" c "),
        ] {
            assert_eq!(read(value), Ok((user.to_owned(), password.to_vec())), "{value}");
        }
    }

    #[test]
    fn malformed_credentials_are_refused() {
        for bad in ["Basic", "Basic ", "Basic ===", "Basic YWI=", "Basic /w==", "Basic YTpi YTpi", "Basic \u{e4}"] {
            assert!(matches!(read(bad), Err(Denial::Invalid { .. })), "{bad}");
        }
        for other in ["Bearer YTpi", "xbasic YTpi", "YTpi", "Bad_header YTpi"] {
            assert!(matches!(read(other), Err(Denial::Missing { .. })), "{other}");
        }
        assert!(matches!(credential(&RequestView::of(&[], None)), Err(Denial::Missing { .. })));
    }
}
