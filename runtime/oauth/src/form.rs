//! The parameters of a request to an endpoint.

use std::borrow::Cow;

use gateway_access::request_view::RequestView;
use gateway_base::encoding::form_decode;

/// A larger body is 413.
pub(crate) const MAX_FORM: u64 = 64 << 10;

/// More values of a parameter that may occur several times are refused.
const MAX_VALUES: usize = 16;

/// The parameter that may occur several times (RFC 8707 §2).
const RESOURCE: &str = "resource";

/// What a request says with the parameters that an endpoint knows. All others are ignored, whatever they are (RFC 6749 §3.1,
/// §3.2).
pub(crate) struct Form {
    known: &'static [&'static str],
    parameters: Vec<(&'static str, String)>,
    /// Those that occur several times, or are not UTF-8.
    bad: Vec<(&'static str, BadForm)>,
}

/// What is wrong with a request's parameters, for the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BadForm(pub(super) &'static str);

const TWICE: BadForm = BadForm("A parameter stands twice");
const UNREADABLE: BadForm = BadForm("The parameters are not UTF-8, or badly escaped");

impl Form {
    /// Reads `application/x-www-form-urlencoded`.
    pub(crate) fn parse(text: &[u8], known: &'static [&'static str]) -> Self {
        let mut form = Self { known, parameters: Vec::new(), bad: Vec::new() };
        for pair in text.split(|byte| *byte == b'&') {
            let (name, value) = match pair.iter().position(|byte| *byte == b'=') {
                Some(at) => (&pair[..at], &pair[at + 1..]),
                None => (pair, &b""[..]),
            };
            let Some(name) = decoded(name).and_then(|name| known.iter().copied().find(|known| *known == name)) else {
                continue;
            };
            form.add(name, value);
        }
        form
    }

    fn add(&mut self, name: &'static str, value: &[u8]) {
        let count = self.parameters.iter().filter(|(known, _)| *known == name).count();
        match decoded(value) {
            // RFC 6749 §3.1: one without a value is treated as if it were not there.
            Some(value) if value.is_empty() => {}
            Some(value) if count == 0 || name == RESOURCE && count < MAX_VALUES => {
                self.parameters.push((name, value.into_owned()));
            }
            Some(_) if name == RESOURCE => self.bad.push((name, BadForm("There are too many resources"))),
            Some(_) => self.bad.push((name, TWICE)),
            None => self.bad.push((name, UNREADABLE)),
        }
    }

    /// The parameters in the body of a request.
    pub(crate) fn of_body(view: &RequestView<'_>, known: &'static [&'static str]) -> Result<Self, BadForm> {
        let body = view.body.unwrap_or_default();
        if !body.is_empty() && !view.has_form() {
            return Err(BadForm("The body is not of application/x-www-form-urlencoded"));
        }
        Ok(Self::parse(body, known))
    }

    /// The form, unless something is wrong with a parameter that the endpoint knows.
    pub(crate) fn without_problems(self) -> Result<Self, BadForm> {
        match self.problem() {
            Some(problem) => Err(problem),
            None => Ok(self),
        }
    }

    /// What is wrong with the first parameter that is wrong.
    pub(crate) fn problem(&self) -> Option<BadForm> {
        self.bad.first().map(|(_, problem)| *problem)
    }

    /// What is wrong with this parameter.
    pub(crate) fn problem_of(&self, name: &str) -> Option<BadForm> {
        self.bad.iter().find(|(known, _)| *known == name).map(|(_, problem)| *problem)
    }

    /// A parameter; of several values, the first.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// All values of a parameter.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        let name = self.known.iter().copied().find(|known| *known == name);
        debug_assert!(name.is_some(), "a parameter is read that is not among those of its endpoint");
        self.parameters.iter().filter(move |(known, _)| name == Some(known)).map(|(_, value)| value.as_str())
    }

    /// The resources that a token is to be for (RFC 8707 §2), each once.
    pub(crate) fn resources(&self) -> Vec<String> {
        let mut resources: Vec<String> = Vec::new();
        for resource in self.all(RESOURCE) {
            if !resources.iter().any(|known| known == resource) {
                resources.push(resource.to_owned());
            }
        }
        resources
    }
}

fn decoded(text: &[u8]) -> Option<Cow<'_, str>> {
    form_decode(std::str::from_utf8(text).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &[&str] = &["a", "b", "d", "resource"];

    #[test]
    fn parameters_may_not_be_repeated() {
        let form = Form::parse(b"a=1&b=%2B+c&&d=&d=", KNOWN);
        assert_eq!((form.get("a"), form.get("b"), form.get("d"), form.problem()), (Some("1"), Some("+ c"), None, None));
        for (text, problem) in [
            (&b"b=1&a=1&%61=2"[..], TWICE),
            (b"b=1&a=1&a=1", TWICE),
            (b"a=%ff&b=1", UNREADABLE),
            (b"a=%4&b=1", UNREADABLE),
            (b"a=\xff&b=1", UNREADABLE),
        ] {
            let form = Form::parse(text, KNOWN);
            assert_eq!((form.problem_of("a"), form.problem_of("b")), (Some(problem), None));
            assert_eq!(form.get("b"), Some("1"));
            assert_eq!(form.without_problems().err(), Some(problem));
        }
    }

    #[test]
    fn unknown_parameters_of_an_endpoint_are_ignored() {
        for text in ["a=1&foo=1&foo=2", "a=1&foo=%ff", "a=1&%ff=2", "%=&a=1", "=2&=&a=1"] {
            let form = Form::parse(text.as_bytes(), KNOWN);
            assert_eq!((form.get("a"), form.problem()), (Some("1"), None), "{text}");
        }
        let many: String = (0..1_000).map(|number| format!("p{number}=&")).collect();
        assert_eq!(Form::parse(many.as_bytes(), KNOWN).problem(), None);
    }

    #[test]
    fn the_resource_parameter_may_be_repeated() {
        let resources =
            |text: &str| Form::parse(text.as_bytes(), KNOWN).without_problems().map(|form| form.resources());
        assert_eq!(
            resources("resource=https%3A%2F%2Fa&resource=&resource=b&resource=b"),
            Ok(vec!["https://a".to_owned(), "b".to_owned()])
        );
        let many: String = (0..=MAX_VALUES).map(|number| format!("resource={number}&")).collect();
        assert!(resources(&many).is_err());
    }
}
