//! What is described of requests and responses, as tables.

use crate::emit::layout::Expression;
use crate::emit::literals::{boolean, size};
use crate::examples::{DescribedContent, DescribedResponse};
use crate::ir::{
    Content, Contract, DescribedParameter, Details, Mode, ParameterLocation, Part, RequestBody, Response,
    ResponseField, Responses, StatusKey, Style, Unknown, Written,
};
use crate::schema::Json;

pub(super) fn contract(contract: &Contract) -> Expression {
    if *contract == Contract::NOTHING {
        return Expression::word("Contract::NOTHING");
    }
    let details = match contract.details {
        Details::Full => "Details::Full",
        Details::Location => "Details::Location",
        Details::Nothing => "Details::Nothing",
    };
    Expression::Struct(
        "Contract",
        vec![
            ("parameters", Expression::Slice(contract.parameters.iter().map(parameter).collect())),
            ("unknown", unknown(&contract.unknown)),
            ("body", optional(contract.body.as_ref().map(body))),
            ("responses", optional(contract.responses.as_ref().map(responses))),
            ("details", Expression::word(details)),
        ],
    )
}

/// A named schema.
pub(super) fn named(name: &str, schema: &Json) -> Expression {
    Expression::Struct("NamedSchema", vec![("name", Expression::text(name)), ("schema", Expression::json(schema))])
}

fn optional(value: Option<Expression>) -> Expression {
    value.map_or(Expression::word("None"), |value| Expression::Call("Some", vec![value]))
}

fn mode(mode: Mode) -> Expression {
    Expression::word(match mode {
        Mode::Off => "Mode::Off",
        Mode::Observe => "Mode::Observe",
        Mode::Enforce => "Mode::Enforce",
    })
}

fn location(location: ParameterLocation) -> Expression {
    Expression::word(match location {
        ParameterLocation::Path => "ParameterLocation::Path",
        ParameterLocation::Query => "ParameterLocation::Query",
        ParameterLocation::QueryString => "ParameterLocation::QueryString",
        ParameterLocation::Header => "ParameterLocation::Header",
        ParameterLocation::Cookie => "ParameterLocation::Cookie",
    })
}

fn written(written: &Written) -> Expression {
    match written {
        Written::Content(media_type) => Expression::Call("Written::Content", vec![Expression::text(media_type)]),
        Written::As(style, explode) => {
            let style = match style {
                Style::Matrix => "Style::Matrix",
                Style::Label => "Style::Label",
                Style::Simple => "Style::Simple",
                Style::Form => "Style::Form",
                Style::SpaceDelimited => "Style::SpaceDelimited",
                Style::PipeDelimited => "Style::PipeDelimited",
                Style::DeepObject => "Style::DeepObject",
                Style::Cookie => "Style::Cookie",
            };
            let explode = if *explode { "Explode::Yes" } else { "Explode::No" };
            Expression::Call("Written::As", vec![Expression::word(style), Expression::word(explode)])
        }
    }
}

fn parameter(parameter: &DescribedParameter) -> Expression {
    Expression::Struct(
        "Parameter",
        vec![
            ("name", Expression::text(&parameter.name)),
            ("location", location(parameter.location)),
            ("mode", mode(parameter.mode)),
            ("required", boolean(parameter.required)),
            ("may_be_empty", boolean(parameter.may_be_empty)),
            ("written", written(&parameter.written)),
            ("schema", Expression::json(&parameter.schema)),
        ],
    )
}

fn unknown(unknown: &Unknown) -> Expression {
    if *unknown == Unknown::IGNORED {
        return Expression::word("Unknown::IGNORED");
    }
    let known =
        unknown.known.iter().map(|(place, name)| Expression::Call("", vec![location(*place), Expression::text(name)]));
    Expression::Struct(
        "Unknown",
        vec![
            ("query", mode(unknown.query)),
            ("header", mode(unknown.header)),
            ("cookie", mode(unknown.cookie)),
            ("known", Expression::Slice(known.collect())),
        ],
    )
}

fn body(body: &RequestBody) -> Expression {
    Expression::Struct(
        "RequestBody",
        vec![
            ("mode", mode(body.mode)),
            ("required", boolean(body.required)),
            ("max", size(body.max)),
            ("refused_with", Expression::number(body.refused_with.into())),
            ("contents", contents(&body.contents)),
        ],
    )
}

fn contents(contents: &[Content]) -> Expression {
    let content = |content: &Content| {
        Expression::Struct(
            "Content",
            vec![
                ("media_type", Expression::text(&content.media_type)),
                ("schema", content.schema.as_ref().map_or_else(|| Expression::text(""), Expression::json)),
                ("parts", Expression::Slice(content.parts.iter().map(part).collect())),
            ],
        )
    };
    Expression::Slice(contents.iter().map(content).collect())
}

fn part(part: &Part) -> Expression {
    Expression::Struct(
        "Part",
        vec![
            ("name", Expression::text(&part.name)),
            ("content_type", Expression::text(&part.content_type)),
            ("written", optional(part.written.as_ref().map(written))),
        ],
    )
}

fn responses(responses: &Responses) -> Expression {
    Expression::Struct(
        "Responses",
        vec![
            ("mode", mode(responses.mode)),
            ("max", size(responses.max)),
            ("described", Expression::Slice(responses.described.iter().map(response).collect())),
        ],
    )
}

fn response(response: &Response) -> Expression {
    let status = match response.status {
        StatusKey::Exactly(status) => Expression::Call("StatusKey::Exactly", vec![Expression::number(status.into())]),
        StatusKey::Class(class) => Expression::Call("StatusKey::Class", vec![Expression::number(class.into())]),
        StatusKey::Default => Expression::word("StatusKey::Default"),
    };
    Expression::Struct(
        "Response",
        vec![
            ("status", status),
            ("fields", Expression::Slice(response.fields.iter().map(field).collect())),
            ("contents", contents(&response.contents)),
        ],
    )
}

fn field(field: &ResponseField) -> Expression {
    Expression::Struct(
        "Field",
        vec![
            ("name", Expression::text(&field.name)),
            ("required", boolean(field.required)),
            ("written", written(&field.written)),
            ("schema", Expression::json(&field.schema)),
        ],
    )
}

/// What `builtin: mock` answers.
pub(super) fn mock(responses: &[DescribedResponse]) -> Expression {
    let pair = |(name, text): &(String, String)| {
        Expression::Call("", vec![Expression::text(name), Expression::readable(text)])
    };
    let content = |content: &DescribedContent| {
        Expression::Struct(
            "MockContent",
            vec![
                ("media_type", Expression::text(&content.media_type)),
                ("examples", Expression::Slice(content.examples.iter().map(pair).collect())),
            ],
        )
    };
    let response = |response: &DescribedResponse| {
        let fields = response
            .fields
            .iter()
            .map(|(name, value)| Expression::Call("", vec![Expression::text(name), Expression::text(value)]));
        Expression::Struct(
            "MockResponse",
            vec![
                ("status", Expression::text(&response.status)),
                ("fields", Expression::Slice(fields.collect())),
                ("contents", Expression::Slice(response.contents.iter().map(content).collect())),
            ],
        )
    };
    Expression::Struct("Mock", vec![("responses", Expression::Slice(responses.iter().map(response).collect()))])
}
