//! `compress`: which responses are compressed.

use gateway_terms::compression::{USUAL_MIN, USUAL_TYPES, is_type_pattern};
use gateway_yaml::{Entry, Node, Span};

use crate::diagnostic::{Diagnostic, GW104};
use crate::ir::{Compression, ContentCoding};
use crate::units::{self, ByteSize};
use crate::vocabulary::reader::Reader;

/// `compress`; `Some(None)` for `off`, nothing where it cannot be read, which has been reported.
pub(super) fn compression(reader: &mut Reader<'_>, at: Span, node: &Node) -> Option<Option<Compression>> {
    if node.is_off() {
        return Some(None);
    }
    node.as_mapping().or_else(|| {
        reader.known(node, "`compress`", &["algorithms", "min", "types"]);
        None
    })?;
    let usual_types = USUAL_TYPES.iter().map(|text| (*text).to_owned()).collect();
    let mut read =
        Compression { codings: ContentCoding::ALL.to_vec(), min: ByteSize(USUAL_MIN), types: usual_types, span: at };
    for Entry { key, value } in reader.known(node, "`compress`", &["algorithms", "min", "types"]) {
        match &*key.name {
            "algorithms" => read.codings = codings(reader, value),
            "min" => read.min = reader.unit(value, "`min`", units::size).unwrap_or(read.min),
            _ => read.types = types(reader, value),
        }
    }
    Some(Some(read))
}

fn codings(reader: &mut Reader<'_>, node: &Node) -> Vec<ContentCoding> {
    const CHOICES: [(&str, ContentCoding); 3] = [
        (ContentCoding::Zstd.name(), ContentCoding::Zstd),
        (ContentCoding::Brotli.name(), ContentCoding::Brotli),
        (ContentCoding::Gzip.name(), ContentCoding::Gzip),
    ];
    let mut codings = Vec::new();
    for item in items(reader, node, "`algorithms`") {
        let Some(coding) = reader.choice(item, "an entry of `algorithms`", &CHOICES) else { continue };
        if codings.contains(&coding) {
            twice(reader, item, coding.name(), "`algorithms`");
        } else {
            codings.push(coding);
        }
    }
    codings
}

fn types(reader: &mut Reader<'_>, node: &Node) -> Vec<String> {
    let mut types: Vec<String> = Vec::new();
    for item in items(reader, node, "`types`") {
        let Some(text) = item.as_str().filter(|text| is_type_pattern(text)) else {
            reader.wrong(
                item,
                "an entry of `types`",
                "expected `application/json`, `text/*` or `+json`, without parameters",
            );
            continue;
        };
        let pattern = text.to_ascii_lowercase();
        if types.contains(&pattern) {
            twice(reader, item, &pattern, "`types`");
        } else {
            types.push(pattern);
        }
    }
    types
}

/// The items of a list that has some.
fn items<'n>(reader: &mut Reader<'_>, node: &'n Node, what: &str) -> &'n [Node] {
    if node.as_sequence().is_some_and(<[Node]>::is_empty) {
        reader.wrong(node, what, "expected one entry or more; `compress: off` compresses nothing");
        return &[];
    }
    reader.words(node, what)
}

fn twice(reader: &mut Reader<'_>, item: &Node, entry: &str, list: &str) {
    let headline = format!("`{entry}` stands twice in {list}");
    reader.report(Diagnostic::error(GW104, headline).at(item.span, "the second").help("remove it"));
}
