//! Numbers as they are written.

/// A number, kept as it is written: integers beyond 64 bits and `1.0` lose nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Number {
    pub(crate) text: Box<str>,
    pub(crate) integer: bool,
}

impl Number {
    /// The number as written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it is written as an integer (`1`, `0x1F`, `0o17`; not `1.0` or `1e3`).
    #[must_use]
    pub fn is_integer(&self) -> bool {
        self.integer
    }

    /// The integer, where it fits.
    #[must_use]
    pub fn as_i128(&self) -> Option<i128> {
        let (negative, digits) = match self.text.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, self.text.strip_prefix('+').unwrap_or(&self.text)),
        };
        if !self.integer {
            return None;
        }
        let value = if let Some(octal) = digits.strip_prefix("0o") {
            i128::from_str_radix(octal, 8)
        } else if let Some(hexadecimal) = digits.strip_prefix("0x") {
            i128::from_str_radix(hexadecimal, 16)
        } else {
            digits.parse::<i128>()
        };
        value.ok().map(|value| if negative { -value } else { value })
    }

    /// The integer, where it fits.
    #[must_use]
    pub fn as_u64(&self) -> Option<u64> {
        u64::try_from(self.as_i128()?).ok()
    }

    /// The integer, where it fits.
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        i64::try_from(self.as_i128()?).ok()
    }

    /// The nearest floating point number.
    #[must_use]
    pub fn as_f64(&self) -> f64 {
        if let Some(integer) = self.as_i128() {
            return integer as f64;
        }
        match self.text.trim_start_matches(['+', '-']) {
            ".nan" | ".NaN" | ".NAN" => f64::NAN,
            ".inf" | ".Inf" | ".INF" if self.text.starts_with('-') => f64::NEG_INFINITY,
            ".inf" | ".Inf" | ".INF" => f64::INFINITY,
            _ => self.text.parse().unwrap_or(f64::NAN),
        }
    }
}
