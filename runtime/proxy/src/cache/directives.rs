//! `Cache-Control` of requests and of responses (RFC 9111 §5.2, RFC 5861).

use gateway_wire::cache_control::{directives, is_malformed, seconds};
use gateway_wire::http1::head::Field;

/// What a response says about its storage.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct ResponseDirectives {
    pub(super) no_store: bool,
    pub(super) private: bool,
    pub(super) no_cache: bool,
    pub(super) public: bool,
    pub(super) must_revalidate: bool,
    pub(super) proxy_revalidate: bool,
    pub(super) must_understand: bool,
    /// In seconds, as the following.
    pub(super) max_age: Option<u64>,
    pub(super) s_maxage: Option<u64>,
    pub(super) stale_while_revalidate: Option<u64>,
    pub(super) stale_if_error: Option<u64>,
}

/// What a client says about what it takes.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RequestDirectives {
    pub(crate) no_cache: bool,
    pub(crate) no_store: bool,
    pub(crate) only_if_cached: bool,
    /// In seconds, as the following.
    pub(crate) max_age: Option<u64>,
    /// However stale, if `Some(None)`.
    pub(crate) max_stale: Option<Option<u64>>,
    pub(crate) min_fresh: Option<u64>,
}

impl ResponseDirectives {
    pub(super) fn of(fields: &[Field<'_>]) -> Self {
        let mut found = Self { no_store: values(fields, "cache-control").any(is_malformed), ..Self::default() };
        for directive in values(fields, "cache-control").flat_map(directives) {
            match &*directive.name.to_ascii_lowercase() {
                "no-store" => found.no_store = true,
                "private" => found.private = true,
                "no-cache" => found.no_cache = true,
                "public" => found.public = true,
                "must-revalidate" => found.must_revalidate = true,
                "proxy-revalidate" => found.proxy_revalidate = true,
                "must-understand" => found.must_understand = true,
                // Of several, the first counts; what is no number is no time at all (RFC 9111 §4.2.1).
                "max-age" => _ = found.max_age.get_or_insert(directive.seconds()),
                "s-maxage" => _ = found.s_maxage.get_or_insert(directive.seconds()),
                "stale-while-revalidate" => {
                    found.stale_while_revalidate.get_or_insert(directive.seconds());
                }
                "stale-if-error" => _ = found.stale_if_error.get_or_insert(directive.seconds()),
                _ => {}
            }
        }
        found
    }
}

impl RequestDirectives {
    pub(crate) fn of(fields: &[Field<'_>]) -> Self {
        let mut found = Self { no_store: values(fields, "cache-control").any(is_malformed), ..Self::default() };
        let mut has_any = false;
        for directive in values(fields, "cache-control").flat_map(directives) {
            has_any = true;
            match &*directive.name.to_ascii_lowercase() {
                "no-cache" => found.no_cache = true,
                "no-store" => found.no_store = true,
                "only-if-cached" => found.only_if_cached = true,
                "max-age" => _ = found.max_age.get_or_insert(directive.seconds()),
                "max-stale" if directive.argument.is_none() => found.max_stale = Some(None),
                // What is no number admits nothing.
                "max-stale" => found.max_stale = seconds(directive.argument).map(Some).or(found.max_stale),
                "min-fresh" => found.min_fresh = seconds(directive.argument).or(found.min_fresh),
                _ => {}
            }
        }
        // RFC 9111 §5.4.
        let mut pragmas = values(fields, "pragma").flat_map(directives);
        found.no_cache |= !has_any && pragmas.any(|directive| directive.is("no-cache"));
        found
    }
}

/// The values of the fields called `name`.
pub(super) fn values<'f>(fields: &'f [Field<'f>], name: &'static str) -> impl Iterator<Item = &'f [u8]> {
    fields.iter().filter(move |field| field.name.eq_ignore_ascii_case(name)).map(|field| field.value)
}

#[cfg(test)]
mod tests {
    use gateway_wire::cache_control::MOST_SECONDS;

    use super::*;

    fn response(value: &'static str) -> ResponseDirectives {
        ResponseDirectives::of(&[Field { name: "Cache-Control", value: value.as_bytes() }])
    }

    #[test]
    fn directives_are_read_as_lists() {
        let found = response("max-age=60, Private=\"a, max-age=1\",, s-maxage=\"7\" , foo=bar");
        assert_eq!((found.max_age, found.private, found.s_maxage), (Some(60), true, Some(7)));
        assert_eq!(response("max-age=10, max-age=60").max_age, Some(10));
        assert!(!response("a=\"b\\\"c, no-store\"").no_store);
        // What is quoted without an end may hide anything.
        for value in ["foo=\"bar, no-store", "max-age=60, foo=\"", "foo=\"bar\\\""] {
            assert!(response(value).no_store, "{value}");
            let field = Field { name: "Cache-Control", value: value.as_bytes() };
            assert!(RequestDirectives::of(&[field]).no_store, "{value}");
        }
        for (value, expected) in
            [("max-age=1.5", 0), ("max-age=-1", 0), ("max-age", 0), ("max-age=99999999999999999999", MOST_SECONDS)]
        {
            assert_eq!(response(value).max_age, Some(expected), "{value}");
        }
    }

    #[test]
    fn pragma_counts_where_nothing_else_is_said() {
        let field = |name, value: &'static str| Field { name, value: value.as_bytes() };
        assert!(RequestDirectives::of(&[field("Pragma", "no-cache")]).no_cache);
        assert!(!RequestDirectives::of(&[field("Pragma", "no-cache"), field("Cache-Control", "max-age=1")]).no_cache);
        let found = RequestDirectives::of(&[field("Cache-Control", "max-stale, min-fresh=5, only-if-cached")]);
        assert_eq!((found.max_stale, found.min_fresh, found.only_if_cached), (Some(None), Some(5), true));
    }
}
