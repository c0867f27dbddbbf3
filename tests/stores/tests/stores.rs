//! Limits that several gateways count together, in a real Redis that is stopped, frozen, flushed and started again.
//! Needs `redis-server`; without it the tests say that they were skipped, or fail where `GATEWAY_TEST_REQUIRE_SERVICES=1`.

#[path = "../../support/redis.rs"]
mod redis;
#[path = "../../support/mod.rs"]
mod support;

use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;
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
    // The machine that tests may be busy with other things.
    let mut all = vec![upstream.as_str(), "stores.shared.timeout=2s", "insecureLiterals=true", &consumers];
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
    rateLimit: [{name: agreed, algorithm: token-bucket, limit: 3, interval: 60s, store: shared}]
";
        std::fs::write(&path, text).expect("written");
        path
    });
    path.clone()
}

fn url_of(redis: &RedisServer) -> String {
    format!("redis://{}", redis.address)
}

/// What came of many requests.
#[derive(Debug, Default)]
struct Count {
    admitted: usize,
    refused: usize,
    unavailable: usize,
    slowest: Duration,
}

/// Asks all gateways at once, each over some connections, until `until`.
fn load(gateways: &[&Gateway], path: &str, connections: usize, until: impl Fn(Instant) -> bool + Sync) -> Count {
    let (count, started) = (Mutex::new(Count::default()), Instant::now());
    std::thread::scope(|scope| {
        for gateway in gateways {
            for _ in 0..connections {
                scope.spawn(|| {
                    let (mut own, mut connection) = (Count::default(), gateway.connect());
                    while until(started) {
                        let begun = Instant::now();
                        connection.send(format!("GET {path} HTTP/1.1\r\nHost: gateway.test\r\n\r\n"));
                        match connection.response(false).status {
                            200 => own.admitted += 1,
                            429 => own.refused += 1,
                            503 => own.unavailable += 1,
                            status => panic!("{status}"),
                        }
                        own.slowest = own.slowest.max(begun.elapsed());
                    }
                    let mut count = count.lock().expect("no panic");
                    count.admitted += own.admitted;
                    count.refused += own.refused;
                    count.unavailable += own.unavailable;
                    count.slowest = count.slowest.max(own.slowest);
                });
            }
        }
    });
    let count = count.into_inner().expect("no panic");
    eprintln!("{path}: {count:?}");
    count
}

fn lasting(time: Duration) -> impl Fn(Instant) -> bool + Sync {
    move |started| started.elapsed() < time
}

#[test]
fn three_gateways_admit_exactly_the_limit() {
    let Some(redis) = RedisServer::start(&["--requirepass", "s:cret%"]) else { return };
    let upstream = Upstream::echo();
    let url = format!("redis://:s%3Acret%25@{}", redis.address);
    let gateways: Vec<Gateway> = (0..3).map(|_| gateway_at(&url, &upstream, &[])).collect();
    let all: Vec<&Gateway> = gateways.iter().collect();
    let count = load(&all, "/exact", 8, lasting(Duration::from_secs(3)));
    assert_eq!((count.admitted, count.unavailable), (300, 0), "{count:?}");
    assert!(count.refused > 0);
    let refused = gateways[0].get("/exact", "");
    assert_eq!((refused.status, refused.header("ratelimit-policy").as_str()), (429, "\"together\";q=300;w=120"));
    assert_eq!(refused.header("retry-after"), refused.header("x-ratelimit-reset"));
    assert!(!gateways[0].messages().contains("s:cret"));
    let metrics = gateways[1].operations("/metrics").body;
    assert!(metrics.contains("gateway_store_up{store=\"shared\"} 1"), "{metrics}");
    assert!(!metrics.contains("gateway_store_requests_total{store=\"shared\",outcome=\"ok\"} 0"), "{metrics}");
    // A wrong password is a store that does not answer.
    let wrong = gateway_at(&format!("redis://:wrong@{}", redis.address), &upstream, &[]);
    assert_eq!(wrong.get("/exact", "").status, 503);
    let said = eventually("the reason", || Some(wrong.messages()).filter(|said| said.contains("store `shared`")));
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
    let count = load(&all, "/fast", 8, lasting(Duration::from_secs(4)));
    assert_eq!(count.unavailable, 0);
    assert!((2_000 - 3 * 100..=2_000).contains(&count.admitted), "{count:?}");
    let asked: u64 = all.iter().map(|gateway| questions(gateway)).sum();
    let requests = count.admitted + count.refused;
    eprintln!("{asked} questions for {requests} requests");
    assert!(asked < requests as u64 / 3, "{asked} questions for {requests} requests");
    // A bucket: what exact would admit in a time that is a second longer.
    let started = Instant::now();
    let count = load(&all, "/fast-bucket", 8, lasting(Duration::from_secs(3)));
    let most = 1_000 + (100.0 * (started.elapsed().as_secs_f64() + 1.0)) as usize;
    assert!((1_000 - 3 * 50..=most).contains(&count.admitted), "{count:?}");
}

fn questions(gateway: &Gateway) -> u64 {
    let metrics = gateway.operations("/metrics").body;
    let line = metrics
        .lines()
        .find_map(|line| line.strip_prefix("gateway_store_requests_total{store=\"shared\",outcome=\"ok\"} "));
    line.and_then(|number| number.parse().ok()).expect("a number")
}

/// 64 connections on all cores for some seconds: a hundred at once, then ten a second, and one more or less.
fn is_exact(gateways: &[&Gateway], path: &str, seconds: u64) {
    let started = Instant::now();
    let count = load(gateways, path, 64 / gateways.len(), lasting(Duration::from_secs(seconds)));
    let model = 100 + started.elapsed().as_millis() as usize / 100;
    eprintln!("{path}: {} admitted, the model admits {model}", count.admitted);
    assert!(count.admitted.abs_diff(model) <= 1, "{count:?}, the model admits {model}");
    assert_eq!(count.unavailable, 0);
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

/// Who waits for the store and leaves holds nothing.
#[test]
fn whoever_leaves_while_the_store_is_asked_is_gone() {
    let Some(redis) = RedisServer::start(&[]) else { return };
    let gateway = gateway_at(&url_of(&redis), &Upstream::echo(), &["stores.shared.timeout=300ms"]);
    assert_eq!(gateway.get("/both", "").status, 200);
    redis.signal("-STOP");
    for _ in 0..2 {
        gateway.connect().send("GET /both HTTP/1.1\r\nHost: gateway.test\r\n\r\n");
    }
    eventually("no connection", || {
        gateway.operations("/metrics").body.lines().any(|line| line == "gateway_connections 0").then_some(())
    });
    redis.signal("-CONT");
    let answer = eventually("the store", || Some(gateway.get("/both", "")).filter(|answer| answer.status != 503));
    assert_eq!((answer.status, answer.header("x-here-ratelimit-remaining").as_str()), (200, "4"), "{answer:?}");
}

#[test]
fn each_algorithm_tells_the_same_as_without_a_store() {
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
    // Ten a second, of whom three wait; a machine that is slow lets more through.
    let started = Instant::now();
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| shared.get("/queue", "").status)).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    });
    let admitted = statuses.iter().filter(|status| **status == 200).count();
    assert!((4..=6).contains(&admitted) && started.elapsed() >= Duration::from_millis(250), "{statuses:?}");
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
fn what_is_counted_here_and_there_is_charged_together() {
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

/// Whether each request is answered in the time that a store has, and those after the first at once.
#[test]
fn a_store_that_is_stopped_or_frozen_holds_nobody_up() {
    let Some(mut redis) = RedisServer::start(&[]) else { return };
    let upstream = Upstream::echo();
    // A short time, so that it can be told from none on a busy machine.
    let gateway =
        gateway_at(&url_of(&redis), &upstream, &["stores.shared.timeout=300ms", "stores.shared.connectTimeout=500ms"]);
    let statuses = |path: &str| (0..8).map(|_| gateway.get(path, "").status).collect::<Vec<_>>();
    assert_eq!(gateway.get("/exact", "").status, 200);
    assert_eq!(
        (statuses("/allow")[..6].to_vec(), statuses("/local")[..6].to_vec()),
        (vec![200, 200, 200, 200, 200, 429], vec![200, 200, 200, 200, 200, 429])
    );

    for (stop, name) in [("-STOP", "frozen"), ("-KILL", "stopped")] {
        let before = questions(&gateway);
        redis.signal(stop);
        let paths = ["/exact", "/allow", "/local"];
        let counts: Vec<Count> = paths.map(|path| load(&[&gateway], path, 4, lasting(Duration::from_secs(1)))).into();
        let [deny, allow, local] = &counts[..] else { unreachable!("three") };
        assert_eq!((deny.admitted, deny.refused), (0, 0), "{name}: {deny:?}");
        assert_eq!((allow.refused, allow.unavailable), (0, 0), "{name}: {allow:?}");
        // Five in two minutes, here as there.
        assert!(local.admitted <= 5 && local.unavailable == 0, "{name}: {local:?}");
        for count in &counts {
            assert!(count.slowest < Duration::from_millis(1_500), "{name}: {count:?}");
            assert!(
                count.admitted + count.refused + count.unavailable > 100,
                "{name}: after the first, at once: {count:?}"
            );
        }
        assert!(questions(&gateway) <= before + 4, "{name}");
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
        eventually("the store", || (gateway.get("/exact", "").status == 200).then_some(()));
        eventually("all threads", || {
            gateway.operations("/metrics").body.contains("gateway_store_up{store=\"shared\"} 1").then_some(())
        });
    }
    let said = gateway.messages();
    let times = |text: &str| said.matches(text).count();
    assert_eq!((times("its limits do as"), times("answers again")), (2, 2), "each change once: {said}");
}

/// The store comes and goes while nobody reads what the gateway says about it.
#[test]
fn a_store_is_found_again_although_nobody_reads_of_it() {
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

/// Who is answered while the store is started again is counted before or after, and nobody is lost.
#[test]
fn a_restart_under_load_is_short() {
    let Some(mut redis) = RedisServer::start(&[]) else { return };
    let gateway = gateway_at(&url_of(&redis), &Upstream::echo(), &[]);
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..2 {
                std::thread::sleep(Duration::from_millis(700));
                redis.restart();
            }
            std::thread::sleep(Duration::from_millis(1_500));
            done.store(true, std::sync::atomic::Ordering::Relaxed);
        });
        let count = load(&[&gateway], "/exact", 8, |_| !done.load(std::sync::atomic::Ordering::Relaxed));
        // It forgets what it counted each time; what was on its way is charged and not answered.
        assert!((300 - 8..=3 * 300).contains(&count.admitted), "{count:?}");
        assert!(count.slowest < Duration::from_millis(2_500), "{count:?}");
    });
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

/// All that is missing is told together.
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
    assert!(said.contains("is counted in the store `other`"), "{said}");
}
