//! Parameters of paths as other frameworks write them: to OpenAPI they are literal text, which no client asks for.

use crate::diagnostic::{Diagnostic, GW511};
use gateway_yaml::Spanned;

/// A warning where a path has such parameters.
pub(super) fn check(key: &Spanned<String>) -> Option<Diagnostic> {
    let (found, instead) = segments(&key.value).find_map(foreign)?;
    let path = segments(&key.value).map(|segment| foreign(segment).map_or(segment.to_owned(), |(_, instead)| instead));
    let path = path.collect::<Vec<_>>().join("/");
    let headline = format!("`{found}` in the path `{}` is no parameter of OpenAPI", key.value);
    let diagnostic = Diagnostic::warning(GW511, headline).at(key.span, "matches this text only");
    Some(
        diagnostic
            .help(format!("a parameter is written `{instead}`: write `{path}`, and declare it under `parameters`")),
    )
}

/// The parts between slashes outside of braces.
fn segments(path: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0_usize;
    path.split(move |letter| {
        match letter {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        letter == '/' && depth == 0
    })
}

/// What a segment of another framework is in OpenAPI: `(as found, as meant)`.
fn foreign(segment: &str) -> Option<(&str, String)> {
    let parameter = |name: &str| is_name(name).then(|| format!("{{{name}}}"));
    let greedy = |name: &str| match name {
        "" => Some("{+rest}".to_owned()),
        name => is_name(name).then(|| format!("{{+{name}}}")),
    };
    // Express, Rails, Sinatra, Vert.x: `:id`, `:id?`, `:id(\\d+)`, `:from-:to`.
    if let Some(rest) = segment.strip_prefix(':') {
        let name = &rest[..rest.find(|letter: char| !is_in_name(letter)).unwrap_or(rest.len())];
        let meant = match rest[name.len()..].chars().next() {
            Some('*' | '+') => greedy(name)?,
            _ => parameter(name)?,
        };
        let others = rest[name.len()..].split(':').skip(1).filter_map(|other| {
            let name = &other[..other.find(|letter: char| !is_in_name(letter)).unwrap_or(other.len())];
            parameter(name)
        });
        return Some((segment, std::iter::once(meant).chain(others).collect::<Vec<_>>().join("-")));
    }
    // Rails' optional format.
    if let Some((before, _)) = segment.split_once("(.:") {
        return Some((segment, format!("{before}.{{format}}")));
    }
    // Rails, Gin, Spring: `*path`, `**`.
    if let Some(rest) = segment.strip_prefix('*') {
        return Some((segment, greedy(rest.trim_start_matches('*'))?));
    }
    // Flask, Django: `<id>`, `<int:id>`.
    if let Some(inside) = segment.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')) {
        let (kind, name) = inside.rsplit_once(':').unwrap_or(("", inside));
        return Some((segment, if kind == "path" { greedy(name)? } else { parameter(name)? }));
    }
    // Next.js: `[id]`, `[...rest]`.
    if let Some(inside) = segment.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        let inside = inside.trim_matches(['[', ']']);
        return Some((
            segment,
            match inside.strip_prefix("...") {
                Some(name) => greedy(name)?,
                None => parameter(inside)?,
            },
        ));
    }
    // Shells and template engines: `${id}`, `%{id}`, `#{id}`, `{{id}}`.
    if let Some(inside) = ["${", "%{", "#{"].iter().find_map(|open| segment.strip_prefix(open)?.strip_suffix('}')) {
        return Some((segment, parameter(inside)?));
    }
    if let Some(inside) = segment.strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}")) {
        return Some((segment, parameter(inside.trim())?));
    }
    // JAX-RS, gorilla, ASP.NET: `{id:[0-9]+}`, `{id?}`, `{*path}`.
    let inside = segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'))?;
    if let Some(name) = inside.strip_prefix('*') {
        return Some((segment, greedy(name.trim_start_matches('*'))?));
    }
    if let Some(name) = inside.strip_suffix('?') {
        return Some((segment, parameter(name)?));
    }
    let (name, pattern) = inside.split_once(':')?;
    let is_pattern = pattern.contains(['[', '\\', '*', '+', '(', '.'])
        || ["int", "guid", "long", "bool", "path", "alpha"].contains(&pattern.trim());
    is_pattern.then_some(())?;
    Some((segment, parameter(name.trim())?))
}

fn is_in_name(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_'
}

fn is_name(name: &str) -> bool {
    name.starts_with(|letter: char| letter.is_ascii_alphabetic() || letter == '_') && name.chars().all(is_in_name)
}

#[cfg(test)]
mod tests {
    use super::foreign;

    #[test]
    fn parameters_of_other_frameworks() {
        for (segment, meant) in [
            (":id", Some("{id}")),
            (":id?", Some("{id}")),
            (":id(\\d+)", Some("{id}")),
            (":from-:to", Some("{from}-{to}")),
            (":rest*", Some("{+rest}")),
            ("*", Some("{+rest}")),
            ("*path", Some("{+path}")),
            ("**", Some("{+rest}")),
            ("<id>", Some("{id}")),
            ("<int:id>", Some("{id}")),
            ("<path:rest>", Some("{+rest}")),
            ("[id]", Some("{id}")),
            ("[...rest]", Some("{+rest}")),
            ("${id}", Some("{id}")),
            ("{{id}}", Some("{id}")),
            ("{id:[0-9]+}", Some("{id}")),
            ("{id:int}", Some("{id}")),
            ("{id?}", Some("{id}")),
            ("{*path}", Some("{+path}")),
            ("notes(.:format)", Some("notes.{format}")),
            ("{id}", None),
            ("{+rest}", None),
            ("{rest+}", None),
            ("{name}:cancel", None),
            ("notes:batchGet", None),
            ("$metadata", None),
            ("docs('{key}')", None),
            ("{id}.json", None),
            ("", None),
        ] {
            assert_eq!(foreign(segment).map(|(_, meant)| meant).as_deref(), meant, "{segment}");
        }
    }
}
