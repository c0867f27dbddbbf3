//! `upstreams` of `gateway.yaml`: where the upstreams of the documents are in this deployment.

use std::ops::RangeInclusive;
use std::time::Duration;

use gateway_yaml::{Node, suggest};

use gateway_base::problem::{Problem, SettingPlace};
use gateway_base::setting_values::duration;
use gateway_base::settings::{Setting, Settings};
use gateway_proxy::tables::{
    Balance, Breaker, HashKey, Health, KeepAlive, Outlier, Retry, RetryBudget, RetryCause, Upstream, UpstreamEndpoint,
};
use gateway_terms::upstream::{
    LAST_PRIORITY, MOST_ATTEMPTS, MOST_IN_A_ROW, MOST_KEPT, MOST_WEIGHT, USUAL_ATTEMPTS, USUAL_BACKOFF,
    USUAL_CHECK_INTERVAL, USUAL_CHECK_TIMEOUT, USUAL_HEALTHY, USUAL_MAX_BACKOFF, USUAL_STATUSES, USUAL_UNHEALTHY,
    UpstreamScheme, status_range,
};

/// What a deployment says about an upstream.
#[derive(Debug, Clone)]
pub(crate) struct UpstreamSetting {
    /// In place of the document's.
    pub(crate) endpoints: Vec<UpstreamEndpoint>,
    /// The object form: what it says, and what is usual, in the place of the document's choice of endpoints.
    pub(crate) members: Option<Upstream>,
    pub(crate) place: SettingPlace,
}

impl UpstreamSetting {
    /// The description that this makes of the document's. It lives as long as the process.
    pub(crate) fn over(&self, document: &'static Upstream) -> &'static Upstream {
        let endpoints: &'static [UpstreamEndpoint] = Vec::leak(self.endpoints.clone());
        let Upstream { name, auth, preserve_host, paths, locations, cookies, forwarded, .. } = *document;
        let described = self.members.as_ref().unwrap_or(document);
        Box::leak(Box::new(Upstream {
            name,
            endpoints,
            auth,
            preserve_host,
            paths,
            locations,
            cookies,
            forwarded,
            ..described.clone()
        }))
    }
}

/// A URL, a list of them, or a mapping with the members that a document has.
pub(super) fn read(settings: &mut Settings, path: &str, setting: &Setting) -> Option<UpstreamSetting> {
    let node = setting.node();
    let mut reader = Reader { settings, setting, path: path.to_owned() };
    let only_url = node
        .as_mapping()
        .filter(|members| members.len() == 1)
        .and_then(|members| members.iter().find(|entry| &*entry.key.name == "url"));
    let (endpoints, members) = if let Some(url) = only_url {
        (reader.url(&url.value).map(|url| vec![of_url(url)]), None)
    } else if node.as_mapping().is_some() {
        let (endpoints, members) = reader.object(node);
        (endpoints, Some(members))
    } else if node.as_sequence().is_some() {
        (reader.endpoints(node), None)
    } else {
        (reader.url(node).map(|url| vec![of_url(url)]), None)
    };
    Some(UpstreamSetting { endpoints: endpoints?, members, place: setting.place.clone() })
}

fn of_url(url: &'static str) -> UpstreamEndpoint {
    UpstreamEndpoint { url, weight: 1, priority: 0 }
}

struct Reader<'a> {
    settings: &'a mut Settings,
    setting: &'a Setting,
    path: String,
}

impl Reader<'_> {
    fn object(&mut self, node: &Node) -> (Option<Vec<UpstreamEndpoint>>, Upstream) {
        const KNOWN: [&str; 10] =
            ["url", "endpoints", "balance", "resolve", "outlier", "health", "retry", "breaker", "keepAlive", "timeout"];
        let mut members = Upstream::USUAL;
        let (mut found, mut is_said) = (None, false);
        for (name, value) in self.members(node, "", &KNOWN) {
            match name {
                "url" | "endpoints" if is_said => self.wrong(value, "`url` or `endpoints`, not both"),
                "url" => (found, is_said) = (self.url(value).map(|url| vec![of_url(url)]), true),
                "endpoints" => (found, is_said) = (self.endpoints(value), true),
                "balance" => members.balance = self.balance(value).unwrap_or(members.balance),
                "resolve" if value.is_off() => members.resolve = None,
                "resolve" => members.resolve = self.duration(value).or(members.resolve),
                "outlier" if value.is_off() => members.outlier = None,
                "outlier" => members.outlier = Some(self.outlier(value)),
                "health" => members.health = self.health(value),
                "retry" => members.retry = Some(self.retry(value)),
                "breaker" => {
                    let breaker = members.breaker.insert(Breaker::USUAL);
                    for (name, value) in self.members(value, ".breaker", &["requests", "pending"]) {
                        let of = if name == "requests" { &mut breaker.requests } else { &mut breaker.pending };
                        *of = self.number(value, 1..=1_000_000).unwrap_or(*of);
                    }
                }
                "keepAlive" if value.is_off() => members.keep_alive = KeepAlive::OFF,
                "keepAlive" => members.keep_alive = self.keep_alive(value),
                _ if value.as_mapping().is_none() => {
                    members.response_timeout = self.duration(value).unwrap_or(members.response_timeout);
                }
                _ => {
                    for (name, value) in self.members(value, ".timeout", &["connect", "response", "idle", "total"]) {
                        let Some(time) = self.duration(value) else { continue };
                        match name {
                            "connect" => members.connect_timeout = time,
                            "response" => members.response_timeout = time,
                            "total" => members.total_timeout = Some(time),
                            _ => members.idle_timeout = time,
                        }
                    }
                }
            }
        }
        if !is_said {
            self.wrong(node, "`url` or `endpoints`");
        }
        if members.resolve.is_none()
            && found.iter().flatten().any(|endpoint| UpstreamScheme::is_of_service(endpoint.url))
        {
            self.wrong(node, "a time under `resolve`, not `off`: SRV records are not asked for by every connection");
        }
        (found, members)
    }

    /// The members that are known there; the others are reported.
    fn members<'n>(&mut self, node: &'n Node, below: &str, known: &[&'static str]) -> Vec<(&'static str, &'n Node)> {
        let mut found = Vec::new();
        if node.as_mapping().is_none() {
            self.wrong(node, "a mapping");
        }
        for entry in node.as_mapping().into_iter().flatten() {
            match known.iter().find(|name| **name == &*entry.key.name) {
                Some(name) => found.push((*name, &entry.value)),
                None => {
                    let given = format!("{}{below}.{}", self.path, entry.key.name);
                    let near = suggest(&entry.key.name, known.iter().copied());
                    let hint =
                        near.map_or_else(String::new, |near| format!("; did you mean `{}{below}.{near}`?", self.path));
                    let place = self.setting.place_at(&entry.value);
                    self.settings.problems.push(Problem::at(&place, format!("unknown setting `{given}`{hint}")));
                }
            }
        }
        found
    }

    fn endpoints(&mut self, node: &Node) -> Option<Vec<UpstreamEndpoint>> {
        let elements = node.as_sequence().unwrap_or_default();
        let found: Option<Vec<UpstreamEndpoint>> = elements.iter().map(|element| self.endpoint(element)).collect();
        let found = found?;
        if found.iter().all(|endpoint| endpoint.weight == 0) {
            self.wrong(node, "a list of addresses, at least one of them with a weight");
            return None;
        }
        for (index, endpoint) in found.iter().enumerate() {
            let is_twin =
                |other: &UpstreamEndpoint| other.url.trim_end_matches('/') == endpoint.url.trim_end_matches('/');
            if let Some(element) = elements.get(index)
                && found[..index].iter().any(is_twin)
            {
                self.wrong(element, "each address once; one that should get more requests has a larger `weight`");
                return None;
            }
        }
        let shape = |endpoint: &UpstreamEndpoint| {
            let (scheme, rest) = UpstreamScheme::of(endpoint.url)?;
            let path = rest.split_once('/').map_or("", |(_, path)| path).trim_end_matches('/');
            Some((scheme.has_tls, scheme.is_http2, path))
        };
        if found.iter().any(|endpoint| shape(endpoint) != shape(&found[0])) {
            self.wrong(node, "addresses that are all spoken to in one way, with one path");
            return None;
        }
        Some(found)
    }

    fn endpoint(&mut self, node: &Node) -> Option<UpstreamEndpoint> {
        if node.as_mapping().is_none() {
            return self.url(node).map(of_url);
        }
        let (mut url, mut weight, mut priority) = (None, Some(1), Some(0));
        let mut weighed = None;
        for (name, value) in self.members(node, ".endpoints", &["url", "weight", "priority"]) {
            match name {
                "url" => url = self.url(value),
                "weight" => (weight, weighed) = (self.number(value, 0..=MOST_WEIGHT), Some(value)),
                _ => priority = self.number(value, 0..=u32::from(LAST_PRIORITY)),
            }
        }
        if url.is_none() {
            self.wrong(node, "`{url: …}`");
        }
        if let Some(value) = weighed.filter(|_| url.is_some_and(UpstreamScheme::is_of_service)) {
            self.wrong(value, "no `weight` beside `dns+srv`: each SRV record has one");
            return None;
        }
        Some(UpstreamEndpoint { url: url?, weight: weight?, priority: u8::try_from(priority?).ok()? })
    }

    fn balance(&mut self, node: &Node) -> Option<Balance> {
        match node.as_str() {
            Some("round-robin") => return Some(Balance::RoundRobin),
            Some("least-request") => return Some(Balance::LeastRequest),
            _ => {}
        }
        let only = node.as_mapping().filter(|members| members.len() == 1);
        let list = only.and_then(|members| members.iter().find(|entry| &*entry.key.name == "hash"));
        let items = list.and_then(|entry| entry.value.as_sequence()).unwrap_or_default();
        let keys: Option<Vec<HashKey>> = items.iter().map(|item| item.as_str().and_then(hash_key)).collect();
        let keys = keys.filter(|keys| !keys.is_empty());
        if keys.is_none() {
            self.wrong(node, "`round-robin`, `least-request` or `{hash: [header:X-Tenant]}`");
        }
        keys.map(|keys| Balance::Hash(Vec::leak(keys)))
    }

    fn outlier(&mut self, node: &Node) -> Outlier {
        let mut outlier = Outlier::USUAL;
        for (name, value) in self.members(node, ".outlier", &["consecutive", "eject", "maxEjected"]) {
            match name {
                "consecutive" => {
                    outlier.consecutive = self.number(value, 1..=MOST_IN_A_ROW).unwrap_or(outlier.consecutive)
                }
                "eject" => outlier.eject = self.duration(value).unwrap_or(outlier.eject),
                _ => {
                    let share = value.as_text().and_then(|text| text.strip_suffix('%')?.parse().ok());
                    match share.filter(|share| *share <= 100) {
                        Some(share) => outlier.max_ejected = share,
                        None => self.wrong(value, "a share such as `50%`"),
                    }
                }
            }
        }
        outlier
    }

    fn keep_alive(&mut self, node: &Node) -> KeepAlive {
        let mut kept = KeepAlive::USUAL;
        for (name, value) in self.members(node, ".keepAlive", &["idle", "max", "age", "requests"]) {
            match name {
                "idle" => kept.idle = self.duration(value).unwrap_or(kept.idle),
                "age" => kept.age = self.duration(value),
                "max" => kept.max = self.number(value, 1..=MOST_KEPT).unwrap_or(kept.max),
                _ => kept.requests = self.number(value, 2..=u32::MAX),
            }
        }
        kept
    }

    fn retry(&mut self, node: &Node) -> Retry {
        const KNOWN: [&str; 6] = ["attempts", "on", "perTry", "backoff", "budget", "attemptHeader"];
        let mut retry = Retry {
            attempts: USUAL_ATTEMPTS,
            on: &RetryCause::USUAL,
            per_try: None,
            backoff: USUAL_BACKOFF,
            max_backoff: USUAL_MAX_BACKOFF,
            budget: RetryBudget::USUAL,
            attempt_header: false,
        };
        for (name, value) in self.members(node, ".retry", &KNOWN) {
            match name {
                "attempts" => retry.attempts = self.number(value, 1..=MOST_ATTEMPTS).unwrap_or(retry.attempts),
                "on" => {
                    let items = value.as_sequence().unwrap_or_default().iter();
                    let causes: Option<Vec<RetryCause>> =
                        items.map(|item| item.as_text().and_then(RetryCause::named)).collect();
                    match causes.filter(|causes| !causes.is_empty()) {
                        Some(causes) => retry.on = Vec::leak(causes),
                        None => self.wrong(value, "causes such as `[connect, reset, 503]`"),
                    }
                }
                "perTry" => retry.per_try = self.duration(value),
                "backoff" => {
                    for (name, value) in self.members(value, ".retry.backoff", &["base", "max"]) {
                        let of = if name == "base" { &mut retry.backoff } else { &mut retry.max_backoff };
                        *of = self.duration(value).unwrap_or(*of);
                    }
                }
                "budget" => {
                    for (name, value) in self.members(value, ".retry.budget", &["percent", "min"]) {
                        if name == "min" {
                            retry.budget.min = self.number(value, 0..=1_000_000).unwrap_or(retry.budget.min);
                        } else if let Some(percent) = self.number(value, 0..=100) {
                            retry.budget.percent = u8::try_from(percent).unwrap_or(100);
                        }
                    }
                }
                _ => match value.as_bool() {
                    Some(said) => retry.attempt_header = said,
                    None => self.wrong(value, "`true` or `false`"),
                },
            }
        }
        retry
    }

    fn health(&mut self, node: &Node) -> Option<Health> {
        const KNOWN: [&str; 6] = ["path", "every", "timeout", "healthy", "unhealthy", "status"];
        let mut health = Health {
            path: "",
            every: USUAL_CHECK_INTERVAL,
            timeout: USUAL_CHECK_TIMEOUT,
            healthy: USUAL_HEALTHY,
            unhealthy: USUAL_UNHEALTHY,
            status: &[USUAL_STATUSES],
        };
        for (name, value) in self.members(node, ".health", &KNOWN) {
            match name {
                "path" => health.path = value.as_str().map_or("", |path| path.to_owned().leak()),
                "every" => health.every = self.duration(value).unwrap_or(health.every),
                "timeout" => health.timeout = self.duration(value).unwrap_or(health.timeout),
                "healthy" => health.healthy = self.number(value, 1..=MOST_IN_A_ROW).unwrap_or(health.healthy),
                "unhealthy" => health.unhealthy = self.number(value, 1..=MOST_IN_A_ROW).unwrap_or(health.unhealthy),
                _ => {
                    let items = value.as_sequence().unwrap_or_default();
                    let ranges: Option<Vec<(u16, u16)>> =
                        items.iter().map(|item| status_range(item.as_text()?)).collect();
                    match ranges {
                        Some(ranges) if !ranges.is_empty() => health.status = Vec::leak(ranges),
                        _ => self.wrong(value, "statuses such as `[200-299]`"),
                    }
                }
            }
        }
        if !health.path.starts_with('/') || !health.path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#') {
            self.wrong(node, "a `path` such as `/healthz`");
            return None;
        }
        Some(health)
    }

    fn url(&mut self, node: &Node) -> Option<&'static str> {
        let url = node.as_str();
        if url.is_none() {
            self.wrong(node, "an address such as `http://10.0.0.1:8080`");
        }
        url.map(|url| &*url.to_owned().leak())
    }

    fn duration(&mut self, node: &Node) -> Option<Duration> {
        let found = node.as_text().and_then(duration);
        if found.is_none() {
            self.wrong(node, "a duration such as 250ms, 5s or 10m");
        }
        found
    }

    fn number(&mut self, node: &Node, range: RangeInclusive<u32>) -> Option<u32> {
        let number = node.as_number().and_then(|number| number.as_u64()).and_then(|number| u32::try_from(number).ok());
        let number = number.filter(|number| range.contains(number));
        if number.is_none() {
            self.wrong(node, &format!("a whole number from {} to {}", range.start(), range.end()));
        }
        number
    }

    fn wrong(&mut self, node: &Node, expected: &str) {
        let found = node.as_text().map_or_else(|| node.kind_name().to_owned(), |text| format!("`{text}`"));
        let problem = format!("expected {expected}, found {found}");
        self.settings.problems.push(Problem::at(&self.setting.place_at(node), problem));
    }
}

fn hash_key(text: &str) -> Option<HashKey> {
    let leaked = |text: &&str| -> &'static str { (*text).to_owned().leak() };
    gateway_terms::key::HashKey::named(text).map(|key| key.map(leaked))
}
