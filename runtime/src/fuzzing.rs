//! What fuzzing needs to reach: a whole gateway without sockets to its clients. Compiled with `--cfg fuzzing` only.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::runtime::LocalRuntime;
use tokio::time::timeout;

use crate::assemble;
use crate::launch::Launch;
use gateway_proxy::deployment::Deployment;
use gateway_proxy::sockless::Proxy;
use gateway_proxy::tables::Gateway;

/// More than an exchange can take: what takes longer hangs.
const EXCHANGE_TIMEOUT: Duration = Duration::from_secs(8);

/// A gateway, its only client, and its upstream.
pub struct Harness {
    runtime: LocalRuntime,
    proxy: Proxy,
    upstream: Rc<Upstream>,
}

/// What the upstream says to every request, and how many requests it has seen.
struct Upstream {
    answer: RefCell<Vec<u8>>,
    requests: Cell<usize>,
}

/// The result of an input.
#[derive(Debug)]
pub struct Outcome {
    /// What the client got.
    pub received: Vec<u8>,
    /// How many requests the upstream saw.
    pub forwarded: usize,
}

impl fmt::Debug for Harness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Harness")
    }
}

impl Harness {
    /// A gateway with these settings, such as `consumers.file=consumers.yaml`, and secrets; `upstreams` are answered for.
    #[must_use]
    pub fn new(gateway: &'static Gateway, settings: &[&str], secrets: &[(&str, &str)]) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build_local(tokio::runtime::LocalOptions::default())
            .expect("a runtime");
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).expect("a free port");
        let address = listener.local_addr().expect("bound");
        let mut all: Vec<String> = settings.iter().map(|setting| (*setting).to_owned()).collect();
        for api in gateway.apis {
            for upstream in api.upstreams {
                all.push(format!("upstreams.{}.{}=http://{address}", api.name, upstream.name));
            }
        }
        all.extend(["accessLog=off".to_owned(), "admin=off".to_owned(), "workers=1".to_owned()]);
        let secrets = secrets.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let launch = Launch { settings: all, stand_in_secrets: secrets, ..Launch::default() };
        let (config, secrets) = launch.settings().expect("good settings");
        let deployment: &'static Deployment =
            Box::leak(Box::new(assemble::assemble(gateway, &config, secrets, true).expect("nothing missing")));
        let upstream = Rc::new(Upstream { answer: RefCell::default(), requests: Cell::new(0) });
        let (served, entered) = (Rc::clone(&upstream), runtime.enter());
        let proxy = Proxy::new(deployment);
        drop(entered);
        runtime.spawn_local(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::task::spawn_local(Rc::clone(&served).serve(stream));
            }
        });
        Self { runtime, proxy, upstream }
    }

    /// Sends `input` as a client's only bytes, to a gateway whose upstream says `answer` to each request.
    ///
    /// # Panics
    /// Something hangs.
    #[must_use]
    pub fn exchange(&self, input: &[u8], answer: &[u8]) -> Outcome {
        *self.upstream.answer.borrow_mut() = answer.to_vec();
        self.upstream.requests.set(0);
        let proxy = self.proxy.clone();
        let input = input.to_vec();
        let received = self.runtime.block_on(async move {
            let (client, gateway) = tokio::io::duplex(64 << 10);
            let serving = tokio::task::spawn_local(proxy.serve(gateway));
            let (mut reader, mut writer) = tokio::io::split(client);
            let writing = tokio::task::spawn_local(async move {
                let _ = writer.write_all(&input).await;
                let _ = writer.shutdown().await;
            });
            let mut received = Vec::new();
            timeout(EXCHANGE_TIMEOUT, reader.read_to_end(&mut received))
                .await
                .expect("an end")
                .expect("no error of a pipe");
            writing.abort();
            timeout(EXCHANGE_TIMEOUT, serving).await.expect("an end").expect("no panic");
            received
        });
        Outcome { received, forwarded: self.upstream.requests.get() }
    }
}

impl Upstream {
    async fn serve(self: Rc<Self>, mut stream: tokio::net::TcpStream) {
        let (mut received, mut buffer) = (Vec::new(), vec![0; 16 << 10]);
        while let Ok(count @ 1..) = stream.read(&mut buffer).await {
            received.extend_from_slice(&buffer[..count]);
            let Some(end) = memchr::memmem::find(&received, b"\r\n\r\n") else { continue };
            // The rest is a body, or nothing: there is one request on a connection here.
            let heads = received[..end].split(|byte| *byte == b'\n').filter(|line| line.ends_with(b" HTTP/1.1\r"));
            self.requests.set(self.requests.get() + heads.count());
            let answer = self.answer.borrow().clone();
            let _ = stream.write_all(&answer).await;
            let _ = stream.shutdown().await;
            return;
        }
    }
}
