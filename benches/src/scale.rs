//! Large documents: the time of the compiler alone, and time and memory of rustc for the module that it generates.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::build;
use crate::report::met;

struct Goal {
    operations: usize,
    compiler: Option<Duration>,
    rustc: Duration,
    /// MiB
    rustc_memory: Option<u64>,
}

static GOALS: &[Goal] = &[
    Goal {
        operations: 1_000,
        compiler: Some(Duration::from_secs(1)),
        rustc: Duration::from_secs(2),
        rustc_memory: None,
    },
    Goal { operations: 20_000, compiler: None, rustc: Duration::from_secs(20), rustc_memory: Some(2048) },
];

/// Time, and the largest resident memory in MiB.
struct Cost {
    time: Duration,
    memory: u64,
}

pub(crate) fn run() -> io::Result<()> {
    let folder = std::env::temp_dir().join(format!("gateway-scale-{}", std::process::id()));
    let result = measure(&folder);
    let _ = fs::remove_dir_all(&folder);
    result
}

fn measure(folder: &Path) -> io::Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut compiler = Command::new(cargo);
    compiler.args(["build", "--profile", "dist", "--package", "gatewayc", "--target-dir"]).arg(build::target());
    if !compiler.current_dir(build::workspace()).status()?.success() {
        return Err(io::Error::other("the compiler does not build"));
    }
    let mut table = String::from("| operations | document | gatewayc | generated | rustc |\n|---|---|---|---|---|\n");
    for goal in GOALS {
        let (specs, generated) = (folder.join(goal.operations.to_string()), folder.join("generated"));
        fs::create_dir_all(&specs)?;
        let document = specs.join("large.yaml");
        write_document(&document, goal.operations)?;

        let mut command = Command::new(build::target().join("dist/gatewayc"));
        command.arg("generate").arg("--specs").arg(&specs).arg("--out").arg(&generated);
        let mut runs = Vec::new();
        for _ in 0..3 {
            let _ = fs::remove_dir_all(&generated);
            runs.push(watch(&mut command, |_| true)?);
        }
        runs.sort_by_key(|cost| cost.time);
        let compiler = &runs[1];
        let size = fs::metadata(generated.join("large.rs"))?.len();

        let is_generated = |arguments: &str| {
            arguments.contains("--crate-name\0gateway\0") && arguments.contains("--crate-type\0lib\0")
        };
        let rustc = watch(build::cargo(&specs).arg("--lib"), is_generated)?;
        table += &format!(
            "| {} | {} KiB | {}, {} MiB{} | {} KiB | {}, {} MiB{} |\n",
            goal.operations,
            fs::metadata(&document)?.len() / 1024,
            seconds(compiler.time),
            compiler.memory,
            goal.compiler.map_or_else(String::new, |most| verdict(most, None, compiler)),
            size / 1024,
            seconds(rustc.time),
            rustc.memory,
            verdict(goal.rustc, goal.rustc_memory, &rustc),
        );
    }
    println!("\n### scale: many operations\n\n{table}");
    Ok(())
}

fn verdict(most: Duration, memory: Option<u64>, cost: &Cost) -> String {
    let is_met = cost.time < most && memory.is_none_or(|most| cost.memory < most);
    let memory = memory.map_or_else(String::new, |most| format!(", {} GiB", most / 1024));
    format!(" (target < {} s{memory}: {})", most.as_secs(), met(is_met))
}

fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}

/// Four operations on each of two paths make a kind of thing: lists are public, the rest wants a token.
fn write_document(path: &Path, operations: usize) -> io::Result<()> {
    let mut out = io::BufWriter::new(fs::File::create(path)?);
    out.write_all(
        br#"openapi: 3.1.0
info: {title: Large, version: "1"}
servers: [{url: /v1}]
x-gateway:
  version: 1
  upstream: {url: "http://127.0.0.1:8080"}
  upstreams: {archive: {url: "http://127.0.0.1:8081", timeout: 10s}}
security: [{accounts: [things:read]}]
components:
  securitySchemes:
    accounts: {type: http, scheme: bearer, x-gateway: {jwt: {verify: {algorithms: [HS256], secret: {env: SCALE_SECRET}}}}}
  responses: {Any: {description: Whatever the service says}}
paths:
"#,
    )?;
    let answers = r##"responses: {"200": {$ref: "#/components/responses/Any"}}"##;
    for kind in 0..operations / 4 {
        write!(
            out,
            "  /tenants/{{tenant}}/things{kind}:
    parameters: [{{name: tenant, in: path, required: true, schema: {{type: string}}}}]
    get: {{operationId: listThings{kind}, summary: the things of kind {kind}, security: [], {answers}}}
    post: {{operationId: createThing{kind}, security: [{{accounts: [things:write]}}], x-gateway: {{maxBody: 64KiB}}, {answers}}}
  /tenants/{{tenant}}/things{kind}/{{id}}:
    parameters:
      - {{name: tenant, in: path, required: true, schema: {{type: string}}}}
      - {{name: id, in: path, required: true, schema: {{type: integer}}}}
    get: {{operationId: getThing{kind}, {answers}}}
    delete: {{operationId: deleteThing{kind}, x-gateway: {{upstream: archive, rewrite: {{path: \"/gone/{{tenant}}/{{id}}\"}}}}, {answers}}}
"
        )?;
    }
    out.flush()
}

/// Runs a command, and looks every few milliseconds at those of its processes that have such arguments.
fn watch(command: &mut Command, is_wanted: impl Fn(&str) -> bool) -> io::Result<Cost> {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
    let stderr = child.stderr.take();
    let reader = std::thread::spawn(move || stderr.map(io::read_to_string));
    let (mut from, mut to, mut memory) = (None, None, 0);
    let status = loop {
        let now = Instant::now();
        let mut processes = vec![child.id()];
        while let Some(process) = processes.pop() {
            let arguments = fs::read_to_string(format!("/proc/{process}/cmdline")).unwrap_or_default();
            if is_wanted(&arguments) {
                from.get_or_insert(now);
                to = Some(now);
                memory = memory.max(peak(process));
            }
            for thread in fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten() {
                let children = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
                processes.extend(children.split_whitespace().flat_map(str::parse::<u32>));
            }
        }
        if let Some(status) = child.try_wait()? {
            break status;
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    if !status.success() {
        let said = reader.join().ok().flatten().and_then(Result::ok).unwrap_or_default();
        return Err(io::Error::other(said));
    }
    match (from, to) {
        (Some(from), Some(to)) => Ok(Cost { time: to - from, memory: memory / 1024 }),
        _ => Err(io::Error::other("nothing was compiled: it was up to date")),
    }
}

/// The largest resident memory so far, in KiB.
fn peak(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.split_whitespace().next()?.parse().ok());
    peak.unwrap_or(0)
}
