//! `Cache-Control` of requests and of responses (RFC 9111 §5.2, RFC 5861), and `CDN-Cache-Control` of responses (RFC 9213).

use sfv::{BareItem, Dictionary, ListEntry, Parser, Version};

use gateway_wire::cache_control::{MOST_SECONDS, directives, is_malformed, seconds};
use gateway_wire::http1::head::Field;

/// Directives that count wherever they are written.
const FORBIDDING: [&str; 3] = ["no-store", "private", "no-cache"];

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
    /// It says so to shared caches apart: `Cache-Control` and `Expires` are for others (RFC 9213 §2.2).
    pub(super) is_targeted: bool,
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
        Self::targeted(fields).unwrap_or_else(|| Self::general(fields))
    }

    /// `CDN-Cache-Control`; nothing where it is empty or no dictionary (RFC 9213 §2.1).
    fn targeted(fields: &[Field<'_>]) -> Option<Self> {
        // A line without members adds none (RFC 9110 §5.6.1.2); beside others, it would be no dictionary.
        let is_empty = |line: &&[u8]| line.trim_ascii().is_empty();
        let lines: Vec<&[u8]> = values(fields, "cdn-cache-control").filter(|line| !is_empty(line)).collect();
        if lines.is_empty() {
            return None;
        }
        let value = lines.join(&b", "[..]);
        let members: Dictionary = Parser::new(&value).with_version(Version::Rfc8941).parse().ok()?;
        let mut found = Self { is_targeted: true, ..Self::default() };
        for (name, value) in &members {
            let (number, parameters) = match value {
                ListEntry::Item(item) => match &item.bare_item {
                    BareItem::Boolean(false) => (None, &item.params),
                    BareItem::Integer(number) => (Some(i64::from(*number)), &item.params),
                    // What is no whole number is no time at all.
                    _ => (Some(0), &item.params),
                },
                ListEntry::InnerList(list) => (Some(0), &list.params),
            };
            if let Some(number) = number {
                found.add(name.as_str(), u64::try_from(number).unwrap_or(0).min(MOST_SECONDS));
            }
            // They say nothing of a directive; but who writes `max-age=60; private` has meant it.
            parameters
                .keys()
                .filter(|name| FORBIDDING.contains(&name.as_str()))
                .for_each(|name| found.add(name.as_str(), 0));
        }
        Some(found)
    }

    /// `Cache-Control`.
    fn general(fields: &[Field<'_>]) -> Self {
        let mut found = Self { no_store: values(fields, "cache-control").any(is_malformed), ..Self::default() };
        for directive in values(fields, "cache-control").flat_map(directives) {
            found.add(&directive.name.to_ascii_lowercase(), directive.seconds());
        }
        found
    }

    /// Adds a directive; of several with a time, the first counts.
    fn add(&mut self, name: &str, seconds: u64) {
        let time = match name {
            "no-store" => return self.no_store = true,
            "private" => return self.private = true,
            "no-cache" => return self.no_cache = true,
            "public" => return self.public = true,
            "must-revalidate" => return self.must_revalidate = true,
            "proxy-revalidate" => return self.proxy_revalidate = true,
            "must-understand" => return self.must_understand = true,
            "max-age" => &mut self.max_age,
            "s-maxage" => &mut self.s_maxage,
            "stale-while-revalidate" => &mut self.stale_while_revalidate,
            "stale-if-error" => &mut self.stale_if_error,
            _ => return,
        };
        time.get_or_insert(seconds);
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
    fn what_is_said_to_shared_caches_counts_alone() {
        let general = ResponseDirectives { private: true, max_age: Some(5), ..ResponseDirectives::default() };
        let targeted = ResponseDirectives { is_targeted: true, ..ResponseDirectives::default() };
        let max_age = |seconds| ResponseDirectives { max_age: Some(seconds), ..targeted };
        for (value, expected) in [
            ("max-age=60", max_age(60)),
            ("max-age=60;a=b, foo=\"bar\", baz=(a b)", max_age(60)),
            ("max-age=60, max-age=70", max_age(70)),
            ("max-age=99999999999", max_age(MOST_SECONDS)),
            ("s-maxage=7", ResponseDirectives { s_maxage: Some(7), ..targeted }),
            ("no-store", ResponseDirectives { no_store: true, ..targeted }),
            ("private=\"x\"", ResponseDirectives { private: true, ..targeted }),
            ("no-cache, public=?0", ResponseDirectives { no_cache: true, ..targeted }),
            ("max-age=60; private", ResponseDirectives { private: true, ..max_age(60) }),
            ("foo=?0;private, max-age=60", ResponseDirectives { private: true, ..max_age(60) }),
            ("max-age=(60);no-store", ResponseDirectives { no_store: true, ..max_age(0) }),
            ("foo", targeted),
            // What is of another type than a directive's.
            ("max-age=\"60\"", max_age(0)),
            ("max-age=6.5", max_age(0)),
            ("max-age=-1", max_age(0)),
            ("max-age=(60)", max_age(0)),
            ("max-age", max_age(0)),
            // What is no dictionary, and what is none of RFC 8941.
            ("", general),
            ("max-age=60, &&&&&", general),
            ("max-age=60 private", general),
            ("max-age=60,", general),
            ("max-age =60", general),
            ("max-age= 60", general),
            ("Max-Age=60", general),
            ("max-age=60, no store", general),
            ("max-age=@60", general),
            ("max-age=1234567890123456", general),
        ] {
            let fields = [("Cache-Control", "private, max-age=5"), ("CDN-Cache-Control", value)];
            let fields = fields.map(|(name, value)| Field { name, value: value.as_bytes() });
            assert_eq!(ResponseDirectives::of(&fields), expected, "{value}");
        }
        // Several lines are one dictionary.
        let lines =
            ["no-cache", "max-age=60"].map(|value| Field { name: "cdn-cache-control", value: value.as_bytes() });
        assert_eq!(ResponseDirectives::of(&lines), ResponseDirectives { no_cache: true, ..max_age(60) });
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
