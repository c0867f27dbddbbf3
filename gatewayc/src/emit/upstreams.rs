//! Upstreams, as tables.

use gateway_route::{EmptySegments, PathCase, TrailingSlash, UpstreamPaths};

use crate::emit::layout::Expression;
use crate::emit::literals::{boolean, duration};
use crate::ir::{Locations, Upstream};

pub(super) fn upstream_value(upstream: &Upstream) -> Expression {
    Expression::Struct(
        "Upstream",
        vec![
            ("name", Expression::text(&upstream.name)),
            ("url", Expression::text(&upstream.url)),
            ("preserve_host", boolean(upstream.preserve_host)),
            ("paths", upstream_paths(upstream.paths)),
            (
                "locations",
                Expression::word(match upstream.locations {
                    Locations::Translate => "Locations::Translate",
                    Locations::Keep => "Locations::Keep",
                }),
            ),
            ("connect_timeout", duration(upstream.connect_timeout)),
            ("response_timeout", duration(upstream.response_timeout)),
            ("idle_timeout", duration(upstream.idle_timeout)),
        ],
    )
}

fn upstream_paths(paths: UpstreamPaths) -> Expression {
    if paths == UpstreamPaths::UNKNOWN {
        return Expression::word("UpstreamPaths::UNKNOWN");
    }
    let case = match paths.case {
        PathCase::Unknown => "PathCase::Unknown",
        PathCase::Sensitive => "PathCase::Sensitive",
        PathCase::Insensitive => "PathCase::Insensitive",
    };
    let trailing_slash = match paths.trailing_slash {
        TrailingSlash::Unknown => "TrailingSlash::Unknown",
        TrailingSlash::Distinct => "TrailingSlash::Distinct",
        TrailingSlash::Same => "TrailingSlash::Same",
    };
    let empty_segments = match paths.empty_segments {
        EmptySegments::Unknown => "EmptySegments::Unknown",
        EmptySegments::Distinct => "EmptySegments::Distinct",
        EmptySegments::Merged => "EmptySegments::Merged",
    };
    let fields = [("case", case), ("trailing_slash", trailing_slash), ("empty_segments", empty_segments)];
    Expression::Struct("UpstreamPaths", fields.map(|(name, word)| (name, Expression::word(word))).into())
}
