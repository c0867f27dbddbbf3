//! What goes to other upstreams, as tables.

use crate::emit::layout::Expression;
use crate::emit::literals::boolean;
use crate::emit::upstreams::hash_key;
use crate::ir::{Mirror, Share, SplitEntry};

type Fields = Vec<(&'static str, Expression)>;

/// Which requests an entry takes.
pub(super) fn choice(entry: &SplitEntry) -> Fields {
    let field =
        |(name, value): &(String, String)| Expression::Call("", vec![Expression::text(name), Expression::text(value)]);
    vec![
        ("share", share(entry.share)),
        ("when", Expression::Slice(entry.when.iter().map(field).collect())),
        ("by", Expression::Slice(entry.by.iter().map(hash_key).collect())),
    ]
}

/// Which requests are copied, and what of them.
pub(super) fn terms(mirror: &Mirror) -> Fields {
    vec![("share", share(mirror.share)), ("credentials", boolean(mirror.credentials))]
}

fn share(share: Share) -> Expression {
    Expression::Call("Share", vec![Expression::number(u64::from(share.0))])
}
