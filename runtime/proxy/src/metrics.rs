//! Counters and latency histograms per operation, and their Prometheus text.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use gateway_wire::reject::Reject;

/// Upper bounds of the histogram's buckets, in microseconds.
const BUCKETS_MICROS: [u64; 12] =
    [500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000, 5_000_000, 30_000_000];

/// The lines of the families that operations have, in the text format of Prometheus.
#[derive(Default)]
pub struct Families {
    /// Lines of `gateway_requests_total`.
    pub requests: String,
    /// Lines of the histogram `gateway_request_duration_seconds`.
    pub durations: String,
    /// Lines of `gateway_request_body_bytes_total`.
    pub received: String,
    /// Lines of `gateway_response_body_bytes_total`.
    pub sent: String,
    /// Lines of `gateway_contract_violations_total`.
    pub violations: String,
}

/// What is counted for one operation. All of it is monotonic.
#[derive(Debug, Default)]
pub struct OperationMetrics {
    /// Responses by the first digit of their status, 1 to 5; index 0 counts requests that got none.
    by_class: [AtomicU64; 6],
    /// Not cumulative; the last one is for everything slower.
    buckets: [AtomicU64; BUCKETS_MICROS.len() + 1],
    micros: AtomicU64,
    request_bytes: AtomicU64,
    response_bytes: AtomicU64,
    /// Messages with a part that is not as described: by [`ContractPart`], those that passed and those that did not.
    violations: [[AtomicU64; 2]; ContractPart::NAMES.len()],
}

/// A part of a message that is described.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ContractPart {
    /// The parameters of a request.
    Parameters,
    /// Its body.
    Body,
    /// A response.
    Response,
}

impl ContractPart {
    /// The values of the label `part`.
    const NAMES: [&'static str; 3] = ["parameters", "body", "response"];
}

/// Process-wide counts.
#[derive(Debug, Default)]
pub struct ProcessMetrics {
    /// Connections from clients that are open.
    pub connections: AtomicU64,
    /// Of these, those that speak another protocol than HTTP; and streams that do.
    pub tunnels: AtomicU64,
    /// Connections from clients so far.
    pub accepted: AtomicU64,
    /// Connections that were closed because there were too many.
    pub refused: AtomicU64,
    /// Connections that were closed because they had to begin with a header of the PROXY protocol, and did not.
    pub proxy_protocol_failures: AtomicU64,
    /// Handshakes that ended in a connection.
    pub tls_handshakes: AtomicU64,
    /// Handshakes that did not.
    pub tls_failures: AtomicU64,
    /// Connections made to upstreams so far.
    pub upstream_connects: AtomicU64,
    /// Access log lines that were not read in time.
    pub log_lines_lost: AtomicU64,
    /// In the order of [`Reject::REASONS`].
    pub rejects: RejectCounts,
}

/// A count for each kind of refusal.
#[derive(Debug)]
pub struct RejectCounts(pub [AtomicU64; Reject::REASONS.len()]);

impl Default for RejectCounts {
    fn default() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::new(0)))
    }
}

impl ProcessMetrics {
    /// Counts a request that was refused.
    pub(crate) fn count_reject(&self, reject: &Reject) {
        self.rejects.0[reject.index()].fetch_add(1, Relaxed);
    }
}

impl OperationMetrics {
    /// Counts one request.
    pub(crate) fn count(&self, status: u16, took: Duration, request_bytes: u64, response_bytes: u64) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bucket = BUCKETS_MICROS.iter().position(|bound| micros <= *bound).unwrap_or(BUCKETS_MICROS.len());
        self.by_class[usize::from(status / 100).min(5)].fetch_add(1, Relaxed);
        self.buckets[bucket].fetch_add(1, Relaxed);
        self.micros.fetch_add(micros, Relaxed);
        // Most requests have no body: do not touch the cache line for nothing.
        if request_bytes > 0 {
            self.request_bytes.fetch_add(request_bytes, Relaxed);
        }
        self.response_bytes.fetch_add(response_bytes, Relaxed);
    }

    /// Counts a message with a part that is not as described.
    pub(crate) fn count_violation(&self, part: ContractPart, is_refused: bool) {
        self.violations[part as usize][usize::from(is_refused)].fetch_add(1, Relaxed);
    }

    /// Writes nothing before the first request: most operations of a large document are rarely called.
    pub fn write(&self, families: &mut Families, labels: &str) {
        if self.by_class.iter().all(|count| count.load(Relaxed) == 0) {
            return;
        }
        for (class, count) in self.by_class.iter().enumerate() {
            let count = count.load(Relaxed);
            if count > 0 {
                let class = if class == 0 { "none".to_owned() } else { format!("{class}xx") };
                let _ = writeln!(families.requests, "gateway_requests_total{{{labels},status=\"{class}\"}} {count}");
            }
        }
        for (part, counts) in ContractPart::NAMES.iter().zip(&self.violations) {
            for (outcome, count) in ["observed", "refused"].iter().zip(counts) {
                let count = count.load(Relaxed);
                if count > 0 {
                    let _ = writeln!(
                        families.violations,
                        "gateway_contract_violations_total{{{labels},part=\"{part}\",outcome=\"{outcome}\"}} {count}"
                    );
                }
            }
        }
        let mut cumulative = 0;
        for (bound, count) in BUCKETS_MICROS.iter().zip(&self.buckets) {
            cumulative += count.load(Relaxed);
            let _ = writeln!(
                families.durations,
                "gateway_request_duration_seconds_bucket{{{labels},le=\"{}\"}} {cumulative}",
                *bound as f64 / 1e6
            );
        }
        cumulative += self.buckets[BUCKETS_MICROS.len()].load(Relaxed);
        let _ = writeln!(
            families.durations,
            "gateway_request_duration_seconds_bucket{{{labels},le=\"+Inf\"}} {cumulative}"
        );
        let _ = writeln!(
            families.durations,
            "gateway_request_duration_seconds_sum{{{labels}}} {}",
            self.micros.load(Relaxed) as f64 / 1e6
        );
        let _ = writeln!(families.durations, "gateway_request_duration_seconds_count{{{labels}}} {cumulative}");
        let _ = writeln!(
            families.received,
            "gateway_request_body_bytes_total{{{labels}}} {}",
            self.request_bytes.load(Relaxed)
        );
        let _ = writeln!(
            families.sent,
            "gateway_response_body_bytes_total{{{labels}}} {}",
            self.response_bytes.load(Relaxed)
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_cumulative() {
        let metrics = OperationMetrics::default();
        metrics.count(200, Duration::from_micros(400), 0, 10);
        metrics.count(502, Duration::from_secs(60), 5, 10);
        let mut families = Families::default();
        metrics.write(&mut families, "operation=\"a\"");
        assert!(families.requests.contains("status=\"2xx\"} 1") && families.requests.contains("status=\"5xx\"} 1"));
        assert!(
            families.durations.contains("le=\"0.0005\"} 1\n")
                && families.durations.contains("le=\"30\"} 1\n")
                && families.durations.contains("le=\"+Inf\"} 2\n")
        );
        assert!(families.sent.ends_with(" 20\n"));
    }
}
