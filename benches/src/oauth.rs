//! Tokens of the gateway's own authorization server: what requests bring to get one, and to use one.

pub(crate) mod client;

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use jsonwebtoken::Algorithm;

use crate::callers::{self, CredentialKind};
use crate::peer::{Peer, Work};
use client::ENCRYPTED;

use client::client_fields;

/// Where tokens are given.
pub(crate) const TOKEN_PATH: &str = "/oauth/token";

/// What a client sends there.
pub(crate) const TOKEN_FORM: &str = "grant_type=client_credentials";

/// Tokens in turn.
const FEW: usize = 100;
const MANY: usize = 10_000;

/// Connections over which tokens are fetched that a load brings later.
const FETCHERS: usize = 32;

/// Where the requests of a peer go, and what they bring.
pub(crate) fn use_of(peer: &Peer) -> io::Result<(&'static str, Vec<String>)> {
    let own = |format, count| {
        let port = peer.port(Work::Accounts).ok_or_else(|| io::Error::other("no port for this work"))?;
        let tokens = fetch(port, format, count)?;
        Ok::<_, io::Error>(tokens.iter().map(|token| format!("Authorization: Bearer {token}")).collect())
    };
    let (path, fields) = match peer.name {
        "gateway-anyone" => ("/anyone", vec!["X-Nothing: 0".to_owned()]),
        "gateway-jwt" => ("/foreign", callers::fields(CredentialKind::Tokens(Algorithm::HS256, FEW), 0)?),
        "gateway-own-jwt" => ("/own", own("jwt", FEW)?),
        "gateway-own" => ("/own", own("opaque", FEW)?),
        _ => ("/own", own("opaque", MANY)?),
    };
    Ok((path, fields.into_iter().map(|field| format!("{ENCRYPTED}\t{field}")).collect()))
}

/// Fetches `count` different tokens.
fn fetch(port: u16, format: &str, count: usize) -> io::Result<Vec<String>> {
    let fields = client_fields(format).replace('\t', "\r\n");
    let length = TOKEN_FORM.len();
    let request = format!(
        "POST {TOKEN_PATH} HTTP/1.1\r\nHost: bench.local\r\n{fields}\r\nContent-Length: {length}\r\n\r\n{TOKEN_FORM}"
    );
    let fetcher = || {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        (0..count.div_ceil(FETCHERS)).map(|_| fetch_one(&mut stream, &request)).collect::<io::Result<Vec<_>>>()
    };
    std::thread::scope(|scope| {
        let fetchers: Vec<_> = (0..FETCHERS).map(|_| scope.spawn(fetcher)).collect();
        let mut tokens = Vec::with_capacity(count);
        for fetcher in fetchers {
            tokens.extend(fetcher.join().map_err(|_| io::Error::other("a thread has failed"))??);
        }
        tokens.truncate(count);
        Ok(tokens)
    })
}

fn fetch_one(stream: &mut TcpStream, request: &str) -> io::Result<String> {
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    let mut bytes = [0; 4096];
    loop {
        let read = stream.read(&mut bytes)?;
        answer += std::str::from_utf8(&bytes[..read]).map_err(io::Error::other)?;
        let token = answer.split_once("\r\n\r\n").and_then(|(_, body)| {
            body.ends_with('}').then(|| body.split_once("\"access_token\":\"")?.1.split_once('"')).flatten()
        });
        match token {
            Some((token, _)) => return Ok(token.to_owned()),
            None if read == 0 || answer.len() > bytes.len() => {
                return Err(io::Error::other(format!("no token: {}", answer.lines().next().unwrap_or_default())));
            }
            None => {}
        }
    }
}
