//! Which operation answers a request, and why not the others: asked of the router that the gateway uses.

use std::fmt::Write as _;

use gateway_route::{Outcome, RequestPath};
use serde_json::{Value, json};

use crate::ir::{Api, Gateway, Route};
use crate::policy;

/// More routes that almost match help nobody.
const MOST_NEAR: usize = 8;

/// What becomes of a request.
#[derive(Debug)]
pub struct Explanation {
    method: String,
    url: String,
    /// One for each API; another API is on another listener.
    apis: Vec<ApiExplanation>,
}

#[derive(Debug)]
struct ApiExplanation {
    api: String,
    answer: Answer,
    others: Vec<(String, String)>,
}

#[derive(Debug)]
enum Answer {
    /// The operation's id, the route, who may call, the upstream, and the parameters as name and decoded value.
    Operation {
        id: String,
        route: String,
        access: Option<String>,
        upstream: Option<String>,
        params: Vec<(String, String)>,
    },
    /// 405, with the route and its methods.
    OtherMethods { route: String, allow: Vec<String> },
    /// 404.
    NoRoute,
    /// 400, and why.
    Refused(String),
}

/// Explains a request for a URL, absolute or from its path on.
pub fn explain(gateway: &Gateway, method: &str, url: &str) -> Explanation {
    let apis = gateway.apis.iter().map(|api| explain_api(api, method, url)).collect();
    Explanation { method: method.to_owned(), url: url.to_owned(), apis }
}

impl Explanation {
    /// Whether an operation answers.
    pub fn is_answered(&self) -> bool {
        self.apis.iter().any(|api| matches!(api.answer, Answer::Operation { .. }))
    }

    /// For people.
    pub fn text(&self) -> String {
        let mut out = String::new();
        let found = self.apis.iter().any(|api| !matches!(api.answer, Answer::NoRoute));
        for ApiExplanation { api, answer, others } in &self.apis {
            if found && matches!(answer, Answer::NoRoute) {
                continue;
            }
            let _ = match answer {
                Answer::Operation { id, route, .. } => {
                    writeln!(out, "{} {}\n  is answered by `{id}` of {api}: {route}", self.method, self.url)
                }
                Answer::OtherMethods { route, allow } => {
                    writeln!(
                        out,
                        "{} {}\n  is answered with 405 by {route} of {api}, which has {}",
                        self.method,
                        self.url,
                        allow.join(", ")
                    )
                }
                Answer::NoRoute => {
                    writeln!(out, "{} {}\n  is answered with 404: no path of {api} matches", self.method, self.url)
                }
                Answer::Refused(why) => writeln!(out, "{} {}\n  is answered with 400: {why}", self.method, self.url),
            };
            if let Answer::Operation { access, upstream, params, .. } = answer {
                for (name, value) in params {
                    let _ = writeln!(out, "  {name} = {value:?}");
                }
                if let (Some(access), Some(upstream)) = (access, upstream) {
                    let _ = writeln!(out, "  who may call: {access}\n  upstream: {upstream}");
                }
            }
            for (route, why) in others {
                let _ = writeln!(out, "  not {route}: {why}");
            }
        }
        out
    }

    /// For programs: an object with `method`, `url`, the `operation` that answers with its `parameters` (both null if
    /// none does), and `apis` with the details for each document.
    pub fn json(&self) -> String {
        let apis: Vec<Value> = self
            .apis
            .iter()
            .map(|ApiExplanation { api, answer, others }| {
                let others: Vec<Value> = others.iter().map(|(route, why)| json!({"path": route, "reason": why})).collect();
                let mut value = match answer {
                    Answer::Operation { id, route, access, upstream, params } => {
                        let list: Vec<Value> = params.iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
                        json!({"status": Value::Null, "operation": id, "path": route, "access": access, "upstream": upstream, "parameters": list})
                    }
                    Answer::OtherMethods { route, allow } => json!({"status": 405, "operation": Value::Null, "path": route, "allow": allow}),
                    Answer::NoRoute => json!({"status": 404, "operation": Value::Null}),
                    Answer::Refused(why) => json!({"status": 400, "operation": Value::Null, "reason": why}),
                };
                value["api"] = api.as_str().into();
                value["others"] = others.into();
                value
            })
            .collect();
        let answer = self.apis.iter().find_map(|api| match &api.answer {
            Answer::Operation { id, params, .. } => Some((id, params)),
            _ => None,
        });
        let operation = answer.map(|(id, _)| id);
        let parameters =
            answer.map(|(_, params)| params.iter().rev().cloned().collect::<std::collections::BTreeMap<_, _>>());
        let value = json!({
            "method": self.method,
            "url": self.url,
            "operation": operation,
            "parameters": parameters,
            "apis": apis,
        });
        format!("{value:#}\n")
    }
}

fn explain_api(api: &Api, method: &str, url: &str) -> ApiExplanation {
    let target = url.split_once("://").map_or(url, |(_, rest)| rest.find('/').map_or("/", |slash| &rest[slash..]));
    let target = target.split('#').next().unwrap_or_default();
    let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
    let path = match RequestPath::parse(path) {
        Ok(path) => path,
        Err(error) => {
            return ApiExplanation {
                api: api.name.clone(),
                answer: Answer::Refused(error.to_string()),
                others: Vec::new(),
            };
        }
    };
    let router = crate::router(api);
    let mut near = Vec::new();
    for considered in router.explain(&path, query) {
        let route = &api.routes[*considered.value];
        let (closeness, why) = match considered.outcome {
            Outcome::Answers => continue,
            Outcome::LessSpecific { than } => {
                let than = router.get(than).map(|&route| policy::path(&api.routes[route])).unwrap_or_default();
                (usize::MAX, format!("{than} is more specific"))
            }
            Outcome::Query { name, value } => (usize::MAX - 1, format!("the query needs `{name}={value}`, once")),
            Outcome::UnclearQuery { name } => (
                usize::MAX,
                format!(
                    "the query is not clear about `{name}`: it is there more than once, beside a `;` or badly encoded"
                ),
            ),
            Outcome::Path { segment: 0 } => continue,
            Outcome::Path { segment } => (segment, difference(route, path.canonical(), segment)),
        };
        near.push((std::cmp::Reverse(closeness), policy::path(route), why));
    }
    near.sort();
    let others = near.into_iter().take(MOST_NEAR).map(|(_, route, why)| (route, why)).collect();
    let answer = match router.find(&path, query) {
        None => Answer::NoRoute,
        Some(found) => {
            let route = &api.routes[*found.value];
            match route.described.iter().find(|(described, _)| described == method) {
                None => Answer::OtherMethods {
                    route: policy::path(route),
                    allow: route.described.iter().map(|(method, _)| method.clone()).collect(),
                },
                Some((_, id)) => {
                    let operation = route.operations.iter().find(|operation| operation.method == method);
                    Answer::Operation {
                        id: id.clone(),
                        route: policy::path(route),
                        access: operation.map(|operation| policy::access(api, &operation.access)),
                        upstream: operation.map(|operation| policy::target(&operation.action)),
                        params: found
                            .params
                            .iter()
                            .map(|param| (param.name.to_owned(), param.decoded().into_owned()))
                            .collect(),
                    }
                }
            }
        }
    };
    ApiExplanation { api: api.name.clone(), answer, others }
}

fn difference(route: &Route, path: &str, segment: usize) -> String {
    let texts: Vec<&str> = path.get(1..).unwrap_or_default().split('/').collect();
    let template = route.template.to_string();
    let wanted: Vec<&str> = template.get(1..).unwrap_or_default().split('/').collect();
    match (wanted.get(segment), texts.get(segment)) {
        (Some(wanted), Some(text)) => format!("`{text}` does not match `{wanted}`"),
        (Some(wanted), None) => format!("the path ends before `{wanted}`"),
        (None, _) => "the path goes on behind its end".to_owned(),
    }
}
