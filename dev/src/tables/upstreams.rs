//! Upstreams.

use gateway_access::upstream_auth::UpstreamCredential;
use gateway_runtime::codegen::{
    AwsSigV4, Balance, BasicCredential, BearerCredential, ClientCertificate, ClientCredentials, HashKey,
    HeaderCredential, Health, Retry, Upstream, UpstreamAuth, UpstreamEndpoint,
};
use gatewayc::ir;

use crate::tables::schemes::secret;
use crate::tables::text::{kept, list, text, texts};

pub(super) fn upstream(upstream: &ir::Upstream) -> Upstream {
    Upstream {
        name: text(&upstream.name),
        endpoints: list(&upstream.endpoints, |ir::UpstreamEndpoint { url, weight, priority }| UpstreamEndpoint {
            url: text(url),
            weight: *weight,
            priority: *priority,
        }),
        balance: match &upstream.balance {
            ir::Balance::RoundRobin => Balance::RoundRobin,
            ir::Balance::LeastRequest => Balance::LeastRequest,
            ir::Balance::Hash(keys) => Balance::Hash(list(keys, hash_key)),
        },
        resolve: upstream.resolve,
        outlier: upstream.outlier,
        health: upstream.health.as_ref().map(|health| Health {
            path: text(&health.path),
            every: health.every,
            timeout: health.timeout,
            healthy: health.healthy,
            unhealthy: health.unhealthy,
            status: list(&health.status, |range| *range),
        }),
        retry: upstream.retry.as_ref().map(|retry| Retry {
            attempts: retry.attempts,
            on: list(&retry.on, |cause| *cause),
            per_try: retry.per_try,
            backoff: retry.backoff,
            max_backoff: retry.max_backoff,
            budget: retry.budget,
            attempt_header: retry.attempt_header,
        }),
        breaker: upstream.breaker,
        keep_alive: upstream.keep_alive,
        auth: upstream.auth.as_ref().map(auth),
        preserve_host: upstream.preserve_host,
        paths: upstream.paths,
        locations: upstream.locations,
        cookies: upstream.cookies,
        forwarded: upstream.forwarded,
        connect_timeout: upstream.connect_timeout,
        response_timeout: upstream.response_timeout,
        idle_timeout: upstream.idle_timeout,
        total_timeout: upstream.total_timeout,
    }
}

fn auth(auth: &ir::UpstreamAuth) -> UpstreamAuth {
    UpstreamAuth {
        credential: auth.credential.as_ref().map(credential),
        certificate: auth
            .certificate
            .as_ref()
            .map(|certificate| ClientCertificate { chain: secret(&certificate.chain), key: secret(&certificate.key) }),
    }
}

fn credential(credential: &ir::UpstreamCredential) -> &'static dyn UpstreamCredential {
    match credential {
        ir::UpstreamCredential::Bearer(token) => kept(BearerCredential { token: secret(token) }),
        ir::UpstreamCredential::Basic { username, password } => {
            kept(BasicCredential { username: text(username), password: secret(password) })
        }
        ir::UpstreamCredential::Header { name, value } => {
            kept(HeaderCredential { name: text(name), value: secret(value) })
        }
        ir::UpstreamCredential::AwsSigV4(aws) => kept(AwsSigV4 {
            region: text(&aws.region),
            service: text(&aws.service),
            access_key: secret(&aws.access_key),
            secret_key: secret(&aws.secret_key),
            session_token: aws.session_token.as_ref().map(secret),
        }),
        ir::UpstreamCredential::ClientCredentials(client) => kept(ClientCredentials {
            token_url: text(&client.token_url),
            client_id: text(&client.client_id),
            client_secret: secret(&client.client_secret),
            scopes: texts(&client.scopes),
            audience: client.audience.as_ref().map(|audience| text(audience)),
        }),
    }
}

pub(super) fn hash_key(key: &ir::HashKey) -> HashKey {
    key.map(|name| text(name))
}
