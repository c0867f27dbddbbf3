//! The keys under `paths`: a template, and what a request must say beside its path.

use gateway_route::{Condition, Part, Template, TemplateErrorKind};
use gateway_yaml::{Span, Spanned};

use crate::ast;
use crate::diagnostic::{Diagnostic, GW511, GW515, GW516};
use crate::lower::foreign_path;
use crate::lower::lowering::Lowering;
use crate::lower::parameters::Parameters;
use crate::vocabulary;

/// A key, read.
pub(super) struct PathKey {
    pub(super) template: Template,
    pub(super) when: Vec<Condition>,
    pub(super) span: Span,
}

impl Lowering<'_> {
    /// A path's key: a template, and what `?` or `#` adds to it.
    pub(super) fn path_key(&mut self, path: &ast::PathItem) -> Option<PathKey> {
        let key = &path.key;
        let text = key.value.as_str();
        if !text.starts_with('/') {
            return None; // Reported by the parser.
        }
        let mut depth = 0_usize;
        let end = text.find(|character| {
            match character {
                '{' => depth += 1,
                '}' => depth = depth.saturating_sub(1),
                _ => {}
            }
            depth == 0 && matches!(character, '?' | '#')
        });
        let (template, discriminator) = text.split_at(end.unwrap_or(text.len()));
        let mut when = Vec::new();
        for part in discriminator.split(['?', '#', '&']).filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').map_or((part, None), |(name, value)| (name, Some(value)));
            let declared = declared_part(path, &decode_query(name));
            let condition = match declared {
                _ if name.is_empty() || part.contains(['{', '}']) => None,
                // A bare fragment that no parameter explains may mean anything.
                None if value.is_none() && !discriminator.starts_with('?') => None,
                declared => {
                    let part = declared.unwrap_or(Part::Query);
                    let name = decode_query(name);
                    // Two spellings of a header are one condition.
                    let name = if part == Part::Header { name.to_ascii_lowercase() } else { name };
                    Some(Condition { part, name, value: value.map(decode_query) })
                }
            };
            let Some(condition) = condition else {
                self.diagnostics.push(
                    Diagnostic::error(GW515, format!("`{discriminator}` does not tell requests apart"))
                        .at(key.span, "a fragment never reaches a server")
                        .help("`?name=value` selects by a query parameter, or by a header if the operation declares a parameter of this name `in: header`; otherwise describe the operations under paths of their own"),
                );
                return None;
            };
            let problem = (condition.part == Part::Header)
                .then(|| {
                    vocabulary::no_place_for_credentials(&condition.name, &self.root.identity_headers)
                        .or_else(|| vocabulary::not_forwarded(&condition.name))
                })
                .flatten();
            if let Some(problem) = problem {
                let written = decode_query(name);
                let headline = format!("the header `{}` cannot select an operation", written.escape_debug());
                self.diagnostics.push(Diagnostic::error(GW515, headline).at(key.span, problem));
                return None;
            }
            when.push(condition);
        }
        when.sort();
        match Template::parse(template) {
            Ok(template) => {
                let names: Vec<&str> = template.names().collect();
                if let Some((_, twice)) = names.iter().enumerate().find(|(at, name)| names[..*at].contains(name)) {
                    let headline = format!("the parameter `{{{twice}}}` stands twice in `{}`", key.value);
                    self.diagnostics.push(
                        Diagnostic::error(GW511, headline)
                            .at(key.span, "which of the two values is meant?")
                            .help("give each parameter of a path a name of its own (OpenAPI 3.2.0, section 4.8.2)"),
                    );
                }
                self.diagnostics.extend(foreign_path::check(key));
                Some(PathKey { template, when, span: key.span })
            }
            Err(error) => {
                self.report_template(key, error.kind, error.offset);
                None
            }
        }
    }

    fn report_template(&mut self, key: &Spanned<String>, kind: TemplateErrorKind, offset: usize) {
        // Most keys are plain scalars, so that an offset in the text is an offset in the file.
        let plain = (key.span.end - key.span.start) as usize == key.value.len();
        let start = key.span.start + u32::try_from(offset).unwrap_or_default();
        let span = if plain && start < key.span.end { Span::new(key.span.file, start, key.span.end) } else { key.span };
        let diagnostic =
            Diagnostic::error(GW511, format!("`{}` is not a path template", key.value)).at(span, kind.to_string());
        let help = foreign_path::check(key).map(|foreign| foreign.help).unwrap_or_default();
        self.diagnostics.push(help.into_iter().fold(diagnostic, Diagnostic::help));
    }

    pub(super) fn template(&mut self, base: &str, key: &PathKey, parameters: &Parameters<'_>) -> Option<Template> {
        let greedy: Vec<_> = parameters.greedy().chain(key.template.greedy_names()).collect();
        match Template::parse(&format!("{base}{}", key.template)) {
            Ok(template) => Some(parameters.allow(template.with_greedy(&greedy))),
            Err(error) => {
                let headline = format!("the base path `{base}` of `servers` cannot stand before a path");
                self.diagnostics.push(Diagnostic::error(GW516, headline).at(key.span, error.to_string()));
                None
            }
        }
    }
}

/// The part of a request in which a document declares a parameter of this name; the query, where it is in both.
fn declared_part(path: &ast::PathItem, name: &str) -> Option<Part> {
    let parameters = || path.operations.iter().flat_map(|operation| &operation.parameters).chain(&path.parameters);
    let in_query = parameters().any(|one| one.location == ast::ParameterLocation::Query && one.name.value == name);
    let in_header = parameters()
        .any(|one| one.location == ast::ParameterLocation::Header && one.name.value.eq_ignore_ascii_case(name));
    match (in_query, in_header) {
        (true, _) => Some(Part::Query),
        (false, true) => Some(Part::Header),
        (false, false) => None,
    }
}

/// A name or value in a path key, which is written as in a URL.
fn decode_query(text: &str) -> String {
    let mut octets = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let hex = after
            .get(..2)
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        match (first, hex.and_then(|digits| u8::from_str_radix(digits, 16).ok())) {
            (b'%', Some(octet)) => {
                octets.push(octet);
                rest = &after[2..];
                continue;
            }
            (b'+', _) => octets.push(b' '),
            (other, _) => octets.push(other),
        }
        rest = after;
    }
    String::from_utf8_lossy(&octets).into_owned()
}
