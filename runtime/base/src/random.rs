//! Values that cannot be guessed.

use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The system gives no random numbers: nothing may be issued.
#[derive(Debug, thiserror::Error)]
#[error("the system gives no random numbers")]
pub struct NoRandom;

/// 256 random bits.
pub fn bytes() -> Result<[u8; 32], NoRandom> {
    let mut bytes = [0; 32];
    rand::fill(&mut bytes).map_err(|_| NoRandom)?;
    Ok(bytes)
}

/// 256 random bits in base64url: 43 characters.
pub fn token() -> Result<String, NoRandom> {
    bytes().map(|bytes| URL_SAFE_NO_PAD.encode(bytes))
}

/// 128 random bits in base64url, for names that need not be secret.
pub fn name() -> Result<String, NoRandom> {
    bytes().map(|bytes| URL_SAFE_NO_PAD.encode(&bytes[..16]))
}
