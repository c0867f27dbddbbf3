//! The form of API keys that the gateway creates: `gwk_`, 32 random characters and 6 that check them.
//!
//! The prefix lets a scanner find leaked keys (`gwk_[0-9A-Za-z]{38}`), the check lets typos be refused without a lookup.
//! Keys of other forms are keys as well: consumers bring theirs along.

use aws_lc_rs::rand;

use gateway_base::digest::Digest;
use gateway_base::random::NoRandom;

const PREFIX: &str = "gwk_";
const RANDOM: usize = 32;
const CHECK: usize = 6;
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A new key: 190 bits of randomness.
///
/// # Errors
/// The system gives no random numbers.
pub fn create() -> Result<String, NoRandom> {
    let mut key = String::from(PREFIX);
    while key.len() < PREFIX.len() + RANDOM {
        let mut bytes = [0; 64];
        rand::fill(&mut bytes).map_err(|_| NoRandom)?;
        // Of 256 values, 248 spread evenly over 62 characters.
        let letters =
            bytes.iter().filter(|byte| **byte < 248).map(|byte| char::from(ALPHABET[usize::from(*byte % 62)]));
        key.extend(letters.take(PREFIX.len() + RANDOM - key.len()));
    }
    key.push_str(&check(&key));
    Ok(key)
}

/// Whether a key that has the prefix has the right check as well; keys without it are none of our business.
pub fn is_plausible(key: &str) -> bool {
    let Some(rest) = key.strip_prefix(PREFIX) else { return true };
    rest.len() == RANDOM + CHECK
        && rest.is_ascii()
        && check(&key[..PREFIX.len() + RANDOM]) == key[PREFIX.len() + RANDOM..]
}

/// The first 32 bits of SHA-256, to the base 62.
fn check(text: &str) -> String {
    let digest = Digest::of(text.as_bytes());
    let mut number = digest.bytes().iter().take(4).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    let mut letters = [b'0'; CHECK];
    for letter in letters.iter_mut().rev() {
        *letter = ALPHABET[(number % 62) as usize];
        number /= 62;
    }
    letters.iter().map(|letter| char::from(*letter)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typos_are_noticed() {
        let key = create().expect("created");
        assert_eq!(key.len(), 42);
        assert!(is_plausible(&key));
        assert_ne!(key, create().expect("created"));
        for at in PREFIX.len()..key.len() {
            let mut typo = key.clone().into_bytes();
            typo[at] = if typo[at] == b'0' { b'1' } else { b'0' };
            assert!(!is_plausible(&String::from_utf8(typo).expect("ASCII")), "{at}");
        }
        assert!(!is_plausible(&key[..41]) && !is_plausible(&format!("{key}0")) && !is_plausible("gwk_"));
        assert!(is_plausible("any-other-key") && is_plausible(""));
    }
}
