//! Header fields whose value is a secret.

use std::fmt;

use gateway_base::secret::{SecretError, SecretReference, SecretStore};

/// A field as it is sent. `Debug` shows its name only.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretField {
    name: &'static str,
    line: Box<[u8]>,
}

impl fmt::Debug for SecretField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretField({})", self.name)
    }
}

/// Why a secret cannot be sent in a field. The message does not quote it.
#[derive(Debug, thiserror::Error)]
pub enum SecretFieldError {
    /// There is no secret where the reference leads.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The secret for this field has characters that no field can hold (RFC 9110 §5.5).
    #[error("the secret for `{0}` cannot be sent in a header field: only visible ASCII, and no space at the ends")]
    Characters(&'static str),
}

impl SecretField {
    /// A field of this name, with the secret behind `before`.
    ///
    /// # Errors
    /// The secret has characters that no header field can hold.
    pub fn new(name: &'static str, before: &str, secret: &[u8]) -> Result<Self, SecretFieldError> {
        // RFC 9110 §5.5: visible ASCII, and blanks in between.
        let is_visible = secret.iter().all(|byte| (b' '..0x7f).contains(byte));
        if secret.is_empty() || !is_visible || secret.first() == Some(&b' ') || secret.last() == Some(&b' ') {
            return Err(SecretFieldError::Characters(name));
        }
        let line = [name.as_bytes(), b": ", before.as_bytes(), secret, b"\r\n"].concat();
        Ok(Self { name, line: line.into() })
    }

    /// The value of a reference.
    ///
    /// # Errors
    /// There is no such secret, or it cannot be sent.
    pub fn of(
        name: &'static str,
        before: &str,
        reference: &SecretReference,
        secrets: &SecretStore,
    ) -> Result<Self, SecretFieldError> {
        Self::new(name, before, reference.resolve(secrets)?.expose())
    }

    /// The line with its end.
    pub fn line(&self) -> &[u8] {
        &self.line
    }

    /// The field's name.
    pub fn name(&self) -> &&'static str {
        &self.name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_sent_and_never_shown() {
        let field = SecretField::new("X-Api-Key", "", b"s3cret value").expect("a field");
        assert_eq!(field.line(), b"X-Api-Key: s3cret value\r\n");
        assert_eq!(format!("{field:?}"), "SecretField(X-Api-Key)");
    }

    #[test]
    fn values_that_no_field_can_hold_are_refused() {
        for bad in [&b""[..], b"a\r\nX-Other: b", b"a\n", b" a", b"a ", b"\x00", "ä".as_bytes()] {
            assert!(SecretField::new("X-Api-Key", "", bad).is_err(), "{bad:?}");
        }
    }
}
