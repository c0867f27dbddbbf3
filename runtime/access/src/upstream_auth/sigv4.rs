//! AWS Signature Version 4: a signature over each request, in `Authorization`.
//!
//! Source: "AWS Signature Version 4 for API requests" of the AWS General Reference.

use std::fmt;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::hmac;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};

use crate::scheme::Resources;
use crate::upstream_auth::prepared::{PreparedCredential, RequestSigner, RequestToSign, UpstreamCredential};
use gateway_base::digest::Digest;
use gateway_base::encoding::hex;
use gateway_base::secret::SecretReference;
use gateway_base::timestamp::write_second;

/// What a part of a query is encoded but for: RFC 3986 §2.3.
const ALL_BUT_UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The same for a path, whose segments stay.
const ALL_BUT_PATH: &AsciiSet = &ALL_BUT_UNRESERVED.remove(b'/');

/// Stands for the digest of a content that is not covered.
const UNSIGNED: &str = "UNSIGNED-PAYLOAD";

/// The digest of no content.
const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// Whose signature, and for what.
#[derive(Debug)]
pub struct AwsSigV4 {
    /// Such as `eu-central-1`.
    pub region: &'static str,
    /// Such as `execute-api`.
    pub service: &'static str,
    /// The id of the key.
    pub access_key: SecretReference,
    /// The key.
    pub secret_key: SecretReference,
    /// Of temporary keys.
    pub session_token: Option<SecretReference>,
}

impl UpstreamCredential for AwsSigV4 {
    fn prepare(&self, resources: &Resources) -> Result<PreparedCredential, Vec<String>> {
        let read = |name: &str, reference: &SecretReference| {
            let secret = reference.resolve(&resources.secrets).map_err(|error| error.to_string())?;
            let text = String::from_utf8(secret.expose().to_vec()).unwrap_or_default();
            match !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic()) {
                true => Ok(text),
                false => Err(format!("the secret for `{name}` is not one of AWS: only visible ASCII")),
            }
        };
        let session_token = self.session_token.as_ref().map(|reference| read("sessionToken", reference)).transpose();
        match (read("accessKey", &self.access_key), read("secretKey", &self.secret_key), session_token) {
            (Ok(access_key), Ok(secret_key), Ok(session_token)) => {
                Ok(PreparedCredential::Signature(Arc::new(Signer {
                    region: self.region,
                    service: self.service,
                    access_key,
                    secret_key,
                    session_token,
                })))
            }
            (access_key, secret_key, session_token) => {
                Err([access_key.err(), secret_key.err(), session_token.err()].into_iter().flatten().collect())
            }
        }
    }
}

struct Signer {
    region: &'static str,
    service: &'static str,
    access_key: String,
    secret_key: String,
    session_token: Option<String>,
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({} in {})", self.service, self.region)
    }
}

impl RequestSigner for Signer {
    fn fields(&self) -> &'static [&'static str] {
        &["Authorization", "X-Amz-Date", "X-Amz-Content-Sha256", "X-Amz-Security-Token"]
    }

    /// S3 takes a content that is not covered, and has large ones.
    fn covers_content(&self) -> bool {
        self.service != "s3"
    }

    fn sign(&self, request: &RequestToSign<'_>, at: SystemTime, out: &mut Vec<u8>) {
        let time = amz_date(at);
        let content = if self.covers_content() { request.content.unwrap_or(EMPTY) } else { UNSIGNED };
        let mut fields = vec![("host", request.host), ("x-amz-content-sha256", content), ("x-amz-date", &time)];
        if let Some(token) = &self.session_token {
            fields.push(("x-amz-security-token", token));
        }
        let authorization = self.authorization(request, &fields, content, &time);
        for (name, value) in &fields[1..] {
            write_field(out, name, value);
        }
        write_field(out, "Authorization", &authorization);
    }
}

impl Signer {
    /// The value of `Authorization`, which covers these fields; they are in the order of their names.
    fn authorization(&self, request: &RequestToSign<'_>, fields: &[(&str, &str)], content: &str, time: &str) -> String {
        let signed = fields.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
        let mut canonical = format!("{}\n{}\n", request.method, self.canonical_path(request.path));
        canonical.push_str(&canonical_query(request.query));
        canonical.push('\n');
        for (name, value) in fields {
            let _ = writeln!(canonical, "{name}:{}", value.trim());
        }
        let _ = write!(canonical, "\n{signed}\n{content}");
        let day = time.get(..8).unwrap_or_default();
        let scope = format!("{day}/{}/{}/aws4_request", self.region, self.service);
        let digest = Digest::of(canonical.as_bytes()).to_hex();
        let to_sign = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{digest}");
        let mut key = format!("AWS4{}", self.secret_key).into_bytes();
        for part in [day, self.region, self.service, "aws4_request"] {
            key = mac(&key, part.as_bytes());
        }
        let signature = hex(&mac(&key, to_sign.as_bytes()));
        let access_key = &self.access_key;
        format!("AWS4-HMAC-SHA256 Credential={access_key}/{scope}, SignedHeaders={signed}, Signature={signature}")
    }

    /// S3 encodes what the path means; all others encode the path as sent once more.
    fn canonical_path(&self, path: &str) -> String {
        if self.service != "s3" {
            return percent_encode(path.as_bytes(), ALL_BUT_PATH).to_string();
        }
        let meant: Vec<u8> = percent_decode_str(path).collect();
        percent_encode(&meant, ALL_BUT_PATH).to_string()
    }
}

fn mac(key: &[u8], message: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message).as_ref().to_vec()
}

fn write_field(out: &mut Vec<u8>, name: &str, value: &str) {
    for part in [name, ": ", value, "\r\n"] {
        out.extend_from_slice(part.as_bytes());
    }
}

/// `20150830T123600Z`.
fn amz_date(at: SystemTime) -> String {
    let mut text = Vec::with_capacity(20);
    write_second(&mut text, at.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()));
    text.push(b'Z');
    text.into_iter().filter(u8::is_ascii_alphanumeric).map(char::from).collect()
}

/// The parameters in the order of their names and values, encoded in one way.
fn canonical_query(query: &str) -> String {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let mut pairs: Vec<(String, String)> = pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let once_more = |text: &str| {
                let meant: Vec<u8> = percent_decode_str(&text.replace('+', " ")).collect();
                percent_encode(&meant, ALL_BUT_UNRESERVED).to_string()
            };
            (once_more(name), once_more(value))
        })
        .collect();
    pairs.sort_unstable();
    pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn signer(service: &'static str) -> Signer {
        Signer {
            region: "us-east-1",
            service,
            access_key: "AKIDEXAMPLE".to_owned(),
            secret_key: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_owned(),
            session_token: None,
        }
    }

    fn signature(method: &str, path: &str, query: &str) -> String {
        let request = RequestToSign { method, path, query, host: "example.amazonaws.com", content: None };
        let fields = [("host", "example.amazonaws.com"), ("x-amz-date", "20150830T123600Z")];
        let value = signer("service").authorization(&request, &fields, EMPTY, "20150830T123600Z");
        value.rsplit_once('=').map(|(_, signature)| signature.to_owned()).expect("a signature")
    }

    /// Cases of the AWS Signature Version 4 test suite.
    #[test]
    fn signatures_are_those_of_the_test_suite() {
        for (method, path, query, expected) in [
            ("GET", "/", "", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
            ("POST", "/", "", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
            (
                "GET",
                "/",
                "Param2=value2&Param1=value1",
                "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
            ),
        ] {
            assert_eq!(signature(method, path, query), expected, "{method} {path}?{query}");
        }
    }

    #[test]
    fn the_time_is_that_of_the_clock() {
        assert_eq!(amz_date(UNIX_EPOCH + Duration::from_secs(1_440_938_160)), "20150830T123600Z");
    }

    #[test]
    fn paths_and_queries_have_one_form() {
        assert_eq!(signer("s3").canonical_path("/a%20b/%7ec/d(1)"), "/a%20b/~c/d%281%29");
        assert_eq!(signer("execute-api").canonical_path("/a%20b"), "/a%2520b");
        assert_eq!(canonical_query("b=2&a=1+1&a=%2f&c"), "a=%2F&a=1%201&b=2&c=");
        assert_eq!(canonical_query("%zz=%"), "%25zz=%25");
    }

    #[test]
    fn a_secret_is_never_shown() {
        assert_eq!(format!("{:?}", signer("s3")), "Signer(s3 in us-east-1)");
    }
}
