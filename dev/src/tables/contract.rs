//! What is described of requests and responses.

use gateway_runtime::codegen::{
    ByteSize, Content, Contract, Explode, Field, Mock, MockContent, MockResponse, NamedSchema, Parameter, Part,
    RequestBody, Response, Responses, Unknown, Written,
};
use gatewayc::examples::DescribedResponse;
use gatewayc::ir;
use gatewayc::schema::Json;

use crate::tables::text::{kept, list, text};

pub(super) fn contract(contract: &ir::Contract) -> Contract {
    let ir::Contract { parameters, unknown: others, body, responses, details } = contract;
    Contract {
        parameters: list(parameters, |one| Parameter {
            name: text(&one.name),
            location: one.location,
            mode: one.mode,
            required: one.required,
            may_be_empty: one.may_be_empty,
            written: written(&one.written),
            schema: json(&one.schema),
        }),
        unknown: Unknown {
            query: others.query,
            header: others.header,
            cookie: others.cookie,
            known: list(&others.known, |(location, name)| (*location, text(name))),
        },
        body: body.as_ref().map(|body| RequestBody {
            mode: body.mode,
            required: body.required,
            max: ByteSize(body.max.0),
            refused_with: body.refused_with,
            contents: contents(&body.contents),
        }),
        responses: responses.as_ref().map(|responses| Responses {
            mode: responses.mode,
            max: ByteSize(responses.max.0),
            described: list(&responses.described, |one| Response {
                status: one.status,
                fields: list(&one.fields, |field| Field {
                    name: text(&field.name),
                    required: field.required,
                    written: written(&field.written),
                    schema: json(&field.schema),
                }),
                contents: contents(&one.contents),
            }),
        }),
        details: *details,
    }
}

/// A schema that others refer to.
pub(super) fn named_schema(name: &str, schema: &Json) -> &'static NamedSchema {
    kept(NamedSchema { name: text(name), schema: json(schema) })
}

fn contents(contents: &[ir::Content]) -> &'static [Content] {
    list(contents, |content| Content {
        media_type: text(&content.media_type),
        schema: content.schema.as_ref().map_or("", json),
        parts: list(&content.parts, |part| Part {
            name: text(&part.name),
            content_type: text(&part.content_type),
            written: part.written.as_ref().map(written),
        }),
    })
}

fn written(written: &ir::Written) -> Written {
    match written {
        ir::Written::As(style, explode) => Written::As(*style, if *explode { Explode::Yes } else { Explode::No }),
        ir::Written::Content(media_type) => Written::Content(text(media_type)),
    }
}

fn json(schema: &Json) -> &'static str {
    text(&schema.for_tables())
}

/// What `builtin: mock` answers.
pub(super) fn mock(responses: &[DescribedResponse]) -> Mock {
    let pairs = |pairs: &[(String, String)]| list(pairs, |(name, value)| (text(name), text(value)));
    Mock {
        responses: list(responses, |response| MockResponse {
            status: text(&response.status),
            fields: pairs(&response.fields),
            contents: list(&response.contents, |content| MockContent {
                media_type: text(&content.media_type),
                examples: pairs(&content.examples),
            }),
        }),
    }
}
