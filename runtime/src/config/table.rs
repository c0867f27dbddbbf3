//! The settings of `gateway.yaml`: one row for each, from which reading, the spelling of environment variables, the check
//! for unknown settings and the table of the manual derive.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use ipnet::IpNet;

use crate::config::{Config, upstreams};
use gateway_base::operator_log::Format;
use gateway_base::origin;
use gateway_base::problem::Problem;
use gateway_base::setting_values::{duration, read_into, secret, size};
use gateway_base::settings::{Setting, Settings};
use gateway_wire::forwarded::TrustedFields;

/// A setting.
pub(super) struct Row {
    /// Its path, and those of its parts; `*` stands for a name.
    pub(super) paths: &'static [&'static str],
    /// What the manual calls it.
    #[cfg_attr(not(test), expect(dead_code, reason = "for the manual, which a test compares"))]
    shown: &'static str,
    /// What holds without it, for the manual.
    #[cfg_attr(not(test), expect(dead_code, reason = "for the manual, which a test compares"))]
    pub(super) default: &'static str,
    /// For the manual.
    #[cfg_attr(not(test), expect(dead_code, reason = "for the manual, which a test compares"))]
    meaning: &'static str,
    /// Reads it into the configuration; its first path is the last argument.
    pub(super) read: fn(&mut Settings, &mut Config, &'static str),
}

/// Every path of every setting.
pub(super) fn paths() -> Vec<&'static str> {
    ROWS.iter().flat_map(|row| row.paths).copied().collect()
}

/// What is read as it is.
pub(super) fn whole() -> Vec<&'static str> {
    vec!["upstreams.*.*"]
}

/// The table of the manual.
#[cfg(test)]
pub(super) fn manual() -> String {
    let rows = ROWS.iter().map(|row| format!("| {} | {} | {} |\n", row.shown, row.default, row.meaning));
    ["| setting | default | meaning |\n|---|---|---|\n".to_owned()].into_iter().chain(rows).collect()
}

const DURATION: &str = "a duration such as 250ms, 5s or 10m";
const SIZE: &str = "a size from 1KiB to 1MiB, such as 32KiB";

/// In the order of the manual.
pub(super) static ROWS: &[Row] = &[
    Row {
        paths: &["listeners.*.bind"],
        shown: "`listeners.<name>.bind`",
        default: "one listener, `127.0.0.1:8080`",
        meaning: "address to accept on; an IP and a port",
        read: by_group,
    },
    Row {
        paths: &["listeners.*.apis"],
        shown: "`listeners.<name>.apis`",
        default: "all",
        meaning: "the APIs served there, each by the stem of its document's file name",
        read: by_group,
    },
    Row {
        paths: &["listeners.*.proxyProtocol"],
        shown: "`listeners.<name>.proxyProtocol`",
        default: "`off`",
        meaning: "`required`: each connection begins with a header of the [PROXY protocol](#behind-a-load-balancer), which says who the client is",
        read: by_group,
    },
    Row {
        paths: &["listeners.*.proxyProtocolFrom"],
        shown: "`listeners.<name>.proxyProtocolFrom`",
        default: "none",
        meaning: "addresses and networks of the load balancers that send it; with `proxyProtocol: required`, connections from elsewhere are closed",
        read: by_group,
    },
    Row {
        paths: &[
            "listeners.*.tls.cert.file",
            "listeners.*.tls.cert.env",
            "listeners.*.tls.key.file",
            "listeners.*.tls.key.env",
        ],
        shown: "`listeners.<name>.tls.cert`, `.key`",
        default: "none: plain HTTP",
        meaning: "certificate chain and private key in PEM, each `{file: path}` or `{env: NAME}`: [TLS](#tls)",
        read: by_group,
    },
    Row {
        paths: &[
            "listeners.*.tls.certificates.*.cert.file",
            "listeners.*.tls.certificates.*.cert.env",
            "listeners.*.tls.certificates.*.key.file",
            "listeners.*.tls.certificates.*.key.env",
        ],
        shown: "`listeners.<name>.tls.certificates`",
        default: "none",
        meaning: "a list of `{cert, key}`, for several names",
        read: by_group,
    },
    Row {
        paths: &["listeners.*.tls.clientAuth.ca.file", "listeners.*.tls.clientAuth.ca.env"],
        shown: "`listeners.<name>.tls.clientAuth.ca`",
        default: "none: not asked for",
        meaning: "certificates of the authorities that sign [clients' certificates](annotations.md#client-certificates), `{file: path}` or `{env: NAME}`",
        read: by_group,
    },
    Row {
        paths: &["listeners.*.tls.minVersion"],
        shown: "`listeners.<name>.tls.minVersion`",
        default: "`1.2`",
        meaning: "or `1.3`",
        read: by_group,
    },
    Row {
        paths: &[
            "listeners.*.tls.acme.domains",
            "listeners.*.tls.acme.directory",
            "listeners.*.tls.acme.contact",
            "listeners.*.tls.acme.folder",
            "listeners.*.tls.acme.termsOfServiceAgreed",
        ],
        shown: "`listeners.<name>.tls.acme`",
        default: "none",
        meaning: "certificates from an authority: [ACME](#certificates-from-an-authority-acme)",
        read: by_group,
    },
    Row {
        paths: &["upstreams.*.*", "upstreams.*.*.url"],
        shown: "`upstreams.<api>.<upstream>`, or `.url` below it",
        default: "the document's `url` or `endpoints`",
        meaning: "address for this deployment, a list of addresses, or [an upstream as a whole](reliability.md#for-one-deployment): `http://host[:port][/prefix]`, or with `https://`: [TLS](#upstreams-over-tls), `h2://`: [HTTP/2](#http2) inside TLS, `h2c://`: in the clear; the unnamed upstream is `default`",
        read: read_upstreams,
    },
    Row {
        paths: &["providers.*.*"],
        shown: "`providers.<api>.<scheme>`, or the name of an upstream",
        default: "the document's URL",
        meaning: "URL of the scheme's [identity provider](#identity-providers) for this deployment, or of the server that gives [tokens for the upstream](annotations.md#credentials-for-an-upstream)",
        read: providers,
    },
    Row {
        paths: &["origins.*"],
        shown: "`origins.<api>`",
        default: "the hosts of the document",
        meaning: "`https://host[:port]`: where a document that is [HTTPS only](annotations.md#https-only) sends plain requests in this deployment",
        read: origins,
    },
    Row {
        paths: &["trustedRoots.file"],
        shown: "`trustedRoots.file`",
        default: "none",
        meaning: "certificates in PEM to trust beside the system's roots, of authorities or of servers themselves, when an upstream, a provider or a store is called, relative to the folder of `gateway.yaml`",
        read: |settings, config, path| config.trusted_roots = file(settings, path),
    },
    Row {
        paths: &["consumers.file"],
        shown: "`consumers.file`",
        default: "none",
        meaning: "the file of [consumers](consumers.md), relative to the folder of `gateway.yaml`",
        read: |settings, config, path| config.consumers = file(settings, path),
    },
    Row {
        paths: &["insecureLiterals"],
        shown: "`insecureLiterals`",
        default: "`false`",
        meaning: "allow `{value: …}` in that file, for tests",
        read: |settings, config, path| {
            read_into(settings, path, "`true` or `false`", |text| text.parse().ok(), &mut config.insecure_literals);
        },
    },
    Row {
        paths: &["trustedProxies"],
        shown: "`trustedProxies`",
        default: "`[]`",
        meaning: "addresses and networks whose `X-Forwarded-*` and `X-Request-Id` are [trusted](#who-the-client-is); of several words in `X-Forwarded-Proto`, each must be `https`",
        read: trusted_proxies,
    },
    Row {
        paths: &["trustedFields"],
        shown: "`trustedFields`",
        default: "`x-forwarded`",
        meaning: "which fields of theirs count: `x-forwarded`, or `rfc7239` for [`Forwarded`](#who-the-client-is)",
        read: trusted_fields,
    },
    Row {
        paths: &["admin.bind", "admin"],
        shown: "`admin.bind`",
        default: "`127.0.0.1:9901`",
        meaning: "address of `/metrics`, `/healthz`, `/readyz`, `/cache`; `off` for none. `admin: off` is short for it",
        read: admin,
    },
    Row {
        paths: &["admin.key.env", "admin.key.file"],
        shown: "`admin.key`",
        default: "none",
        meaning: "the key of administrators, for operations with `credential: admin`, and for what the operators' listener changes: `{env: NAME}` or `{file: path}`",
        read: |settings, config, _| config.admin_key = secret(settings, "admin.key"),
    },
    Row {
        paths: &["workers"],
        shown: "`workers`",
        default: "one per core",
        meaning: "serving threads",
        read: |settings, config, path| {
            const EXPECTED: &str = "a number from 1 to 1024";
            let count = |text: &str| text.parse().ok().filter(|count| (1..=1024).contains(count));
            read_into(settings, path, EXPECTED, count, &mut config.workers);
        },
    },
    Row {
        paths: &["timeouts.head"],
        shown: "`timeouts.head`",
        default: "`15s`",
        meaning: "for the whole head of a request, from its first byte; then 408. For a TLS handshake as well; then the connection is closed",
        read: |settings, config, path| read_into(settings, path, DURATION, duration, &mut config.timeouts.head),
    },
    Row {
        paths: &["timeouts.keepAlive"],
        shown: "`timeouts.keepAlive`",
        default: "`75s`",
        meaning: "between two requests of a connection; then it is closed",
        read: |settings, config, path| read_into(settings, path, DURATION, duration, &mut config.timeouts.keep_alive),
    },
    Row {
        paths: &["timeouts.shutdown"],
        shown: "`timeouts.shutdown`",
        default: "`25s`",
        meaning: "for running requests after SIGTERM",
        read: |settings, config, path| read_into(settings, path, DURATION, duration, &mut config.timeouts.shutdown),
    },
    Row {
        paths: &["timeouts.shutdownDelay"],
        shown: "`timeouts.shutdownDelay`",
        default: "`0s`",
        meaning: "from SIGTERM, when `/readyz` says 503, to the end of accepting",
        read: |settings, config, path| {
            let delay = |text: &str| gateway_yaml::units::duration(text).ok();
            read_into(settings, path, "a duration such as 5s, or 0s", delay, &mut config.timeouts.shutdown_delay);
        },
    },
    Row {
        paths: &["upgrade.socket"],
        shown: "`upgrade.socket`",
        default: "none",
        meaning: "path of a Unix socket where a [new binary](#a-new-binary) asks for the listening sockets, relative to the folder of `gateway.yaml`; only this user and root can use it. Any other file there is left alone",
        read: |settings, config, path| config.upgrade_socket = file(settings, path),
    },
    Row {
        paths: &["limits.requestLine"],
        shown: "`limits.requestLine`",
        default: "`8KiB`",
        meaning: "then 414",
        read: |settings, config, path| read_into(settings, path, SIZE, size, &mut config.limits.head.request_line),
    },
    Row {
        paths: &["limits.head"],
        shown: "`limits.head`",
        default: "`32KiB`",
        meaning: "then 431; so are more than 100 fields",
        read: |settings, config, path| read_into(settings, path, SIZE, size, &mut config.limits.head.head),
    },
    Row {
        paths: &["limits.token"],
        shown: "`limits.token`",
        default: "`8KiB`",
        meaning: "the longest token of an issuer or consumer that is looked at; a longer one is 401. It also has to fit into `limits.head`",
        read: |settings, config, path| read_into(settings, path, SIZE, size, &mut config.limits.token),
    },
    Row {
        paths: &["limits.responseFields"],
        shown: "`limits.responseFields`",
        default: "`500`",
        meaning: "header fields of an upstream's response; one with more is 502, with this setting in `detail` of the access log. The head has at most 64 KiB",
        read: |settings, config, path| {
            const EXPECTED: &str = "a number from 1 to 10000";
            let count = |text: &str| text.parse().ok().filter(|count| (1..=10_000).contains(count));
            read_into(settings, path, EXPECTED, count, &mut config.limits.response_fields);
        },
    },
    Row {
        paths: &["limits.connections"],
        shown: "`limits.connections`",
        default: "`20000`",
        meaning: "connections from clients; more are answered with 503 and closed. Reduced automatically if `ulimit -n` is too low; a warning at the start says so",
        read: |settings, config, path| {
            let count = |text: &str| text.parse().ok().filter(|count| *count > 0);
            read_into(settings, path, "a number from 1", count, &mut config.limits.connections);
        },
    },
    Row {
        paths: &["limits.connectionsPerAddress"],
        shown: "`limits.connectionsPerAddress`",
        default: "`1000`",
        meaning: "as above, from one address, or one /64 of IPv6; `0` for any number. Trusted proxies are not counted. Each concurrent HTTP/2 stream after the first of a connection counts as one connection, here and above; over the limit the stream gets 503",
        read: |settings, config, path| {
            const EXPECTED: &str = "a number; 0 for no limit";
            let count = |text: &str| text.parse().ok();
            read_into(settings, path, EXPECTED, count, &mut config.limits.connections_per_address);
        },
    },
    Row {
        paths: &["limits.bodyRate"],
        shown: "`limits.bodyRate`",
        default: "`100B`",
        meaning: "bytes per second that a client has to send of a request's body, or take of a response's, on average while it is its turn; then 408, or the end of the connection. It may stand still for as long as the upstream's `timeout.idle`. `0` for no limit",
        read: |settings, config, path| {
            const EXPECTED: &str = "bytes per second from 0 to 1MiB, such as 100B; 0 for no limit";
            let rate = |text: &str| gateway_yaml::units::size(text).ok().filter(|rate| *rate <= 1 << 20);
            read_into(settings, path, EXPECTED, rate, &mut config.limits.body_rate);
        },
    },
    Row {
        paths: &["limits.bodyMemory"],
        shown: "`limits.bodyMemory`",
        default: "`256MiB`",
        meaning: "for bodies that are [checked](validation.md#bodies), all together; more requests with such bodies get 503. A body takes what has come of it, in pieces of 16 KiB",
        read: |settings, config, path| {
            const EXPECTED: &str = "a size from 1MiB to 64GiB, such as 256MiB";
            let bytes =
                |text: &str| gateway_yaml::units::size(text).ok().filter(|bytes| (1 << 20..=64 << 30).contains(bytes));
            read_into(settings, path, EXPECTED, bytes, &mut config.limits.body_memory);
        },
    },
    Row {
        paths: &["limits.compression"],
        shown: "`limits.compression`",
        default: "`256MiB`",
        meaning: "for the encoders of responses that are [compressed](annotations.md#compression), all together; more responses pass as they are",
        read: |settings, config, path| {
            const EXPECTED: &str = "a size up to 64GiB, such as 256MiB";
            let bytes = |text: &str| gateway_yaml::units::size(text).ok().filter(|bytes| *bytes <= 64 << 30);
            read_into(settings, path, EXPECTED, bytes, &mut config.limits.compression);
        },
    },
    Row {
        paths: &["limits.cache"],
        shown: "`limits.cache`",
        default: "`64MiB`",
        meaning: "for responses that are [cached](caching.md#memory), all together; those that are missed least go when there is no room",
        read: |settings, config, path| {
            const EXPECTED: &str = "a size from 1MiB to 64GiB, such as 64MiB";
            let bytes =
                |text: &str| gateway_yaml::units::size(text).ok().filter(|bytes| (1 << 20..=64 << 30).contains(bytes));
            read_into(settings, path, EXPECTED, bytes, &mut config.limits.cache);
        },
    },
    Row {
        paths: &["limits.streams"],
        shown: "`limits.streams`",
        default: "`128`",
        meaning: "requests that a client may have open at once on one connection of HTTP/2",
        read: |settings, config, path| {
            const EXPECTED: &str = "a number from 1 to 1000";
            let count = |text: &str| text.parse().ok().filter(|count| (1..=1000).contains(count));
            read_into(settings, path, EXPECTED, count, &mut config.limits.streams);
        },
    },
    Row {
        paths: &["limits.counters"],
        shown: "`limits.counters`",
        default: "`32MiB`",
        meaning: "for the counters of [rate limits](rate-limits.md#memory); taken as they are used",
        read: |settings, config, path| {
            const EXPECTED: &str = "a size from 1MiB to 64GiB, such as 32MiB";
            let bytes = |text: &str| {
                let bytes =
                    gateway_yaml::units::size(text).ok().filter(|bytes| (1 << 20..=64 << 30).contains(bytes))?;
                usize::try_from(bytes).ok()
            };
            read_into(settings, path, EXPECTED, bytes, &mut config.limits.counters);
        },
    },
    Row {
        paths: &["stores.*.kind"],
        shown: "`stores.<name>.kind`",
        default: "",
        meaning: "`redis` for a server that counts [limits of several gateways](rate-limits.md#several-gateways); `sqlite` and `postgres` for what [authorization servers remember](#what-authorization-servers-remember); `memory` for both, in this process alone",
        read: by_group,
    },
    Row {
        paths: &["stores.*.file"],
        shown: "`stores.<name>.file`",
        default: "`gateway.db`",
        meaning: "with `sqlite`: the file, relative to the folder of `gateway.yaml`",
        read: by_group,
    },
    Row {
        paths: &["stores.*.url.env", "stores.*.url.file"],
        shown: "`stores.<name>.url.env`, `.url.file`",
        default: "",
        meaning: "where its URL is, [a secret](#secrets): `redis://[user:password@]host[:port][/database]`, `rediss://…` for TLS (the system's roots and those of `trustedRoots`), `unix:///path`; `postgres://user:password@host[:port]/database[?sslmode=require]`. `%` encodes what is special",
        read: by_group,
    },
    Row {
        paths: &["stores.*.url"],
        shown: "`stores.<name>.url`",
        default: "",
        meaning: "the URL itself; one with a password is refused",
        read: by_group,
    },
    Row {
        paths: &["stores.*.prefix"],
        shown: "`stores.<name>.prefix`",
        default: "`gateway`",
        meaning: "with `redis`, as the two below: what its keys begin with; gateways with the same prefix count together",
        read: by_group,
    },
    Row {
        paths: &["stores.*.timeout"],
        shown: "`stores.<name>.timeout`",
        default: "`50ms`",
        meaning: "no request waits longer for an answer",
        read: by_group,
    },
    Row {
        paths: &["stores.*.connectTimeout"],
        shown: "`stores.<name>.connectTimeout`",
        default: "`1s`",
        meaning: "for a connection, with TLS and authentication",
        read: by_group,
    },
    Row {
        paths: &["oauth.store"],
        shown: "`oauth.store`",
        default: "`default` if it is fit, or else the file `gateway.db`",
        meaning: "the name of the store where [authorization servers remember](#what-authorization-servers-remember) things",
        read: by_group,
    },
    Row {
        paths: &["oauth.signingKey.env", "oauth.signingKey.file"],
        shown: "`oauth.signingKey`",
        default: "made once, and kept in the store",
        meaning: "what JWTs are signed with: a private key in PEM, of RSA or P-256, `{env: NAME}` or `{file: path}`",
        read: by_group,
    },
    Row {
        paths: &["oauth.templates"],
        shown: "`oauth.templates`",
        default: "the pages that are built in",
        meaning: "a folder of pages for login and consent, relative to the folder of `gateway.yaml`",
        read: by_group,
    },
    Row {
        paths: &["oauth.cache"],
        shown: "`oauth.cache`",
        default: "`5s`",
        meaning: "how long a checked access token is cached, up to `60s`; a revocation at another gateway takes effect after at most this time. `0s` asks the store for each request",
        read: by_group,
    },
    Row {
        paths: &["session.secret.env", "session.secret.file"],
        shown: "`session.secret`",
        default: "made once, and kept in the store",
        meaning: "what forms are protected with, at least 32 bytes: `{env: NAME}` or `{file: path}`",
        read: by_group,
    },
    Row {
        paths: &["session.idleTimeout"],
        shown: "`session.idleTimeout`",
        default: "`30m`",
        meaning: "a session ends this long after its last request",
        read: by_group,
    },
    Row {
        paths: &["session.absoluteTimeout"],
        shown: "`session.absoluteTimeout`",
        default: "`8h`",
        meaning: "a session ends this long after the login",
        read: by_group,
    },
    Row {
        paths: &["accessLog"],
        shown: "`accessLog`",
        default: "`stdout`",
        meaning: "or `off`",
        read: |settings, config, path| {
            let named = |text: &str| [("stdout", true), ("off", false)].into_iter().find(|(word, _)| *word == text);
            let is_on = |text: &str| named(text).map(|(_, is_on)| is_on);
            read_into(settings, path, "`stdout` or `off`", is_on, &mut config.access_log);
        },
    },
    Row {
        paths: &["logs.format"],
        shown: "`logs.format`",
        default: "`auto`",
        meaning: "how messages for operators are written on standard error, each with time, level, subject and message: `text`, `json` for a line of JSON each, or `auto`: text on a terminal, JSON elsewhere",
        read: |settings, config, path| {
            const FORMATS: [(&str, Format); 3] =
                [("auto", Format::Auto), ("text", Format::Text), ("json", Format::Json)];
            let named = |text: &str| FORMATS.into_iter().find(|(word, _)| *word == text).map(|(_, format)| format);
            read_into(settings, path, "`auto`, `text` or `json`", named, &mut config.logs);
        },
    },
];

/// For settings that only mean something together: their group is read as a whole.
fn by_group(_: &mut Settings, _: &mut Config, _: &'static str) {}

fn file(settings: &mut Settings, path: &str) -> Option<PathBuf> {
    let setting = settings.take(path)?;
    settings.text(&setting).map(PathBuf::from)
}

fn read_upstreams(settings: &mut Settings, config: &mut Config, _: &'static str) {
    let given = settings.take_all("upstreams.*.*").into_iter();
    for (names, setting) in given.chain(settings.take_all("upstreams.*.*.url")) {
        let path = format!("upstreams.{}.{}", names[0], names[1]);
        if let Some(upstream) = upstreams::read(settings, &path, &setting) {
            let place = setting.place;
            config.upstreams.insert((names[0].clone(), names[1].clone()), (upstream, place));
        }
    }
}

fn providers(settings: &mut Settings, config: &mut Config, path: &'static str) {
    for (names, setting) in settings.take_all(path) {
        if let Some(url) = settings.text(&setting) {
            config.providers.insert((names[0].clone(), names[1].clone()), (url, setting.place));
        }
    }
}

fn origins(settings: &mut Settings, config: &mut Config, path: &'static str) {
    for (names, setting) in settings.take_all(path) {
        let Some(url) = settings.text(&setting) else { continue };
        match origin::parse_origin(&url) {
            Ok(origin) => {
                config.origins.insert(names[0].clone(), (origin, setting.place));
            }
            Err(problem) => settings.problems.push(Problem::at(&setting.place, problem)),
        }
    }
}

fn trusted_proxies(settings: &mut Settings, config: &mut Config, path: &'static str) {
    if let Some(setting) = settings.take(path) {
        config.trusted_proxies = networks(settings, &setting);
    }
}

fn trusted_fields(settings: &mut Settings, config: &mut Config, path: &'static str) {
    if let Some(setting) = settings.take(path)
        && let Some(fields) = settings.parse(&setting, "`x-forwarded` or `rfc7239`", |text| match text {
            "x-forwarded" => Some(TrustedFields::XForwarded),
            "rfc7239" => Some(TrustedFields::Rfc7239),
            _ => None,
        })
    {
        config.trusted_fields = fields;
    }
}

/// A list of addresses and networks.
pub(super) fn networks(settings: &mut Settings, setting: &Setting) -> Vec<IpNet> {
    let network = |text: &str| text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
    settings.list(setting, "an address or a network such as 10.0.0.0/8", network)
}

fn admin(settings: &mut Settings, config: &mut Config, path: &'static str) {
    if let Some(setting) = settings.take(path)
        && let Some(bind) = settings.parse(&setting, "an address such as 127.0.0.1:9901, or `off`", |text| {
            if text == "off" { Some(None) } else { text.parse::<SocketAddr>().ok().map(Some) }
        })
    {
        config.admin = bind;
        config.admin_was_asked_for = bind.is_some();
    }
}
