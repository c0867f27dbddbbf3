//! Limits that several gateways count together, in a real Redis that is stopped, frozen, flushed and started again.
//! Needs `redis-server`; without it the tests say that they were skipped, or fail where `GATEWAY_TEST_REQUIRE_SERVICES=1`.

#[path = "../../support/redis.rs"]
mod redis;
#[path = "../../support/mod.rs"]
mod support;

use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use redis::RedisServer;
use support::{Gateway, Reader, Upstream, eventually};

/// A gateway that counts at `url`, or alone.
fn gateway_at(url: &str, upstream: &Upstream, settings: &[&str]) -> Gateway {
    Gateway::launch(command(url, upstream, settings))
}

fn command(url: &str, upstream: &Upstream, settings: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gateway-stores"));
    support::usual_settings(&mut command);
    let consumers = format!("consumers.file={}", consumers().display());
    let upstream = format!("upstreams.stores.default=http://{}", upstream.address);
    // The machine that tests may be busy with other things: a test of the times has times of its own.
    let mut all = vec![upstream.as_str(), "insecureLiterals=true", &consumers];
    all.extend(["stores.shared.timeout=60s", "stores.shared.connectTimeout=60s"]);
    match url {
        "" => all.push("stores.shared.kind=memory"),
        _ => all.extend(["stores.shared.kind=redis", "stores.shared.url.env=RATE_REDIS_URL"]),
    }
    for setting in all {
        command.args(["--set", setting]);
    }
    for setting in settings {
        command.args(["--set", setting]);
    }
    command.env("RATE_REDIS_URL", url);
    command
}

fn consumers() -> PathBuf {
    static FILE: Mutex<Option<PathBuf>> = Mutex::new(None);
    let mut file = FILE.lock().expect("no panic");
    let path = file.get_or_insert_with(|| {
        let path = std::env::temp_dir().join(format!("gateway-stores-{}.yaml", std::process::id()));
        let text = "
consumers:
  - username: olaf
    credentials: [{type: key, key: {value: olaf-secret}}]
    rateLimit: [{name: agreed, algorithm: token-bucket, limit: 3, interval: 24h, store: shared}]
";
        std::fs::write(&path, text).expect("written");
        path
    });
    path.clone()
}

fn url_of(redis: &RedisServer) -> String {
    format!("redis://{}", redis.address)
}

/// The results of many requests.
#[derive(Debug, Default)]
struct Count {
    admitted: AtomicUsize,
    refused: AtomicUsize,
    unavailable: AtomicUsize,
    /// When the first answer had come.
    first: Mutex<Option<Instant>>,
    /// When the last request that was refused was sent.
    last_refused: Mutex<Option<Instant>>,
}

impl Count {
    /// Admitted, refused, unavailable.
    fn of(&self) -> (usize, usize, usize) {
        (self.admitted.load(Relaxed), self.refused.load(Relaxed), self.unavailable.load(Relaxed))
    }

    fn all(&self) -> usize {
        let (admitted, refused, unavailable) = self.of();
        admitted + refused + unavailable
    }

    fn note(&self, sent: Instant, status: u16) {
        let counter = match status {
            200 => &self.admitted,
            429 => &self.refused,
            503 => &self.unavailable,
            status => panic!("{status}"),
        };
        counter.fetch_add(1, Relaxed);
        self.first.lock().expect("no panic").get_or_insert_with(Instant::now);
        if status == 429 {
            let mut last = self.last_refused.lock().expect("no panic");
            *last = (*last).max(Some(sent));
        }
    }
}

/// Asks all gateways at once, each over some connections, as long as `goes_on`.
fn load(gateways: &[&Gateway], path: &str, connections: usize, goes_on: impl Fn(&Count) -> bool + Sync) -> Count {
    let count = Count::default();
    load_into(&count, gateways, path, connections, goes_on);
    count
}

fn load_into(
    count: &Count,
    gateways: &[&Gateway],
    path: &str,
    connections: usize,
    goes_on: impl Fn(&Count) -> bool + Sync,
) {
    std::thread::scope(|scope| {
        for gateway in gateways {
            for _ in 0..connections {
                scope.spawn(|| {
                    let mut connection = gateway.connect();
                    while goes_on(count) {
                        let sent = Instant::now();
                        connection.send(format!("GET {path} HTTP/1.1\r\nHost: gateway.test\r\n\r\n"));
                        count.note(sent, connection.response(false).status);
                    }
                });
            }
        }
    });
    eprintln!("{path}: {count:?}");
}

/// `number` requests, and a few more.
fn requests(number: usize) -> impl Fn(&Count) -> bool + Sync {
    move |count| count.all() < number
}

#[test]
fn three_gateways_admit_exactly_the_limit() {
    let Some(redis) = RedisServer::start(&["--requirepass", "s:cret%"]) else { return };
    let upstream = Upstream::echo();
    let url = format!("redis://:s%3Acret%25@{}", redis.address);
    let gateways: Vec<Gateway> = (0..3).map(|_| gateway_at(&url, &upstream, &[])).collect();
    let all: Vec<&Gateway> = gateways.iter().collect();
    let (admitted, _, unavailable) = load(&all, "/exact", 8, requests(3_000)).of();
    assert_eq!((admitted, unavailable), (300, 0));
    let refused = gateways[0].get("/exact", "");
    assert_eq!((refused.status, refused.header("ratelimit-policy").as_str()), (429, "\"together\";q=300;w=86400"));
    assert_eq!(refused.header("retry-after"), refused.header("x-ratelimit-reset"));
    assert!(!gateways[0].messages().contains("s:cret"));
    let metrics = gateways[1].operations("/metrics").body;
    assert!(metrics.contains("gateway_store_up{store=\"shared\"} 1"), "{metrics}");
    assert!(!metrics.contains("gateway_store_requests_total{store=\"shared\",outcome=\"ok\"} 0"), "{metrics}");
    // A wrong password is a store that does not answer.
    let wrong = gateway_at(&format!("redis://:wrong@{}", redis.address), &upstream, &[]);
    assert_eq!(wrong.get("/exact", "").status, 503);
    let said = eventually("the reason", || Some(wrong.messages()).filter(|said| said.contains("store shared:")));
    assert!(said.contains("does not take the user or the password") && !said.contains("wrong@"), "{said}");
}

/// All that is admitted has been charged, so never more; what is charged ahead and not used, a twentieth for each gateway
/// at most, is lost.
#[test]
fn three_fast_gateways_stay_within_the_bound() {
    let Some(redis) = RedisServer::start(&[]) else { return };
    let upstream = Upstream::echo();
    let gateways: Vec<Gateway> = (0..3).map(|_| gateway_at(&url_of(&redis), &upstream, &[])).collect();
    let all: Vec<&Gateway> = gateways.iter().collect();
    // What is charged ahead is lost when it is a second old. On a machine on which the load takes this long, that happens
    // more than once: then there is no least number.
    let is_slow = |took: Duration| took > Duration::from_secs(8);
    let started = Instant::now();
    let (admitted, refused, unavailable) = load(&all, "/fast", 8, requests(8_000)).of();
    let took = started.elapsed();
    assert_eq!(unavailable, 0);
    assert!(admitted <= 2_000 && (admitted >= 2_000 - 3 * 100 || is_slow(took)), "{admitted} in {took:?}");
    let (asked, all_requests) = (all.iter().map(|gateway| questions(gateway, "ok")).sum::<usize>(), admitted + refused);
    assert!(asked < all_requests / 3, "{asked} questions for {all_requests} requests");
    // A bucket: what exact would admit in a time that is a second longer.
    let started = Instant::now();
    let (admitted, ..) = load(&all, "/fast-bucket", 8, requests(5_000)).of();
    let took = started.elapsed();
    let most = 1_000 + (100.0 * (took.as_secs_f64() + 1.0)) as usize;
    assert!(admitted <= most && (admitted >= 1_000 - 3 * 50 || is_slow(took)), "{admitted} in {took:?}");
}

/// How many came to this.
fn questions(gateway: &Gateway, outcome: &str) -> usize {
    let metrics = gateway.operations("/metrics").body;
    let name = format!("gateway_store_requests_total{{store=\"shared\",outcome=\"{outcome}\"}} ");
    let line = metrics.lines().find_map(|line| line.strip_prefix(&name));
    line.and_then(|number| number.parse().ok()).expect("a number")
}

/// 64 connections on all cores until some seconds after the first refusal: six hundred at once, then ten a second.
fn is_exact(gateways: &[&Gateway], path: &str, seconds: u64) {
    const AT_ONCE: f64 = 600.0;
    const EACH_SECOND: f64 = 10.0;
    let (started, refusal) = (Instant::now(), std::sync::OnceLock::new());
    let goes_on = |count: &Count| {
        if count.refused.load(Relaxed) == 0 {
            return true;
        }
        refusal.get_or_init(Instant::now).elapsed() < Duration::from_secs(seconds)
    };
    let count = load(gateways, path, 64 / gateways.len(), goes_on);
    let most = AT_ONCE + EACH_SECOND * started.elapsed().as_secs_f64();
    // When the last request was refused, all that had come back since the first was used up, but for a part of one.
    let (first, last) =
        (count.first.into_inner().expect("no panic"), count.last_refused.into_inner().expect("no panic"));
    let between = last.expect("a refusal").duration_since(first.expect("an answer"));
    let least = AT_ONCE + EACH_SECOND * between.as_secs_f64() - 1.0;
    let admitted = count.admitted.into_inner();
    assert!((least..=most).contains(&(admitted as f64)), "{path}: {admitted} admitted, not {least} to {most}");
    assert_eq!(count.unavailable.into_inner(), 0);
}

#[test]
fn a_rate_is_exact_under_load() {
    let gateway = gateway_at("", &Upstream::echo(), &[]);
    is_exact(&[&gateway], "/steady", 3);
}

#[test]
fn a_shared_rate_is_exact_under_load() {
    let Some(redis) = RedisServer::start(&[]) else { return };
    let upstream = Upstream::echo();
    let gateways: Vec<Gateway> = (0..3).map(|_| gateway_at(&url_of(&redis), &upstream, &[])).collect();
    is_exact(&gateways.iter().collect::<Vec<_>>(), "/steady-shared", 3);
}

/// `cargo test --release -p gateway-stores -- --ignored --nocapture --test-threads=1`
#[test]
#[ignore = "takes two minutes"]
fn rates_are_exact_for_a_minute() {
    let Some(redis) = RedisServer::start(&[]) else { return };
    let upstream = Upstream::echo();
    let gateways: Vec<Gateway> = (0..3).map(|_| gateway_at(&url_of(&redis), &upstream, &[])).collect();
    is_exact(&[&gateways[0]], "/steady", 60);
    is_exact(&gateways.iter().collect::<Vec<_>>(), "/steady-shared", 60);
}

/// A client that waits for the store and leaves holds nothing once the store's timeout is over.
#[test]
fn a_client_that_leaves_while_the_store_is_asked_holds_nothing() {
    let Some(redis) = RedisServer::start(&[]) else { return };
    let gateway = gateway_at(&url_of(&redis), &Upstream::echo(), &["stores.shared.timeout=5s"]);
    assert_eq!(gateway.get("/both", "").status, 200);
    redis.signal("-STOP");
    for _ in 0..2 {
        gateway.connect().send("GET /both HTTP/1.1\r\nHost: gateway.test\r\n\r\n");
    }
    let shows = |line: &str| gateway.operations("/metrics").body.lines().any(|found| found == line).then_some(());
    eventually("both", || shows("gateway_connections_accepted_total 3"));
    eventually("no connection", || shows("gateway_connections 0"));
    redis.signal("-CONT");
    let answer = eventually("the store", || Some(gateway.get("/both", "")).filter(|answer| answer.status != 503));
    assert_eq!((answer.status, answer.header("x-here-ratelimit-remaining").as_str()), (200, "4"), "{answer:?}");
}

#[test]
fn each_algorithm_decides_as_without_a_store() {
    let Some(redis) = RedisServer::start(&[]) else { return };
    let upstream = Upstream::echo();
    let (shared, alone) = (gateway_at(&url_of(&redis), &upstream, &[]), gateway_at("", &upstream, &[]));
    let told = |gateway: &Gateway, path: &str| {
        let answers = (0..7).map(|_| gateway.get(path, "X-Visitor: ann\r\n"));
        answers
            .map(|answer| {
                let names = ["x-ratelimit-limit", "x-ratelimit-remaining", "ratelimit-policy"];
                (answer.status, names.map(|name| answer.header(name)))
            })
            .collect::<Vec<_>>()
    };
    for path in ["/bucket", "/sliding", "/exact", "/local"] {
        assert_eq!(told(&shared, path), told(&alone, path), "{path}");
    }
    // One goes on and three wait, and each is let go a tenth of a second after the one before.
    let started = Instant::now();
    let ask = || {
        let mut connection = shared.connect();
        connection.send("GET /queue HTTP/1.1\r\nHost: gateway.test\r\n\r\n");
        connection
    };
    let mut all: Vec<_> = (0..20).map(|_| ask()).collect();
    let statuses: Vec<u16> = all.iter_mut().map(|connection| connection.response(false).status).collect();
    let admitted = statuses.iter().filter(|status| **status == 200).count();
    let least = Duration::from_millis(100) * (admitted as u32).saturating_sub(1);
    assert!(admitted >= 4 && started.elapsed() >= least, "{admitted} in {:?}", started.elapsed());
    // A consumer's own limit.
    let statuses = (0..4).map(|_| shared.get("/partner", "X-API-Key: olaf-secret\r\n").status);
    assert_eq!(statuses.collect::<Vec<_>>(), [200, 200, 200, 429]);
    let again = gateway_at(&url_of(&redis), &upstream, &[]);
    assert_eq!(again.get("/partner", "X-API-Key: olaf-secret\r\n").status, 429, "known to another gateway");
    assert_eq!(again.get("/bucket", "X-Visitor: ann\r\n").status, 429);
    assert_eq!(again.get("/bucket", "X-Visitor: ben\r\n").header("x-ratelimit-remaining"), "4");
    let keys = redis.ask("KEYS *");
    assert!(!keys.contains("ann") && !keys.contains("olaf"), "no value stands in the store: {keys}");
}

#[test]
fn local_and_shared_limits_are_charged_together() {
    let Some(redis) = RedisServer::start(&[]) else { return };
    let upstream = Upstream::echo();
    let (one, other) = (gateway_at(&url_of(&redis), &upstream, &[]), gateway_at(&url_of(&redis), &upstream, &[]));
    let left = |gateway: &Gateway| {
        let answer = gateway.get("/both", "");
        let remaining = |name: &str| answer.header(&format!("x-{name}-ratelimit-remaining"));
        (answer.status, remaining("here"), remaining("everywhere"))
    };
    let of = |status: u16, here: &str, everywhere: &str| (status, here.to_owned(), everywhere.to_owned());
    assert_eq!((left(&one), left(&other)), (of(200, "5", "3"), of(200, "5", "2")));
    assert_eq!((left(&one), left(&one)), (of(200, "4", "1"), of(200, "3", "0")));
    for _ in 0..3 {
        assert_eq!(left(&one), of(429, "3", "0"), "here it was taken back");
        assert_eq!(left(&other), of(429, "5", "0"));
    }
    redis.ask("FLUSHALL");
    assert_eq!((left(&one), left(&one), left(&one)), (of(200, "2", "3"), of(200, "1", "2"), of(200, "0", "1")));
    assert_eq!(left(&one), of(429, "0", ""), "who is refused here asks nobody");
    assert_eq!(left(&other), of(200, "4", "0"));
}

#[test]
fn a_flush_of_scripts_is_not_noticed() {
    let Some(redis) = RedisServer::start(&[]) else { return };
    let gateway = gateway_at(&url_of(&redis), &Upstream::echo(), &[]);
    for round in 0..10 {
        assert_eq!(gateway.get("/exact", "").header("x-ratelimit-remaining"), (299 - round).to_string());
        redis.ask("SCRIPT FLUSH");
    }
}

/// Whether each request is answered, and those after the first without a question to the store.
#[test]
fn a_store_that_is_stopped_or_frozen_delays_no_request() {
    let Some(mut redis) = RedisServer::start(&[]) else { return };
    let upstream = Upstream::echo();
    let patient = gateway_at(&url_of(&redis), &upstream, &[]);
    let statuses = |path: &str| (0..8).map(|_| patient.get(path, "").status).collect::<Vec<_>>();
    assert_eq!(
        (statuses("/allow")[..6].to_vec(), statuses("/local")[..6].to_vec()),
        (vec![200, 200, 200, 200, 200, 429], vec![200, 200, 200, 200, 200, 429])
    );

    let gateway =
        gateway_at(&url_of(&redis), &upstream, &["stores.shared.timeout=500ms", "stores.shared.connectTimeout=500ms"]);
    let is_back = || {
        eventually("the store", || (gateway.get("/exact", "").status == 200).then_some(()));
        eventually("all threads", || {
            gateway.operations("/metrics").body.contains("gateway_store_up{store=\"shared\"} 1").then_some(())
        });
    };
    is_back();
    for (stop, name) in [("-STOP", "frozen"), ("-KILL", "stopped")] {
        let (answered, failed) = (questions(&gateway, "ok"), questions(&gateway, "failed"));
        redis.signal(stop);
        let [deny, allow, local] =
            ["/exact", "/allow", "/local"].map(|path| load(&[&gateway], path, 4, requests(200)).of());
        assert_eq!((deny.0, deny.1), (0, 0), "{name}: {deny:?}");
        assert_eq!((allow.1, allow.2), (0, 0), "{name}: {allow:?}");
        // Five a day, here as there.
        assert!(local.0 <= 5 && local.2 == 0, "{name}: {local:?}");
        // Three in a row without an answer, on each thread, beside those that come together.
        let failed = questions(&gateway, "failed") - failed;
        assert!(failed <= 16, "{name}: after the first, at once, and not {failed} of 600");
        assert!(questions(&gateway, "ok") <= answered + 4, "{name}");
        let refused = gateway.get("/exact", "");
        assert_eq!((refused.status, refused.header("retry-after").as_str()), (503, "1"));
        let line = gateway.log_line(|line| line["status"] == 503);
        assert_eq!((line["reject"].as_str(), line["side"].as_str()), (Some("store-unavailable"), Some("internal")));
        let metrics = gateway.operations("/metrics").body;
        assert!(metrics.contains("gateway_store_up{store=\"shared\"} 0"), "{metrics}");
        match stop {
            "-STOP" => redis.signal("-CONT"),
            _ => redis.restart(),
        }
        is_back();
    }
    // On a machine that is slow a store seems to be away more often than it is.
    let said = gateway.messages();
    let changes: Vec<bool> = said
        .lines()
        .filter(|line| line.contains("its limits do as") || line.contains("answers again"))
        .map(|line| line.contains("answers again"))
        .collect();
    assert!(changes.len() >= 4, "{said}");
    assert!(changes.chunks(2).all(|pair| pair == [false, true]), "each change once: {said}");
}

/// The store comes and goes while the messages of the gateway have no reader.
#[test]
fn a_store_is_found_again_with_an_unread_standard_error() {
    for reader in Reader::ALL {
        let Some(mut redis) = RedisServer::start(&[]) else { return };
        let settings = ["stores.shared.timeout=300ms", "stores.shared.connectTimeout=500ms"];
        let gateway = Gateway::launch_before(command(&url_of(&redis), &Upstream::echo(), &settings), reader);
        eventually("the store", || (gateway.get("/exact", "").status == 200).then_some(()));
        for _ in 0..2 {
            redis.signal("-KILL");
            eventually("the outage", || (gateway.get("/exact", "").status == 503).then_some(()));
            redis.restart();
            eventually("the store", || (gateway.get("/exact", "").status == 200).then_some(()));
        }
        assert_eq!(gateway.operations("/readyz").status, 200, "{reader:?}");
    }
}

/// A request that is answered while the store restarts is counted before or after, and none is lost.
#[test]
fn a_restart_under_load_loses_no_request() {
    let Some(mut redis) = RedisServer::start(&[]) else { return };
    let gateway = gateway_at(&url_of(&redis), &Upstream::echo(), &[]);
    let (count, done) = (Count::default(), AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| load_into(&count, &[&gateway], "/exact", 8, |_| !done.load(Relaxed)));
        let is_used_up = || {
            let (_, before, _) = count.of();
            eventually("the end of the limit", || (count.of().1 > before + 8).then_some(()));
        };
        is_used_up();
        for _ in 0..2 {
            let (before, ..) = count.of();
            redis.restart();
            eventually("the store", || (count.of().0 > before).then_some(()));
            is_used_up();
        }
        done.store(true, Relaxed);
    });
    // It forgets what it counted each time; what was on its way is charged and not answered.
    let (admitted, ..) = count.of();
    assert!((3 * 300 - 2 * 8..=3 * 300).contains(&admitted), "{count:?}");
}

#[test]
fn a_store_with_tls_is_checked() {
    let folder = std::env::temp_dir().join(format!("gateway-stores-tls-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned(), "localhost".to_owned()]).expect("made");
    let (certificate, key) = (folder.join("ca.pem"), folder.join("key.pem"));
    let pem =
        |what: &str, der: &[u8]| format!("-----BEGIN {what}-----\n{}\n-----END {what}-----\n", support::base64(der));
    std::fs::write(&certificate, pem("CERTIFICATE", made.cert.der())).expect("written");
    std::fs::write(&key, pem("PRIVATE KEY", &made.signing_key.serialize_der())).expect("written");
    let (certificate, key) = (certificate.display().to_string(), key.display().to_string());
    let arguments = [
        "--tls-port",
        "{port}",
        "--tls-cert-file",
        &certificate,
        "--tls-key-file",
        &key,
        "--tls-ca-cert-file",
        &certificate,
        "--tls-auth-clients",
        "no",
        "--requirepass",
        "secret",
    ];
    let Some(redis) = RedisServer::start(&arguments) else { return };
    let url = format!("rediss://default:secret@localhost:{}", redis.address.port());
    let upstream = Upstream::echo();
    let trusting = gateway_at(&url, &upstream, &[&format!("trustedRoots.file={certificate}")]);
    assert_eq!(trusting.get("/exact", "").header("x-ratelimit-remaining"), "299");
    let strict = gateway_at(&url, &upstream, &[]);
    assert_eq!(strict.get("/exact", "").status, 503, "nobody vouches for it");
    let _ = std::fs::remove_dir_all(&folder);
}

/// All that is missing is reported together.
#[test]
fn a_store_that_is_not_configured_is_missed() {
    let upstream = Upstream::echo();
    let start = |settings: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gateway-stores"));
        support::usual_settings(&mut command);
        command.args(["--set", &format!("upstreams.stores.default=http://{}", upstream.address)]);
        command.args(["--set", "insecureLiterals=true", "--set", &format!("consumers.file={}", consumers().display())]);
        settings.iter().for_each(|setting| {
            command.args(["--set", setting]);
        });
        command.arg("check");
        let output = command.env_remove("RATE_REDIS_URL").output().expect("it runs");
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    for (settings, expected) in [
        (&[][..], "is counted in the store `shared`, which is not in the settings"),
        (&["stores.shared.kind=redis"], "store `shared` has no URL"),
        (&["stores.shared.kind=memcached"], "expected `memory`, `sqlite`, `postgres` or `redis`"),
        (&["stores.shared.kind=redis", "stores.shared.url.env=RATE_REDIS_URL"], "RATE_REDIS_URL is not set"),
        (
            &["stores.shared.kind=redis", "stores.shared.url=redis://:secret@localhost"],
            "has a password, which does not belong here",
        ),
        (&["stores.shared.kind=redis", "stores.shared.url=http://localhost"], "expected `redis://"),
        (
            &["stores.shared.kind=redis", "stores.shared.url=redis://localhost", "stores.shared.tiemout=1s"],
            "did you mean `stores.shared.timeout`",
        ),
        (&["stores.shared.url=redis://localhost"], "write `kind: redis`"),
    ] {
        let (ran, said) = start(settings);
        assert!(!ran && said.contains(expected) && !said.contains(":secret@localhost`"), "{settings:?}: {said}");
    }
    let (ran, said) = start(&["stores.shared.kind=memory", "stores.other.kind=memory"]);
    assert!(ran, "{said}");
    assert!(said.contains("store other: configured but unused"), "{said}");
}
