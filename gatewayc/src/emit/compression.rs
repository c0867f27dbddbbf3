//! Which responses are compressed, as a table.

use gateway_terms::compression::USUAL_TYPES;

use crate::emit::layout::Expression;
use crate::emit::literals::size;
use crate::ir::{Compression, ContentCoding};

pub(super) fn compression(compression: Option<&Compression>) -> Expression {
    let Some(Compression { codings, min, types, span: _ }) = compression else { return Expression::word("None") };
    let codings = codings.iter().map(|coding| {
        Expression::word(match coding {
            ContentCoding::Zstd => "&Zstd",
            ContentCoding::Brotli => "&Brotli",
            ContentCoding::Gzip => "&Gzip",
        })
    });
    let fields =
        vec![("codings", Expression::Slice(codings.collect())), ("min", size(*min)), ("types", types_value(types))];
    Expression::Call("Some", vec![Expression::Struct("Compression", fields)])
}

fn types_value(types: &[String]) -> Expression {
    if types == USUAL_TYPES { Expression::word("USUAL_TYPES") } else { Expression::texts(types) }
}
