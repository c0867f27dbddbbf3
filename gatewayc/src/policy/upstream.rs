//! Where requests go, in the words of the policy.

use gateway_route::{EmptySegments, PathCase, TrailingSlash, UpstreamPaths};
use gateway_terms::upstream::USUAL_RESOLVE;

use super::lines::{line, secret};
use crate::ir::{
    AwsSigV4, Balance, Breaker, ClientCertificate, ClientCredentials, CookieDomain, CookiePath, ForwardedFields,
    Health, KeepAlive, Locations, Retry, RetryBudget, RetryCause, Upstream, UpstreamAuth, UpstreamCredential,
    UpstreamEndpoint,
};
use crate::units::show_duration;

/// Adds the lines of an upstream.
pub(super) fn write(out: &mut String, upstream: &Upstream) {
    let host = if upstream.preserve_host { ", with the client's Host" } else { "" };
    let locations = match upstream.locations {
        Locations::Translate => "",
        Locations::Keep => ", Location as it says",
    };
    let endpoints: Vec<String> = upstream.endpoints.iter().map(endpoint).collect();
    line(out, "upstream", &format!("{} at {}{host}{locations}", upstream.name, endpoints.join(", ")));
    match upstream.forwarded {
        ForwardedFields::XForwarded => {}
        ForwardedFields::Rfc7239 => line(out, "told of clients by", "Forwarded"),
        ForwardedFields::Both => line(out, "told of clients by", "Forwarded and X-Forwarded-*"),
    }
    let path = (upstream.cookies.path == CookiePath::Rewrite).then_some("path as clients see it");
    let domain = (upstream.cookies.domain == CookieDomain::Remove).then_some("without domain");
    let cookies: Vec<&str> = path.into_iter().chain(domain).collect();
    if !cookies.is_empty() {
        line(out, "its cookies", &cookies.join(", "));
    }
    if let Some(UpstreamAuth { credential, certificate }) = &upstream.auth {
        if let Some(credential) = credential {
            line(out, "authenticated with", &credential_words(credential));
        }
        if let Some(ClientCertificate { chain, key }) = certificate {
            line(out, "client certificate", &format!("{}, key {}", secret(chain), secret(key)));
        }
    }
    // What one endpoint without a choice has is no word.
    if upstream.endpoints.len() > 1 || upstream.balance != Balance::LeastRequest {
        line(out, "endpoint chosen by", &balance(&upstream.balance));
    }
    if upstream.endpoints.len() > 1 {
        let ejected = upstream.outlier.map_or_else(
            || "never".to_owned(),
            |outlier| {
                let (eject, most) = (show_duration(outlier.eject), outlier.max_ejected);
                format!("after {} failures in a row, for {eject}, at most {most}%", outlier.consecutive)
            },
        );
        line(out, "endpoint ejected", &ejected);
    }
    if let Some(Health { path, every, timeout, healthy, unhealthy, status }) = &upstream.health {
        let (every, timeout) = (show_duration(*every), show_duration(*timeout));
        let good: Vec<String> = status.iter().map(statuses).collect();
        let checks = format!(
            "GET {path} every {every}, {} within {timeout}, unhealthy after {unhealthy}, healthy after {healthy}",
            good.join(" or ")
        );
        line(out, "endpoint checked by", &checks);
    }
    if let Some(retry) = &upstream.retry {
        line(out, "sent again", &repeated(retry));
    }
    if let Some(Breaker { requests, pending }) = upstream.breaker {
        line(out, "refused beyond", &format!("{requests} requests, {pending} waiting for a connection"));
    }
    match upstream.resolve {
        Some(USUAL_RESOLVE) => {}
        Some(every) => line(out, "names looked up", &format!("every {}", show_duration(every))),
        None => line(out, "names looked up", "for each connection"),
    }
    if upstream.keep_alive != KeepAlive::USUAL {
        line(out, "connections kept", &kept(upstream.keep_alive));
    }
    if let Some(paths) = upstream_paths(upstream.paths) {
        line(out, "reads paths", &paths);
    }
    let times = [upstream.connect_timeout, upstream.response_timeout, upstream.idle_timeout].map(show_duration);
    let total = upstream.total_timeout.map_or_else(String::new, |total| format!(", total {}", show_duration(total)));
    line(out, "timeouts", &format!("connect {}, response {}, idle {}{total}", times[0], times[1], times[2]));
}

/// How the upstream reads paths, as far as the document says.
fn upstream_paths(paths: UpstreamPaths) -> Option<String> {
    let case = match paths.case {
        PathCase::Unknown => None,
        PathCase::Sensitive => Some("case sensitive"),
        PathCase::Insensitive => Some("case insensitive"),
    };
    let trailing_slash = match paths.trailing_slash {
        TrailingSlash::Unknown => None,
        TrailingSlash::Distinct => Some("trailing slash distinct"),
        TrailingSlash::Same => Some("trailing slash same"),
    };
    let empty_segments = match paths.empty_segments {
        EmptySegments::Unknown => None,
        EmptySegments::Distinct => Some("empty segments distinct"),
        EmptySegments::Merged => Some("empty segments merged"),
    };
    let said: Vec<&str> = [case, trailing_slash, empty_segments].into_iter().flatten().collect();
    (!said.is_empty()).then(|| said.join(", "))
}

/// What the gateway proves to the upstream who it is with.
fn credential_words(credential: &UpstreamCredential) -> String {
    match credential {
        UpstreamCredential::Bearer(token) => format!("bearer token, {}", secret(token)),
        UpstreamCredential::Basic { username, password } => {
            format!("basic as {username}, password {}", secret(password))
        }
        UpstreamCredential::Header { name, value } => format!("header {name}, {}", secret(value)),
        UpstreamCredential::AwsSigV4(AwsSigV4 { region, service, access_key, secret_key, session_token }) => {
            let session =
                session_token.as_ref().map_or_else(String::new, |it| format!(", session token {}", secret(it)));
            format!(
                "AWS signature for {service} in {region}, key id {}, key {}{session}",
                secret(access_key),
                secret(secret_key)
            )
        }
        UpstreamCredential::ClientCredentials(ClientCredentials {
            token_url,
            client_id,
            client_secret,
            scopes,
            audience,
        }) => {
            let scopes = if scopes.is_empty() { String::new() } else { format!(", scopes {}", scopes.join(" ")) };
            let audience = audience.as_ref().map_or_else(String::new, |audience| format!(", audience {audience}"));
            format!("token of {token_url} as client {client_id}, secret {}{scopes}{audience}", secret(client_secret))
        }
    }
}

fn statuses((from, to): &(u16, u16)) -> String {
    if from == to { from.to_string() } else { format!("{from}-{to}") }
}

fn kept(kept: KeepAlive) -> String {
    if kept.max == 0 {
        return "none".to_owned();
    }
    let age = kept.age.map_or_else(String::new, |age| format!(", for {} in all", show_duration(age)));
    let requests = kept.requests.map_or_else(String::new, |most| format!(", for {most} requests"));
    format!("{} idle for {}{age}{requests}", kept.max, show_duration(kept.idle))
}

fn repeated(retry: &Retry) -> String {
    let cause = |cause: &RetryCause| match cause {
        RetryCause::Connect => "connect".to_owned(),
        RetryCause::Reset => "reset".to_owned(),
        RetryCause::Status(status) => status.to_string(),
    };
    let on: Vec<String> = retry.on.iter().map(cause).collect();
    let each = retry.per_try.map_or_else(String::new, |time| format!(" within {} each", show_duration(time)));
    let (from, to) = (show_duration(retry.backoff), show_duration(retry.max_backoff));
    let RetryBudget { percent, min } = retry.budget;
    let header = if retry.attempt_header { ", X-Gateway-Attempt tells" } else { "" };
    format!(
        "{} tries in all{each}, on {}, after {from} to {to}, at most {percent}% and {min} per second{header}",
        retry.attempts,
        on.join(" ")
    )
}

fn endpoint(endpoint: &UpstreamEndpoint) -> String {
    let UpstreamEndpoint { url, weight, priority } = endpoint;
    let weight = if *weight == 1 { String::new() } else { format!(" with weight {weight}") };
    let priority = if *priority == 0 { String::new() } else { format!(" with priority {priority}") };
    format!("{url}{weight}{priority}")
}

fn balance(balance: &Balance) -> String {
    match balance {
        Balance::RoundRobin => "round-robin".to_owned(),
        Balance::LeastRequest => "least-request".to_owned(),
        Balance::Hash(keys) => {
            format!("hash of {}", keys.iter().map(ToString::to_string).collect::<Vec<_>>().join("+"))
        }
    }
}
