//! The pages that people see: templates (minijinja) that a team can replace, and texts in the reader's language.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use gateway_yaml::{FileId, LoadError, load};
use minijinja::value::Value;
use minijinja::{AutoEscape, Environment, UndefinedBehavior};

use gateway_access::request_view::RequestView;
use gateway_base::error;
use gateway_base::random::{self, NoRandom};
use gateway_wire::answer::OwnAnswer;

/// The templates, by the names under which a team can replace them.
const TEMPLATES: [(&str, &str); 5] = [
    ("layout.html", include_str!("pages/layout.html")),
    ("login.html", include_str!("pages/login.html")),
    ("consent.html", include_str!("pages/consent.html")),
    ("account.html", include_str!("pages/account.html")),
    ("error.html", include_str!("pages/error.html")),
];

/// The texts, by language; a team can replace them, and add `texts.<language>.yaml` for more.
const TEXTS: [(&str, &str); 2] =
    [("en", include_str!("pages/texts.en.yaml")), ("de", include_str!("pages/texts.de.yaml"))];

/// All pages, in all languages.
pub(super) struct Pages {
    environment: Environment<'static>,
    /// By language; `en` has every text.
    texts: BTreeMap<String, BTreeMap<String, String>>,
}

/// A page that is to be shown.
pub(super) struct Page<'a> {
    pub(super) template: &'static str,
    pub(super) status: u16,
    /// The reader's language.
    pub(super) language: &'a str,
    /// What the template shows.
    pub(super) values: Vec<(&'static str, Value)>,
    /// Where its forms lead.
    pub(super) forms_lead_to: FormTargets,
}

/// Where the forms of a page lead, with every redirection that follows: browsers hold each hop against `form-action`
/// (CSP Level 3 §6.3.1 leaves that open).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FormTargets {
    /// To this host, and nowhere else.
    Here,
    /// To an application, and wherever that sends the browser next, which is not known here.
    Anywhere,
}

/// Why the pages cannot be shown.
#[derive(Debug, thiserror::Error)]
pub(super) enum PagesError {
    /// The folder of the team's own pages, or a file in it, cannot be read.
    #[error("{} cannot be read: {source}", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    /// A file is no template.
    #[error("{file}: {source}")]
    Template { file: String, source: minijinja::Error },
    /// A file has no texts.
    #[error("{file}: {source}")]
    Texts { file: String, source: TextsError },
    /// A template cannot be rendered.
    #[error("template {template}: {source:#}")]
    Rendering { template: String, source: minijinja::Error },
    /// The page would have no nonce.
    #[error(transparent)]
    NoRandom(#[from] NoRandom),
}

/// Why a file has no texts.
#[derive(Debug, thiserror::Error)]
pub(super) enum TextsError {
    /// It is not YAML.
    #[error("{0}")]
    Yaml(#[source] Box<LoadError>),
    /// It is something else than a mapping.
    #[error("expected a mapping of texts")]
    NoMapping,
    /// The value of this key is not a text.
    #[error("`{0}` is not a text")]
    NoText(String),
}

impl Pages {
    /// The usual pages, and those of `folder` instead.
    ///
    /// # Errors
    /// A file of the folder cannot be used.
    pub(super) fn open(folder: Option<&Path>) -> Result<Self, PagesError> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_auto_escape_callback(|_| AutoEscape::Html);
        environment.set_formatter(|out, _, value| {
            let text = value.to_string();
            let text = if value.is_safe() { text } else { escaped(&text) };
            out.write_str(&text).map_err(minijinja::Error::from)
        });
        let mut texts = BTreeMap::new();
        for (name, source) in TEMPLATES {
            let problem = |source| PagesError::Template { file: name.to_owned(), source };
            environment.add_template(name, source).map_err(problem)?;
        }
        for (language, source) in TEXTS {
            let problem = |source| PagesError::Texts { file: format!("texts.{language}.yaml"), source };
            texts.insert(language.to_owned(), read_texts(source).map_err(problem)?);
        }
        let mut pages = Self { environment, texts };
        if let Some(folder) = folder {
            pages.replace(folder)?;
        }
        pages.try_all()?;
        Ok(pages)
    }

    fn replace(&mut self, folder: &Path) -> Result<(), PagesError> {
        let unreadable = |path: &Path, source| PagesError::Unreadable { path: path.to_owned(), source };
        for entry in std::fs::read_dir(folder).map_err(|error| unreadable(folder, error))? {
            let file = entry.map_err(|error| unreadable(folder, error))?.path();
            let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
            let language = name.strip_prefix("texts.").and_then(|name| name.strip_suffix(".yaml"));
            if language.is_none() && !name.ends_with(".html") {
                continue;
            }
            let source = std::fs::read_to_string(&file).map_err(|error| unreadable(&file, error))?;
            let file = file.display().to_string();
            match language {
                Some(language) => {
                    let texts = read_texts(&source).map_err(|source| PagesError::Texts { file, source })?;
                    self.texts.entry(language.to_ascii_lowercase()).or_default().extend(texts);
                }
                None => self
                    .environment
                    .add_template_owned(name, source)
                    .map_err(|source| PagesError::Template { file, source })?,
            }
        }
        Ok(())
    }

    /// Renders every page in every language with values like those that it will get: a mistake in a template is
    /// reported at start and not shown to a user.
    fn try_all(&self) -> Result<(), PagesError> {
        for language in self.texts.keys() {
            for (template, values) in examples() {
                self.html(template, language, &values, "nonce")?;
            }
        }
        Ok(())
    }

    /// The language of the reader, of those that there are texts in (RFC 9110 §12.5.4).
    pub(super) fn language(&self, view: &RequestView<'_>) -> &str {
        let mut best = ("en", 0.0);
        let fields = view.fields.iter().filter(|field| field.name.eq_ignore_ascii_case("accept-language"));
        for range in fields.filter_map(|field| std::str::from_utf8(field.value).ok()).flat_map(|value| value.split(','))
        {
            let mut parts = range.split(';');
            let tag = parts.next().unwrap_or_default().trim().to_ascii_lowercase();
            let weight =
                parts.find_map(|part| part.trim().strip_prefix("q=")?.trim().parse::<f32>().ok()).unwrap_or(1.0);
            let known = [tag.as_str(), tag.split('-').next().unwrap_or_default()]
                .into_iter()
                .find_map(|tag| self.texts.get_key_value(tag));
            if let Some((language, _)) = known.filter(|_| weight > best.1) {
                best = (language, weight);
            }
        }
        best.0
    }

    /// A text in the reader's language.
    pub(super) fn text(&self, language: &str, name: &str) -> String {
        let of = |language: &str| self.texts.get(language).and_then(|texts| texts.get(name));
        of(language).or_else(|| of("en")).cloned().unwrap_or_default()
    }

    fn html(
        &self,
        template: &str,
        language: &str,
        values: &[(&'static str, Value)],
        nonce: &str,
    ) -> Result<String, PagesError> {
        let mut texts = self.texts.get("en").cloned().unwrap_or_default();
        texts.extend(self.texts.get(language).cloned().unwrap_or_default());
        let fixed = [("t", Value::from(texts)), ("language", Value::from(language)), ("nonce", Value::from(nonce))];
        let context = mapping(values.iter().cloned().chain(fixed));
        let rendered = self.environment.get_template(template).and_then(|template| template.render(context));
        rendered.map_err(|source| PagesError::Rendering { template: template.to_owned(), source })
    }

    /// A page as an answer, with what keeps it out of frames, caches, and the hands of scripts (RFC 9700 §4.16).
    pub(super) fn answer(&self, page: Page<'_>) -> OwnAnswer {
        let html = random::name()
            .map_err(PagesError::from)
            .and_then(|nonce| self.html(page.template, page.language, &page.values, &nonce).map(|html| (html, nonce)));
        match html {
            Ok((html, nonce)) => {
                let forms = match page.forms_lead_to {
                    FormTargets::Here => "; form-action 'self'",
                    FormTargets::Anywhere => "",
                };
                let policy = format!(
                    "default-src 'none'; style-src 'nonce-{nonce}'; img-src 'self' data:; base-uri 'none'; \
                     frame-ancestors 'none'{forms}"
                );
                OwnAnswer::new(page.status, "text/html; charset=utf-8", html.into_bytes())
                    .with("Content-Security-Policy", &policy)
                    .with("X-Frame-Options", "DENY")
                    .with("X-Content-Type-Options", "nosniff")
                    .with("Referrer-Policy", "no-referrer")
                    .with("Pragma", "no-cache")
            }
            Err(problem) => {
                error!("page", "{problem}");
                OwnAnswer::message(500, "The page cannot be shown")
            }
        }
    }
}

/// Values by name, for a template.
pub(super) fn mapping(pairs: impl IntoIterator<Item = (&'static str, Value)>) -> Value {
    Value::from(pairs.into_iter().collect::<BTreeMap<&'static str, Value>>())
}

/// Values of the kind that each template gets.
fn examples() -> [(&'static str, Vec<(&'static str, Value)>); 4] {
    let text = |text: &str| Value::from(text);
    let scope = || Value::from_iter([mapping([("name", text("notes")), ("description", text("Notes"))])]);
    let application =
        mapping([("id", text("1")), ("name", text("App")), ("scopes", scope()), ("since", text("2026-01-01"))]);
    [
        (
            "login.html",
            vec![
                ("action", text("/login")),
                ("csrf", text("c")),
                ("return_to", text("/")),
                ("username", text("")),
                ("problem", text("p")),
            ],
        ),
        (
            "consent.html",
            vec![
                ("action", text("/decision")),
                ("csrf", text("c")),
                ("transaction", text("t")),
                ("client", text("App")),
                ("user", text("bob")),
                ("email", text("bob@example.org")),
                ("scopes", scope()),
                ("redirect_host", text("app.example")),
                ("redirect_uri", text("https://app.example/cb")),
                ("is_public", Value::from(true)),
            ],
        ),
        (
            "account.html",
            vec![
                ("user", text("bob")),
                ("email", text("bob@example.org")),
                ("applications", Value::from_iter([application])),
                ("action", text("/account")),
                ("logout", text("/logout")),
                ("csrf", text("c")),
                ("notice", text("n")),
            ],
        ),
        ("error.html", vec![("title", text("t")), ("explanation", text("e")), ("detail", text("d"))]),
    ]
}

/// As text or as a value in double quotes; unlike minijinja's own, a slash stays one, so that paths can be read.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

fn read_texts(source: &str) -> Result<BTreeMap<String, String>, TextsError> {
    let node = load(FileId(0), source).map_err(|error| TextsError::Yaml(Box::new(error)))?;
    let mapping = node.as_mapping().ok_or(TextsError::NoMapping)?;
    let mut texts = BTreeMap::new();
    for entry in mapping.iter() {
        let text = entry.value.as_str().ok_or_else(|| TextsError::NoText(entry.key.name.to_string()))?;
        texts.insert(entry.key.name.to_string(), text.to_owned());
    }
    Ok(texts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_can_be_shown() {
        let pages = Pages::open(None);
        assert!(pages.is_ok(), "{:?}", pages.err());
    }
}
