//! What the system says about this process, for the metrics.

use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::process::{Resource, getrlimit};
use rustix::time::{ClockId, clock_gettime};

static STARTED: OnceLock<SystemTime> = OnceLock::new();

/// Notes that the process has just begun.
pub fn begin() {
    STARTED.get_or_init(SystemTime::now);
}

/// Names, kinds, helps and values in the conventions of Prometheus; what the system does not tell is missing.
pub fn figures() -> impl Iterator<Item = (&'static str, &'static str, &'static str, f64)> {
    let cpu = clock_gettime(ClockId::ProcessCPUTime);
    let seconds = cpu.tv_sec as f64 + cpu.tv_nsec as f64 / 1e9;
    let memory = memory();
    let started = STARTED.get().and_then(|started| started.duration_since(UNIX_EPOCH).ok());
    let descriptors = std::fs::read_dir("/proc/self/fd").ok().map(|entries| entries.count().saturating_sub(1) as f64);
    [
        ("process_cpu_seconds_total", "counter", "Processor time that this process has used.", Some(seconds)),
        ("process_resident_memory_bytes", "gauge", "Memory that this process has in use.", memory.map(|(_, rss)| rss)),
        (
            "process_virtual_memory_bytes",
            "gauge",
            "Memory that this process has reserved.",
            memory.map(|(size, _)| size),
        ),
        ("process_open_fds", "gauge", "File descriptors that are open.", descriptors),
        (
            "process_max_fds",
            "gauge",
            "File descriptors that may be open.",
            getrlimit(Resource::Nofile).current.map(|most| most as f64),
        ),
        (
            "process_start_time_seconds",
            "gauge",
            "When this process began, in seconds since 1970.",
            started.map(|since| since.as_secs_f64()),
        ),
    ]
    .into_iter()
    .filter_map(|(name, kind, help, value)| Some((name, kind, help, value?)))
}

/// Bytes that are reserved, and that are in use.
fn memory() -> Option<(f64, f64)> {
    let pages = std::fs::read_to_string("/proc/self/statm").ok()?;
    let mut pages = pages.split_ascii_whitespace().map_while(|count| count.parse::<f64>().ok());
    let page = rustix::param::page_size() as f64;
    Some((pages.next()? * page, pages.next()? * page))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_reports_this_process() {
        begin();
        let value = |wanted: &str| figures().find(|(name, ..)| *name == wanted).map(|(.., value)| value);
        assert!(value("process_cpu_seconds_total").is_some_and(|seconds| seconds > 0.0));
        assert!(value("process_start_time_seconds").is_some_and(|seconds| seconds > 1.6e9));
        if std::path::Path::new("/proc/self/statm").exists() {
            assert!(value("process_resident_memory_bytes").is_some_and(|bytes| bytes > 1e6));
            assert!(value("process_open_fds").is_some_and(|count| count >= 3.0));
        }
    }
}
