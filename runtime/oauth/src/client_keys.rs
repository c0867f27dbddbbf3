//! The public keys of those who prove who they are with a token that they signed (RFC 7523).

use std::fmt;

use gateway_base::jose::keys::{JwtAlgorithm, KeyError, VerifyingKey, verify_signature};
use gateway_base::jose::token::Token;
use gateway_parties::clients_and_users::AssertionKeys;

/// Public keys of one party.
pub(crate) struct PublicKeys(Vec<VerifyingKey>);

impl fmt::Debug for PublicKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKeys({})", self.0.len())
    }
}

impl PublicKeys {
    /// Reads one key in PEM (RFC 7468), or a JSON Web Key Set (RFC 7517 §5).
    ///
    /// # Errors
    /// The text is neither of them; it is not quoted.
    pub(crate) fn read(text: &[u8]) -> Result<Self, KeyError> {
        let algorithms: Vec<_> = JwtAlgorithm::ALL.into_iter().filter(|algorithm| !algorithm.is_hmac()).collect();
        let is_set = text.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{');
        Ok(Self(if is_set {
            VerifyingKey::from_set(text, &algorithms)?
        } else {
            vec![VerifyingKey::from_pem(text, &algorithms)?]
        }))
    }
}

impl AssertionKeys for PublicKeys {
    fn verify(&self, token: &Token<'_>) -> Result<(), &'static str> {
        verify_signature(&self.0, token)
    }
}
