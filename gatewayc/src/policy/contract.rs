//! What is checked of requests and responses, in words.

use std::fmt::Write as _;

use crate::ir::{Content, Contract, DescribedParameter, Details, Mode, ParameterLocation, StatusKey, Style, Written};
use crate::policy::lines::{line, one_line};

/// What the table at the head of a module says about an operation: nothing where nothing is described.
pub(super) fn word(contract: &Contract) -> &'static str {
    let (mut enforces, mut observes) = (false, false);
    for mode in contract.modes() {
        match mode {
            Mode::Enforce => enforces = true,
            Mode::Observe => observes = true,
            Mode::Off => {}
        }
    }
    match (enforces, observes) {
        (false, false) => "",
        (true, false) => "; enforced",
        (false, true) => "; observed",
        (true, true) => "; enforced in part",
    }
}

/// Every check of an operation.
pub(super) fn write(out: &mut String, contract: &Contract) {
    for parameter in &contract.parameters {
        line(out, &format!("{} {}", place(parameter.location), one_line(&parameter.name)), &described(parameter));
    }
    let unknown = &contract.unknown;
    for (what, mode) in
        [("query parameters", unknown.query), ("headers X-…", unknown.header), ("cookies", unknown.cookie)]
    {
        match mode {
            Mode::Off => {}
            Mode::Observe => line(out, &format!("other {what}"), "observed"),
            Mode::Enforce => line(out, &format!("other {what}"), "refused"),
        }
    }
    if let Some(body) = &contract.body {
        let required = if body.required { "required" } else { "optional" };
        let text = format!("{}, {required}, at most {}, else {}", mode(body.mode), body.max, body.refused_with);
        line(out, "body", &text);
        contents(out, "body", &body.contents);
    }
    if let Some(responses) = &contract.responses {
        line(out, "responses", &format!("{}, checked up to {}", mode(responses.mode), responses.max));
        for response in &responses.described {
            let status = status(response.status);
            if response.fields.is_empty() && response.contents.is_empty() {
                line(out, &format!("response {status}"), "with anything");
            }
            for field in &response.fields {
                let required = if field.required { "required, " } else { "" };
                let text = format!("{required}{}{}", written(&field.written, Style::Simple), field.schema.compact());
                line(out, &format!("response {status} {}", one_line(&field.name)), &text);
            }
            contents(out, &format!("response {status}"), &response.contents);
        }
    }
    if !contract.is_idle() && contract.details != Details::Full {
        let details = if contract.details == Details::Location { "where it is" } else { "nothing" };
        line(out, "what refusals say", details);
    }
}

fn contents(out: &mut String, what: &str, contents: &[Content]) {
    for content in contents {
        let mut text = content.schema.as_ref().map_or_else(|| "not checked".to_owned(), crate::schema::Json::compact);
        for part in &content.parts {
            let content_type = if part.content_type.is_empty() { "" } else { &part.content_type };
            let styled = part.written.as_ref().map_or_else(String::new, |it| written(it, Style::Form));
            let _ =
                write!(text, "; {} {}", part.name, format!("{content_type} {}", styled.trim_end_matches(", ")).trim());
        }
        line(out, &format!("{what} {}", one_line(&content.media_type)), &text);
    }
}

fn described(parameter: &DescribedParameter) -> String {
    let DescribedParameter { mode: what, required, may_be_empty, written: how, location, schema, .. } = parameter;
    let usual = match location {
        ParameterLocation::Path | ParameterLocation::Header => Style::Simple,
        ParameterLocation::Query | ParameterLocation::QueryString | ParameterLocation::Cookie => Style::Form,
    };
    let required = if *required { ", required" } else { "" };
    let empty = if *may_be_empty { ", may be empty" } else { "" };
    format!("{}{required}{empty}, {}{}", mode(*what), written(how, usual), schema.compact())
}

/// How a value is written, unless it is as usual.
fn written(written: &Written, usual: Style) -> String {
    match written {
        Written::Content(media_type) => format!("{media_type}, "),
        Written::As(style, explode) if *style == usual && *explode == matches!(style, Style::Form) => String::new(),
        Written::As(style, explode) => {
            let style = match style {
                Style::Matrix => "matrix",
                Style::Label => "label",
                Style::Simple => "simple",
                Style::Form => "form",
                Style::SpaceDelimited => "spaceDelimited",
                Style::PipeDelimited => "pipeDelimited",
                Style::DeepObject => "deepObject",
                Style::Cookie => "cookie",
            };
            format!("{style}{}, ", if *explode { " exploded" } else { "" })
        }
    }
}

fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Off => "not checked",
        Mode::Observe => "observed",
        Mode::Enforce => "enforced",
    }
}

fn place(location: ParameterLocation) -> &'static str {
    match location {
        ParameterLocation::Path => "path parameter",
        ParameterLocation::Query => "query parameter",
        ParameterLocation::QueryString => "whole query",
        ParameterLocation::Header => "header",
        ParameterLocation::Cookie => "cookie",
    }
}

/// For which responses a description is, as documents say it.
pub(crate) fn status(status: StatusKey) -> String {
    match status {
        StatusKey::Exactly(status) => status.to_string(),
        StatusKey::Class(class) => format!("{class}XX"),
        StatusKey::Default => "default".to_owned(),
    }
}
