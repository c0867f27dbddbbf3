//! The peers: the gateway, and what is installed of nginx, HAProxy and Envoy. Each is configured to do the same.

mod configuration;
mod endpoints;
mod envoy;
mod gateway;
mod haproxy;
mod installed;
mod nginx;
mod replicas;

use std::io;
use std::path::{Path, PathBuf};

use crate::database;
use crate::lab::Lab;
use envoy::envoy;
use haproxy::haproxy;
use installed::on_path;
use nginx::nginx;

use crate::peer::{BACKEND_PORT, Peer, Work};

/// Consumers that a peer knows where its name does not say otherwise.
const FEW: usize = 10;
const THOUSAND: usize = 1_000;
const MILLION: usize = 1_000_000;

/// Every peer of `wanted` that is there, with its configuration written; the names of the programs that are not.
pub(crate) fn find(lab: &Lab, gateway: &Path, wanted: &[&str]) -> io::Result<(Vec<Peer>, Vec<&'static str>)> {
    type Make<'a> = &'a dyn Fn(&Path, &'static str) -> io::Result<Peer>;
    let gateway_with = |log, port, consumers| {
        move |program: &Path, name| gateway::forwarding(lab, program, name, log, port, consumers)
    };
    let log = format!("{}/access.log log buffer=64k flush=1s", lab.folder.display());
    let nginx_path = on_path("nginx");
    let haproxy_path = on_path("haproxy");
    let envoy_path = std::env::var_os("BENCH_ENVOY").map(PathBuf::from).or_else(|| on_path("envoy"));
    let gateway = Some(gateway.to_path_buf());
    let beside_postgres = gateway.clone().filter(|_| database::programs().is_some());
    let accounts = |program: &Path, name| gateway::with_accounts(lab, program, name);
    let hyper = Some(lab.program("hyper_proxy")?);
    let lua_path = nginx_path.clone().filter(|_| nginx::has_lua());
    let all: [(&'static str, &Option<PathBuf>, Make<'_>); 32] = [
        ("gateway", &gateway, &gateway_with("stdout", 18100, FEW)),
        ("gateway-nolog", &gateway, &gateway_with("off", 18110, FEW)),
        ("gateway-untold", &gateway, &gateway_with("stdout", 18140, FEW)),
        ("gateway-unlimited", &gateway, &gateway_with("stdout", 18150, FEW)),
        ("gateway-unchecked", &gateway, &gateway_with("stdout", 18180, FEW)),
        ("gateway-uncached", &gateway, &gateway_with("stdout", 18190, FEW)),
        ("gateway-unshared", &gateway, &gateway_with("stdout", 18710, FEW)),
        ("gateway-single", &gateway, &gateway_with("stdout", 18720, FEW)),
        ("gateway-routes", &gateway, &|program, name| gateway::with_routes(lab, program, name)),
        ("gateway-1k", &gateway, &gateway_with("stdout", 18120, THOUSAND)),
        ("gateway-1m", &gateway, &gateway_with("stdout", 18130, MILLION)),
        ("gateway-memory", &gateway, &accounts),
        ("gateway-sqlite", &gateway, &accounts),
        ("gateway-postgres", &beside_postgres, &accounts),
        ("gateway-anyone", &gateway, &accounts),
        ("gateway-jwt", &gateway, &accounts),
        ("gateway-own", &gateway, &accounts),
        ("gateway-own-jwt", &gateway, &accounts),
        ("gateway-asks-memory", &gateway, &accounts),
        ("gateway-asks-sqlite", &gateway, &accounts),
        ("gateway-asks-postgres", &beside_postgres, &accounts),
        ("nginx", &nginx_path, &|program, name| nginx(lab, program, name, "off", 18200, FEW)),
        ("nginx-log", &nginx_path, &|program, name| nginx(lab, program, name, &log, 18210, FEW)),
        ("nginx-lua", &lua_path, &|program, name| nginx::with_lua(lab, program, name)),
        ("nginx-unlimited", &nginx_path, &|program, name| nginx(lab, program, name, "off", 18230, FEW)),
        ("nginx-1m", &nginx_path, &|program, name| nginx(lab, program, name, "off", 18220, MILLION)),
        ("haproxy", &haproxy_path, &|program, name| haproxy(lab, program, name, FEW)),
        ("haproxy-unlimited", &haproxy_path, &|program, name| haproxy(lab, program, name, FEW)),
        ("haproxy-1m", &haproxy_path, &|program, name| haproxy(lab, program, name, MILLION)),
        ("envoy", &envoy_path, &|program, name| envoy(lab, program, name, FEW)),
        ("envoy-1m", &envoy_path, &|program, name| envoy(lab, program, name, MILLION)),
        ("hyper", &hyper, &|program, name| Ok(hyper_proxy(program, name))),
    ];
    let (mut peers, mut missing) = (Vec::new(), Vec::new());
    for (name, program, make) in all.into_iter().filter(|(name, ..)| wanted.contains(name)) {
        match program {
            Some(program) => peers.push(make(program, name)?),
            None => missing.push(name),
        }
    }
    Ok((peers, missing))
}

/// The peers that are there, before three replicas; the names of the programs that are not.
pub(crate) fn before_replicas(
    lab: &Lab,
    gateway: &Path,
    is_wanted: impl Fn(&str) -> bool,
) -> io::Result<(Vec<Peer>, Vec<&'static str>)> {
    let envoy = std::env::var_os("BENCH_ENVOY").map(PathBuf::from).or_else(|| on_path("envoy"));
    let all = [
        ("gateway", Some(gateway.to_path_buf())),
        ("envoy", envoy),
        ("haproxy", on_path("haproxy")),
        ("nginx", on_path("nginx")),
    ];
    let (mut peers, mut missing) = (Vec::new(), Vec::new());
    for (name, program) in all.into_iter().filter(|(name, _)| is_wanted(name)) {
        match program {
            Some(program) => peers.push(replicas::before(lab, program, name)?),
            None => missing.push(name),
        }
    }
    Ok((peers, missing))
}

/// The gateway before endpoints at these URLs.
pub(crate) fn before_endpoints(lab: &Lab, gateway: &Path, urls: &[String]) -> io::Result<Peer> {
    endpoints::before(lab, gateway, urls)
}

/// The least that a proxy on hyper can do.
fn hyper_proxy(program: &Path, name: &'static str) -> Peer {
    Peer {
        name,
        version: "hyper 1, src/bin/hyper_proxy.rs".to_owned(),
        program: program.to_path_buf(),
        arguments: vec!["18500".to_owned(), BACKEND_PORT.to_string()],
        environment: Vec::new(),
        ports: vec![(Work::Plain, 18500)],
        consumers: 0,
    }
}
