//! The command line of the compiler: reads files, prints what the library says.

#![expect(clippy::disallowed_methods, reason = "a command line has files and an environment")]

mod new;
mod output;

use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use gatewayc::build_script;
use gatewayc::diagnostic::{CODES, Code, Diagnostics, Format, render};
use gatewayc::files;
use gatewayc::project::FILE;
use gatewayc::routes::{self, TableFormat};
use gatewayc::source::SourceSet;

use new::New;
use new::add::Add;
use output::{count, print, summary};

/// Compiles annotated OpenAPI documents into an API gateway.
#[derive(Parser)]
#[command(version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Write a new project: a package that serves an OpenAPI document, or one to begin with
    New(New),
    /// Copy one more OpenAPI document into specs/ of this project, with an overlay
    Add(Add),
    /// List every operation of any OpenAPI document, annotated or not
    Routes {
        #[command(flatten)]
        input: Input,
        /// How the list is printed
        #[arg(long, value_enum, default_value = "table")]
        format: ListFormat,
    },
    /// Report everything that is wrong; exits with 1 where a gateway could not be built
    Check {
        #[command(flatten)]
        input: Input,
        /// How the messages are printed
        #[arg(long, value_enum, default_value = "human")]
        format: MessageFormat,
        /// Exit with 1 for warnings as well
        #[arg(long)]
        deny_warnings: bool,
    },
    /// Write the Rust source of the gateway, as its build does
    Generate {
        /// The directory of the documents [default: what gatewayc.yaml lists, or specs]
        #[arg(long, value_name = "DIRECTORY")]
        specs: Option<PathBuf>,
        /// Where the source goes; files of documents that are gone are removed
        #[arg(long, value_name = "DIRECTORY", default_value = "generated")]
        out: PathBuf,
    },
    /// Print what a shell needs to complete commands, such as for `source <(gatewayc completions bash)`
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print the manual page, or write one for each command into a folder
    Man {
        /// Where the pages go, such as /usr/local/share/man/man1
        #[arg(long, value_name = "DIRECTORY")]
        out: Option<PathBuf>,
    },
    /// Explain a diagnostic code, such as GW102, or which operation answers a request, such as GET /v1/notes
    Explain {
        /// The code or its name, or the method of a request; without one, all codes are listed
        #[arg(value_name = "CODE|METHOD")]
        subject: Option<String>,
        /// The URL of a request
        url: Option<String>,
        /// The documents, or directories of documents [default: what gatewayc.yaml lists, or specs]
        specs: Vec<PathBuf>,
        /// A header field of the request, which a path with a condition on it may ask for
        #[arg(long, short = 'H', value_name = "NAME: VALUE")]
        header: Vec<String>,
        /// The directory that references must not leave [default: the nearest one that holds all documents]
        #[arg(long, value_name = "DIRECTORY")]
        root: Option<PathBuf>,
        /// How the answer for a request is printed
        #[arg(long, value_enum, default_value = "text")]
        format: ExplainFormat,
    },
}

#[derive(clap::Args)]
struct Input {
    /// OpenAPI documents, YAML or JSON; a directory stands for the documents directly in it [default: what gatewayc.yaml
    /// lists, or specs; where neither is here, those of the root]
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The directory that references must not leave [default: the nearest one that holds all documents]
    #[arg(long, value_name = "DIRECTORY")]
    root: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum ListFormat {
    Table,
    Json,
    Markdown,
}

#[derive(Clone, Copy, ValueEnum)]
enum ExplainFormat {
    Text,
    Json,
}

#[derive(Clone, Copy, ValueEnum)]
enum MessageFormat {
    Human,
    Short,
    Json,
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(code) => code,
        // The reader of our output may stop reading, such as `head`.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "gatewayc: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(command: Command) -> io::Result<ExitCode> {
    match command {
        Command::New(new) => new::run(&new),
        Command::Add(add) => new::add::run(&add),
        Command::Routes { input, format } => list_routes(&input, format),
        Command::Check { input, format, deny_warnings } => check(&input, format, deny_warnings),
        Command::Generate { specs, out } => generate(specs.as_deref(), &out),
        Command::Completions { shell } => completions(shell),
        Command::Man { out } => man(out.as_deref()),
        Command::Explain { subject: Some(method), url: Some(url), specs, header, root, format } => {
            explain_request(&method, &url, &fields(&header)?, &specs, root.as_deref(), format)
        }
        Command::Explain { subject, .. } => explain(subject.as_deref()),
    }
}

/// The documents that are named, or those of the package in this folder, and what is wrong with how they are listed.
///
/// # Errors
/// They cannot be read, or there is none.
fn open(paths: &[PathBuf], root: Option<&Path>) -> io::Result<(SourceSet<'static>, Diagnostics)> {
    if !paths.is_empty() {
        let sources = files::source_set(paths, root)?;
        if sources.has_nothing() {
            let shown: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
            return Err(no_document(format!("in {}: no file ends in .yaml, .yml or .json", shown.join(", "))));
        }
        return Ok((sources, Diagnostics::new()));
    }
    let here = Path::new(".");
    if let Some(package) = files::package(here)? {
        if let Some(root) = root
            && package.root != canonical(root)?
        {
            let message = format!(
                "the documents of {FILE} here have the root {}; run gatewayc without `--root`, or name documents",
                package.root.display()
            );
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        return opened(package);
    }
    if let Some(sources) = in_specs(here, root)? {
        return Ok((sources, Diagnostics::new()));
    }
    match root {
        Some(root) => open_elsewhere(root),
        None => {
            let message = format!(
                "name a document; there is no {FILE} here that lists documents, and no folder `specs` with documents"
            );
            Err(io::Error::new(io::ErrorKind::NotFound, message))
        }
    }
}

/// The documents of the package in another folder, which is also the root.
fn open_elsewhere(folder: &Path) -> io::Result<(SourceSet<'static>, Diagnostics)> {
    let shown = folder.display();
    if let Some(package) = files::package(folder)? {
        // Without one of its own, the root is the folder of the file.
        if package.root != canonical(folder)? {
            let message = format!("{shown}/{FILE} has a `root` of its own; run gatewayc in {shown}, without `--root`");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        return opened(package);
    }
    let Some(sources) = in_specs(folder, Some(folder))? else {
        let message =
            format!("name a document; neither here nor in {shown} is a {FILE} or a folder `specs` with documents");
        return Err(io::Error::new(io::ErrorKind::NotFound, message));
    };
    Ok((sources, Diagnostics::new()))
}

/// What a `gatewayc.yaml` lists.
fn opened(package: files::Package) -> io::Result<(SourceSet<'static>, Diagnostics)> {
    let files::Package { sources, diagnostics, .. } = package;
    if sources.has_nothing() && !diagnostics.has_errors() {
        return Err(no_document(format!("in specs, and {FILE} lists none")));
    }
    Ok((sources, diagnostics))
}

/// The documents in the folder `specs` of a package; nothing where there is none.
fn in_specs(package: &Path, root: Option<&Path>) -> io::Result<Option<SourceSet<'static>>> {
    let specs = if package == Path::new(".") { PathBuf::from("specs") } else { package.join("specs") };
    if !specs.is_dir() {
        return Ok(None);
    }
    // The root need not hold a folder without documents.
    if files::source_set(std::slice::from_ref(&specs), None)?.has_nothing() {
        return Ok(None);
    }
    files::source_set(&[specs], root).map(Some)
}

fn no_document(place: String) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, format!("there is no document {place}"))
}

fn canonical(folder: &Path) -> io::Result<PathBuf> {
    folder.canonicalize().map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", folder.display())))
}

fn list_routes(input: &Input, format: ListFormat) -> io::Result<ExitCode> {
    let (mut sources, listing) = open(&input.files, input.root.as_deref())?;
    let (documents, diagnostics) = gatewayc::parse(&mut sources);
    let format = match format {
        ListFormat::Table => TableFormat::Table,
        ListFormat::Json => TableFormat::Json,
        ListFormat::Markdown => TableFormat::Markdown,
    };
    print(&routes::render(&routes::list(&documents, &sources), format))?;
    // A reader wants to know what may be missing from the list, not what a gateway would refuse.
    let mut missing = routes::missing(&documents, &diagnostics, &sources);
    missing.append(listing);
    report(&missing, &sources, MessageFormat::Human, &mut io::stderr().lock(), io::stderr().is_terminal())?;
    Ok(if missing.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn check(input: &Input, format: MessageFormat, deny_warnings: bool) -> io::Result<ExitCode> {
    let (mut sources, listing) = open(&input.files, input.root.as_deref())?;
    let checked = gatewayc::check(&mut sources).with(listing);
    report(&checked.diagnostics, &sources, format, &mut io::stdout().lock(), io::stdout().is_terminal())?;
    if checked.diagnostics.is_empty() && matches!(format, MessageFormat::Human) {
        print(&format!("ok: {}\n", summary(&checked)))?;
    }
    let failed = checked.diagnostics.has_errors() || (deny_warnings && checked.diagnostics.unacknowledged() > 0);
    // The process ends, and taking a large document apart would take longer than reading it.
    std::mem::forget((checked, sources));
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn generate(specs: Option<&Path>, out: &Path) -> io::Result<ExitCode> {
    let mut warnings = String::new();
    let compiled = match specs {
        Some(specs) => build_script::compile(specs, &mut warnings),
        None => match build_script::compile_package(Path::new("."), &mut warnings) {
            Ok(Some(output)) => Ok(output),
            Ok(None) => build_script::compile(Path::new("specs"), &mut warnings),
            Err(error) => Err(error),
        },
    };
    match compiled {
        Ok(output) => {
            io::stderr().write_all(warnings.as_bytes())?;
            build_script::write(&output.files, out).map(|()| ExitCode::SUCCESS)
        }
        Err(error) => {
            io::stderr().write_all(error.to_string().as_bytes())?;
            Ok(ExitCode::FAILURE)
        }
    }
}

fn completions(shell: Shell) -> io::Result<ExitCode> {
    // Into memory first: the reader of our output may stop reading, and what generates does not expect it.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "gatewayc", &mut script);
    print(&String::from_utf8_lossy(&script)).map(|()| ExitCode::SUCCESS)
}

fn man(folder: Option<&Path>) -> io::Result<ExitCode> {
    let command = Arguments::command();
    if let Some(folder) = folder {
        std::fs::create_dir_all(folder)?;
        clap_mangen::generate_to(command, folder)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut page = Vec::new();
    clap_mangen::Man::new(command).render(&mut page)?;
    print(&String::from_utf8_lossy(&page)).map(|()| ExitCode::SUCCESS)
}

/// Header fields as they are written for `curl`.
fn fields(headers: &[String]) -> io::Result<Vec<(String, String)>> {
    let field = |header: &String| {
        let (name, value) = header.split_once(':').ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("`{header}` is no header; write `--header 'NAME: VALUE'`"),
            )
        })?;
        Ok((name.trim().to_owned(), value.trim().to_owned()))
    };
    headers.iter().map(field).collect()
}

fn explain_request(
    method: &str,
    url: &str,
    fields: &[(String, String)],
    specs: &[PathBuf],
    root: Option<&Path>,
    format: ExplainFormat,
) -> io::Result<ExitCode> {
    let (mut sources, listing) = open(specs, root)?;
    let checked = gatewayc::check(&mut sources).with(listing);
    if checked.diagnostics.has_errors() {
        // What could not be compiled cannot answer, and the reader must know that it is missing.
        report(
            &checked.diagnostics,
            &sources,
            MessageFormat::Human,
            &mut io::stderr().lock(),
            io::stderr().is_terminal(),
        )?;
    }
    let explanation = gatewayc::explain::explain(&checked.gateway, method, url, fields);
    print(&match format {
        ExplainFormat::Text => explanation.text(),
        ExplainFormat::Json => explanation.json(),
    })?;
    Ok(if explanation.is_answered() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn explain(code: Option<&str>) -> io::Result<ExitCode> {
    let Some(code) = code else {
        let lines = CODES.iter().map(|info| format!("{}  {:24}  {}\n", info.code, info.name, info.summary));
        print(&lines.collect::<String>())?;
        return Ok(ExitCode::SUCCESS);
    };
    match Code::find(code) {
        Some(info) => print(info.page).map(|()| ExitCode::SUCCESS),
        None => {
            let message = format!("there is no code `{code}`; `gatewayc explain` lists all of them");
            Err(io::Error::new(io::ErrorKind::InvalidInput, message))
        }
    }
}

fn report(
    diagnostics: &Diagnostics,
    sources: &SourceSet<'_>,
    format: MessageFormat,
    output: &mut dyn io::Write,
    styled: bool,
) -> io::Result<()> {
    let styled = styled && std::env::var_os("NO_COLOR").is_none();
    let format = match format {
        MessageFormat::Human if styled => Format::Styled,
        MessageFormat::Human => Format::Human,
        MessageFormat::Short => Format::Short,
        MessageFormat::Json => Format::Json,
    };
    output.write_all(render(diagnostics, sources, format).as_bytes())?;
    let (errors, warnings) = (diagnostics.errors(), diagnostics.warnings());
    if matches!(format, Format::Human | Format::Styled) && errors + warnings > 0 {
        writeln!(output, "{}, {}", count(errors, "error"), count(warnings, "warning"))?;
        if let Some(info) = diagnostics.iter().find_map(|diagnostic| diagnostic.code.info()) {
            writeln!(output, "For more about a code, try `gatewayc explain {}` ({})", info.code, info.name)?;
        }
    }
    Ok(())
}
