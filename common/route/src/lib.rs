//! OpenAPI path templates: one way to read a request path, one way to match it, for the compiler and the gateway.
//!
//! **The one way in.** A request path (without its query) is read once, by [`RequestPath::parse`], which yields two
//! texts:
//!
//! | text | what it is for | octets |
//! |---|---|---|
//! | [`wire`](RequestPath::wire) | what is forwarded | `%XX` of an unreserved character is decoded, other `%xx` are upper-cased, the rest stands as received (RFC 3986 §6.2.2) |
//! | [`canonical`](RequestPath::canonical) | what is matched | everything is decoded once, except `%2F` and `%25`, which would change the meaning |
//!
//! Refused, each with its own [`PathError`], all to be answered with 400: a path that does not begin with `/`, a
//! malformed `%`, control characters (raw or encoded), raw characters that RFC 3986 does not allow in a path, octets
//! that are not UTF-8 (`%C0%AE` is a dot to careless decoders), and dot segments. A dot segment is `.` or `..`, plain or encoded, alone or followed by `;…`, between slashes or between
//! anything that some server takes for a slash (`%2F`, `\`, `%5C`). Nothing is ever resolved: `//` is an empty
//! segment, which only an empty segment of a template matches.
//!
//! **Templates** ([`Template`]) are sequences of literals and parameters. A parameter takes one or more characters of
//! one segment; a greedy one (`{+rest}`) takes `/` as well. Literals are read like request paths, so a space in a
//! template is `%20` on the wire.
//!
//! A parameter must not be a way around its neighbours: if `/users/{id}` took `/users/1%2Fsecrets`, an upstream that
//! decodes before it splits would serve `/users/1/secrets`, whatever `/users/{id}/secrets` asks for. So a parameter
//! takes none of the characters that servers read differently ([`Ambiguous`]: `%2F`, `%25`, `\`, `;`), unless the
//! document [allows](Allowance) one for it; and a greedy one takes no `/` beside another one. Such a path is not
//! refused; the template does not match it, and another one may. One `/` at the end of a greedy value is taken.
//!
//! **How upstreams read paths** ([`PathReading`], [`UpstreamView`], [`Candidates`]). An upstream that ignores case serves `/users/ME` as
//! `/users/me`. A view of the operations of one upstream finds what it may take a path for, so that the stricter of the
//! operations can answer.
//!
//! **Who answers** ([`Router::find`]) never depends on the order of insertion. Templates without greedy parameters
//! come before those with; then the first differing segment from the left decides: a literal, then a pattern such as
//! `{id}.json` (more literal characters first), then a whole parameter, then a greedy one. Of two equal templates, the
//! one with more conditions comes first. The first in this order that matches path, query and header fields answers.
//!
//! **Unclear queries** find no route, and neither do unclear header fields, such as one that occurs twice. If a
//! route with the template of the one that would answer, or with one before it that matches the path, has a condition
//! on a parameter that the query names more than once, beside a `;` (which some servers take for `&`) or with a
//! malformed `%`, then no route answers, not even one without conditions: `/act` must not carry `action=delete` to an
//! upstream that reads the query differently. A name with a malformed `%` may be any name.
//!
//! **Rules** are tried where no template matches. They see a [`RuleTarget`], and make new targets with an [`Expansion`].
//!
//! [`matchit`] finds the *shape* of a path (whole segments, names forgotten). Each shape has a slot with the candidates
//! in order, including templates of other shapes that can match a path which lands there; the list ends at the first
//! that always matches. `matchit` cannot hold `{*rest}` beside `{a}`, so greedy templates have a second router, keyed
//! by the literal segments that they begin with.

mod ambiguity;
mod candidates;
mod expansion;
mod group;
mod joined;
mod matching;
mod overlap;
mod path;
mod query;
mod reading;
mod router;
mod template;
mod trie;
mod value;
mod view;

pub use ambiguity::{Allowance, Ambiguous};
pub use candidates::{Candidates, ReadPath};
pub use expansion::{Captures, Expansion, ExpansionError, GROUPS, RuleTarget, is_clear};
pub use group::{Forwarded, Group, Strictest, asks_no_less, strictest};
pub use joined::joined;
pub use overlap::{Overlap, overlap};
pub use path::{PathError, RequestPath};
pub use query::{Condition, Part, Reading, Selectors};
pub use reading::{EmptySegments, PathCase, PathReading, TrailingSlash, UpstreamPaths};
pub use router::{Conflict, Considered, Match, Outcome, OwnedParams, Param, Params, Router, RouterBuilder};
pub use template::{Template, TemplateError, TemplateErrorKind};
pub use value::{Filler, Value};
pub use view::{Meaning, Rivals, UpstreamView};
