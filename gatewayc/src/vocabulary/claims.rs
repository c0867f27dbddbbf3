//! Claims of tokens: their names, and the values that are accepted.

use gateway_yaml::Node;

use crate::ir::SCOPE_CLAIMS;
use crate::vocabulary::reader::Reader;

/// The claim that names a consumer's credential, where a document does not say.
pub(crate) const DEFAULT_KEY_CLAIM: &str = "key";

/// The name of a claim that can name a credential.
pub(crate) fn claim(reader: &mut Reader<'_>, node: &Node) -> Option<String> {
    let name = reader.text(node, "`keyClaim`")?;
    let good = !name.is_empty() && !["exp", "nbf", "iat", "aud"].contains(&name);
    if !good {
        reader.wrong(node, "`keyClaim`", "a claim of one text, such as `key` or `iss`");
    }
    good.then(|| name.to_owned())
}

/// Where scopes are unless a document says otherwise.
pub(super) fn usual_scope_claims() -> Vec<String> {
    SCOPE_CLAIMS.iter().map(|claim| (*claim).to_owned()).collect()
}

/// `scopeClaims`: names of claims, or paths with dots.
pub(super) fn scope_claims(reader: &mut Reader<'_>, node: &Node) -> Vec<String> {
    let claims = reader.texts(node, "`scopeClaims`");
    let elements = node.as_sequence().unwrap_or_default();
    if claims.is_empty() && node.as_sequence().is_some() && elements.is_empty() {
        let usual = SCOPE_CLAIMS.join("`, `");
        reader.wrong(node, "`scopeClaims`", &format!("expected at least one; leave the key out for `{usual}`"));
    }
    let is_no_path = |claim: &str| !claim.contains("://") && claim.split('.').any(str::is_empty);
    for element in elements.iter().filter(|element| element.as_text().is_some_and(is_no_path)) {
        reader.wrong(element, "a claim", "names of claims, or paths such as `realm_access.roles`");
    }
    claims
}

/// An empty list would accept anything where the author meant nothing.
pub(super) fn one_or_more(reader: &mut Reader<'_>, node: &Node, what: &str) -> Vec<String> {
    let texts = reader.texts(node, what);
    if texts.is_empty() && node.as_sequence().is_some_and(<[Node]>::is_empty) {
        reader.wrong(node, what, "expected at least one; leave the key out to accept any");
    }
    texts
}
