//! HTTP Message Signatures (RFC 9421) with `hmac-sha256`.
//!
//! Supported components: header fields as they are, and `@method`, `@target-uri`, `@authority`, `@scheme`,
//! `@request-target`, `@path`, `@query` and `@query-param`. A signature that covers anything else (`;sf`, `;bs`,
//! `;key`, `;tr`, `;req`, `@status`) is refused.

use std::fmt::Write as _;

use sfv::{
    BareItem, Dictionary, InnerList, Item, ItemSerializer, ListEntry, ListSerializer, Parameters, Parser, Version,
};

use crate::hmac::claim::{Claim, MAX_SIGNED, SignatureTerms, Unsigned, Why, Window, at_most, combined};
use crate::request_view::RequestView;
use gateway_wire::field_lines::is_token;

/// The one algorithm with a shared secret (RFC 9421 §3.3.3).
const ALGORITHM: &str = "hmac-sha256";

/// Reads what a request claims to be signed with.
///
/// Where it has several signatures, one alone must be with a key that `is_known`: which of two parties calls must not
/// depend on an order.
pub(super) fn claim(
    view: &RequestView<'_>,
    terms: &SignatureTerms,
    is_known: impl Fn(&str) -> bool,
) -> Result<Claim, Unsigned> {
    let field = |name| combined(view.fields, name);
    let (inputs, signatures) = match (field("signature-input"), field("signature")) {
        (None, None) => return Err(Unsigned::Missing),
        (Some(inputs), Some(signatures)) => (dictionary(&inputs)?, dictionary(&signatures)?),
        _ => return Err("Signature-Input and Signature belong together".into()),
    };
    let (label, input) = if inputs.len() > 1 {
        let ours = |entry: &ListEntry| {
            let ListEntry::InnerList(list) = entry else { return false };
            let algorithm = parameter(&list.params, "alg");
            algorithm.is_none_or(|name| name == ALGORITHM) && parameter(&list.params, "keyid").is_some_and(&is_known)
        };
        let mut ours = inputs.iter().filter(|(_, entry)| ours(entry));
        match (ours.next(), ours.next()) {
            (Some(one), None) => one,
            (None, _) => return Err("none of the signatures is with a known key".into()),
            (Some(_), Some(_)) => return Err("several signatures are with known keys".into()),
        }
    } else {
        inputs.first().ok_or("Signature-Input is empty")?
    };
    let ListEntry::InnerList(input) = input else { return Err("Signature-Input has a member that is no list".into()) };
    let mac = match signatures.get(label) {
        Some(ListEntry::Item(Item { bare_item: BareItem::ByteSequence(mac), .. })) => mac.clone(),
        _ => return Err("Signature has no signature of this label".into()),
    };
    let key_id = text_parameter(input, "keyid")?.ok_or("`keyid` is missing")?;
    if terms.nonce && text_parameter(input, "nonce")?.is_none_or(str::is_empty) {
        return Err("`nonce` is missing".into());
    }
    at_most(MAX_SIGNED, input.items.len())?;
    let covered: Vec<&str> = input.items.iter().filter(|item| item.params.is_empty()).filter_map(name).collect();
    terms.require(&covered)?;
    let window = Window {
        made: time_parameter(input, "created")?.ok_or("`created` is missing")?,
        expires: time_parameter(input, "expires")?,
    };
    Ok(Claim {
        key_id: key_id.to_owned(),
        algorithm: terms.algorithm(text_parameter(input, "alg")?.unwrap_or(ALGORITHM))?,
        mac,
        text: base(view, input)?.into_bytes(),
        window,
    })
}

fn dictionary(value: &[u8]) -> Result<Dictionary, Why> {
    let parser = Parser::new(value).with_version(Version::Rfc8941);
    parser.parse().map_err(|_| "Signature-Input or Signature is not a dictionary (RFC 8941)")
}

fn name(item: &Item) -> Option<&str> {
    match &item.bare_item {
        BareItem::String(name) => Some(name.as_str()),
        _ => None,
    }
}

fn parameter<'p>(parameters: &'p Parameters, name: &str) -> Option<&'p str> {
    match parameters.get(name)? {
        BareItem::String(text) => Some(text.as_str()),
        _ => None,
    }
}

fn text_parameter<'p>(input: &'p InnerList, name: &str) -> Result<Option<&'p str>, Why> {
    match (input.params.get(name), parameter(&input.params, name)) {
        (Some(_), None) => Err("a parameter of the signature is not text"),
        (_, text) => Ok(text),
    }
}

fn time_parameter(input: &InnerList, name: &str) -> Result<Option<u64>, Why> {
    match input.params.get(name) {
        None => Ok(None),
        Some(BareItem::Integer(time)) => {
            u64::try_from(i64::from(*time)).map(Some).map_err(|_| "a time of the signature is negative")
        }
        Some(_) => Err("a time of the signature is not a whole number"),
    }
}

/// The signature base (RFC 9421 §2.5).
fn base(view: &RequestView<'_>, input: &InnerList) -> Result<String, Why> {
    let mut base = String::new();
    for (index, item) in input.items.iter().enumerate() {
        if input.items[..index].contains(item) {
            return Err("a component is listed twice");
        }
        let identifier = ItemSerializer::new().bare_item(&item.bare_item).parameters(&item.params).finish();
        let value = component(view, item)?;
        let _ = writeln!(base, "{identifier}: {value}");
    }
    let mut list = ListSerializer::new();
    let mut items = list.inner_list();
    items.items(&input.items);
    let _ = items.finish().parameters(&input.params);
    let parameters = list.finish().ok_or("Signature-Input is empty")?;
    let _ = write!(base, "\"@signature-params\": {parameters}");
    Ok(base)
}

/// The value of a component (RFC 9421 §2.1 and §2.2).
fn component(view: &RequestView<'_>, item: &Item) -> Result<String, Why> {
    let name = name(item).ok_or("a component has no name")?;
    if name == "@query-param" {
        return query_parameter(view, item);
    }
    if !item.params.is_empty() {
        return Err("a component has a parameter that is not supported");
    }
    let scheme = if view.is_https { "https" } else { "http" };
    let authority = || view.authority.ok_or("the request names no authority");
    let path = if view.path.is_empty() { "/" } else { view.path };
    Ok(match name {
        "@method" => view.method.to_owned(),
        "@scheme" => scheme.to_owned(),
        "@authority" => normal_authority(authority()?, view.is_https),
        "@request-target" => view.target.to_owned(),
        "@path" => path.to_owned(),
        "@query" => format!("?{}", view.query.unwrap_or_default()),
        "@target-uri" => {
            let query = view.query.map_or_else(String::new, |query| format!("?{query}"));
            format!("{scheme}://{}{path}{query}", authority()?)
        }
        _ if name.starts_with('@') => return Err("a derived component is not supported"),
        _ if !is_token(name.as_bytes()) || name.bytes().any(|byte| byte.is_ascii_uppercase()) => {
            return Err("a component is not the name of a field in lower case");
        }
        _ => {
            let value = combined(view.fields, name).ok_or("a listed field is not in the request")?;
            let text = String::from_utf8(value).ok().filter(|text| text.is_ascii());
            text.ok_or("a listed field is not in ASCII")?
        }
    })
}

/// In lower case, and without the scheme's own port (RFC 9421 §2.2.3).
fn normal_authority(authority: &str, is_https: bool) -> String {
    let port = if is_https { ":443" } else { ":80" };
    authority.strip_suffix(port).unwrap_or(authority).to_ascii_lowercase()
}

/// `"@query-param";name="…"`: the one parameter of that name (RFC 9421 §2.2.8).
fn query_parameter(view: &RequestView<'_>, item: &Item) -> Result<String, Why> {
    let (1, Some(wanted)) = (item.params.len(), parameter(&item.params, "name")) else {
        return Err("`@query-param` needs a `name`, and nothing else");
    };
    let mut found = None;
    for pair in view.query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let encoded = |raw: &str| {
            let text =
                gateway_base::encoding::form_decode(raw).ok_or("a query parameter is not in the form of a URL")?;
            Ok::<_, Why>(gateway_base::encoding::form_encode_without_plus(text.as_bytes()))
        };
        if encoded(name)? == wanted && found.replace(encoded(value)?).is_some() {
            return Err("a signed query parameter is repeated");
        }
    }
    found.ok_or("a signed query parameter is not in the request")
}

#[cfg(test)]
mod tests;
