//! The parameters of a request to an endpoint.

use crate::credential::{Evidence, form_decode};

/// A larger body is 413.
pub(super) const MAX_FORM: u64 = 64 << 10;

/// More parameters are refused: each is compared with all before it.
const MAX_PARAMETERS: usize = 64;

/// Parameters, each at most once (RFC 6749 §3.1 and §3.2).
#[derive(Default)]
pub(super) struct Form(Vec<(String, String)>);

/// What is wrong with a request's parameters, for the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BadForm(pub(super) &'static str);

impl Form {
    /// Reads `application/x-www-form-urlencoded`.
    pub(super) fn parse(text: &str) -> Result<Self, BadForm> {
        let mut parameters: Vec<(String, String)> = Vec::new();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (Some(name), Some(value)) = (form_decode(name), form_decode(value)) else {
                return Err(BadForm("The parameters are not UTF-8, or badly escaped"));
            };
            if parameters.iter().any(|(known, _)| *known == name) {
                return Err(BadForm("A parameter stands twice"));
            }
            if parameters.len() == MAX_PARAMETERS {
                return Err(BadForm("There are too many parameters"));
            }
            parameters.push((name.into_owned(), value.into_owned()));
        }
        Ok(Self(parameters))
    }

    /// The parameters in the body of a request.
    pub(super) fn of_body(evidence: &Evidence<'_>) -> Result<Self, BadForm> {
        let body = evidence.body.unwrap_or_default();
        if body.is_empty() {
            return Ok(Self::default());
        }
        if !evidence.has_form() {
            return Err(BadForm("The body is not of application/x-www-form-urlencoded"));
        }
        let text = std::str::from_utf8(body).map_err(|_| BadForm("The parameters are not UTF-8, or badly escaped"))?;
        Self::parse(text)
    }

    /// A parameter; one without a value is none (RFC 6749 §3.1).
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_stand_once() {
        let form = Form::parse("a=1&b=%2B+c&&d=&e").unwrap_or_default();
        assert_eq!((form.get("a"), form.get("b"), form.get("d"), form.get("e")), (Some("1"), Some("+ c"), None, None));
        assert!(Form::parse("a=1&%61=2").is_err());
        assert!(Form::parse("a=%ff").is_err());
        assert!(Form::parse("a=%4").is_err());
        let many = |count: usize| (0..count).map(|number| format!("p{number}=&")).collect::<String>();
        assert!(Form::parse(&many(MAX_PARAMETERS)).is_ok());
        assert!(Form::parse(&many(MAX_PARAMETERS + 1)).is_err());
    }
}
