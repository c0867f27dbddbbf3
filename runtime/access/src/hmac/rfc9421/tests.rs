use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::*;
use crate::hmac::claim::tests::{Request, mac};
use crate::hmac::tables::HmacAlgorithm;

const TERMS: SignatureTerms<'_> =
    SignatureTerms { scheme: "signature", algorithms: &[HmacAlgorithm::HmacSha256], required: &[], nonce: false };

/// RFC 9421 Appendix B.1.5.
const SHARED_SECRET: &str = "uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ==";

/// The request of RFC 9421 Appendix B.2, with further fields.
fn request<'a>(more: &[(&'a str, &'a str)]) -> Request<'a> {
    let fields = [
        ("Host", "example.com"),
        ("Date", "Tue, 20 Apr 2021 02:07:55 GMT"),
        ("Content-Type", "application/json"),
        (
            "Content-Digest",
            "sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:",
        ),
        ("Content-Length", "18"),
    ];
    Request::new("POST", "/foo?param=Value&Pet=dog", &[&fields[..], more].concat())
}

fn read(input: &str) -> Result<Claim, Unsigned> {
    request(&[("Signature-Input", input), ("Signature", "a=:QUJD:, b=:REVG:")])
        .with(|view| claim(view, &TERMS, |key| key.starts_with("known")))
}

fn text(input: &str) -> String {
    String::from_utf8(read(input).expect(input).text).expect("ASCII")
}

#[test]
fn appendix_b_2_5() {
    let input = "sig-b25=(\"date\" \"@authority\" \"content-type\");created=1618884473;keyid=\"test-shared-secret\"";
    let signature = "sig-b25=:pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=:";
    let claim = request(&[("Signature-Input", input), ("Signature", signature)])
        .with(|view| claim(view, &TERMS, |_| true))
        .expect("a claim");
    let expected = "\"date\": Tue, 20 Apr 2021 02:07:55 GMT\n\"@authority\": example.com\n\
        \"content-type\": application/json\n\
        \"@signature-params\": (\"date\" \"@authority\" \"content-type\");created=1618884473;keyid=\"test-shared-secret\"";
    assert_eq!(String::from_utf8_lossy(&claim.text), expected);
    let secret = STANDARD.decode(SHARED_SECRET).expect("base64");
    assert_eq!(mac(HmacAlgorithm::HmacSha256, &secret, &claim.text), claim.mac);
    assert_eq!((claim.key_id.as_str(), claim.window.made), ("test-shared-secret", 1_618_884_473));
}

#[test]
fn derived_components() {
    for (component, line) in [
        ("\"@method\"", "\"@method\": POST"),
        ("\"@target-uri\"", "\"@target-uri\": http://example.com/foo?param=Value&Pet=dog"),
        ("\"@authority\"", "\"@authority\": example.com"),
        ("\"@scheme\"", "\"@scheme\": http"),
        ("\"@request-target\"", "\"@request-target\": /foo?param=Value&Pet=dog"),
        ("\"@path\"", "\"@path\": /foo"),
        ("\"@query\"", "\"@query\": ?param=Value&Pet=dog"),
        ("\"@query-param\";name=\"Pet\"", "\"@query-param\";name=\"Pet\": dog"),
        ("\"content-length\"", "\"content-length\": 18"),
    ] {
        let text = text(&format!("a=( {component}  );created=1;keyid=\"k\""));
        assert_eq!(text, format!("{line}\n\"@signature-params\": ({component});created=1;keyid=\"k\""));
    }
}

#[test]
fn the_examples_of_section_2() {
    let target =
        "/path?var=this%20is%20a%20big%0Amultiline%20value&bar=with+plus+whitespace&fa%C3%A7ade%22%3A%20=something&e";
    let fields = [
        ("Host", "Example.COM:80"),
        ("X-OWS-Header", "  Leading and trailing whitespace.   "),
        ("Cache-Control", "max-age=60"),
        ("Cache-Control", "   must-revalidate"),
        ("X-Empty-Header", ""),
        ("Signature", "a=::"),
    ];
    for (component, expected) in [
        ("\"@query-param\";name=\"var\"", "this%20is%20a%20big%0Amultiline%20value"),
        ("\"@query-param\";name=\"bar\"", "with%20plus%20whitespace"),
        ("\"@query-param\";name=\"fa%C3%A7ade%22%3A%20\"", "something"),
        ("\"@query-param\";name=\"e\"", ""),
        ("\"@authority\"", "example.com"),
        ("\"x-ows-header\"", "Leading and trailing whitespace."),
        ("\"cache-control\"", "max-age=60, must-revalidate"),
        ("\"x-empty-header\"", ""),
    ] {
        let input = format!("a=({component});created=1;keyid=\"k\"");
        let fields = [&fields[..], &[("Signature-Input", input.as_str())]].concat();
        let claim = Request::new("GET", target, &fields).with(|view| claim(view, &TERMS, |_| true));
        let text = String::from_utf8(claim.expect(component).text).expect("ASCII");
        assert_eq!(text.lines().next(), Some(format!("{component}: {expected}").as_str()));
    }
    let input = [("Signature-Input", "a=(\"@query\" \"@path\");created=1;keyid=\"k\""), ("Signature", "a=::")];
    let claim = Request::new("GET", "/", &input).with(|view| claim(view, &TERMS, |_| true)).expect("a claim");
    assert!(claim.text.starts_with(b"\"@query\": ?\n\"@path\": /\n"));
}

#[test]
fn one_signature_decides() {
    let two = "a=(\"date\");created=1;keyid=\"A\", b=(\"date\");created=2;keyid=\"B\"";
    for (first, second, expected) in [
        ("other", "known", Ok((2, &b"DEF"[..]))),
        ("known", "other", Ok((1, b"ABC"))),
        ("known-1", "known-2", Err("several signatures are with known keys")),
        ("other", "another", Err("none of the signatures is with a known key")),
    ] {
        let input = two.replace("\"A\"", &format!("\"{first}\"")).replace("\"B\"", &format!("\"{second}\""));
        let found = read(&input).map(|claim| (claim.window.made, claim.mac));
        assert_eq!(found, expected.map(|(made, mac)| (made, mac.to_vec())).map_err(Into::into), "{input}");
    }
    let other_algorithm = two.replace("\"A\"", "\"known\";alg=\"ed25519\"").replace("\"B\"", "\"known\"");
    assert_eq!(read(&other_algorithm).expect("the second").window.made, 2);
}

#[test]
fn malformed_signature_fields_are_refused() {
    let cases = [
        ("(", "Signature-Input or Signature is not a dictionary (RFC 8941)"),
        ("", "Signature-Input is empty"),
        ("a", "Signature-Input has a member that is no list"),
        ("a=1", "Signature-Input has a member that is no list"),
        ("c=();created=1;keyid=\"k\"", "Signature has no signature of this label"),
        ("a=();created=1", "`keyid` is missing"),
        ("a=();created=1;keyid=k", "a parameter of the signature is not text"),
        ("a=();keyid=\"k\"", "`created` is missing"),
        ("a=();created=1.5;keyid=\"k\"", "a time of the signature is not a whole number"),
        ("a=();created=-1;keyid=\"k\"", "a time of the signature is negative"),
        ("a=();created=1;expires=\"2\";keyid=\"k\"", "a time of the signature is not a whole number"),
        ("a=();created=1;keyid=\"k\";alg=\"hmac-sha512\"", "the algorithm is not accepted"),
        ("a=();created=1;keyid=\"k\";alg=hmac-sha256", "a parameter of the signature is not text"),
        ("a=(\"date\" \"date\");created=1;keyid=\"k\"", "a component is listed twice"),
        ("a=(\"Date\");created=1;keyid=\"k\"", "a component is not the name of a field in lower case"),
        ("a=(date);created=1;keyid=\"k\"", "a component has no name"),
        ("a=(\"x-absent\");created=1;keyid=\"k\"", "a listed field is not in the request"),
        ("a=(\"date\";sf);created=1;keyid=\"k\"", "a component has a parameter that is not supported"),
        ("a=(\"date\";bs);created=1;keyid=\"k\"", "a component has a parameter that is not supported"),
        ("a=(\"@method\";req);created=1;keyid=\"k\"", "a component has a parameter that is not supported"),
        ("a=(\"@status\");created=1;keyid=\"k\"", "a derived component is not supported"),
        ("a=(\"@signature-params\");created=1;keyid=\"k\"", "a derived component is not supported"),
        ("a=(\"@query-param\");created=1;keyid=\"k\"", "`@query-param` needs a `name`, and nothing else"),
        ("a=(\"@query-param\";name=\"x\");created=1;keyid=\"k\"", "a signed query parameter is not in the request"),
    ];
    for (input, why) in cases {
        assert_eq!(read(input).expect_err(input), why.into(), "{input}");
    }
    let many: Vec<String> = (0..200).map(|number| format!("\"x-{number}\"")).collect();
    let many = read(&format!("a=({});created=1;keyid=\"k\"", many.join(" ")));
    assert_eq!(many.expect_err("too many"), "too many headers are listed".into());
    let look =
        |fields: &[(&str, &str)]| request(fields).with(|view| claim(view, &TERMS, |_| true)).expect_err("no claim");
    assert_eq!(look(&[]), Unsigned::Missing);
    assert_eq!(look(&[("Signature", "a=::")]), "Signature-Input and Signature belong together".into());
    let repeated =
        [("Signature-Input", "a=(\"@query-param\";name=\"b\");created=1;keyid=\"k\""), ("Signature", "a=::")];
    let repeated = Request::new("GET", "/?b=1&%62=2", &repeated);
    let refused = repeated.with(|view| claim(view, &TERMS, |_| true)).expect_err("ambiguous");
    assert_eq!(refused, "a signed query parameter is repeated".into());
}

#[test]
fn terms_are_kept() {
    let strict = SignatureTerms { required: &["@method", "date"], nonce: true, ..TERMS };
    for (input, expected) in [
        ("a=(\"date\" \"@method\");created=1;keyid=\"k\";nonce=\"n\"", Ok(())),
        ("a=(\"date\");created=1;keyid=\"k\";nonce=\"n\"", Err("a required header is not among the signed ones")),
        ("a=(\"date\" \"@method\");created=1;keyid=\"k\"", Err("`nonce` is missing")),
        ("a=(\"date\" \"@method\");created=1;keyid=\"k\";nonce=\"\"", Err("`nonce` is missing")),
    ] {
        let fields = [("Signature-Input", input), ("Signature", "a=::")];
        let found = request(&fields).with(|view| claim(view, &strict, |_| true)).map(drop);
        assert_eq!(found, expected.map_err(Into::into), "{input}");
    }
}
