//! The tape: one slot for each value and for each name of a member.

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `null`
    Null,
    /// `false`
    False,
    /// `true`
    True,
    /// A number.
    Number,
    /// A text.
    String,
    /// A list.
    Array,
    /// Members by name.
    Object,
}

/// A value of the tape. A member is its name, a text, with its value behind it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slot {
    pub(super) kind: Kind,
    /// The text is with those that had escapes, not in the source.
    pub(super) is_decoded: bool,
    /// Of a name: its hash. Of a number: [`DIGITS_ONLY`], or 0. Of other values: 0.
    pub(super) mark: u16,
    /// Of a text or number: where it starts. Of an array or object: how many items or members it has.
    first: u32,
    /// Of a text or number: where it ends. Of an array or object: the slot behind all that is in it.
    second: u32,
}

/// The mark of a number that has neither fraction nor exponent.
pub(super) const DIGITS_ONLY: u16 = 1;

impl Slot {
    pub(super) const NULL: Self = Self::word(Kind::Null);

    /// `null`, `true` or `false`.
    pub(super) const fn word(kind: Kind) -> Self {
        Self { kind, is_decoded: false, mark: 0, first: 0, second: 0 }
    }

    /// A text or number that stands in the source, which has less than 4 GiB.
    #[inline]
    pub(super) fn text(kind: Kind, start: usize, end: usize, mark: u16) -> Self {
        Self { kind, is_decoded: false, mark, first: start as u32, second: end as u32 }
    }

    /// The same text, but with those that had escapes.
    pub(super) fn decoded(self) -> Self {
        Self { is_decoded: true, ..self }
    }

    /// The same text, with a mark.
    #[inline]
    pub(super) fn marked(self, mark: u16) -> Self {
        Self { mark, ..self }
    }

    /// An array or object without anything in it yet, at this slot.
    pub(super) fn open(kind: Kind, at: usize) -> Self {
        Self { kind, is_decoded: false, mark: 0, first: 0, second: at as u32 + 1 }
    }

    /// Ends an array or object before a slot.
    pub(super) fn close(&mut self, count: usize, next: usize) {
        (self.first, self.second) = (count as u32, next as u32);
    }

    fn is_open(self) -> bool {
        matches!(self.kind, Kind::Array | Kind::Object)
    }

    /// The slot behind this one, which is at `at`, and all that is in it.
    #[inline]
    pub(super) fn next(self, at: u32) -> u32 {
        if self.is_open() { self.second } else { at + 1 }
    }

    /// How many items or members it has.
    #[inline]
    pub(super) fn count(self) -> u32 {
        if self.is_open() { self.first } else { 0 }
    }

    /// Where the text is.
    #[inline]
    pub(super) fn range(self) -> std::ops::Range<usize> {
        if self.is_open() { 0..0 } else { self.first as usize..self.second as usize }
    }
}

/// The name of a member, with a hash that tells most names apart. It is not keyed: who makes names can make them equal.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Name<'d> {
    bytes: &'d [u8],
    hash: u16,
}

impl<'d> Name<'d> {
    pub(crate) fn new(name: &'d str) -> Self {
        Self { bytes: name.as_bytes(), hash: hash(name.as_bytes()) }
    }

    pub(super) fn known(bytes: &'d [u8], hash: u16) -> Self {
        Self { bytes, hash }
    }

    /// Whether it is a name whose hash is the same. Most names have 4 to 16 bytes, and are compared without a call.
    #[inline]
    pub(crate) fn is(self, name: &[u8]) -> bool {
        let bytes = self.bytes;
        if bytes.len() != name.len() {
            return false;
        }
        match bytes.len() {
            4..8 => bytes.first_chunk::<4>() == name.first_chunk() && bytes.last_chunk::<4>() == name.last_chunk(),
            8..=16 => bytes.first_chunk::<8>() == name.first_chunk() && bytes.last_chunk::<8>() == name.last_chunk(),
            _ => bytes == name,
        }
    }

    pub(crate) fn hash(self) -> u16 {
        self.hash
    }
}

/// The hash of a name: eight bytes at a time, the last eight perhaps twice.
#[inline]
pub(super) fn hash(bytes: &[u8]) -> u16 {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut hash = bytes.len() as u64;
    let mut add = |word: u64| hash = (hash.rotate_left(23) ^ word).wrapping_mul(FACTOR);
    if let Some(last) = bytes.last_chunk::<8>() {
        for chunk in bytes.chunks_exact(8) {
            if let Some(chunk) = chunk.first_chunk::<8>() {
                add(u64::from_le_bytes(*chunk));
            }
        }
        add(u64::from_le_bytes(*last));
    } else if let (Some(first), Some(last)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        add(u64::from(u32::from_le_bytes(*first)) << 32 | u64::from(u32::from_le_bytes(*last)));
    } else if let [first, .., last] | [first @ last] = bytes {
        let middle = bytes.get(bytes.len() / 2).copied().unwrap_or(0);
        add(u64::from(*first) << 16 | u64::from(middle) << 8 | u64::from(*last));
    }
    (hash >> 48) as u16
}
