//! Upstreams, as tables.

use gateway_route::{EmptySegments, PathCase, TrailingSlash, UpstreamPaths};

use crate::emit::layout::Expression;
use crate::emit::limits::limit_key;
use crate::emit::literals::{boolean, duration};
use crate::emit::schemes::secret_reference;
use crate::ir::{
    AwsSigV4, Balance, Breaker, ClientCredentials, CookieDomain, CookiePath, ForwardedFields, HashKey, Health,
    KeepAlive, Locations, Outlier, Retry, RetryBudget, RetryCause, Upstream, UpstreamAuth, UpstreamCredential,
    UpstreamEndpoint,
};

pub(super) fn upstream_value(upstream: &Upstream) -> Expression {
    Expression::Struct(
        "Upstream",
        vec![
            ("name", Expression::text(&upstream.name)),
            ("endpoints", Expression::Slice(upstream.endpoints.iter().map(endpoint).collect())),
            ("balance", balance(&upstream.balance)),
            ("resolve", upstream.resolve.map_or(Expression::word("None"), |every| some(duration(every)))),
            ("outlier", upstream.outlier.map_or(Expression::word("None"), |rule| some(outlier(rule)))),
            ("health", upstream.health.as_ref().map_or(Expression::word("None"), |checks| some(health(checks)))),
            ("retry", upstream.retry.as_ref().map_or(Expression::word("None"), |rule| some(retry(rule)))),
            ("breaker", upstream.breaker.map_or(Expression::word("None"), |bounds| some(breaker(bounds)))),
            ("keep_alive", keep_alive(upstream.keep_alive)),
            ("auth", upstream.auth.as_ref().map_or(Expression::word("None"), |auth| some(upstream_auth(auth)))),
            ("preserve_host", boolean(upstream.preserve_host)),
            ("paths", upstream_paths(upstream.paths)),
            (
                "locations",
                Expression::word(match upstream.locations {
                    Locations::Translate => "Locations::Translate",
                    Locations::Keep => "Locations::Keep",
                }),
            ),
            (
                "cookies",
                Expression::Struct(
                    "Cookies",
                    vec![
                        (
                            "path",
                            Expression::word(match upstream.cookies.path {
                                CookiePath::Keep => "CookiePath::Keep",
                                CookiePath::Rewrite => "CookiePath::Rewrite",
                            }),
                        ),
                        (
                            "domain",
                            Expression::word(match upstream.cookies.domain {
                                CookieDomain::Keep => "CookieDomain::Keep",
                                CookieDomain::Remove => "CookieDomain::Remove",
                            }),
                        ),
                    ],
                ),
            ),
            (
                "forwarded",
                Expression::word(match upstream.forwarded {
                    ForwardedFields::XForwarded => "ForwardedFields::XForwarded",
                    ForwardedFields::Rfc7239 => "ForwardedFields::Rfc7239",
                    ForwardedFields::Both => "ForwardedFields::Both",
                }),
            ),
            ("connect_timeout", duration(upstream.connect_timeout)),
            ("response_timeout", duration(upstream.response_timeout)),
            ("idle_timeout", duration(upstream.idle_timeout)),
            ("total_timeout", upstream.total_timeout.map_or(Expression::word("None"), |total| some(duration(total)))),
        ],
    )
}

fn some(value: Expression) -> Expression {
    Expression::Call("Some", vec![value])
}

fn endpoint(endpoint: &UpstreamEndpoint) -> Expression {
    Expression::Struct(
        "UpstreamEndpoint",
        vec![
            ("url", Expression::text(&endpoint.url)),
            ("weight", Expression::number(u64::from(endpoint.weight))),
            ("priority", Expression::number(u64::from(endpoint.priority))),
        ],
    )
}

fn upstream_auth(auth: &UpstreamAuth) -> Expression {
    let none = || Expression::word("None");
    let credential =
        auth.credential.as_ref().map_or_else(none, |it| some(Expression::Reference(Box::new(credential(it)))));
    let certificate = auth.certificate.as_ref().map_or_else(none, |certificate| {
        let fields = vec![("chain", secret_reference(&certificate.chain)), ("key", secret_reference(&certificate.key))];
        some(Expression::Struct("ClientCertificate", fields))
    });
    Expression::Struct("UpstreamAuth", vec![("credential", credential), ("certificate", certificate)])
}

fn credential(credential: &UpstreamCredential) -> Expression {
    match credential {
        UpstreamCredential::Bearer(token) => {
            Expression::Struct("BearerCredential", vec![("token", secret_reference(token))])
        }
        UpstreamCredential::Basic { username, password } => Expression::Struct(
            "BasicCredential",
            vec![("username", Expression::text(username)), ("password", secret_reference(password))],
        ),
        UpstreamCredential::Header { name, value } => Expression::Struct(
            "HeaderCredential",
            vec![("name", Expression::text(name)), ("value", secret_reference(value))],
        ),
        UpstreamCredential::AwsSigV4(AwsSigV4 { region, service, access_key, secret_key, session_token }) => {
            let session_token = session_token.as_ref().map(secret_reference);
            Expression::Struct(
                "AwsSigV4",
                vec![
                    ("region", Expression::text(region)),
                    ("service", Expression::text(service)),
                    ("access_key", secret_reference(access_key)),
                    ("secret_key", secret_reference(secret_key)),
                    ("session_token", session_token.map_or(Expression::word("None"), some)),
                ],
            )
        }
        UpstreamCredential::ClientCredentials(ClientCredentials {
            token_url,
            client_id,
            client_secret,
            scopes,
            audience,
        }) => Expression::Struct(
            "ClientCredentials",
            vec![
                ("token_url", Expression::text(token_url)),
                ("client_id", Expression::text(client_id)),
                ("client_secret", secret_reference(client_secret)),
                ("scopes", Expression::texts(scopes)),
                ("audience", audience.as_ref().map_or(Expression::word("None"), |name| some(Expression::text(name)))),
            ],
        ),
    }
}

fn balance(balance: &Balance) -> Expression {
    match balance {
        Balance::RoundRobin => Expression::word("Balance::RoundRobin"),
        Balance::LeastRequest => Expression::word("Balance::LeastRequest"),
        Balance::Hash(keys) => {
            Expression::Call("Balance::Hash", vec![Expression::Slice(keys.iter().map(hash_key).collect())])
        }
    }
}

/// A part of a request.
pub(super) fn hash_key(key: &HashKey) -> Expression {
    match key {
        HashKey::Part(part) => Expression::Call("HashKey::Part", vec![limit_key(part)]),
        HashKey::Cookie(name) => Expression::Call("HashKey::Cookie", vec![Expression::text(name)]),
    }
}

fn outlier(outlier: Outlier) -> Expression {
    Expression::Struct(
        "Outlier",
        vec![
            ("consecutive", Expression::number(u64::from(outlier.consecutive))),
            ("eject", duration(outlier.eject)),
            ("max_ejected", Expression::number(u64::from(outlier.max_ejected))),
        ],
    )
}

fn retry(retry: &Retry) -> Expression {
    let cause = |cause: &RetryCause| match cause {
        RetryCause::Connect => Expression::word("RetryCause::Connect"),
        RetryCause::Reset => Expression::word("RetryCause::Reset"),
        RetryCause::Status(status) => {
            Expression::Call("RetryCause::Status", vec![Expression::number(u64::from(*status))])
        }
    };
    let RetryBudget { percent, min } = retry.budget;
    let budget = vec![("percent", Expression::number(u64::from(percent))), ("min", Expression::number(u64::from(min)))];
    Expression::Struct(
        "Retry",
        vec![
            ("attempts", Expression::number(u64::from(retry.attempts))),
            ("on", Expression::Slice(retry.on.iter().map(cause).collect())),
            ("per_try", retry.per_try.map_or(Expression::word("None"), |time| some(duration(time)))),
            ("backoff", duration(retry.backoff)),
            ("max_backoff", duration(retry.max_backoff)),
            ("budget", Expression::Struct("RetryBudget", budget)),
            ("attempt_header", boolean(retry.attempt_header)),
        ],
    )
}

fn breaker(breaker: Breaker) -> Expression {
    Expression::Struct(
        "Breaker",
        vec![
            ("requests", Expression::number(u64::from(breaker.requests))),
            ("pending", Expression::number(u64::from(breaker.pending))),
        ],
    )
}

fn keep_alive(kept: KeepAlive) -> Expression {
    let none = || Expression::word("None");
    Expression::Struct(
        "KeepAlive",
        vec![
            ("idle", duration(kept.idle)),
            ("max", Expression::number(u64::from(kept.max))),
            ("age", kept.age.map_or_else(none, |age| some(duration(age)))),
            ("requests", kept.requests.map_or_else(none, |most| some(Expression::number(u64::from(most))))),
        ],
    )
}

fn health(health: &Health) -> Expression {
    let range = |(from, to): &(u16, u16)| {
        Expression::Call("", vec![Expression::number(u64::from(*from)), Expression::number(u64::from(*to))])
    };
    Expression::Struct(
        "Health",
        vec![
            ("path", Expression::text(&health.path)),
            ("every", duration(health.every)),
            ("timeout", duration(health.timeout)),
            ("healthy", Expression::number(u64::from(health.healthy))),
            ("unhealthy", Expression::number(u64::from(health.unhealthy))),
            ("status", Expression::Slice(health.status.iter().map(range).collect())),
        ],
    )
}

fn upstream_paths(paths: UpstreamPaths) -> Expression {
    if paths == UpstreamPaths::UNKNOWN {
        return Expression::word("UpstreamPaths::UNKNOWN");
    }
    let case = match paths.case {
        PathCase::Unknown => "PathCase::Unknown",
        PathCase::Sensitive => "PathCase::Sensitive",
        PathCase::Insensitive => "PathCase::Insensitive",
    };
    let trailing_slash = match paths.trailing_slash {
        TrailingSlash::Unknown => "TrailingSlash::Unknown",
        TrailingSlash::Distinct => "TrailingSlash::Distinct",
        TrailingSlash::Same => "TrailingSlash::Same",
    };
    let empty_segments = match paths.empty_segments {
        EmptySegments::Unknown => "EmptySegments::Unknown",
        EmptySegments::Distinct => "EmptySegments::Distinct",
        EmptySegments::Merged => "EmptySegments::Merged",
    };
    let fields = [("case", case), ("trailing_slash", trailing_slash), ("empty_segments", empty_segments)];
    Expression::Struct("UpstreamPaths", fields.map(|(name, word)| (name, Expression::word(word))).into())
}
