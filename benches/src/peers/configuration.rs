//! Files that configure a peer.

use std::fs;
use std::io;
use std::process::Command;

use crate::lab::Lab;

pub(super) fn write(lab: &Lab, name: &str, text: &str) -> io::Result<String> {
    let path = lab.folder.join(name);
    fs::write(&path, text)?;
    Ok(path.display().to_string())
}

/// The files of a P-256 certificate and its key, made on first use; `<certificate>.both` has both.
pub(super) fn certificate(lab: &Lab) -> io::Result<(String, String)> {
    let (certificate, key) = (lab.folder.join("tls.crt"), lab.folder.join("tls.key"));
    let names = (certificate.display().to_string(), key.display().to_string());
    if !certificate.exists() {
        let made = Command::new("openssl")
            .args([
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
                "-nodes",
                "-days",
                "30",
            ])
            .args(["-subj", "/CN=bench.local", "-addext", "subjectAltName=DNS:bench.local"])
            .args(["-keyout", &names.1, "-out", &names.0])
            .output()?;
        if !made.status.success() {
            return Err(io::Error::other(String::from_utf8_lossy(&made.stderr).trim().to_owned()));
        }
        let both = [fs::read(&certificate)?, fs::read(&key)?].concat();
        fs::write(format!("{}.both", names.0), both)?;
    }
    Ok(names)
}

/// A template with its `<<name>>` filled in: each value in every place that has its name. What a value contains is not
/// looked at.
pub(super) fn fill(template: &str, values: &[(&str, String)]) -> io::Result<String> {
    let mut text = String::new();
    let mut unused: Vec<&str> = values.iter().map(|(name, _)| *name).collect();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("<<") {
        let (name, after) = after.split_once(">>").ok_or_else(|| io::Error::other("`<<` without `>>`"))?;
        let value = values.iter().find(|(known, _)| *known == name);
        let (_, value) = value.ok_or_else(|| io::Error::other(format!("nothing is known for `<<{name}>>`")))?;
        text.push_str(before);
        text.push_str(value.trim_end_matches('\n'));
        unused.retain(|known| *known != name);
        rest = after;
    }
    match unused.first() {
        Some(name) => Err(io::Error::other(format!("`<<{name}>>` is not in the template"))),
        None => Ok(text + rest),
    }
}

#[cfg(test)]
mod tests {
    use super::fill;

    #[test]
    fn templates_and_values_fit() {
        let values = |pairs: &[(&'static str, &str)]| -> Vec<(&'static str, String)> {
            pairs.iter().map(|(name, value)| (*name, (*value).to_owned())).collect()
        };
        let filled = |template, pairs: &[_]| fill(template, &values(pairs)).map_err(|error| error.to_string());
        assert_eq!(filled("a <<b>> c <<b>>", &[("b", "1 <<d>>\n")]), Ok("a 1 <<d>> c 1 <<d>>".to_owned()));
        assert_eq!(filled("<<a>>", &[]), Err("nothing is known for `<<a>>`".to_owned()));
        assert_eq!(filled("a", &[("a", "1")]), Err("`<<a>>` is not in the template".to_owned()));
        assert_eq!(filled("<<a", &[]), Err("`<<` without `>>`".to_owned()));
    }
}
