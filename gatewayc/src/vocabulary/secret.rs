//! References to secrets: where the running gateway finds them.

use gateway_yaml::Node;

use crate::diagnostic::{Diagnostic, GW101, GW104};
use crate::ir::{SecretReference, SecretSource};
use crate::vocabulary::literals::looks_secret;
use crate::vocabulary::reader::Reader;

/// A reference to a secret, or to a key. A literal is refused, whatever it is.
pub(super) fn secret(reader: &mut Reader<'_>, name: &str, node: &Node) -> Option<SecretReference> {
    let value = node.as_mapping().and_then(|mapping| mapping.get("value"));
    let is_key_set = name == "jwks" && (node.get("keys").is_some() || node.get("kty").is_some());
    if node.as_mapping().is_none() || value.is_some() || is_key_set {
        written_out(reader, name, node, value.unwrap_or(node));
        return None;
    }
    let entries = reader.known(node, "a secret reference", &["env", "file", "encoding"]);
    let member = |name: &str| entries.iter().find(|entry| &*entry.key.name == name).map(|entry| &entry.value);
    let encodings = [("base64", true), ("plain", false)];
    let base64 = match member("encoding") {
        Some(node) => reader.choice(node, "`encoding`", &encodings)?,
        None => false,
    };
    let source = match (member("env"), member("file")) {
        (Some(variable), None) => SecretSource::Env(variable_name(reader, variable)?),
        (None, Some(path)) => SecretSource::File(file_name(reader, path)?),
        _ if entries.len() < node.as_mapping().map_or(0, |mapping| mapping.len()) => return None, // An unknown key.
        _ => {
            let diagnostic = Diagnostic::error(GW104, format!("`{name}` does not say where the secret is"));
            reader.report(diagnostic.at(node.span, "expected either `env` or `file`"));
            return None;
        }
    };
    Some(SecretReference { source, base64 })
}

/// A secret, or a key, in place of a reference.
fn written_out(reader: &mut Reader<'_>, name: &str, node: &Node, at: &Node) {
    if name == "publicKey" || name == "jwks" {
        let example = if name == "jwks" { "{file: keys/issuer.json}" } else { "{file: keys/issuer.pem}" };
        let diagnostic = Diagnostic::error(GW104, format!("`{name}` is written out; a reference to it is required"))
            .at(at.span, "a key is renewed without a new build")
            .help(format!("put it into a file and write `{name}: {example}`, or `{{env: NAME}}`"));
        reader.report(diagnostic.suggest("name a file", node.span, example));
        return;
    }
    // `$NAME` and `${NAME}` are how other tools refer to variables.
    let variable = at.as_str().and_then(|text| {
        let text = text.strip_prefix('$')?;
        let name = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')).unwrap_or(text);
        is_variable_name(name).then_some(name)
    });
    let reference = format!("{{env: {}}}", variable.unwrap_or("JWT_SECRET"));
    let diagnostic = Diagnostic::error(GW101, format!("`{name}` is written out; a secret reference is required"))
        .suggest("name an environment variable or a file", node.span, &reference);
    reader.report(match variable {
        Some(_) => diagnostic
            .at(at.span, "taken for the secret itself: nothing is expanded here")
            .help(format!("write `{name}: {reference}`")),
        None => diagnostic
            .at(at.span, "anyone who can read the document knows it")
            .help("`{env: NAME}` or `{file: path}`, each with `encoding: base64` if need be; and change the secret"),
    });
}

/// The value is not shown: it may be the secret.
fn variable_name(reader: &mut Reader<'_>, node: &Node) -> Option<String> {
    let text = reader.text(node, "`env`")?;
    if is_variable_name(text) && !looks_secret(text) {
        return Some(text.to_owned());
    }
    let (code, problem) = match looks_secret(text) {
        true => (GW101, "looks like a secret"),
        false => (GW104, "expected letters, digits and `_`, such as `JWT_SECRET`"),
    };
    let unwrapped = text.trim_start_matches('$').trim_matches(['{', '}']);
    let mut diagnostic =
        Diagnostic::error(code, "`env` holds no name of an environment variable").at(node.span, problem);
    diagnostic = if text.starts_with('$') && is_variable_name(unwrapped) {
        diagnostic.help(format!("write `{{env: {unwrapped}}}`"))
    } else {
        diagnostic.help(
            "write `{env: NAME}`, give the running gateway the secret in `NAME`; and change the secret if this is it",
        )
    };
    reader.report(diagnostic);
    None
}

fn file_name(reader: &mut Reader<'_>, node: &Node) -> Option<String> {
    let text = reader.text(node, "`file`")?;
    if !text.is_empty() && !text.contains(['\0', '\n', '\r']) && !looks_secret(text) {
        return Some(text.to_owned());
    }
    let code = if looks_secret(text) { GW101 } else { GW104 };
    let diagnostic = Diagnostic::error(code, "`file` holds no name of a file").at(node.span, "expected a path");
    reader.report(diagnostic.help("write `{file: keys/name}` and put the secret into that file"));
    None
}

/// What shells and systems take for the name of a variable.
fn is_variable_name(text: &str) -> bool {
    !text.starts_with(|first: char| first.is_ascii_digit())
        && !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
