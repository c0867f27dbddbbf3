//! Digests of a request's content: what the head says, and whether the content fits.

use aws_lc_rs::{digest, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sfv::{BareItem, Dictionary, ListEntry, Parser};

use crate::hmac::apisix_v1;
use crate::hmac::claim::{Why, combined, single_text};
use gateway_wire::http1::head::Field;

/// What the content must be, as the head says it. All of the digests must fit.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Expected(Vec<(Kind, Vec<u8>)>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Sha256,
    Sha512,
    /// With the key of the signature.
    Mac,
}

impl Expected {
    /// `Digest: SHA-256=<base64>` (RFC 3230, with this one algorithm).
    pub(super) fn of_digest(fields: &[Field<'_>]) -> Result<Self, Why> {
        let value = single_text(fields, "digest")?.ok_or("there is no Digest")?;
        let (algorithm, digest) = value.split_once('=').ok_or("Digest is not a digest")?;
        if !algorithm.eq_ignore_ascii_case("sha-256") {
            return Err("Digest is not made with SHA-256");
        }
        Ok(Self(vec![(Kind::Sha256, base64(digest)?)]))
    }

    /// `X-HMAC-DIGEST: <base64>`: an HMAC with the key and the algorithm of the signature.
    pub(super) fn of_x_hmac_digest(fields: &[Field<'_>]) -> Result<Self, Why> {
        let value = single_text(fields, apisix_v1::DIGEST)?.ok_or("there is no X-HMAC-DIGEST")?;
        Ok(Self(vec![(Kind::Mac, base64(value)?)]))
    }

    /// `Content-Digest: sha-256=:<base64>:` (RFC 9530 §2). Unknown algorithms are passed over; one of those that are
    /// still safe must be there.
    pub(super) fn of_content_digest(fields: &[Field<'_>]) -> Result<Self, Why> {
        let value = combined(fields, "content-digest").ok_or("there is no Content-Digest")?;
        let members: Dictionary = Parser::new(&value).parse().map_err(|_| "Content-Digest is not a dictionary")?;
        let mut expected = Vec::new();
        for (name, kind) in [("sha-256", Kind::Sha256), ("sha-512", Kind::Sha512)] {
            match members.get(name) {
                None => {}
                Some(ListEntry::Item(item)) => match &item.bare_item {
                    BareItem::ByteSequence(digest) => expected.push((kind, digest.clone())),
                    _ => return Err("Content-Digest has a value that is no digest"),
                },
                Some(ListEntry::InnerList(_)) => return Err("Content-Digest has a value that is no digest"),
            }
        }
        if expected.is_empty() { Err("Content-Digest has neither sha-256 nor sha-512") } else { Ok(Self(expected)) }
    }

    /// Whether this is the content.
    pub(super) fn fits(&self, body: &[u8], key: &hmac::Key) -> bool {
        self.0.iter().all(|(kind, expected)| match kind {
            Kind::Sha256 => digest::digest(&digest::SHA256, body).as_ref() == expected,
            Kind::Sha512 => digest::digest(&digest::SHA512, body).as_ref() == expected,
            Kind::Mac => hmac::verify(key, body, expected).is_ok(),
        })
    }
}

fn base64(text: &str) -> Result<Vec<u8>, Why> {
    STANDARD.decode(text).map_err(|_| "the digest is not in base64 format")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hmac::tables::{HmacAlgorithm, key};

    const BODY: &[u8] = b"{\"hello\": \"world\"}";
    // RFC 9421 Appendix B.2.
    const SHA256: &str = "X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=";
    const SHA512: &str = "WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==";

    type Read = fn(&[Field<'_>]) -> Result<Expected, Why>;

    fn fits(read: Read, name: &str, values: &[&str], body: &[u8]) -> Result<bool, Why> {
        let fields: Vec<Field<'_>> = values.iter().map(|value| Field { name, value: value.as_bytes() }).collect();
        Ok(read(&fields)?.fits(body, &key(HmacAlgorithm::HmacSha256, b"my-secret-key")))
    }

    #[test]
    fn contents_fit_their_digests() {
        let two = format!("sha-512=:{SHA512}:, md5=:AAAA:");
        let mac = STANDARD.encode(hmac::sign(&key(HmacAlgorithm::HmacSha256, b"my-secret-key"), BODY).as_ref());
        for (read, name, values) in [
            (Expected::of_digest as Read, "Digest", vec![format!("SHA-256={SHA256}")]),
            (Expected::of_digest, "digest", vec![format!("sha-256={SHA256}")]),
            (Expected::of_x_hmac_digest, "X-HMAC-DIGEST", vec![mac]),
            (Expected::of_content_digest, "Content-Digest", vec![format!("sha-256=:{SHA256}:")]),
            (Expected::of_content_digest, "Content-Digest", vec![two, format!("sha-256=:{SHA256}:")]),
        ] {
            let values: Vec<&str> = values.iter().map(String::as_str).collect();
            assert_eq!(fits(read, name, &values, BODY), Ok(true), "{values:?}");
            assert_eq!(fits(read, name, &values, b"{}"), Ok(false), "{values:?}");
            assert!(fits(read, "other", &values, BODY).is_err());
        }
        let one_is_wrong = format!("sha-512=:{SHA512}:, sha-256=:AAAA:");
        assert_eq!(fits(Expected::of_content_digest, "content-digest", &[&one_is_wrong], BODY), Ok(false));
    }

    #[test]
    fn malformed_digests_are_refused() {
        let digest = format!("SHA-256={SHA256}");
        for (read, name, values) in [
            (Expected::of_digest as Read, "digest", vec!["hello"]),
            (Expected::of_digest, "digest", vec!["SHA-512=AAAA"]),
            (Expected::of_digest, "digest", vec!["SHA-256=?"]),
            (Expected::of_digest, "digest", vec![&digest, &digest]),
            (Expected::of_x_hmac_digest, "x-hmac-digest", vec!["?"]),
            (Expected::of_content_digest, "content-digest", vec![digest.as_str()]),
            (Expected::of_content_digest, "content-digest", vec!["md5=:AAAA:"]),
            (Expected::of_content_digest, "content-digest", vec!["sha-256=AAAA"]),
            (Expected::of_content_digest, "content-digest", vec!["sha-256=(:AAAA:)"]),
            (Expected::of_content_digest, "content-digest", vec![""]),
        ] {
            assert!(fits(read, name, &values, BODY).is_err(), "{values:?}");
        }
    }
}
