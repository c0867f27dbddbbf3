//! Digests of what must not be kept, and comparisons that take the same time whatever they find.

use std::hash::{Hash, Hasher};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest;

use crate::encoding::hex;

/// A SHA-256 digest.
#[derive(Clone, Copy)]
pub struct Digest([u8; 32]);

impl Digest {
    /// SHA-256, for secrets of high entropy such as API keys.
    pub fn of(secret: &[u8]) -> Self {
        Self::from_slice(digest::digest(&digest::SHA256, secret).as_ref())
    }

    /// A digest that was made before.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// A digest that was written down in hexadecimal.
    pub fn from_hex(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        for (index, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[index * 2..index * 2 + 2], 16).ok()?;
        }
        Some(Self(bytes))
    }

    /// In hexadecimal.
    pub fn to_hex(self) -> String {
        hex(&self.0)
    }

    /// The bytes, which tell nothing of the secret.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    fn from_slice(slice: &[u8]) -> Self {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(slice);
        Self(bytes)
    }
}

impl PartialEq for Digest {
    fn eq(&self, other: &Self) -> bool {
        verify_slices_are_equal(&self.0, &other.0).is_ok()
    }
}

impl Eq for Digest {}

impl Hash for Digest {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(&self.0[..8]);
    }
}

impl std::fmt::Debug for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Digest")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_do_not_show_the_secret() {
        let hex = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";
        assert_eq!(Digest::from_hex(hex), Some(Digest::of(b"secret")));
        assert_eq!(format!("{:?}", Digest::of(b"secret")), "Digest");
        for bad in ["", "2b", &hex[1..], &format!("{}zz", &hex[2..])] {
            assert!(Digest::from_hex(bad).is_none(), "{bad}");
        }
    }
}
