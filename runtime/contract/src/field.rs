//! The values of a field of a head.

use crate::encoding::Encoding;
use crate::style::Problem;

/// The values of the lines of one field.
#[derive(Debug, Clone, Default)]
pub(crate) struct FieldValues<'r>(Vec<&'r [u8]>);

impl<'r> FieldValues<'r> {
    pub(crate) fn push(&mut self, value: &'r [u8]) {
        self.0.push(value);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Checks the value of a field. That of several lines is their values with commas between them (RFC 9110 §5.3), where it is
/// a list or a text.
pub(crate) fn check_values(
    values: &FieldValues<'_>,
    is_list: bool,
    check: impl FnOnce(&str, Encoding) -> Result<(), Problem>,
) -> Result<(), Problem> {
    if values.0.len() > 1 && !is_list {
        return Err(Problem::Text("is there more than once".into()));
    }
    let mut joined = String::new();
    let mut texts = Vec::with_capacity(values.0.len());
    for value in &values.0 {
        texts.push(std::str::from_utf8(value).map_err(|_| Problem::Text("is not UTF-8".into()))?);
    }
    let text = match texts.as_slice() {
        [only] => only,
        several => {
            joined.push_str(&several.join(", "));
            joined.as_str()
        }
    };
    check(text.trim_matches([' ', '\t']), Encoding::Plain)
}
