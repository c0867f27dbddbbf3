//! Metrics in the text format of Prometheus.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use gateway_base::{operator_log, supervise};
use gateway_proxy::deployment::{Deployment, PreparedOperation};
use gateway_proxy::metrics::{Families, ProcessMetrics};
use gateway_proxy::upstream::member::EndpointFamilies;
use gateway_wire::reject::Reject;

/// The text exposition format, version 0.0.4.
pub(crate) fn render(deployment: &Deployment, process: &ProcessMetrics) -> String {
    let mut families = Families::default();
    for listener in &deployment.listeners {
        let labels = format!("listener=\"{}\",api=\"\",operation=\"\"", escaped(&listener.name));
        listener.unrouted.write(&mut families, &labels);
        for rule in listener.rules().filter(|rule| rule.route.prepared.operations.is_empty()) {
            let (api, id) = (escaped(rule.prepared.api), escaped(rule.prepared.id));
            let labels = format!("listener=\"{}\",api=\"{api}\",operation=\"{id}\"", escaped(&listener.name));
            rule.metrics.write(&mut families, &labels);
        }
    }
    for (listener, operation) in deployment.operations() {
        operation.metrics.write(&mut families, &labels(&listener.name, operation.prepared));
    }
    let mut out = String::new();
    let mut family = |name: &str, kind: &str, help: &str, lines: &str| {
        let _ = write!(out, "# HELP {name} {help}\n# TYPE {name} {kind}\n{lines}");
    };
    family(
        "gateway_requests_total",
        "counter",
        "Requests by the class of their status; `none` for those whose client left first.",
        &families.requests,
    );
    family(
        "gateway_request_duration_seconds",
        "histogram",
        "From the first byte of the request to the last byte of the response.",
        &families.durations,
    );
    family("gateway_request_body_bytes_total", "counter", "Bytes of request bodies.", &families.received);
    family("gateway_response_body_bytes_total", "counter", "Bytes of response bodies.", &families.sent);
    family(
        "gateway_contract_violations_total",
        "counter",
        "Messages with a part that is not as described, by what became of them.",
        &families.violations,
    );
    family(
        "gateway_certificate_expiry_timestamp_seconds",
        "gauge",
        "When a certificate that a listener shows expires, in seconds since 1970.",
        &expiries(deployment),
    );
    let mut endpoints = EndpointFamilies::default();
    for cluster in &deployment.clusters {
        let labels = format!("api=\"{}\",upstream=\"{}\"", escaped(cluster.api), escaped(cluster.document.name));
        cluster.write(&mut endpoints, &labels);
    }
    family(
        "gateway_upstream_endpoint_up",
        "gauge",
        "Whether an endpoint of an upstream gets requests: 0 while it is ejected.",
        &endpoints.up,
    );
    family(
        "gateway_upstream_requests_total",
        "counter",
        "Requests that an endpoint of an upstream was tried with, by how that ended.",
        &endpoints.requests,
    );
    family(
        "gateway_upstream_ejections_total",
        "counter",
        "How often an endpoint of an upstream was ejected, by the failure that was one too many.",
        &endpoints.ejections,
    );
    family(
        "gateway_upstream_retries_total",
        "counter",
        "Requests that were sent again by how that ended, and those that the budget did not let.",
        &endpoints.retries,
    );
    family(
        "gateway_mirrored_requests_total",
        "counter",
        "Copies of requests that an upstream was to get, by what became of them.",
        &endpoints.copies,
    );
    if let Some(cache) = &deployment.cache {
        let mut requests = String::new();
        for (result, count) in cache.requests() {
            let _ = writeln!(requests, "gateway_cache_requests_total{{result=\"{result}\"}} {count}");
        }
        let (bytes, entries, evicted) = cache.figures();
        family(
            "gateway_cache_requests_total",
            "counter",
            "Requests to operations whose responses are cached, by the word of the access log.",
            &requests,
        );
        for (name, kind, help, value) in [
            ("gateway_cache_bytes", "gauge", "What cached responses take.", bytes),
            ("gateway_cache_objects", "gauge", "Cached responses, and notes about them.", entries),
            ("gateway_cache_evictions_total", "counter", "Cached responses that had to go for want of room.", evicted),
        ] {
            family(name, kind, help, &format!("{name} {value}\n"));
        }
    }
    let providers = ProviderLines::of(deployment);
    family(
        "gateway_provider_requests_total",
        "counter",
        "Questions to identity providers, for keys or about tokens.",
        &providers.requests,
    );
    family(
        "gateway_provider_last_success_age_seconds",
        "gauge",
        "How long ago an identity provider last gave a good answer; absent until it has.",
        &providers.ages,
    );
    let (questions, states) = store_lines(deployment);
    family("gateway_store_requests_total", "counter", "Questions to stores that count limits.", &questions);
    family("gateway_store_up", "gauge", "Whether every thread has the use of a store.", &states);
    let mut rejects = String::new();
    for (reason, count) in Reject::REASONS.iter().zip(&process.rejects.0) {
        let count = count.load(Relaxed);
        if count > 0 {
            let _ = writeln!(rejects, "gateway_rejects_total{{reason=\"{reason}\"}} {count}");
        }
    }
    family("gateway_rejects_total", "counter", "Requests that were refused, by the word of the access log.", &rejects);
    family(
        "gateway_build_info",
        "gauge",
        "The gateway that runs; always 1.",
        concat!("gateway_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1\n"),
    );
    for (name, kind, help, value) in gateway_base::process::figures() {
        family(name, kind, help, &format!("{name} {value}\n"));
    }
    let mut restarts = String::new();
    for (task, count) in supervise::restarts() {
        let _ = writeln!(restarts, "gateway_task_restarts_total{{task=\"{}\"}} {count}", task.name());
    }
    family(
        "gateway_task_restarts_total",
        "counter",
        "Beginnings of background tasks after they had failed.",
        &restarts,
    );
    family(
        "gateway_operator_log_lines_lost_total",
        "counter",
        "Lines for operators that could not be written to standard error.",
        &format!("gateway_operator_log_lines_lost_total {}\n", operator_log::lost()),
    );
    for (name, kind, help, value) in [
        ("gateway_connections", "gauge", "Open connections from clients.", &process.connections),
        ("gateway_tunnels", "gauge", "Open connections and streams that were upgraded.", &process.tunnels),
        ("gateway_connections_accepted_total", "counter", "Connections from clients.", &process.accepted),
        (
            "gateway_connections_refused_total",
            "counter",
            "Connections closed because there were too many.",
            &process.refused,
        ),
        (
            "gateway_proxy_protocol_failures_total",
            "counter",
            "Connections closed because they did not begin with a header of the PROXY protocol from a load balancer.",
            &process.proxy_protocol_failures,
        ),
        ("gateway_tls_handshakes_total", "counter", "TLS handshakes that succeeded.", &process.tls_handshakes),
        ("gateway_tls_failures_total", "counter", "TLS handshakes that failed.", &process.tls_failures),
        ("gateway_upstream_connects_total", "counter", "Connections made to upstreams.", &process.upstream_connects),
        (
            "gateway_access_log_lines_lost_total",
            "counter",
            "Access log lines that were not read in time.",
            &process.log_lines_lost,
        ),
    ] {
        family(name, kind, help, &format!("{name} {}\n", value.load(Relaxed)));
    }
    out
}

pub(crate) fn expiries(deployment: &Deployment) -> String {
    let mut lines = String::new();
    for listener in &deployment.listeners {
        for certificate in listener.tls.iter().flat_map(|tls| tls.certificates()) {
            let _ = writeln!(
                lines,
                "gateway_certificate_expiry_timestamp_seconds{{listener=\"{}\",certificate=\"{}\"}} {}",
                escaped(&listener.name),
                escaped(&certificate.name),
                certificate.not_after
            );
        }
    }
    lines
}

pub(crate) fn store_lines(deployment: &Deployment) -> (String, String) {
    let (mut questions, mut states) = (String::new(), String::new());
    for health in deployment.limits.stores().remote().map(|store| store.health()) {
        let store = escaped(&health.name);
        for (outcome, count) in [("ok", &health.answered), ("failed", &health.failed), ("skipped", &health.skipped)] {
            let count = count.load(Relaxed);
            let _ =
                writeln!(questions, "gateway_store_requests_total{{store=\"{store}\",outcome=\"{outcome}\"}} {count}");
        }
        let _ = writeln!(states, "gateway_store_up{{store=\"{store}\"}} {}", u8::from(health.is_up()));
    }
    (questions, states)
}

#[derive(Default)]
pub(crate) struct ProviderLines {
    requests: String,
    ages: String,
}

impl ProviderLines {
    /// Schemes that ask one provider at one URL, each for itself, are one line.
    fn of(deployment: &Deployment) -> Self {
        let mut by_provider: BTreeMap<&str, (u64, u64, Option<Duration>)> = BTreeMap::new();
        for health in deployment.background.iter().map(|task| task.health()) {
            let (good, bad, age) = by_provider.entry(&health.provider).or_default();
            *good += health.succeeded.load(Relaxed);
            *bad += health.failed.load(Relaxed);
            *age = [*age, health.last_success_age()].into_iter().flatten().min();
        }
        let mut lines = Self::default();
        for (provider, (good, bad, age)) in by_provider {
            let provider = escaped(provider);
            for (outcome, count) in [("ok", good), ("failed", bad)] {
                let _ = writeln!(
                    lines.requests,
                    "gateway_provider_requests_total{{provider=\"{provider}\",outcome=\"{outcome}\"}} {count}"
                );
            }
            if let Some(age) = age {
                let _ = writeln!(
                    lines.ages,
                    "gateway_provider_last_success_age_seconds{{provider=\"{provider}\"}} {:.3}",
                    age.as_secs_f64()
                );
            }
        }
        lines
    }
}

pub(crate) fn labels(listener: &str, operation: &PreparedOperation) -> String {
    format!(
        "listener=\"{}\",api=\"{}\",operation=\"{}\"",
        escaped(listener),
        escaped(operation.api.name),
        escaped(operation.table.id)
    )
}

pub(crate) fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
