//! Which operation answers a request, and why not the others: asked of the router that the gateway uses.

use std::fmt::Write as _;

use gateway_route::{
    Ambiguous, Captures, Condition, Expansion, Outcome, Part, Reading, RequestPath, RuleTarget, Selectors, Strictest,
};
use serde_json::{Value, json};

use crate::ir::{Api, Gateway, Operation, Route, Rule, RuleEffect};
use crate::policy;
use crate::readings;

/// More routes that almost match do not help.
const MOST_NEAR: usize = 8;
/// Paths that do not match, of which the nearest are shown.
const MOST_MISMATCHES: usize = 3;

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
    /// How many more do not match.
    folded: usize,
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
        /// What is checked, a line for each.
        checks: Vec<String>,
        /// The statuses with which the gateway itself may answer, and those of them that the document lacks.
        own: (Vec<u16>, Vec<u16>),
    },
    /// 405, with the route and its methods.
    OtherMethods { route: String, allow: Vec<String> },
    /// The first rule that is about it: its id, its pattern, what it does, and who may call where it forwards.
    Rule { id: String, pattern: String, effect: String, access: Option<String> },
    /// 404.
    NoRoute,
    /// 400, and why.
    Refused(String),
}

/// Explains a request for a URL, absolute or from its path on, with header fields as names and values.
pub fn explain(gateway: &Gateway, method: &str, url: &str, fields: &[(String, String)]) -> Explanation {
    let apis = gateway.apis.iter().map(|api| explain_api(api, method, url, fields)).collect();
    Explanation { method: method.to_owned(), url: url.to_owned(), apis }
}

impl Explanation {
    /// Whether an operation answers.
    pub fn is_answered(&self) -> bool {
        self.apis.iter().any(|api| matches!(api.answer, Answer::Operation { .. } | Answer::Rule { .. }))
    }

    /// For people.
    pub fn text(&self) -> String {
        let mut out = String::new();
        let found = self.apis.iter().any(|api| !matches!(api.answer, Answer::NoRoute));
        let nowhere: Vec<&ApiExplanation> =
            self.apis.iter().filter(|api| matches!(api.answer, Answer::NoRoute) && api.others.is_empty()).collect();
        if !found && nowhere.len() > 1 {
            let names: Vec<&str> = nowhere.iter().map(|api| api.api.as_str()).collect();
            let paths: usize = nowhere.iter().map(|api| api.folded).sum();
            let _ = writeln!(
                out,
                "{} {}\n  is answered with 404: none of the {paths} paths of {} matches",
                self.method,
                self.url,
                names.join(", ")
            );
        }
        for ApiExplanation { api, answer, others, folded } in &self.apis {
            let is_summed_up = nowhere.len() > 1 && nowhere.iter().any(|other| other.api == *api);
            if matches!(answer, Answer::NoRoute) && (found || is_summed_up) {
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
                Answer::Rule { id, pattern, effect, .. } => {
                    writeln!(out, "{} {}\n  meets {id} of {api}, {pattern}: {effect}", self.method, self.url)
                }
                Answer::NoRoute => {
                    writeln!(out, "{} {}\n  is answered with 404: no path of {api} matches", self.method, self.url)
                }
                Answer::Refused(why) => writeln!(out, "{} {}\n  is answered with 400: {why}", self.method, self.url),
            };
            if let Answer::Operation { access, upstream, params, checks, own, .. } = answer {
                for (name, value) in params {
                    let _ = writeln!(out, "  {name} = {value:?}");
                }
                if let (Some(access), Some(upstream)) = (access, upstream) {
                    let _ = writeln!(out, "  who may call: {access}\n  upstream: {upstream}");
                }
                for check in checks {
                    let _ = writeln!(out, "  {check}");
                }
                let (own, missing) = (listed(&own.0), listed(&own.1));
                if !own.is_empty() {
                    let lacks = if missing.is_empty() { String::new() } else { format!(" (not described: {missing})") };
                    let _ = writeln!(out, "  the gateway's own answers: {own}{lacks}");
                }
            }
            if let Answer::Rule { access: Some(access), .. } = answer {
                let _ = writeln!(out, "  who may call: {access}");
            }
            for (route, why) in others {
                let _ = writeln!(out, "  not {route}: {why}");
            }
            match folded {
                0 => {}
                1 => drop(writeln!(out, "  and 1 other path does not match")),
                more => drop(writeln!(out, "  and {more} other paths do not match")),
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
            .map(|ApiExplanation { api, answer, others, folded }| {
                let others: Vec<Value> = others.iter().map(|(route, why)| json!({"path": route, "reason": why})).collect();
                let mut value = match answer {
                    Answer::Operation { id, route, access, upstream, params, checks, own } => {
                        let list: Vec<Value> = params.iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
                        json!({"status": Value::Null, "operation": id, "path": route, "access": access, "upstream": upstream, "parameters": list, "checks": checks, "ownStatuses": own.0, "notDescribed": own.1})
                    }
                    Answer::OtherMethods { route, allow } => json!({"status": 405, "operation": Value::Null, "path": route, "allow": allow}),
                    Answer::Rule { id, pattern, effect, access } => json!({"status": Value::Null, "operation": Value::Null, "rule": id, "match": pattern, "effect": effect, "access": access}),
                    Answer::NoRoute => json!({"status": 404, "operation": Value::Null}),
                    Answer::Refused(why) => json!({"status": 400, "operation": Value::Null, "reason": why}),
                };
                value["api"] = api.as_str().into();
                value["others"] = others.into();
                value["folded"] = (*folded).into();
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

fn explain_api(api: &Api, method: &str, url: &str, fields: &[(String, String)]) -> ApiExplanation {
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
                folded: 0,
            };
        }
    };
    let reading = |name: &str| {
        let mut same = fields.iter().filter(|(field, _)| field.eq_ignore_ascii_case(name));
        match (same.next(), same.next()) {
            (Some((_, value)), None) => Reading::Once(value),
            (Some(_), Some(_)) => Reading::Unclear,
            (None, _) => Reading::Absent,
        }
    };
    let selectors = Selectors { query, fields: Some(&reading) };
    let router = crate::router(api);
    let mut near = Vec::new();
    for considered in router.explain(&path, selectors) {
        let route = &api.routes[*considered.value];
        let (closeness, why) = match considered.outcome {
            Outcome::Answers => continue,
            Outcome::LessSpecific { than } => {
                let than = router.get(than).map(|&route| policy::path(&api.routes[route])).unwrap_or_default();
                (usize::MAX, format!("{than} is more specific"))
            }
            Outcome::Condition(Condition { part, name, value }) => {
                let why = match (part, value) {
                    (Part::Query, Some(value)) => format!("the query needs `{name}={value}`, once"),
                    (Part::Query, None) => format!("the query needs `{name}`, once"),
                    (Part::Header, Some(value)) => format!("the request needs the header `{name}: {value}`, once"),
                    (Part::Header, None) => format!("the request needs the header `{name}`, once"),
                };
                (usize::MAX - 1, why)
            }
            Outcome::UnclearQuery { name } => (
                usize::MAX,
                format!(
                    "the request is not clear about `{name}`: it is there more than once, beside a `;` or badly encoded"
                ),
            ),
            Outcome::Refused { name, character } => (usize::MAX, refusal(&name, character)),
            Outcome::Path { segment: 0 } => continue,
            Outcome::Path { segment } => (segment, difference(route, path.canonical(), segment)),
        };
        near.push((std::cmp::Reverse(closeness), policy::path(route), why));
    }
    near.sort();
    let matching = near.iter().take_while(|(closeness, ..)| closeness.0 >= usize::MAX - 1).count().min(MOST_NEAR);
    // Of those that cannot match, only the nearest tell what may be misspelt.
    let nearest = near.get(matching).map(|(closeness, ..)| closeness.0);
    let shown = near.iter().skip(matching).take_while(|(closeness, ..)| Some(closeness.0) == nearest).count();
    let shown = matching + shown.min(MOST_MISMATCHES);
    let folded = api.routes.len() - shown.min(api.routes.len());
    let others = near.into_iter().take(shown).map(|(_, route, why)| (route, why)).collect();
    let answer = match router.find(&path, selectors) {
        None if router.is_unclear(&path, selectors) => Answer::NoRoute,
        None => by_rule(api, url, &path, query).unwrap_or(Answer::NoRoute),
        Some(found) => {
            let route = &api.routes[*found.value];
            // HEAD is answered as GET where it is not described itself.
            let is_described = route.described.iter().any(|(described, _)| described == method);
            let method = if method == "HEAD" && !is_described { "GET" } else { method };
            match route.described.iter().find(|(described, _)| described == method) {
                None => Answer::OtherMethods {
                    route: policy::path(route),
                    allow: route.described.iter().map(|(method, _)| method.clone()).collect(),
                },
                Some((_, id)) => {
                    let position = route.operations.iter().position(|operation| operation.method == method);
                    let operation = position.map(|position| &route.operations[position]);
                    let stricter = position.map_or(Strictest::Matched, |position| {
                        let place = (*found.value, position);
                        readings::stricter(api, place, &path, selectors)
                    });
                    match stricter {
                        Strictest::Matched => {}
                        Strictest::None => {
                            let why = "the upstream may read it as an operation with another security";
                            let others = vec![(policy::path(route), why.to_owned())];
                            return ApiExplanation { api: api.name.clone(), answer: Answer::NoRoute, others, folded };
                        }
                        Strictest::Other((read, operation, params)) => {
                            let why = "the upstream may read the path as that of the stricter operation";
                            let answer = Answer::Operation {
                                id: operation.id.clone(),
                                route: policy::path(read),
                                access: Some(policy::access(api, &operation.access)),
                                upstream: Some(policy::destinations(&operation.action)),
                                params,
                                checks: policy::checks(operation),
                                own: own(api, operation),
                            };
                            let others = vec![(policy::path(route), why.to_owned())];
                            return ApiExplanation { api: api.name.clone(), answer, others, folded };
                        }
                    }
                    Answer::Operation {
                        id: id.clone(),
                        route: policy::path(route),
                        access: operation.map(|operation| policy::access(api, &operation.access)),
                        upstream: operation.map(|operation| policy::destinations(&operation.action)),
                        params: found
                            .params
                            .iter()
                            .map(|param| (param.name.to_owned(), param.decoded().into_owned()))
                            .collect(),
                        checks: operation.map(policy::checks).unwrap_or_default(),
                        own: operation.map(|operation| own(api, operation)).unwrap_or_default(),
                    }
                }
            }
        }
    };
    // The one that answers is none of the others.
    let folded =
        folded.saturating_sub(usize::from(matches!(answer, Answer::Operation { .. } | Answer::OtherMethods { .. })));
    ApiExplanation { api: api.name.clone(), answer, others, folded }
}

/// The statuses of the gateway's own answers, and those that the document lacks.
fn own(api: &Api, operation: &Operation) -> (Vec<u16>, Vec<u16>) {
    let own = policy::own_statuses(api, operation);
    let missing = policy::not_described(operation, &own);
    (own, missing)
}

fn listed(statuses: &[u16]) -> String {
    statuses.iter().map(u16::to_string).collect::<Vec<_>>().join(" ")
}

/// The first rule that is about a request. Without a host in `url`, rules that ask for one are passed over.
fn by_rule(api: &Api, url: &str, path: &RequestPath<'_>, query: Option<&str>) -> Option<Answer> {
    let host = url.split_once("://").map_or("", |(_, rest)| rest.split(['/', '?', ':']).next().unwrap_or_default());
    let target = RuleTarget::new(path, query);
    let matches = |pattern: &str, ignores_case, text: &str| -> Option<Captures> {
        let regex = regex_lite::RegexBuilder::new(pattern).case_insensitive(ignores_case).build().ok()?;
        let found = regex.captures(text)?;
        Some(std::array::from_fn(|index| found.get(index + 1).map(|group| group.range())))
    };
    let captures = |rule: &Rule| {
        let pattern = &rule.pattern;
        if !pattern.host.is_empty() {
            matches(&pattern.host, true, host)?;
        }
        match matches(&pattern.pattern, pattern.ignores_case, target.text()) {
            Some(captures) => (!pattern.negated).then_some(captures),
            None => pattern.negated.then(Captures::default),
        }
    };
    let (rule, captures) = api.rules.iter().find_map(|rule| Some((rule, captures(rule)?)))?;
    let fill = |to: &str| Expansion::parse(to).map(|expansion| expansion.fill(&target, &captures)).unwrap_or_default();
    let effect = match rule.effect.clone() {
        RuleEffect::Rewrite { to, last } => RuleEffect::Rewrite { to: fill(&to), last },
        RuleEffect::Redirect { to, status } => RuleEffect::Redirect { to: fill(&to), status },
        RuleEffect::Proxy { to, operation } => RuleEffect::Proxy { to: fill(&to), operation },
        effect @ RuleEffect::Respond { .. } => effect,
    };
    Some(Answer::Rule {
        id: rule.id.clone(),
        pattern: rule.pattern.to_string(),
        effect: effect.to_string(),
        access: rule.operation().map(|operation| policy::access(api, &operation.access)),
    })
}

/// Why a parameter does not take its value, and what makes it take it.
fn refusal(name: &str, character: Option<Ambiguous>) -> String {
    match character {
        Some(one) => format!(
            "`{name}` does not take `{}`, which servers read differently; its `x-gateway: {{{}: allow}}` would",
            one.written(),
            one.member()
        ),
        None => format!("`{name}` does not take this value"),
    }
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
