//! nginx: HTTP, TLS, API keys, limits, CORS, compression, a cache and WebSockets.

use std::io;
use std::path::Path;

use crate::callers;
use crate::lab::Lab;
use crate::peer::{BACKEND_PORT, Peer, Work};
use crate::peers::configuration::{certificate, fill, write};
use crate::peers::installed::version;

pub(super) fn nginx(
    lab: &Lab,
    program: &Path,
    name: &'static str,
    access_log: &str,
    port: u16,
    consumers: usize,
) -> io::Result<Peer> {
    let (certificate, key) = certificate(lab)?;
    let keys = callers::keys("nginx-keys", consumers, ["", " ", ";"])?;
    let routes = (0..50).flat_map(|service| {
        ["", "/", "/details/", "/parts/"]
            .map(|part| format!("    location /service{service}/v1/items{part} {{ proxy_pass http://backend; }}\n"))
    });
    let (of_address, of_client) = match name {
        "nginx-unlimited" => ("", ""),
        _ => ("limit_req zone=addresses burst=1000000 nodelay;", "limit_req zone=clients burst=100 nodelay;"),
    };
    let values = [
        ("folder", lab.folder.display().to_string()),
        ("name", name.to_owned()),
        ("access_log", access_log.to_owned()),
        ("backend", BACKEND_PORT.to_string()),
        ("certificate", certificate),
        ("key", key),
        ("keys", keys.display().to_string()),
        ("locations", routes.collect()),
        ("of_address", of_address.to_owned()),
        ("of_client", of_client.to_owned()),
        ("plain", port.to_string()),
        ("routes", (port + 1).to_string()),
        ("api_key", (port + 2).to_string()),
        ("limit", (port + 3).to_string()),
        ("tls", (port + 4).to_string()),
        ("browsers", (port + 5).to_string()),
        ("stored", (port + 6).to_string()),
    ];
    let text = fill(include_str!("nginx/nginx.conf"), &values)?;
    let file = write(lab, &format!("{name}.conf"), &text)?;
    Ok(Peer {
        name,
        version: version(program, "-v"),
        program: program.to_path_buf(),
        arguments: vec![
            "-e".to_owned(),
            lab.folder.join(format!("{name}.log")).display().to_string(),
            "-c".to_owned(),
            file,
        ],
        environment: Vec::new(),
        ports: vec![
            (Work::Plain, port),
            (Work::Orders, port),
            (Work::Routes, port + 1),
            (Work::Key, port + 2),
            (Work::Limit, port + 3),
            (Work::Clients, port + 3),
            (Work::Tls, port + 4),
            (Work::Cors, port + 5),
            (Work::Compress, port + 5),
            (Work::Stored, port + 6),
            (Work::Socket, port + 5),
        ],
        consumers,
    })
}

/// Where Debian has the modules of nginx.
const MODULES: &str = "/usr/lib/nginx/modules";

/// Whether nginx can be given scripts in Lua.
pub(super) fn has_lua() -> bool {
    Path::new(MODULES).join("ngx_http_lua_module.so").exists()
}

/// nginx with a script that reads the order and compares each of its fields by hand, as plugins of gateways on nginx do.
pub(super) fn with_lua(lab: &Lab, program: &Path, name: &'static str) -> io::Result<Peer> {
    let port: u16 = 18240;
    let script = write(lab, "order.lua", include_str!("nginx/order.lua"))?;
    let values = [
        ("folder", lab.folder.display().to_string()),
        ("name", name.to_owned()),
        ("modules", MODULES.to_owned()),
        ("backend", BACKEND_PORT.to_string()),
        ("script", script),
        ("orders", port.to_string()),
    ];
    let text = fill(include_str!("nginx/lua.conf"), &values)?;
    let file = write(lab, &format!("{name}.conf"), &text)?;
    Ok(Peer {
        name,
        version: version(program, "-v"),
        program: program.to_path_buf(),
        arguments: vec![
            "-e".to_owned(),
            lab.folder.join(format!("{name}.log")).display().to_string(),
            "-c".to_owned(),
            file,
        ],
        environment: Vec::new(),
        ports: vec![(Work::Orders, port)],
        consumers: 0,
    })
}
