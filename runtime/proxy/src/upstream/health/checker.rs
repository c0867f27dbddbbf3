//! Asks one member how it is, over the connection that its last check has left, or over a new one.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::time::{Instant, timeout};

use crate::tables::{Health, KeepAlive};
use crate::upstream::answer::{Answer, ask};
use crate::upstream::member::{Chosen, Member};
use crate::upstream::{Pool, UpstreamConnection};
use gateway_wire::http1::names::FieldTable;

/// Checks over one connection. A server that has stopped listening may go on answering over those that it has: each tenth
/// check shows whether it still takes new ones, and a new connection for one of ten checks is a tenth of the work.
const MOST_CHECKS: u32 = 10;

/// A longer body is not read to its end: the connection is closed.
const MOST_BODY: u64 = 64 << 10;

/// The next check of a member does not wait longer for the rest of an answer.
const LONGEST_REST: Duration = Duration::from_millis(250);

/// The server had closed the connection when the request came (RFC 9110 §15.5.9).
const REQUEST_TIMEOUT: u16 = 408;

/// Checks the members of an upstream as it is described. Each of them has one connection at most.
pub(super) struct Checker {
    health: Health,
    keep: KeepAlive,
    fields: FieldTable,
    most_fields: usize,
    pool: Pool,
}

impl Checker {
    /// `of_requests` says how the connections of requests are kept, and an answer has no more than `most_fields` fields.
    pub(super) fn new(health: Health, of_requests: &KeepAlive, most_fields: usize) -> Self {
        let keep = kept_between(&health, of_requests);
        Self { health, keep, fields: FieldTable::for_responses(), most_fields, pool: Pool::default() }
    }

    /// Closes what leads to members that are gone, or was not used for too long.
    pub(super) fn prune(&self, now: Instant) {
        self.pool.prune(now);
    }

    /// Tells `note` the status of a member as soon as it is there, and then readies the connection for the next check, if
    /// `has_room` for it. A check that fails leaves none: what is wrong may be wrong with the connection.
    pub(super) async fn check(
        &self,
        member: &Arc<Member>,
        has_room: impl FnOnce() -> bool,
        note: impl FnOnce(io::Result<u16>),
    ) {
        let asked = timeout(self.health.timeout, self.ask(member)).await;
        let (mut connection, answer) = match asked.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
            Ok(answered) => answered,
            Err(error) => {
                self.pool.forget(member);
                return note(Err(error));
            }
        };
        let status = answer.status;
        note(Ok(status));
        let may_go_on = answer.persists
            && self.may_go_on(&connection)
            && self.health.accepts(status)
            && !member.is_gone.load(Relaxed)
            && has_room();
        if may_go_on && self.is_read(answer, &mut connection).await {
            let member = Chosen::Moving(Arc::clone(member));
            self.pool.put(member.endpoint, &member, connection, &self.keep, Instant::now());
        } else {
            self.pool.forget(member);
        }
    }

    /// Reads the rest of an answer, unless it is long in coming; true if the connection may carry another check.
    async fn is_read(&self, answer: Answer, connection: &mut UpstreamConnection) -> bool {
        let longest = LONGEST_REST.min(self.health.every / 2);
        timeout(longest, answer.finish(&mut connection.io, MOST_BODY)).await.unwrap_or(false)
    }

    /// Another check may come over the connection.
    fn may_go_on(&self, connection: &UpstreamConnection) -> bool {
        self.keep.max > 0 && connection.usage.is_within(&self.keep, Instant::now())
    }

    /// A server may close a connection that it has kept at any time (RFC 9112 §9.5): that says nothing of how it is.
    async fn ask(&self, member: &Member) -> io::Result<(UpstreamConnection, Answer)> {
        if let Some(kept) = self.pool.take(member.endpoint, member, &self.keep)
            && let Ok((connection, answer)) = self.ask_over(kept, member).await
            && answer.status != REQUEST_TIMEOUT
        {
            return Ok((connection, answer));
        }
        self.pool.forget(member);
        let new = self.pool.connect(member.endpoint, member, self.keep, self.health.timeout).await;
        let unreachable = |_| io::Error::new(io::ErrorKind::NotConnected, "no connection");
        self.ask_over(new.map_err(unreachable)?, member).await
    }

    async fn ask_over(
        &self,
        mut connection: UpstreamConnection,
        member: &Member,
    ) -> io::Result<(UpstreamConnection, Answer)> {
        let (endpoint, path) = (member.endpoint, self.health.path);
        let close = if !self.may_go_on(&connection) && !endpoint.is_http2 { "Connection: close\r\n" } else { "" };
        let (prefix, authority) = (&endpoint.prefix, &endpoint.authority);
        let head =
            format!("GET {prefix}{path} HTTP/1.1\r\nHost: {authority}\r\nUser-Agent: gateway-health\r\n{close}\r\n");
        let answer = ask(&mut connection.io, head.as_bytes(), b"", &self.fields, self.most_fields, false).await?;
        Ok((connection, answer))
    }
}

/// How the connections of checks are kept: no longer than those of requests, and not at all where the next check comes so
/// late that they would be closed before.
fn kept_between(health: &Health, of_requests: &KeepAlive) -> KeepAlive {
    let idle = of_requests.idle.min(KeepAlive::USUAL.idle);
    let is_soon = health.every.saturating_mul(2) <= idle;
    KeepAlive {
        idle,
        max: if is_soon { of_requests.max.min(1) } else { 0 },
        age: of_requests.age,
        requests: Some(of_requests.requests.map_or(MOST_CHECKS, |most| most.min(MOST_CHECKS))),
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::future::Future;
    use std::net::SocketAddr;
    use std::rc::Rc;
    use std::time::Duration;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;
    use crate::upstream::cluster::tests::member_at;
    use crate::upstream::url::parse_url;

    const HEALTH: Health = Health {
        path: "/healthz",
        every: Duration::from_secs(5),
        timeout: Duration::from_secs(5),
        healthy: 1,
        unhealthy: 1,
        status: &[(200, 299)],
    };

    const EMPTY: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

    /// The text behind which a server closes the connection.
    const CLOSE: &str = "<close>";

    /// Answers requests in turn with these texts, and notes which of its connections each has come over.
    struct Server {
        address: SocketAddr,
        asked: Rc<RefCell<Vec<usize>>>,
    }

    impl Server {
        async fn start(answers: &[&'static str]) -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
            let address = listener.local_addr().expect("bound");
            let (asked, answers) = (Rc::new(RefCell::new(Vec::new())), answers.to_vec());
            let noted = Rc::clone(&asked);
            tokio::task::spawn_local(async move {
                for connection in 1.. {
                    let (stream, _) = listener.accept().await.expect("a connection");
                    tokio::task::spawn_local(serve(stream, connection, Rc::clone(&noted), answers.clone()));
                }
            });
            Self { address, asked }
        }
    }

    async fn serve(mut stream: TcpStream, connection: usize, asked: Rc<RefCell<Vec<usize>>>, answers: Vec<&str>) {
        let mut head = Vec::new();
        while stream.read_buf(&mut head).await.is_ok_and(|count| count > 0) {
            if !head.ends_with(b"\r\n\r\n") {
                continue;
            }
            let answer = answers[asked.borrow().len()];
            asked.borrow_mut().push(connection);
            stream.write_all(answer.trim_end_matches(CLOSE).as_bytes()).await.expect("sent");
            if answer.ends_with(CLOSE) || head.windows(17).any(|part| part == b"Connection: close") {
                return;
            }
            head.clear();
        }
    }

    fn run<T>(test: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build_local(tokio::runtime::LocalOptions::default());
        runtime.expect("a runtime").block_on(test)
    }

    fn member(address: SocketAddr) -> Arc<Member> {
        let (endpoint, _) = parse_url(&format!("http://{address}")).expect("a URL");
        Arc::new(member_at(&endpoint, &[address]))
    }

    /// The status of a check, and 0 for none.
    async fn check(checker: &Checker, member: &Arc<Member>) -> u16 {
        let mut found = 0;
        checker.check(member, || true, |status| found = status.unwrap_or(0)).await;
        // The server does what it does behind an answer.
        tokio::time::sleep(Duration::from_millis(2)).await;
        found
    }

    #[test]
    fn connections_are_kept_while_nothing_speaks_against_it() {
        let long = || format!("HTTP/1.1 200 OK\r\nContent-Length: 70000\r\n\r\n{}", "a".repeat(70_000)).leak();
        let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n";
        for (what, answers, statuses, connections) in [
            ("no body", &[EMPTY, EMPTY][..], &[200, 200][..], &[1, 1][..]),
            ("a body", &["HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", EMPTY], &[200, 200], &[1, 1]),
            ("chunks", &[chunked, EMPTY], &[200, 200], &[1, 1]),
            ("204", &["HTTP/1.1 204 No Content\r\n\r\n", EMPTY], &[204, 200], &[1, 1]),
            ("interim", &["HTTP/1.1 103 x\r\n\r\nHTTP/1.1 204 x\r\n\r\n", EMPTY], &[204, 200], &[1, 1]),
            ("HTTP/1.0", &["HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", EMPTY], &[200, 200], &[1, 2]),
            ("no end", &["HTTP/1.1 200 OK\r\n\r\nok<close>", EMPTY], &[200, 200], &[1, 2]),
            ("a long body", &[long(), EMPTY], &[200, 200], &[1, 2]),
            ("garbage", &["HTTP/1.1 204 No Content\r\n\r\nok", EMPTY], &[204, 200], &[1, 2]),
            ("a bad status", &["HTTP/1.1 503 x\r\nContent-Length: 0\r\n\r\n", EMPTY], &[503, 200], &[1, 2]),
            (
                "close",
                &["HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", EMPTY],
                &[200, 200],
                &[1, 2],
            ),
            ("half a body", &["HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok<close>", EMPTY], &[200, 200], &[1, 2]),
            // Closed without a word, before the next check or as it comes.
            ("closed", &["HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n<close>", EMPTY], &[200, 200], &[1, 2]),
            ("closed late", &[EMPTY, "<close>", EMPTY], &[200, 200], &[1, 1, 2]),
            ("closed with a status", &[EMPTY, "HTTP/1.1 408 x\r\n\r\n<close>", EMPTY], &[200, 200], &[1, 1, 2]),
            // A new connection that fails is a failed check.
            ("nothing", &["<close>", EMPTY], &[0, 200], &[1, 2]),
            ("no HTTP", &["SSH-2.0-OpenSSH\r\n\r\n", EMPTY], &[0, 200], &[1, 2]),
            ("nothing twice", &[EMPTY, "<close>", "<close>", EMPTY], &[200, 0, 200], &[1, 1, 2, 3]),
        ] {
            run(async {
                let server = Server::start(answers).await;
                let (checker, member) = (Checker::new(HEALTH, &KeepAlive::USUAL, 100), member(server.address));
                for status in statuses {
                    assert_eq!(check(&checker, &member).await, *status, "{what}");
                }
                assert_eq!(*server.asked.borrow(), connections, "{what}");
            });
        }
    }

    #[test]
    fn an_answer_that_ends_the_connection_or_is_long_in_coming_is_not_waited_for() {
        for answer in [
            "HTTP/1.1 200 OK\r\n\r\nok",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nok",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nok",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nok",
        ] {
            run(async {
                let server = Server::start(&[answer, EMPTY]).await;
                let health = Health { timeout: Duration::from_secs(600), ..HEALTH };
                let (checker, member) = (Checker::new(health, &KeepAlive::USUAL, 100), member(server.address));
                let found = timeout(Duration::from_secs(60), check(&checker, &member)).await;
                assert_eq!(found.expect("it ends"), 200, "{answer}");
                assert_eq!(check(&checker, &member).await, 200, "{answer}");
                assert_eq!(*server.asked.borrow(), [1, 2], "{answer}");
            });
        }
    }

    #[test]
    fn without_room_no_connection_is_kept() {
        run(async {
            let server = Server::start(&[EMPTY; 3]).await;
            let (checker, member) = (Checker::new(HEALTH, &KeepAlive::USUAL, 100), member(server.address));
            for has_room in [true, false, true] {
                checker.check(&member, || has_room, |status| assert_eq!(status.ok(), Some(200))).await;
            }
            assert_eq!(*server.asked.borrow(), [1, 1, 2]);
        });
    }

    #[test]
    fn each_tenth_check_is_the_last_of_its_connection() {
        run(async {
            let server = Server::start(&[EMPTY; 21]).await;
            let (checker, member) = (Checker::new(HEALTH, &KeepAlive::USUAL, 100), member(server.address));
            for _ in 0..21 {
                assert_eq!(check(&checker, &member).await, 200);
            }
            assert_eq!(*server.asked.borrow(), [[1; 10], [2; 10]].concat().into_iter().chain([3]).collect::<Vec<_>>());
        });
    }

    #[test]
    fn a_check_that_is_late_leaves_no_connection() {
        run(async {
            // The second answer is not whole, and nothing more comes of the third.
            let server =
                Server::start(&[EMPTY, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", "HTTP/1.1 200", EMPTY]).await;
            let health = Health { timeout: Duration::from_millis(100), ..HEALTH };
            let (checker, member) = (Checker::new(health, &KeepAlive::USUAL, 100), member(server.address));
            for status in [200, 200, 0, 200] {
                assert_eq!(check(&checker, &member).await, status);
            }
            assert_eq!(*server.asked.borrow(), [1, 1, 2, 3]);
        });
    }

    #[test]
    fn what_leads_to_a_member_that_is_gone_is_closed() {
        run(async {
            let server = Server::start(&[EMPTY; 3]).await;
            let (checker, member) = (Checker::new(HEALTH, &KeepAlive::USUAL, 100), member(server.address));
            check(&checker, &member).await;
            member.is_gone.store(true, Relaxed);
            checker.prune(Instant::now());
            assert_eq!(check(&checker, &member).await, 200);
            assert_eq!(check(&checker, &member).await, 200, "its last checks keep none");
            assert_eq!(*server.asked.borrow(), [1, 2, 3]);
        });
    }

    #[test]
    fn connections_are_kept_no_longer_than_those_of_requests() {
        let keep = KeepAlive::USUAL;
        for (every, of_requests, max, requests) in [
            (5, keep, 1, 10),
            (27, keep, 1, 10),
            (28, keep, 0, 10),
            (5, KeepAlive { idle: Duration::from_secs(9), ..keep }, 0, 10),
            (5, KeepAlive { idle: Duration::from_secs(3_600), ..keep }, 1, 10),
            (60, KeepAlive { idle: Duration::from_secs(3_600), ..keep }, 0, 10),
            (5, KeepAlive { requests: Some(3), ..keep }, 1, 3),
            (5, KeepAlive { requests: Some(1_000), ..keep }, 1, 10),
            (5, KeepAlive::OFF, 0, 10),
        ] {
            let kept = kept_between(&Health { every: Duration::from_secs(every), ..HEALTH }, &of_requests);
            assert_eq!((kept.max, kept.requests), (max, Some(requests)), "each {every} s, {of_requests:?}");
        }
    }
}
