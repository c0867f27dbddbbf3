//! Header fields in one piece of memory: a store has millions of them.

use gateway_wire::http1::head::Field;

/// Names and values of header fields, in their order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Lines(Box<[u8]>);

impl Lines {
    /// Copies these fields. No value has a line end in it: heads are parsed by lines.
    pub(crate) fn of<'f>(fields: impl Iterator<Item = Field<'f>> + Clone) -> Self {
        let size = fields.clone().map(|field| field.name.len() + field.value.len() + b":\n".len()).sum();
        let mut bytes = Vec::with_capacity(size);
        for field in fields {
            bytes.extend_from_slice(field.name.as_bytes());
            bytes.push(b':');
            bytes.extend_from_slice(field.value);
            bytes.push(b'\n');
        }
        Self(bytes.into_boxed_slice())
    }

    /// The fields.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Field<'_>> + Clone {
        self.0.split(|byte| *byte == b'\n').filter_map(|line| {
            let colon = memchr::memchr(b':', line)?;
            Some(Field { name: std::str::from_utf8(&line[..colon]).ok()?, value: &line[colon + 1..] })
        })
    }

    /// The values of the fields called `name`, whose letter case does not count.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> + Clone {
        self.iter().filter(move |field| field.name.eq_ignore_ascii_case(name)).map(|field| field.value.trim_ascii())
    }

    /// The first of them.
    pub(crate) fn first(&self, name: &str) -> Option<&[u8]> {
        self.iter().find(|field| field.name.eq_ignore_ascii_case(name)).map(|field| field.value.trim_ascii())
    }

    /// Bytes that they take.
    pub(crate) fn size(&self) -> u64 {
        self.0.len() as u64
    }
}
