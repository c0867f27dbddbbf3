//! Schemas: prepared once, and then asked about values.
//!
//! A schema is JSON: `true`, `false`, or an object with the keywords of JSON Schema 2020-12 that assert something. The compiler
//! writes it, so that it is the same for all dialects:
//!
//! * `$ref` is the name of a named schema, and no URI; what stands beside it counts as well.
//! * `$dynamicRef` is `["anchor", "Name"]`: the schema that the outermost resource on the way here has under the anchor, or else
//!   the named one. `$dynamicAnchors`, an object of names by anchor, stands at the top of each named schema of a resource that
//!   has some.
//! * `discriminator` is `{"property": "kind", "mapping": {"cat": "Cat"}}`, beside `oneOf` or `anyOf`, which it replaces: the
//!   value of the property is one of these, and the named schema is the one that counts.
//! * `readOnly: true` refuses a value in a request, `writeOnly: true` in a response; a member that the direction refuses is not
//!   required there.
//! * `type` is a text or a list. `$id`, `$anchor`, `$defs`, `definitions`, titles, examples and other annotations are left out.
