//! `compress`: what clients get of responses, and in which coding.

#[path = "../../support/mod.rs"]
mod support;

use std::io::Read as _;
use std::time::Duration;

use support::{Connection, Gate, Gateway, Upstream};

/// A response whose content need not be text.
struct Answer {
    head: String,
    content: Vec<u8>,
    trailers: String,
}

impl Answer {
    fn header(&self, name: &str) -> String {
        let mut lines = self.head.lines().skip(1).filter_map(|line| line.split_once(": "));
        lines.find(|(known, _)| known.eq_ignore_ascii_case(name)).map_or(String::new(), |(_, value)| value.to_owned())
    }

    /// The content without its coding.
    fn decoded(&self) -> String {
        let bytes = decoded(&self.header("Content-Encoding"), &self.content);
        String::from_utf8(bytes).expect("text")
    }
}

fn decoded(coding: &str, coded: &[u8]) -> Vec<u8> {
    let mut content = Vec::new();
    match coding {
        "gzip" => drop(flate2::read::GzDecoder::new(coded).read_to_end(&mut content).expect("whole gzip")),
        "br" => drop(brotli::Decompressor::new(coded, 4096).read_to_end(&mut content).expect("whole brotli")),
        "zstd" => {
            content.reserve(4 << 20);
            zstd_safe::DCtx::create().decompress(&mut content, coded).expect("whole zstd");
        }
        _ => content.extend_from_slice(coded),
    }
    content
}

/// A chunk; empty at the end.
fn chunk(connection: &mut Connection) -> Vec<u8> {
    let size = usize::from_str_radix(connection.line().trim(), 16).expect("a size");
    if size == 0 {
        return Vec::new();
    }
    let chunk = connection.exactly(size);
    connection.exactly(2);
    chunk
}

fn ask(gateway: &Gateway, request: &str) -> Answer {
    let mut connection = gateway.connect();
    connection.send(format!("{request}\r\nHost: gateway.test\r\n\r\n"));
    let head = connection.head();
    let mut answer = Answer { head, content: Vec::new(), trailers: String::new() };
    if request.starts_with("HEAD") || answer.head.starts_with("HTTP/1.1 304") {
        return answer;
    }
    if answer.header("Transfer-Encoding") == "chunked" {
        loop {
            let piece = chunk(&mut connection);
            if piece.is_empty() {
                break;
            }
            answer.content.extend(piece);
        }
        loop {
            let line = connection.line();
            if line.trim().is_empty() {
                break;
            }
            answer.trailers += &line;
        }
    } else {
        let length = answer.header("Content-Length").parse().expect("a length");
        answer.content = connection.exactly(length);
    }
    answer
}

fn get(gateway: &Gateway, path: &str, accept: &str) -> Answer {
    ask(gateway, &format!("GET {path} HTTP/1.1\r\nAccept-Encoding: {accept}"))
}

/// An upstream that answers with these fields and this content.
fn saying(fields: &str, content: &str) -> Upstream {
    let answer = format!("HTTP/1.1 200 OK\r\n{fields}Content-Length: {}\r\n\r\n", content.len());
    let content = content.to_owned();
    Upstream::start(move |head, connection| {
        connection.send(&answer);
        if !head.starts_with("HEAD") {
            connection.send(&content);
        }
        true
    })
}

fn text(length: usize) -> String {
    "All work and no play makes Jack a dull boy. ".chars().cycle().take(length).collect()
}

const PLAIN: &str = "Content-Type: text/plain\r\n";

#[test]
fn each_coding_carries_each_length() {
    for length in [0, 1, 1023, 1024, 65_536, 1 << 20] {
        let sent = text(length);
        let upstream = saying(PLAIN, &sent);
        let gateway = Gateway::before(&upstream);
        for (accept, coding) in [("gzip", "gzip"), ("br", "br"), ("zstd, br, gzip", "zstd"), ("zstd;q=0.5, br", "br")] {
            let answer = get(&gateway, "/articles/any", accept);
            let (expected, vary) = if length < 1024 { ("", "") } else { (coding, "Accept-Encoding") };
            assert_eq!(answer.header("Content-Encoding"), expected, "{length} {accept}");
            assert_eq!(answer.header("Vary"), vary, "{length}");
            assert!(answer.decoded() == sent, "{length} {accept}");
            assert!(length < 1024 || answer.content.len() < length / 4, "{} of {length}", answer.content.len());
            let bytes = answer.content.len() as u64;
            gateway.log_line(|line| line["responseBytes"] == bytes);
        }
    }
}

#[test]
fn a_response_says_how_it_is_coded() {
    let fields =
        "Content-Type: text/plain\r\nETag: \"v1\"\r\nAccept-Ranges: bytes\r\nContent-MD5: x\r\nVary: Origin\r\n";
    let upstream = saying(fields, &text(2000));
    let gateway = Gateway::before(&upstream);
    let coded = get(&gateway, "/articles/any", "gzip");
    assert_eq!(coded.header("ETag"), "W/\"v1\"");
    assert_eq!(coded.header("Vary"), "Origin, Accept-Encoding");
    assert_eq!(coded.header("Transfer-Encoding"), "chunked");
    for gone in ["Content-Length", "Accept-Ranges", "Content-MD5"] {
        assert_eq!(coded.header(gone), "", "{gone}");
    }
    let plain = get(&gateway, "/articles/any", "identity");
    assert_eq!((plain.header("ETag").as_str(), plain.header("Content-Length").as_str()), ("\"v1\"", "2000"));
    assert_eq!(plain.header("Vary"), "Origin, Accept-Encoding");
    assert_eq!(plain.header("Accept-Ranges"), "bytes");
    // The upstream sees what the client takes, and may do it itself.
    assert!(upstream.heads()[0].contains("Accept-Encoding: gzip\r\n"), "{:?}", upstream.heads());
    let off = get(&gateway, "/articles/as-it-is", "gzip");
    assert_eq!((off.header("Content-Encoding").as_str(), off.header("Vary").as_str()), ("", "Origin"));
    let added = get(&gateway, "/articles/gzip", "gzip");
    assert_eq!(added.head.matches("Vary: ").count(), 2, "{}", added.head);
}

#[test]
fn some_responses_stay_as_they_are() {
    for fields in [
        "Content-Type: image/png\r\n",
        "",
        "Content-Type: text/plain\r\nContent-Encoding: x\r\n",
        "Content-Type: text/plain\r\nCache-Control: no-transform\r\n",
        "Content-Type: text/plain\r\nSet-Cookie: a=1\r\n",
        "Content-Type: text/plain\r\nContent-Range: bytes 0-1999/9000\r\n",
    ] {
        let upstream = saying(fields, &text(2000));
        let gateway = Gateway::before(&upstream);
        let answer = get(&gateway, "/articles/any", "gzip, br, zstd");
        assert_eq!(answer.content, text(2000).into_bytes(), "{fields}");
        assert_eq!(answer.header("Vary"), "", "{fields}");
    }
}

#[test]
fn types_and_codings_are_those_of_the_operation() {
    let ask = |gateway: &Gateway| {
        ask(gateway, "POST /articles/any HTTP/1.1\r\nContent-Length: 0\r\nAccept-Encoding: zstd, gzip, br")
            .header("Content-Encoding")
    };
    for (media_type, coding) in [("application/pdf", "br"), ("application/hal+json", "br"), ("text/plain", "")] {
        let upstream = saying(&format!("Content-Type: {media_type}\r\n"), &text(100));
        assert_eq!(ask(&Gateway::before(&upstream)), coding, "{media_type}");
    }
}

#[test]
fn head_and_http10_get_no_coding() {
    let upstream = saying(PLAIN, &text(2000));
    let gateway = Gateway::before(&upstream);
    let head = ask(&gateway, "HEAD /articles/any HTTP/1.1\r\nAccept-Encoding: gzip");
    // The length that GET would have is not known (RFC 9110 §8.6).
    assert_eq!((head.header("Content-Length").as_str(), head.header("Vary").as_str()), ("", "Accept-Encoding"));
    assert_eq!(head.header("Content-Encoding"), "");
    let head = ask(&gateway, "HEAD /articles/any HTTP/1.1");
    assert_eq!(head.header("Content-Length"), "2000");
    let old = gateway.raw("GET /articles/any HTTP/1.0\r\nHost: gateway.test\r\nAccept-Encoding: gzip\r\n\r\n");
    assert!(old.ends_with(&text(2000)) && old.contains("Vary: Accept-Encoding\r\n"), "{old}");
}

#[test]
fn chunks_and_trailers_pass() {
    let upstream = Upstream::start(|_, connection| {
        connection.send("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n");
        for piece in ["one, ", "two, ", "three"] {
            connection.send(format!("{:x}\r\n{piece}\r\n", piece.len()));
        }
        connection.send("0\r\nX-Sum: 3\r\n\r\n");
        true
    });
    let gateway = Gateway::start(&["workers=1"], upstream.address);
    for accept in ["gzip", "br", "zstd", ""] {
        let answer = get(&gateway, "/articles/any", accept);
        assert_eq!(
            (answer.header("Content-Encoding").as_str(), answer.decoded().as_str()),
            (accept, "one, two, three")
        );
        assert_eq!(answer.trailers.trim(), "X-Sum: 3", "{accept}");
    }
    assert_eq!(upstream.connections(), 1, "the connection is used again");
}

#[test]
fn an_event_is_there_before_the_next_one() {
    let gate = Gate::default();
    let passed = gate.clone();
    let upstream = Upstream::start(move |_, connection| {
        connection.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n");
        connection.send("9\r\ndata: 1\n\n\r\n");
        passed.pass();
        connection.send("9\r\ndata: 2\n\n\r\n0\r\n\r\n");
        false
    });
    let gateway = Gateway::before(&upstream);
    let mut connection = gateway.connect();
    connection.send("GET /articles/gzip HTTP/1.1\r\nHost: gateway.test\r\nAccept-Encoding: gzip\r\n\r\n");
    assert!(connection.head().contains("Content-Encoding: gzip\r\n"));
    let first = chunk(&mut connection);
    let (mut decoder, mut event) = (flate2::read::GzDecoder::new(&*first), [0; 9]);
    decoder.read_exact(&mut event).expect("the event is there");
    assert_eq!(&event, b"data: 1\n\n");
    gate.open();
    let mut all = first;
    loop {
        let more = chunk(&mut connection);
        if more.is_empty() {
            break;
        }
        all.extend(more);
    }
    assert_eq!(decoded("gzip", &all), b"data: 1\n\ndata: 2\n\n");
}

#[test]
fn checked_responses_are_compressed_afterwards() {
    let numbers = format!("[{}]", "12345,".repeat(100_000) + "1");
    for (content, status) in [(numbers.replace("12345,1]", "12345]"), "200"), (text(3000), "502")] {
        let upstream = saying("Content-Type: application/json\r\n", &content);
        let gateway = Gateway::before(&upstream);
        let answer = get(&gateway, "/articles/checked", "br");
        assert_eq!(answer.head.split(' ').nth(1), Some(status), "{}", answer.head);
        assert!(!upstream.heads()[0].contains("Accept-Encoding"), "what is coded cannot be checked");
        if status == "200" {
            assert_eq!(answer.header("Content-Encoding"), "br");
            assert!(answer.decoded() == content);
        }
    }
}

#[test]
fn answers_of_the_gateway_are_compressed() {
    let upstream = Upstream::echo();
    let gateway = Gateway::before(&upstream);
    let plain = get(&gateway, "/articles/page", "");
    assert_eq!(plain.header("Vary"), "Accept-Encoding");
    for (accept, coding) in [("gzip", "gzip"), ("br", "br"), ("zstd", "zstd")] {
        let page = get(&gateway, "/articles/page", accept);
        assert_eq!(
            (page.header("Content-Encoding").as_str(), page.header("Vary").as_str()),
            (coding, "Accept-Encoding")
        );
        assert_eq!(page.header("ETag"), format!("W/{}", plain.header("ETag")));
        assert!(page.content.len() < 500 && page.decoded().into_bytes() == plain.content);
        let head = ask(&gateway, &format!("HEAD /articles/page HTTP/1.1\r\nAccept-Encoding: {accept}"));
        assert_eq!(head.header("Content-Length"), page.content.len().to_string());
        let known = format!(
            "GET /articles/page HTTP/1.1\r\nAccept-Encoding: {accept}\r\nIf-None-Match: {}",
            page.header("ETag")
        );
        let known = ask(&gateway, &known);
        assert!(
            known.head.starts_with("HTTP/1.1 304") && known.header("ETag") == page.header("ETag"),
            "{}",
            known.head
        );
    }
    assert_eq!(get(&gateway, "/articles/sample", "gzip").decoded(), "to be, or not to be, that is the question");
    // A refusal is short, and not of the operation.
    assert_eq!(get(&gateway, "/articles/none", "gzip").header("Content-Encoding"), "");
}

#[test]
fn a_304_has_the_validator_of_the_response_that_the_client_has() {
    let upstream = Upstream::start(|head, connection| {
        let answer = match head.contains("If-None-Match") {
            true => "HTTP/1.1 304 Not Modified\r\nETag: \"v1\"\r\n\r\n".to_owned(),
            false => format!("HTTP/1.1 200 OK\r\n{PLAIN}ETag: \"v1\"\r\nContent-Length: 2000\r\n\r\n"),
        };
        connection.send(answer);
        if head.starts_with("GET") && !head.contains("If-None-Match") {
            connection.send(text(2000));
        }
        true
    });
    let gateway = Gateway::before(&upstream);
    let ask = |method: &str, accept: &str, known: &str| {
        let known = if known.is_empty() { String::new() } else { format!("\r\nIf-None-Match: {known}") };
        ask(&gateway, &format!("{method} /articles/any HTTP/1.1\r\nAccept-Encoding: {accept}{known}")).header("ETag")
    };
    assert_eq!([ask("GET", "gzip", ""), ask("HEAD", "gzip", ""), ask("GET", "gzip", "W/\"v1\"")], ["W/\"v1\""; 3]);
    assert_eq!(
        [ask("GET", "", ""), ask("HEAD", "", ""), ask("GET", "", "\"v1\""), ask("GET", "gzip", "\"v1\"")],
        ["\"v1\""; 4]
    );
}

#[test]
fn a_client_that_goes_away_ends_it() {
    let upstream = Upstream::start(|_, connection| {
        connection.send("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n");
        let piece = text(4096);
        loop {
            let sent = std::io::Write::write_all(
                &mut connection.stream,
                format!("{:x}\r\n{piece}\r\n", piece.len()).as_bytes(),
            );
            if sent.is_err() {
                return false;
            }
        }
    });
    let gateway = Gateway::before(&upstream);
    for accept in ["gzip", "br", "zstd"] {
        let mut connection = gateway.connect();
        connection
            .send(format!("GET /articles/any HTTP/1.1\r\nHost: gateway.test\r\nAccept-Encoding: {accept}\r\n\r\n"));
        assert!(connection.head().contains("Content-Encoding"));
        chunk(&mut connection);
        drop(connection);
    }
    std::thread::sleep(Duration::from_millis(300));
    let line = gateway.log_line(|line| line["operation"] == "readAny");
    assert_eq!(line["status"], 200);
    assert!(gateway.resident_kib() < 300 << 10, "{} KiB", gateway.resident_kib());
}

#[test]
fn a_broken_response_does_not_look_whole() {
    let upstream = Upstream::start(|_, connection| {
        connection.send("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 100000\r\n\r\n");
        connection.send(text(70_000));
        false
    });
    let gateway = Gateway::before(&upstream);
    let mut connection = gateway.connect();
    connection.send("GET /articles/any HTTP/1.1\r\nHost: gateway.test\r\nAccept-Encoding: gzip\r\n\r\n");
    let mut rest = Vec::new();
    connection.stream.read_to_end(&mut rest).expect("it ends");
    assert!(!rest.ends_with(b"0\r\n\r\n"));
}

#[test]
fn curl_reads_them() {
    let upstream = saying(PLAIN, &text(100_000));
    let gateway = Gateway::before(&upstream);
    for version in ["--http1.1", "--http2-prior-knowledge"] {
        let url = format!("http://{}/articles/any", gateway.address);
        let Ok(output) =
            std::process::Command::new("curl").args(["-sS", "--compressed", version, "-D", "-", &url]).output()
        else {
            return;
        };
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let (head, content) = said.split_once("\r\n\r\n").expect("a head");
        assert!(head.to_lowercase().contains("content-encoding: "), "{version}: {head} {output:?}");
        assert!(content == text(100_000), "{version}");
    }
}

#[test]
fn without_memory_for_an_encoder_nothing_is_compressed() {
    let upstream = saying(PLAIN, &text(2000));
    let gateway = Gateway::start(&["limits.compression=1MiB"], upstream.address);
    let answer = get(&gateway, "/articles/any", "br");
    assert_eq!((answer.header("Content-Encoding").as_str(), answer.header("Content-Length").as_str()), ("", "2000"));
    assert_eq!(answer.header("Vary"), "Accept-Encoding");
    assert_eq!(get(&gateway, "/articles/any", "gzip").header("Content-Encoding"), "gzip");
}
