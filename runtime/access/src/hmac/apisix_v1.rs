//! Signatures as APISIX 3.10 and before make them, in `X-HMAC-…` headers or in one `Authorization`.
//!
//! The signed text has a line each for the method, the path, the sorted query, the access key, the date, and every
//! signed header as `name:value`; each line ends in `\n`. A signed header that is not there counts as empty.
//!
//! The path is the one that was sent, with its escapes. APISIX signs it decoded, where `/a%2Fb` and `/a/b` have the
//! same signature.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

use crate::hmac::claim::{Claim, SignatureTerms, Unsigned, Why, Window, http_date, signature, single, single_text};
use crate::request_view::RequestView;
use gateway_base::encoding::percent_decode_lenient;
use gateway_wire::field_lines::is_token;

/// The header with the digest of the body.
pub(super) const DIGEST: &str = "x-hmac-digest";

const ACCESS_KEY: &str = "x-hmac-access-key";
const SIGNATURE: &str = "x-hmac-signature";
const ALGORITHM: &str = "x-hmac-algorithm";
const SIGNED_HEADERS: &str = "x-hmac-signed-headers";

/// What both forms give.
struct Parts<'a> {
    access_key: &'a str,
    signature: &'a str,
    algorithm: &'a str,
    date: &'a str,
    signed_headers: &'a str,
}

/// Reads what a request claims to be signed with.
pub(super) fn claim(view: &RequestView<'_>, terms: &SignatureTerms) -> Result<Claim, Unsigned> {
    let parts = match (from_headers(view)?, from_authorization(view, terms.scheme)?) {
        (Some(parts), None) | (None, Some(parts)) => parts,
        (Some(_), Some(_)) => return Err("two signatures".into()),
        (None, None) => return Err(Unsigned::Missing),
    };
    let names: Vec<&str> =
        parts.signed_headers.split(';').map(str::trim_ascii).filter(|name| !name.is_empty()).collect();
    terms.require(&names)?;
    Ok(Claim {
        key_id: parts.access_key.to_owned(),
        algorithm: terms.algorithm(parts.algorithm)?,
        mac: signature(parts.signature)?,
        text: text(view, &parts, &names)?,
        window: Window { made: http_date(parts.date.as_bytes())?, expires: None },
    })
}

fn from_headers<'a>(view: &RequestView<'a>) -> Result<Option<Parts<'a>>, Why> {
    let field = |name| single_text(view.fields, name);
    let [access_key, signature, algorithm, signed_headers] =
        [field(ACCESS_KEY)?, field(SIGNATURE)?, field(ALGORITHM)?, field(SIGNED_HEADERS)?];
    if [access_key, signature, algorithm, signed_headers].iter().all(Option::is_none) {
        return Ok(None);
    }
    Ok(Some(Parts {
        access_key: access_key.ok_or("X-HMAC-ACCESS-KEY is missing")?,
        signature: signature.ok_or("X-HMAC-SIGNATURE is missing")?,
        algorithm: algorithm.ok_or("X-HMAC-ALGORITHM is missing")?,
        date: field("date")?.ok_or("there is no Date")?,
        signed_headers: signed_headers.unwrap_or_default(),
    }))
}

/// `hmac-auth-v1#access key#signature#algorithm#date#h1;h2`.
fn from_authorization<'a>(view: &RequestView<'a>, scheme: &str) -> Result<Option<Parts<'a>>, Why> {
    let is_ours = |value: &[u8]| {
        let name = value.trim_ascii().split(|byte| *byte == b'#' || *byte == b' ').next().unwrap_or_default();
        name.eq_ignore_ascii_case(scheme.as_bytes())
    };
    let mut fields = view.fields.iter().filter(|field| field.name.eq_ignore_ascii_case("authorization"));
    if !fields.any(|field| is_ours(field.value)) {
        return Ok(None);
    }
    let value = single_text(view.fields, "authorization")?.unwrap_or_default();
    let parts: Vec<&str> = value.split('#').collect();
    let [_, access_key, signature, algorithm, date, signed_headers] = parts[..] else {
        return Err("Authorization has not six parts");
    };
    Ok(Some(Parts { access_key, signature, algorithm, date, signed_headers }))
}

/// What is signed.
fn text(view: &RequestView<'_>, parts: &Parts<'_>, names: &[&str]) -> Result<Vec<u8>, Why> {
    let path = if view.path.is_empty() { "/" } else { view.path };
    let query = canonical_query(view.query.unwrap_or_default());
    let lines = [view.method, path, &query, parts.access_key, parts.date];
    let mut text = Vec::with_capacity(lines.iter().map(|line| line.len() + 1).sum());
    for line in lines {
        text.extend_from_slice(line.as_bytes());
        text.push(b'\n');
    }
    for (index, name) in names.iter().enumerate() {
        // What is no name of a field could stand for one and its value.
        if !is_token(name.as_bytes()) {
            return Err("a signed header has no name of a header");
        }
        if names[..index].iter().any(|earlier| earlier.eq_ignore_ascii_case(name)) {
            return Err("a header is listed twice");
        }
        text.extend_from_slice(name.as_bytes());
        text.push(b':');
        text.extend_from_slice(single(view.fields, name)?.unwrap_or_default());
        text.push(b'\n');
    }
    Ok(text)
}

/// Parameters ordered by decoded name and value, encoded again in one way.
fn canonical_query(query: &str) -> String {
    let mut pairs: Vec<(Vec<u8>, Vec<u8>)> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (decode(name), decode(value)))
        .collect();
    pairs.sort();
    let mut canonical = String::with_capacity(query.len());
    for (name, value) in &pairs {
        if !canonical.is_empty() {
            canonical.push('&');
        }
        canonical.extend(percent_encode(name, KEPT));
        canonical.push('=');
        canonical.extend(percent_encode(value, KEPT));
    }
    canonical
}

/// `+` is a space; an escape that is none stands for itself.
fn decode(raw: &str) -> Vec<u8> {
    percent_decode_lenient(raw.replace('+', " ").as_bytes())
}

/// What `ngx.escape_uri` keeps as it is.
const KEPT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'!')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*');

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hmac::claim::tests::{Request, mac};
    use crate::hmac::tables::HmacAlgorithm;

    const TERMS: SignatureTerms<'_> = SignatureTerms {
        scheme: "hmac-auth-v1",
        algorithms: &[HmacAlgorithm::HmacSha256],
        required: &[],
        nonce: false,
    };
    const WHEN: &str = "Tue, 19 Jan 2021 11:33:20 GMT";
    const SIGNED: &str = "8XV1GB7Tq23OJcoz6wjqTs4ZLxr9DiLoY4PxzScWGYg=";
    const TARGET: &str = "/index.html?name=james&age=36";

    fn fields() -> Vec<(&'static str, &'static str)> {
        vec![
            ("User-Agent", "curl/7.29.0"),
            ("x-custom-a", "test"),
            ("Date", WHEN),
            ("X-HMAC-SIGNATURE", SIGNED),
            ("X-HMAC-ALGORITHM", "hmac-sha256"),
            ("X-HMAC-ACCESS-KEY", "user-key"),
            ("X-HMAC-SIGNED-HEADERS", "User-Agent;x-custom-a"),
        ]
    }

    fn read(fields: &[(&str, &str)]) -> Result<Claim, Unsigned> {
        Request::new("GET", TARGET, fields).with(|view| claim(view, &TERMS))
    }

    #[test]
    fn the_example_of_the_apisix_manual_in_both_forms() {
        let one = format!("hmac-auth-v1#user-key#{SIGNED}#hmac-sha256#{WHEN}#User-Agent;x-custom-a");
        for given in [fields(), [&fields()[..2], &[("Authorization", one.as_str())]].concat()] {
            let claim = read(&given).expect("a claim");
            assert_eq!(claim.mac, mac(HmacAlgorithm::HmacSha256, b"my-secret-key", &claim.text));
            let lines = format!(
                "GET\n/index.html\nage=36&name=james\nuser-key\n{WHEN}\nUser-Agent:curl/7.29.0\nx-custom-a:test\n"
            );
            assert_eq!(String::from_utf8_lossy(&claim.text), lines);
            assert_eq!((claim.key_id.as_str(), claim.window.made), ("user-key", 1_611_056_000));
        }
    }

    #[test]
    fn queries_have_one_form() {
        for (query, canonical) in [
            ("", ""),
            ("b=2&a=1", "a=1&b=2"),
            ("a=2&a=1&&b", "a=1&a=2&b="),
            ("a=x+y%2f%7e!'()*", "a=x%20y%2F~!'()*"),
            ("q=%zz%4", "q=%25zz%254"),
            ("%61=%E4%BD%A0", "a=%E4%BD%A0"),
            ("=v", "=v"),
        ] {
            assert_eq!(canonical_query(query), canonical, "{query}");
        }
    }

    #[test]
    fn missing_and_wrong_members() {
        assert_eq!(read(&[("Date", WHEN)]).expect_err("nothing"), Unsigned::Missing);
        assert_eq!(read(&[("Authorization", "Basic aa")]).expect_err("another scheme"), Unsigned::Missing);
        for (left_out, why) in [
            (2, "there is no Date"),
            (3, "X-HMAC-SIGNATURE is missing"),
            (4, "X-HMAC-ALGORITHM is missing"),
            (5, "X-HMAC-ACCESS-KEY is missing"),
        ] {
            let mut fields = fields();
            fields.remove(left_out);
            assert_eq!(read(&fields).expect_err(why), why.into());
        }
        for (name, value, why) in [
            ("X-HMAC-SIGNATURE", "a", "a field that must stand there once is repeated"),
            ("x-custom-a", "b", "a field that must stand there once is repeated"),
            ("Authorization", "hmac-auth-v1#a#b#c#d#e", "two signatures"),
            ("Authorization", "hmac-auth-v1#a#b", "Authorization has not six parts"),
        ] {
            let mut fields = fields();
            fields.push((name, value));
            assert_eq!(read(&fields).expect_err(why), why.into());
        }
        for (index, value, why) in [
            (3, "???", "the signature is not in base64 format"),
            (4, "hmac-sha512", "the algorithm is not accepted"),
            (6, "x-custom-a:test", "a signed header has no name of a header"),
            (6, &"a;".repeat(200), "too many headers are listed"),
            (6, "a;A", "a header is listed twice"),
        ] {
            let mut fields = fields();
            fields[index].1 = value;
            assert_eq!(read(&fields).expect_err(why), why.into());
        }
        let strict = SignatureTerms { required: &["x-custom-a"], ..TERMS };
        let mut fields = fields();
        fields[6].1 = "User-Agent";
        let refused = Request::new("GET", TARGET, &fields).with(|view| claim(view, &strict));
        assert_eq!(refused.expect_err("not signed"), "a required header is not among the signed ones".into());
    }
}
