//! Request signatures: a consumer shows that it knows a secret by signing the request with it, and never sends it.
//!
//! The profile decides what is signed and where the signature is. All of them go the same way: read what the request
//! claims, check the time, find the key, compare; only then is the body read, if a digest of it is asked for, and the
//! signature marked as used.

pub(crate) mod apisix_v1;
pub(crate) mod cavage;
pub(crate) mod claim;
pub(crate) mod digest;
pub(crate) mod replay;
pub(crate) mod rfc9421;
pub mod tables;

use std::sync::Arc;
use std::time::Duration;

use crate::caller::{Caller, Denial, Question, Refusal, RequestContext};
use crate::hmac::tables::{BodyDigest, HmacAlgorithm, HmacProfile, Replay};
use crate::request_view::{CredentialLocation, RequestView};
use crate::scheme::{Authenticator, Resources, Scheme};
use claim::{Claim, SignatureTerms, Unsigned, Why};
use digest::Expected;
use gateway_parties::consumers::{HmacCredential, NotHeld};
use gateway_parties::store::ConsumerStore;
use replay::{NotUsable, Used, used};

/// A scheme of signed requests.
#[derive(Debug)]
pub struct HmacSignature {
    /// The key under `components/securitySchemes`.
    pub name: &'static str,
    /// The name of the HTTP authentication scheme: the first word of `Authorization`, where the profile uses that.
    pub scheme: &'static str,
    /// `realm` of the challenge (RFC 9110 §11.5).
    pub realm: &'static str,
    /// What is signed, and how it is written.
    pub profile: HmacProfile,
    /// The accepted algorithms.
    pub algorithms: &'static [HmacAlgorithm],
    /// How far the time of signing may be from now, in either direction.
    pub clock_skew: Duration,
    /// Headers or components that every signature must cover.
    pub signed_headers: &'static [&'static str],
    /// Whether a digest of the body is asked for.
    pub body_digest: BodyDigest,
    /// Whether a signature counts once.
    pub replay: Replay,
    /// What the upstream does not see.
    pub hidden: &'static [CredentialLocation],
}

impl Scheme for HmacSignature {
    fn name(&self) -> &'static str {
        self.name
    }

    fn prepare(&self, resources: &Resources) -> Result<Box<dyn Authenticator>, Vec<String>> {
        if !resources.consumers.is_configured() {
            return Err(vec!["signing keys belong to consumers; write `consumers: {file: consumers.yaml}`".to_owned()]);
        }
        let Self {
            scheme, realm, profile, algorithms, clock_skew, signed_headers, body_digest, replay, hidden, ..
        } = *self;
        Ok(Box::new(SignatureCheck {
            terms: SignatureTerms { scheme, algorithms, required: signed_headers, nonce: replay == Replay::Refuse },
            realm,
            profile,
            skew: clock_skew.as_secs(),
            body_digest,
            used: (replay == Replay::Refuse).then(|| used(clock_skew.as_secs())),
            hidden,
            consumers: Arc::clone(&resources.consumers),
        }))
    }
}

#[derive(Debug)]
struct SignatureCheck {
    terms: SignatureTerms<'static>,
    realm: &'static str,
    profile: HmacProfile,
    /// In seconds.
    skew: u64,
    body_digest: BodyDigest,
    /// The signatures that have been used, where each counts once.
    used: Option<&'static Used>,
    hidden: &'static [CredentialLocation],
    consumers: Arc<ConsumerStore>,
}

/// The answer says nothing more: whether a key exists, or which part does not fit, helps only those without the secret.
fn invalid(why: Why) -> Refusal {
    Denial::Invalid { message: "client request can't be validated", why }.into()
}

impl From<Unsigned> for Refusal {
    fn from(unsigned: Unsigned) -> Self {
        match unsigned {
            Unsigned::Missing => Denial::Missing { message: "Missing authorization in request" }.into(),
            Unsigned::Bad(why) => invalid(why),
        }
    }
}

impl SignatureCheck {
    fn claim(&self, view: &RequestView<'_>, is_known: impl Fn(&str) -> bool) -> Result<Claim, Unsigned> {
        match self.profile {
            HmacProfile::CavageApisix => cavage::claim(view, &self.terms),
            HmacProfile::ApisixV1 => apisix_v1::claim(view, &self.terms),
            HmacProfile::Rfc9421 => rfc9421::claim(view, &self.terms, is_known),
        }
    }

    /// Whether the body is what the head says; asks for it when all else is valid.
    fn check_body(&self, view: &RequestView<'_>, key: &aws_lc_rs::hmac::Key) -> Result<(), Refusal> {
        let BodyDigest::Required { max_body } = self.body_digest else { return Ok(()) };
        let expected = match self.profile {
            HmacProfile::CavageApisix => Expected::of_digest(view.fields),
            HmacProfile::ApisixV1 => Expected::of_x_hmac_digest(view.fields),
            HmacProfile::Rfc9421 => Expected::of_content_digest(view.fields),
        };
        let expected = expected.map_err(invalid)?;
        // Another scheme may have asked for a larger one before.
        let Some(body) = view.body.filter(|body| body.len() as u64 <= max_body.0) else {
            return Err(Refusal::Ask(Question::Body { limit: max_body.0 }));
        };
        if expected.fits(body, key) { Ok(()) } else { Err(invalid("the digest is that of another body")) }
    }

    fn use_once(&self, claim: &Claim, now: RequestContext) -> Result<(), Refusal> {
        let Some(used) = self.used else { return Ok(()) };
        let used = used.claim(&claim.key_id, &claim.mac, claim.window, now.unix_seconds, now.request);
        used.map_err(|reason| match reason {
            NotUsable::Again => invalid("the signature has been used"),
            NotUsable::Late => invalid("the signature ended while its request was read"),
            NotUsable::Full => Denial::Unavailable.into(),
        })
    }
}

impl Authenticator for SignatureCheck {
    fn authenticate(&self, view: &RequestView<'_>, now: RequestContext) -> Result<Caller, Refusal> {
        let consumers = self.consumers.current();
        let is_known = |key_id: &str| !matches!(consumers.with_key_id(key_id, now.unix_seconds), Err(NotHeld::Unknown));
        let claim = self.claim(view, is_known)?;
        claim.window.check(now.unix_seconds, self.skew).map_err(invalid)?;
        let HmacCredential { identity, secret } =
            consumers.with_key_id(&claim.key_id, now.unix_seconds).map_err(|no| invalid(no.why()))?;
        let key = tables::key(claim.algorithm, secret.expose());
        // In constant time.
        aws_lc_rs::hmac::verify(&key, &claim.text, &claim.mac).map_err(|_| invalid("the signature does not fit"))?;
        self.check_body(view, &key)?;
        self.use_once(&claim, now)?;
        Ok(Caller::consumer(identity))
    }

    fn challenge(&self) -> String {
        format!("hmac realm=\"{}\"", self.realm)
    }

    fn locations(&self) -> (&'static [CredentialLocation], bool) {
        (self.hidden, false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hmac::claim::tests::{DATE, Request};

    #[test]
    fn no_bytes_make_a_reader_panic() {
        const SIGNED: &[&str] = &["date"];
        let terms = |scheme| SignatureTerms {
            scheme,
            algorithms: &[HmacAlgorithm::HmacSha256],
            required: SIGNED,
            nonce: false,
        };
        let good = [
            (
                "Signature keyId=\"k\\\"k\",algorithm=hmac-sha256 , headers=\"@request-target date\",signature=\"QUJD\"",
                "",
            ),
            ("hmac-auth-v1#key#QUJD#hmac-sha256#Tue, 19 Jan 2021 11:33:20 GMT#date;x-a", ""),
            (
                ":QUJD:",
                "a=(\"date\" \"@query-param\";name=\"a%20b\" \"@authority\");created=1;expires=2;keyid=\"k\";nonce=\"n\"",
            ),
        ];
        let digest = "sha-256=:QUJD:, sha-512=:QUJD:";
        let mut claims = 0;
        for (one, other) in good {
            for position in 0..one.len() + other.len() + digest.len() {
                for byte in ["", "\"", "\\", "#", ",", "=", "(", ")", ":", ";", "%", " ", "\u{e9}", "9"] {
                    let mut text = [one, other, digest].map(str::to_owned);
                    let (part, at) = match position {
                        at if at < one.len() => (0, at),
                        at if at < one.len() + other.len() => (1, at - one.len()),
                        at => (2, at - one.len() - other.len()),
                    };
                    text[part].replace_range(at..=at, byte);
                    let [first, input, digest] = &text;
                    let fields = [
                        ("Host", "h"),
                        ("Date", DATE),
                        ("Authorization", first.as_str()),
                        ("Signature", &format!("a={first}")),
                        ("Signature-Input", input.as_str()),
                        ("X-HMAC-DIGEST", digest.as_str()),
                        ("Digest", digest.as_str()),
                        ("Content-Digest", digest.as_str()),
                    ];
                    Request::new("GET", &format!("/p?a+b=1&{first}"), &fields).with(|view| {
                        claims += usize::from(crate::hmac::cavage::claim(view, &terms("signature")).is_ok());
                        claims += usize::from(crate::hmac::apisix_v1::claim(view, &terms("hmac-auth-v1")).is_ok());
                        claims += usize::from(crate::hmac::rfc9421::claim(view, &terms("signature"), |_| true).is_ok());
                        let _ = Expected::of_digest(view.fields);
                        let _ = Expected::of_x_hmac_digest(view.fields);
                        let _ = Expected::of_content_digest(view.fields);
                    });
                }
            }
        }
        assert!(claims > 100, "most changes leave something to read: {claims}");
    }
}
