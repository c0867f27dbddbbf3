//! Signatures in the manner of draft-cavage-http-signatures, as APISIX 3.11 and later make them.
//!
//! `Authorization: Signature keyId="K",algorithm="hmac-sha256",headers="@request-target date",signature="…"` signs the
//! key id, then a line for each name, each with `\n` at its end:
//!
//! ```text
//! K
//! GET /path?query
//! date: Fri, 06 Sep 2024 06:41:29 GMT
//! ```
//!
//! Unlike APISIX, a listed header that the request does not have is an error, and of a repeated one every value is
//! signed, joined by `, ` (draft-cavage-12 §2.3).

use std::borrow::Cow;

use crate::hmac::claim::{Claim, SignatureTerms, Unsigned, Why, Window, combined, http_date, signature, single};
use crate::request_view::RequestView;
use gateway_wire::field_lines::is_token;

/// Reads what a request claims to be signed with.
pub(super) fn claim(view: &RequestView<'_>, terms: &SignatureTerms) -> Result<Claim, Unsigned> {
    let given = credentials(view, terms.scheme)?;
    let parameters = parameters(given).ok_or("the parameters of Authorization are not in the form of RFC 9110")?;
    let parameter = |name: &str| -> Result<Option<&str>, Why> {
        let mut found = parameters.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
        match (found.next(), found.next()) {
            (found, None) => Ok(found.map(|(_, value)| &**value)),
            _ => Err("a parameter of Authorization stands there twice"),
        }
    };
    let key_id = parameter("keyId")?.ok_or("`keyId` is missing")?;
    let mac = signature(parameter("signature")?.ok_or("`signature` is missing")?)?;
    let algorithm = terms.algorithm(parameter("algorithm")?.ok_or("`algorithm` is missing")?)?;
    let names: Vec<&str> =
        parameter("headers")?.unwrap_or_default().split(' ').filter(|name| !name.is_empty()).collect();
    terms.require(&names)?;
    let date = single(view.fields, "date")?.ok_or("there is no Date")?;
    Ok(Claim {
        key_id: key_id.to_owned(),
        algorithm,
        mac,
        text: text(view, key_id, &names)?,
        window: Window { made: http_date(date)?, expires: None },
    })
}

/// What follows the name of our scheme in `Authorization`.
fn credentials<'a>(view: &RequestView<'a>, scheme: &str) -> Result<&'a str, Unsigned> {
    let mut ours = None;
    let mut count = 0;
    for field in view.fields.iter().filter(|field| field.name.eq_ignore_ascii_case("authorization")) {
        count += 1;
        let value = field.value.trim_ascii();
        let name = value.split(|byte| *byte == b' ').next().unwrap_or_default();
        if name.eq_ignore_ascii_case(scheme.as_bytes()) {
            ours = Some(&value[name.len()..]);
        }
    }
    match ours {
        None => Err(Unsigned::Missing),
        Some(_) if count > 1 => Err("several Authorization fields".into()),
        Some(value) => Ok(std::str::from_utf8(value).map_err(|_| "Authorization is not text")?),
    }
}

/// Reads `name=token` and `name="quoted"`, separated by commas (RFC 9110 §11.2).
fn parameters(text: &str) -> Option<Vec<(&str, Cow<'_, str>)>> {
    let mut parameters = Vec::new();
    let mut rest = text.trim_ascii();
    while !rest.is_empty() {
        let (name, value) = rest.split_once('=')?;
        let (name, value) = (name.trim_ascii_end(), value.trim_ascii_start());
        if !is_token(name.as_bytes()) {
            return None;
        }
        let (value, after) = match value.strip_prefix('"') {
            Some(quoted) => quoted_string(quoted)?,
            None => {
                let end = value.find([',', ' ', '\t']).unwrap_or(value.len());
                (Cow::Borrowed(Some(&value[..end]).filter(|value| is_token(value.as_bytes()))?), &value[end..])
            }
        };
        parameters.push((name, value));
        let after = after.trim_ascii_start();
        rest = match after.strip_prefix(',') {
            Some(next) => next.trim_ascii_start(),
            None if after.is_empty() => after,
            None => return None,
        };
    }
    Some(parameters)
}

/// A quoted string without its opening quote (RFC 9110 §5.6.4), and what follows it.
fn quoted_string(text: &str) -> Option<(Cow<'_, str>, &str)> {
    let end = text.find(['"', '\\'])?;
    if text[end..].starts_with('"') {
        return Some((Cow::Borrowed(&text[..end]), &text[end + 1..]));
    }
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((Cow::Owned(value), &text[at + 1..])),
            '\\' => value.push(characters.next()?.1),
            other => value.push(other),
        }
    }
    None
}

/// What is signed.
fn text(view: &RequestView<'_>, key_id: &str, names: &[&str]) -> Result<Vec<u8>, Why> {
    let mut text = key_id.as_bytes().to_vec();
    text.push(b'\n');
    for (index, name) in names.iter().enumerate() {
        // A short list must not make a long text.
        if names[..index].iter().any(|earlier| earlier.eq_ignore_ascii_case(name)) {
            return Err("a header is listed twice");
        }
        if *name == "@request-target" {
            text.extend_from_slice(format!("{} {}", view.method, view.target).as_bytes());
        } else {
            let value = combined(view.fields, name).ok_or("a listed header is not in the request")?;
            text.extend_from_slice(name.as_bytes());
            text.extend_from_slice(b": ");
            text.extend_from_slice(&value);
        }
        text.push(b'\n');
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hmac::claim::tests::{DATE, Request, mac};
    use crate::hmac::tables::HmacAlgorithm;

    const TERMS: SignatureTerms<'_> = SignatureTerms {
        scheme: "signature",
        algorithms: &[HmacAlgorithm::HmacSha256, HmacAlgorithm::HmacSha512],
        required: &["date"],
        nonce: false,
    };

    fn request<'a>(authorization: &'a str, more: &[(&'a str, &'a str)]) -> Request<'a> {
        let fields = [("Date", DATE), ("Authorization", authorization)];
        Request::new("GET", "/headers", &[&fields[..], more].concat())
    }

    fn read(authorization: &str, more: &[(&str, &str)]) -> Result<Claim, Unsigned> {
        request(authorization, more).with(|view| claim(view, &TERMS))
    }

    #[test]
    fn the_guides_recipe() {
        let claim = read(
            "Signature keyId=\"john-key\",algorithm=\"hmac-sha256\",headers=\"@request-target date\",\
             signature=\"9cIoIwSc1POFNitYQ5YQHbPyjJThcUW72MjBxQ/RYUk=\"",
            &[],
        )
        .expect("a claim");
        assert_eq!(claim.text, format!("john-key\nGET /headers\ndate: {DATE}\n").as_bytes());
        assert_eq!(claim.window.made, 1_725_604_889);
        assert_eq!(mac(HmacAlgorithm::HmacSha256, b"john-hmac-key", &claim.text), claim.mac);
    }

    #[test]
    fn names_are_signed_as_listed_and_values_as_received() {
        let given = "SIGNATURE signature=\"QUJD\", headers=\"X-B  Date\" , keyId=\"a\\\"b\",algorithm=hmac-sha512,x=y";
        let claim = read(given, &[("x-b", " 1 "), ("X-B", "2")]).expect("a claim");
        assert_eq!(claim.text, format!("a\"b\nX-B: 1, 2\nDate: {DATE}\n").as_bytes());
        assert_eq!((claim.mac.as_slice(), claim.key_id.as_str()), (&b"ABC"[..], "a\"b"));
    }

    #[test]
    fn missing_and_wrong_members() {
        let good = "Signature keyId=\"k\",algorithm=\"hmac-sha256\",headers=\"date\",signature=\"QUJD\"";
        assert!(read(good, &[]).is_ok());
        let cases = [
            ("Basic Zm9vOmJhcg==", Unsigned::Missing),
            ("Signatures keyId=\"k\"", Unsigned::Missing),
            ("Signature", "`keyId` is missing".into()),
            (&good.replace("keyId=\"k\",", ""), "`keyId` is missing".into()),
            (&good.replace("algorithm=\"hmac-sha256\",", ""), "`algorithm` is missing".into()),
            (&good.replace("hmac-sha256", "hmac-sha1"), "the algorithm is not accepted".into()),
            (&good.replace("hmac-sha256", "ljlj"), "the algorithm is not accepted".into()),
            (&good.replace("\"QUJD\"", "\"QUJ\""), "the signature is not in base64 format".into()),
            (&good.replace("\"date\"", "\"\""), "a required header is not among the signed ones".into()),
            (&good.replace("headers=\"date\",", ""), "a required header is not among the signed ones".into()),
            (&good.replace("\"date\"", "\"date Date\""), "a header is listed twice".into()),
            (&good.replace("\"date\"", "\"date x-absent\""), "a listed header is not in the request".into()),
            (&good.replace("\"date\"", &format!("\"date{}\"", " a".repeat(200))), "too many headers are listed".into()),
            (&format!("{good},keyId=\"other\""), "a parameter of Authorization stands there twice".into()),
            (&good.replace("\"k\"", "k\\"), "the parameters of Authorization are not in the form of RFC 9110".into()),
            (&good.replace("=\"k\"", "=\"k"), "the parameters of Authorization are not in the form of RFC 9110".into()),
            (
                &good.replace("\"k\",", "\"k\" "),
                "the parameters of Authorization are not in the form of RFC 9110".into(),
            ),
        ];
        for (given, expected) in cases {
            assert_eq!(read(given, &[]).expect_err(given), expected, "{given}");
        }
        for (more, expected) in [
            (("authorization", "Basic Zm9vOmJhcg=="), "several Authorization fields"),
            (("date", DATE), "a field that must stand there once is repeated"),
        ] {
            assert_eq!(read(good, &[more]).expect_err(expected), expected.into());
        }
        let bare = Request::new("GET", "/", &[("Authorization", good)]);
        assert_eq!(bare.with(|view| claim(view, &TERMS)).expect_err("no date"), "there is no Date".into());
        let bare = Request::new("GET", "/", &[("Authorization", good), ("Date", "adfsdf")]);
        assert_eq!(bare.with(|view| claim(view, &TERMS)).expect_err("no date"), "Date is not a date".into());
    }
}
