//! Header fields in one piece of memory: a store has millions of them.

use gateway_wire::http1::head::Field;

/// Names and values of header fields, in their order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Lines {
    names: Box<str>,
    /// Each with the length of its name, and its own, before it.
    values: Box<[u8]>,
}

/// Bytes of a length.
const LENGTH: usize = 4;

impl Lines {
    /// Copies these fields. None is longer than a head may be.
    pub(crate) fn of<'f>(fields: impl Iterator<Item = Field<'f>> + Clone) -> Self {
        let sizes = fields.clone().fold((0, 0), |(names, values), Field { name, value }| {
            (names + name.len(), values + 2 * LENGTH + value.len())
        });
        let (mut names, mut values) = (String::with_capacity(sizes.0), Vec::with_capacity(sizes.1));
        for Field { name, value } in fields {
            names.push_str(name);
            values.extend_from_slice(&(name.len() as u32).to_le_bytes());
            values.extend_from_slice(&(value.len() as u32).to_le_bytes());
            values.extend_from_slice(value);
        }
        Self { names: names.into_boxed_str(), values: values.into_boxed_slice() }
    }

    /// The fields.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Field<'_>> + Clone {
        let (mut names, mut values) = (&*self.names, &*self.values);
        std::iter::from_fn(move || {
            let (of_name, rest) = values.split_first_chunk::<LENGTH>()?;
            let (of_value, rest) = rest.split_first_chunk::<LENGTH>()?;
            let (name, value);
            (name, names) = names.split_at_checked(u32::from_le_bytes(*of_name) as usize)?;
            (value, values) = rest.split_at_checked(u32::from_le_bytes(*of_value) as usize)?;
            Some(Field { name, value })
        })
    }

    /// There is no field.
    pub(crate) fn is_empty(&self) -> bool {
        self.values.is_empty()
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
        (self.names.len() + self.values.len()) as u64
    }
}
