//! What an operation's requests and responses are checked for: what is described, joined with `validation`.

use gateway_route::Template;
use gateway_yaml::{Node, Spanned};

use crate::ast;
use crate::diagnostic::{Diagnostic, GW702, GW708, Severity};

use crate::ir::{
    Access, Api, Content, Contract, CredentialLocation, DescribedParameter, Details, Mode, ParameterLocation, Part,
    RequestBody, Response, ResponseField, Responses, Scheme, Style, Unknown, Written,
};
use crate::lower::lowering::Lowering;
use crate::lower::naming::title;
use crate::policy;
use crate::schema::{Json, Schema};
use crate::units::ByteSize;
use crate::vocabulary::ValidationPolicy;

/// A larger body is not checked, but refused, unless a document says otherwise.
const DEFAULT_MAX_BODY: ByteSize = ByteSize(1 << 20);

/// A schema with more text than this, in bytes, gets a name, and stands with the other named schemas.
const LONGEST_BESIDE: usize = 800;

/// References that are followed to find out what a schema is for.
const MOST_REFERENCES: usize = 20;

/// Fields that OpenAPI does not let a document describe as parameters.
const NO_PARAMETERS: [&str; 3] = ["accept", "content-type", "authorization"];

/// One operation while its contract is made.
pub(super) struct Described<'a, 'd> {
    pub(super) path: &'a ast::PathItem,
    pub(super) operation: &'a ast::Operation,
    pub(super) policy: &'d ValidationPolicy,
    /// The gateway answers it itself, and reads all but the path in its own way.
    pub(super) reads_itself: bool,
    /// Of the whole request.
    pub(super) max_body: ByteSize,
}

impl<'a> Lowering<'a> {
    /// The contract of an operation that is served at a template.
    pub(super) fn contract(&mut self, described: &Described<'a, '_>, template: &Template) -> Contract {
        let Described { policy, reads_itself, .. } = described;
        let is_strict = policy.strict == Some(true);
        let mut parameters = self.described_parameters(described, template, is_strict);
        let mut contract = Contract { details: policy.details.unwrap_or(Details::Full), ..Contract::NOTHING };
        if !reads_itself {
            contract.unknown = Unknown {
                query: policy.unknown_query.unwrap_or(Mode::Off),
                header: policy.unknown_header.unwrap_or(Mode::Off),
                cookie: policy.unknown_cookie.unwrap_or(Mode::Off),
                known: Vec::new(),
            };
            contract.body = self.described_body(described, is_strict);
            contract.responses = self.described_responses(described, is_strict);
        }
        // What is not looked at need not be known, but where others are counted.
        parameters
            .retain(|parameter| parameter.mode != Mode::Off || counts_others(&contract.unknown, parameter.location));
        contract.parameters = parameters;
        self.check_validation(described, &contract);
        contract
    }

    fn described_parameters(
        &mut self,
        described: &Described<'a, '_>,
        template: &Template,
        is_strict: bool,
    ) -> Vec<DescribedParameter> {
        let Described { path, operation, policy, reads_itself, .. } = described;
        let mut parameters: Vec<DescribedParameter> = Vec::new();
        for parameter in operation.parameters.iter().chain(&path.parameters) {
            let (name, location) = (&parameter.name.value, parameter.location);
            let is_known = parameters.iter().any(|known| {
                known.location == location
                    && (known.name == *name
                        || (location == ParameterLocation::Header && known.name.eq_ignore_ascii_case(name)))
            });
            let is_elsewhere = location == ParameterLocation::Path && !template.names().any(|known| known == name);
            let is_left_out = location == ParameterLocation::Header
                && NO_PARAMETERS.iter().any(|known| known.eq_ignore_ascii_case(name));
            let is_read = *reads_itself && location != ParameterLocation::Path;
            if is_known || is_elsewhere || is_left_out || is_read {
                continue;
            }
            let mode = match location {
                ParameterLocation::Path => policy.path,
                ParameterLocation::Query | ParameterLocation::QueryString => policy.query,
                ParameterLocation::Header => policy.header,
                ParameterLocation::Cookie => policy.cookie,
            };
            let mut mode = mode.unwrap_or(Mode::Enforce);
            if mode != Mode::Off && !self.is_readable(parameter, is_strict) {
                mode = Mode::Off;
            }
            let schema = match &parameter.checked {
                Some(schema) if mode != Mode::Off => {
                    self.use_schema(schema, is_strict);
                    schema.json.clone()
                }
                _ => Json::Bool(true),
            };
            if mode != Mode::Off {
                self.say(&parameter.notes, is_strict);
            }
            // Any text of a path is a string, and none is empty.
            if location == ParameterLocation::Path && admits_any_text(&schema) && is_plain(&parameter.written) {
                continue;
            }
            parameters.push(DescribedParameter {
                name: name.clone(),
                location,
                mode,
                required: parameter.required && location != ParameterLocation::Path,
                may_be_empty: parameter.may_be_empty,
                written: parameter.written.clone(),
                schema,
            });
        }
        parameters.sort_by(|a, b| (a.location, &a.name).cmp(&(b.location, &b.name)));
        parameters
    }

    /// Whether a parameter's content can be read; one that cannot is reported.
    fn is_readable(&mut self, parameter: &ast::Parameter, is_strict: bool) -> bool {
        let Written::Content(media_type) = &parameter.written else { return true };
        if is_checked(media_type) || parameter.checked.is_none() {
            return true;
        }
        let headline = format!("`{}` is `{media_type}`, which is not checked", parameter.name.value);
        let diagnostic = Diagnostic::warning(GW702, headline)
            .at(parameter.name.span, "any value passes")
            .help("the gateway reads JSON, forms and text");
        self.say(&[diagnostic], is_strict);
        false
    }

    fn described_body(&mut self, described: &Described<'a, '_>, is_strict: bool) -> Option<RequestBody> {
        let Described { operation, policy, max_body, .. } = described;
        let body = operation.body.as_ref()?;
        let has_schema = body.contents.iter().any(|content| content.schema.is_some());
        let default = if has_schema || !body.notes.is_empty() { Mode::Enforce } else { Mode::Off };
        let mode = policy.body.unwrap_or(default);
        if mode == Mode::Off {
            return None;
        }
        self.say(&body.notes, is_strict);
        let contents = self.contents(&body.contents, &format!("{}.body", own_name(described)), is_strict);
        Some(RequestBody {
            mode,
            required: body.required,
            max: policy.max_body.unwrap_or(ByteSize(DEFAULT_MAX_BODY.0.min(max_body.0))),
            refused_with: if describes_422(&operation.node) { 422 } else { 400 },
            contents,
        })
    }

    fn described_responses(&mut self, described: &Described<'a, '_>, is_strict: bool) -> Option<Responses> {
        let Described { operation, policy, .. } = described;
        let mode = policy.response.filter(|mode| *mode != Mode::Off)?;
        self.say(&operation.responses_notes, is_strict);
        let mut found = Vec::new();
        for response in &operation.responses {
            let fields = response.fields.iter().map(|field| {
                let schema = match &field.schema {
                    Some(schema) => {
                        self.use_schema(schema, is_strict);
                        schema.json.clone()
                    }
                    None => Json::Bool(true),
                };
                let ast::Field { name, required, written, .. } = field;
                ResponseField { name: name.value.clone(), required: *required, written: written.clone(), schema }
            });
            let fields = fields.collect();
            let owner = format!("{}.{}", own_name(described), policy::status(response.status));
            let contents = self.contents(&response.contents, &owner, is_strict);
            found.push(Response { status: response.status, fields, contents });
        }
        found.sort_by_key(|response| response.status);
        Some(Responses { mode, max: policy.max_body.unwrap_or(DEFAULT_MAX_BODY), described: found })
    }

    /// The contents of a body, which is called `owner`.
    fn contents(&mut self, contents: &'a [ast::Content], owner: &str, is_strict: bool) -> Vec<Content> {
        let mut found = Vec::new();
        for content in contents {
            let ast::Content { media_type, schema, parts, samples } = content;
            let mut checked = None;
            if let Some(schema) = schema {
                if is_checked(media_type) {
                    self.report_unread(media_type, schema, is_strict);
                    self.use_schema(schema, is_strict);
                    self.checked.samples.extend(samples);
                    checked = Some(self.beside_or_named(&schema.json, owner));
                } else if !admits_any_text(&schema.json) {
                    let headline = format!("a body that is `{}` is not checked", media_type.value);
                    let diagnostic = Diagnostic::warning(GW702, headline)
                        .at(media_type.span, "any content of this type passes")
                        .help("the gateway reads JSON, forms and text; without a `schema` it is plain that nothing is checked")
                        .because_of(format!("media type {}", media_type.value), "a body");
                    self.say(&[diagnostic], is_strict);
                }
            }
            let parts = parts.iter().map(|part| Part {
                name: part.name.value.clone(),
                content_type: part.content_type.clone(),
                written: part.written.clone(),
            });
            found.push(Content { media_type: media_type.value.clone(), schema: checked, parts: parts.collect() });
        }
        found
    }

    /// A schema that is short enough to stand beside its operation, or else a reference to it under a name.
    fn beside_or_named(&mut self, schema: &Json, owner: &str) -> Json {
        if schema.compact().len() <= LONGEST_BESIDE {
            return schema.clone();
        }
        let known = &self.document.schemas.named;
        for number in 1_usize.. {
            let name = if number == 1 { owner.to_owned() } else { format!("{owner}_{number}") };
            if known.iter().any(|named| named.name == name) {
                continue;
            }
            match self.checked.named.iter().find(|(other, _)| *other == name) {
                Some((_, same)) if same != schema => continue,
                Some(_) => {}
                None => self.checked.named.push((name.clone(), schema.clone())),
            }
            return Json::Object(vec![("$ref".to_owned(), Json::text(name))]);
        }
        schema.clone()
    }

    /// Reports what passes without a check although its type is one that the gateway reads, or is among such types.
    fn report_unread(&mut self, media_type: &Spanned<String>, schema: &Schema, is_strict: bool) {
        let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let (label, help) = if matches!(&*essence, "*/*" | "application/*" | "multipart/*") {
            if admits_any_text(&schema.json) {
                return;
            }
            let label = "content of a type that the gateway does not read passes, and so does content without a type";
            (label, "write the types that clients send, such as `application/json`")
        } else if essence.starts_with("text/") && !essence.ends_with("json") && !self.may_be_text(&schema.json) {
            let label = "any text passes: its schema is for what the text stands for";
            (label, "the gateway reads JSON, forms and plain text")
        } else {
            return;
        };
        let headline = format!("not all content that is `{}` is checked", media_type.value);
        let diagnostic = Diagnostic::warning(GW702, headline).at(media_type.span, label).help(help);
        self.say(&[diagnostic.because_of(format!("media type {}", media_type.value), "a body")], is_strict);
    }

    /// Whether a schema is for texts, or for what a text may stand for: no `type` says that it is not.
    fn may_be_text(&self, schema: &Json) -> bool {
        let mut schema = schema;
        for _ in 0..MOST_REFERENCES {
            let Json::Object(members) = schema else { return true };
            let member = |wanted: &str| members.iter().find(|(name, _)| name == wanted).map(|(_, value)| value);
            let is_structure = |kind: &Json| [Json::text("object"), Json::text("array")].contains(kind);
            match (member("type"), member("$ref")) {
                (Some(Json::Array(kinds)), _) => return !kinds.iter().all(is_structure),
                (Some(kind), _) => return !is_structure(kind),
                (None, Some(Json::String(name))) => {
                    let named = self.document.schemas.named.iter().find(|named| named.name == *name);
                    let Some(named) = named else { return true };
                    schema = &named.schema.json;
                }
                (None, _) => return true,
            }
        }
        true
    }

    /// Notes that a schema is checked, and reports what is wrong with it and with those that it leads to.
    fn use_schema(&mut self, schema: &'a Schema, is_strict: bool) {
        self.say(&schema.notes, is_strict);
        self.checked.samples.extend(&schema.samples);
        self.checked.used.push(schema);
        let named = &self.document.schemas.named;
        let said = usize::from(is_strict);
        self.checked.said[said].resize(named.len(), false);
        let mut pending = schema.refs.clone();
        while let Some(at) = pending.pop() {
            let Some(is_said) = self.checked.said[said].get_mut(at) else { continue };
            if std::mem::replace(is_said, true) {
                continue;
            }
            let Some(named) = named.get(at) else { continue };
            pending.extend(&named.schema.refs);
            self.checked.samples.extend(&named.schema.samples);
            let notes = named.schema.notes.clone();
            self.say(&notes, is_strict);
        }
    }

    /// Reports what is wrong with something that is checked. Where a document is strict, what cannot be enforced is an
    /// error.
    fn say(&mut self, notes: &[Diagnostic], is_strict: bool) {
        for note in notes {
            let mut note = note.clone();
            if is_strict && note.code == GW702 {
                note.severity = Severity::Error;
            }
            self.diagnostics.push(note);
        }
    }

    /// What an operation itself says about checks that it does not have is meant for something else.
    fn check_validation(&mut self, described: &Described<'a, '_>, contract: &Contract) {
        let Described { path, operation, policy, .. } = described;
        for (name, at) in &policy.own {
            let is_idle = match name.as_str() {
                "request" => operation.parameters.is_empty() && path.parameters.is_empty() && operation.body.is_none(),
                "maxBody" => contract.body.is_none() && contract.responses.is_none(),
                "details" => contract.is_idle(),
                _ => false,
            };
            if is_idle {
                let headline = format!("`{name}` in the `validation` of {} changes nothing", title(path, operation));
                self.diagnostics.push(
                    Diagnostic::warning(GW708, headline)
                        .at(*at, "nothing that it is about is checked there")
                        .help("remove it, or describe what is to be checked"),
                );
            }
        }
    }
}

/// Where parameters are counted that are not described, those of credentials are known.
pub(super) fn note_credentials(api: &mut Api) {
    let schemes = &api.schemes;
    for operation in api.routes.iter_mut().flat_map(|route| &mut route.operations) {
        let unknown = &mut operation.contract.unknown;
        let Access::OneOf(alternatives) = &operation.access else { continue };
        if [unknown.query, unknown.header, unknown.cookie] == [Mode::Off; 3] {
            continue;
        }
        let required = |scheme: &&Scheme| alternatives.iter().flatten().any(|one| one.scheme == scheme.name);
        for location in schemes.iter().filter(required).flat_map(|scheme| &scheme.locations) {
            unknown.known.push(match location {
                CredentialLocation::Header(name) => (ParameterLocation::Header, name.clone()),
                CredentialLocation::Query(name) => (ParameterLocation::Query, name.clone()),
                CredentialLocation::Cookie(name) => (ParameterLocation::Cookie, name.clone()),
                CredentialLocation::Form(_) | CredentialLocation::Subprotocol(_) => continue,
            });
        }
        unknown.known.sort();
        unknown.known.dedup();
    }
}

/// What schemas of an operation are called after.
fn own_name(described: &Described<'_, '_>) -> String {
    let Described { path, operation, .. } = described;
    let id = operation.operation_id.as_ref().map(|id| id.value.clone());
    id.unwrap_or_else(|| format!("{} {}", operation.method, path.key.value))
}

/// Whether parameters of a place are counted that are not described.
fn counts_others(unknown: &Unknown, location: ParameterLocation) -> bool {
    let mode = match location {
        ParameterLocation::Path => Mode::Off,
        ParameterLocation::Query | ParameterLocation::QueryString => unknown.query,
        ParameterLocation::Header => unknown.header,
        ParameterLocation::Cookie => unknown.cookie,
    };
    mode != Mode::Off
}

/// The keys of `responses` of an operation.
pub(super) fn statuses(operation: &Node) -> Vec<String> {
    let responses = operation.get("responses").and_then(Node::as_mapping);
    let keys = responses.into_iter().flatten().map(|entry| entry.key.name.to_string());
    keys.filter(|key| !key.starts_with("x-")).collect()
}

/// Whether an operation describes a response 422, which is for bodies that can be read and are not as described.
fn describes_422(operation: &Node) -> bool {
    statuses(operation).iter().any(|key| key == "422" || key.eq_ignore_ascii_case("4XX"))
}

/// Whether the gateway reads content of this type.
fn is_checked(media_type: &str) -> bool {
    let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let is_json = essence == "application/json" || essence.ends_with("+json");
    let is_form = essence == "application/x-www-form-urlencoded" || essence == "multipart/form-data";
    // A range is for all that the gateway reads, too.
    is_json || is_form || essence.starts_with("text/") || matches!(&*essence, "*/*" | "application/*" | "multipart/*")
}

/// Whether a schema refuses no text.
fn admits_any_text(schema: &Json) -> bool {
    match schema {
        Json::Bool(allowed) => *allowed,
        Json::Object(members) => members.iter().all(|(name, value)| name == "type" && *value == Json::text("string")),
        _ => false,
    }
}

fn is_plain(written: &Written) -> bool {
    matches!(written, Written::As(Style::Simple, _))
}
