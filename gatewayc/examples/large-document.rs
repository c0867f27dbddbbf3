//! Prints an annotated document with many operations: `cargo run --example large-document -- 20000`.

use std::io::{self, Write as _};

fn main() -> io::Result<()> {
    let count: usize = std::env::args().nth(1).and_then(|count| count.parse().ok()).unwrap_or(1_000);
    let mut out = io::BufWriter::new(io::stdout().lock());
    out.write_all(
        br#"openapi: 3.1.0
info: {title: Large, version: "1"}
servers: [{url: /v1}]
x-gateway:
  version: 1
  upstream: {url: "http://127.0.0.1:8080"}
  upstreams: {other: {url: "http://127.0.0.1:8081", timeout: 10s}}
security: [{jwt: ["things:read"]}]
components:
  securitySchemes:
    jwt: {type: http, scheme: bearer, x-gateway: {jwt: {verify: {algorithms: [HS256], secret: {env: JWT_SECRET}}}}}
paths:
"#,
    )?;
    // Four operations on each of two paths make a kind of thing.
    for index in 0..count {
        let (kind, which) = (index / 4, index % 4);
        let parameters = "parameters: [{name: id, in: path, required: true, schema: {type: integer}}]";
        match which {
            0 => {
                writeln!(out, "  /things{kind}:\n    get: {{operationId: listThings{kind}, summary: list the things}}")?
            }
            1 => writeln!(
                out,
                "    post: {{operationId: createThing{kind}, security: [{{jwt: [\"things:write\"]}}], x-gateway: {{maxBody: 64KiB}}}}"
            )?,
            2 => writeln!(out, "  /things{kind}/{{id}}:\n    {parameters}\n    get: {{operationId: getThing{kind}}}")?,
            _ => writeln!(
                out,
                "    delete: {{operationId: deleteThing{kind}, x-gateway: {{upstream: other, rewrite: {{path: \"/gone/{{id}}\"}}}}}}"
            )?,
        }
    }
    if count < 4 {
        writeln!(out, "  /other: {{get: {{x-gateway: {{upstream: other}}}}}}")?;
    }
    out.flush()
}
