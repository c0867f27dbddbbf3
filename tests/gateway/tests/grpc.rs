//! Calls of gRPC: what passes, and how clients read the gateway's refusals.

#[path = "../../support/python.rs"]
mod python;
#[path = "../../support/mod.rs"]
mod support;

use std::time::{Duration, Instant};

use bytes::Bytes;
use python::{PythonUpstream, with_python};
use support::{Folder, Gateway, Upstream};

/// `Get` sends back the message, or how many seconds are left if that is `left`; it first sleeps as long as `x-sleep` says.
const SERVER: &str = r#"
import grpc, time
from concurrent import futures
def get(message, context):
    metadata = dict(context.invocation_metadata())
    time.sleep(float(metadata.get("x-sleep", "0")))
    context.send_initial_metadata((("x-initial", "yes"), ("x-consumer", metadata.get("x-consumer-username", "nobody"))))
    context.set_trailing_metadata((("x-trailing", "yes"),))
    if message == b"none":
        context.abort(grpc.StatusCode.NOT_FOUND, "there is none: 100 %")
    return str(context.time_remaining()).encode() if message == b"left" else message
def count(message, context):
    for number in range(int(message)):
        yield str(number).encode()
class Calls(grpc.GenericRpcHandler):
    def service(self, call):
        if call.method == "/shop.Orders/Put":
            return grpc.unary_stream_rpc_method_handler(count)
        return grpc.unary_unary_rpc_method_handler(get)
server = grpc.server(futures.ThreadPoolExecutor(8), handlers=[Calls()])
print(server.add_insecure_port("127.0.0.1:0"), flush=True)
server.start()
server.wait_for_termination()
"#;

const CLIENT: &str = r#"
import grpc, sys
port, dead, key = sys.argv[1:]
channel = grpc.insecure_channel(f"127.0.0.1:{port}")
method = lambda name, to=channel: to.unary_unary(f"/streams/shop.Orders/{name}")
def refused(call, message=b"hi", **terms):
    try:
        call(message, **terms)
    except grpc.RpcError as error:
        return error.code().name, error.details()
    raise SystemExit("it was not refused")
answer, call = method("Get").with_call(b"hi")
assert answer == b"hi" and call.code() is grpc.StatusCode.OK
assert dict(call.initial_metadata())["x-initial"] == "yes" and dict(call.trailing_metadata())["x-trailing"] == "yes"
assert refused(method("Get"), b"none") == ("NOT_FOUND", "there is none: 100 %")
left = float(method("Get")(b"left", timeout=3))
assert 1 < left < 3.5, left
assert refused(method("Put")) == ("UNAUTHENTICATED", "Missing API key found in request")
mine = (("x-streams-key", key),)
assert [int(one) for one in channel.unary_stream("/streams/shop.Orders/Put")(b"5", metadata=mine)] == [0, 1, 2, 3, 4]
assert refused(method("Admin"), metadata=mine)[0] == "PERMISSION_DENIED"
assert refused(method("None")) == ("UNIMPLEMENTED", "Not found")
few = (("x-case", "few"),)
assert method("Few")(b"one", metadata=few) == b"one"
assert refused(method("Few"), metadata=few)[0] == "RESOURCE_EXHAUSTED"
assert refused(method("Get"), metadata=(("x-sleep", "3"),)) == ("DEADLINE_EXCEEDED", "Gateway timeout")
assert refused(method("Get", grpc.insecure_channel(f"127.0.0.1:{dead}"))) == ("UNAVAILABLE", "Bad gateway")
print("DONE")
"#;

#[test]
fn another_implementation_agrees_on_both_sides() {
    let Some(upstream) = PythonUpstream::start("grpc", SERVER) else { return };
    let folder = Folder::new();
    let consumers = folder.write(
        "consumers.yaml",
        "consumers:\n  - username: ann\n    credentials: [{id: ann-1, type: key, key: {env: TEST_ANN_KEY}}]\n  - username: guest\n",
    );
    let (plain, consumers) = (Upstream::echo(), format!("consumers.file={consumers}"));
    let calls = format!("upstreams.streams.calls=h2c://{}", upstream.address);
    let gateway = Gateway::start(&[&consumers, &calls], plain.address);
    let nobody = "upstreams.streams.calls=h2c://127.0.0.1:1";
    let without = Gateway::start(&[&consumers, nobody], plain.address);
    let [port, dead] = [&gateway, &without].map(|gateway| gateway.address.port().to_string());
    let client = with_python("grpc", CLIENT, &[&port, &dead, "ann-secret"]).expect("it was there");
    let output = client.wait_with_output().expect("it ends");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "DONE\n");
    let line = gateway.log_line(|line| line["reject"] == "no-credential");
    assert_eq!((&line["status"], &line["grpcStatus"]), (&200.into(), &16.into()));
}

/// One call with these fields: the head of the answer, and how long it took.
fn call(gateway: &Gateway, target: &str, fields: &[(&str, &str)]) -> (http::response::Parts, Duration) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let stream = tokio::net::TcpStream::connect(gateway.address).await.expect("connects");
        let (client, connection) = h2::client::handshake(stream).await.expect("speaks HTTP/2");
        tokio::spawn(connection);
        let mut client = client.ready().await.expect("ready");
        let mut request = http::Request::post(format!("http://gateway.test/streams{target}"));
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let started = Instant::now();
        let (response, mut send) = client.send_request(request.body(()).expect("a request"), false).expect("sent");
        let _ = send.send_data(Bytes::from_static(b"\0\0\0\0\x02hi"), true);
        let (parts, body) = response.await.expect("an answer").into_parts();
        let is_refusal = parts.headers.contains_key("grpc-status");
        assert!(!is_refusal || body.is_end_stream(), "trailers only");
        (parts, started.elapsed())
    })
}

#[test]
fn refusals_are_in_the_form_that_the_client_reads() {
    let upstream = Upstream::echo();
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let calls = format!("upstreams.streams.calls=h2c://{}", silent.local_addr().expect("bound"));
    let gateway = Gateway::start(&[&calls], upstream.address);
    const GRPC: (&str, &str) = ("content-type", "application/grpc+proto");
    for (target, fields, status, grpc) in [
        ("/shop.Orders/Put", &[GRPC][..], 200, "16"),
        ("/shop.Orders/None", &[GRPC], 200, "12"),
        ("/open", &[GRPC], 200, "12"),
        ("/shop.Orders/Get", &[GRPC, ("expect", "nothing")], 200, "2"),
        // Other clients read the status of HTTP.
        ("/shop.Orders/Put", &[("content-type", "application/json")], 401, ""),
        ("/shop.Orders/Put", &[], 401, ""),
    ] {
        let (parts, _) = call(&gateway, target, fields);
        let field = |name: &str| parts.headers.get(name).map_or("", |value| value.to_str().expect("text"));
        assert_eq!((parts.status.as_u16(), field("grpc-status")), (status, grpc), "{target} {fields:?}");
        if status == 200 {
            assert_eq!(field("content-type"), "application/grpc");
            assert!(!field("grpc-message").is_empty() && !field("x-request-id").is_empty());
        }
        assert_eq!(parts.headers.contains_key("www-authenticate"), target.ends_with("Put"));
    }
    // The call ends when the client says; the upstream's own bound is two seconds.
    let (parts, took) = call(&gateway, "/shop.Orders/Get", &[GRPC, ("grpc-timeout", "300m")]);
    assert_eq!((parts.status.as_u16(), parts.headers["grpc-status"].to_str().expect("text")), (200, "4"));
    assert!(took > Duration::from_millis(250) && took < Duration::from_millis(1500), "{took:?}");
    // In HTTP/1.1, where gRPC-Web is spoken.
    let web = gateway.request(
        "POST",
        "/streams/shop.Orders/Put",
        "Content-Type: application/grpc-web\r\nContent-Length: 0\r\n",
    );
    assert_eq!((web.status, web.header("grpc-status"), web.body), (200, "16".to_owned(), String::new()));
}

#[test]
fn a_call_that_takes_too_long_ends_with_a_status() {
    let upstream = Upstream::start(|head, connection| {
        support::read_body(head, connection);
        let framing = if head.contains("x-counted") { "Content-Length: 70" } else { "Transfer-Encoding: chunked" };
        let message = if head.contains("x-counted") { "\0\0\0\0\x02hi" } else { "7\r\n\0\0\0\0\x02hi\r\n" };
        connection.send(format!("HTTP/1.1 200 OK\r\nContent-Type: application/grpc\r\n{framing}\r\n\r\n{message}"));
        connection.more()
    });
    let calls = format!("upstreams.streams.calls=http://{}", upstream.address);
    let gateway = Gateway::start(&[&calls], upstream.address);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let ends = |content_type: &'static str, more: &'static str| {
        runtime.block_on(async {
            let stream = tokio::net::TcpStream::connect(gateway.address).await.expect("connects");
            let (client, connection) = h2::client::handshake(stream).await.expect("speaks HTTP/2");
            tokio::spawn(connection);
            let request = http::Request::post("http://gateway.test/streams/shop.Orders/Get")
                .header("content-type", content_type)
                .header("grpc-timeout", "400m")
                .header(more, "1");
            let mut client = client.ready().await.expect("ready");
            let (response, mut send) = client.send_request(request.body(()).expect("a request"), false).expect("sent");
            let _ = send.send_data(Bytes::from_static(b"\0\0\0\0\x02hi"), true);
            let mut body = response.await.expect("an answer").into_body();
            assert_eq!(body.data().await.expect("a message").expect("whole"), &b"\0\0\0\0\x02hi"[..]);
            let rest = body.data().await;
            let trailers = body.trailers().await;
            (rest.is_some_and(|rest| rest.is_err()), trailers.ok().flatten())
        })
    };
    let (is_reset, trailers) = ends("application/grpc", "x-open");
    let trailers = trailers.expect("trailers");
    assert!(
        !is_reset && trailers["grpc-status"] == "4" && trailers["grpc-message"] == "Gateway timeout",
        "{trailers:?}"
    );
    let line = gateway.log_line(|line| line["grpcStatus"] == 4);
    assert_eq!((&line["status"], &line["reject"]), (&200.into(), &"upstream-timeout".into()));
    // What has a length cannot end before it.
    let (is_reset, trailers) = ends("application/grpc", "x-counted");
    assert!(is_reset && trailers.is_none());
}
