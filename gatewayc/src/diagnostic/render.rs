//! Messages as text: for people (as rustc prints them), one line each for editors, JSON for machines.

use std::fmt::Write as _;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Patch, Renderer, Snippet};
use gateway_yaml::Span;

use crate::diagnostic::collection::Diagnostics;
use crate::diagnostic::message::{Diagnostic, Label};
use crate::diagnostic::severity::Severity;
use crate::source::{SourceFile, SourceSet};

/// How messages are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// With the source under it, as rustc prints.
    #[default]
    Human,
    /// As `Human`, with colours.
    Styled,
    /// `file:line:column: error[GW203]: …`
    Short,
    /// One JSON object per line.
    Json,
}

/// Labels that are further apart than this many lines are shown as two cuttings.
const NEAR: usize = 12;
/// A line longer than this is cut around what is labelled: a minified JSON document is one line.
const LONG_LINE: usize = 240;

/// Renders all messages, each with a line break at its end.
#[must_use]
pub fn render(diagnostics: &Diagnostics, sources: &SourceSet<'_>, format: Format) -> String {
    let mut output = String::new();
    for diagnostic in diagnostics {
        match format {
            Format::Human => output.push_str(&human(diagnostic, sources, &Renderer::plain())),
            Format::Styled => output.push_str(&human(diagnostic, sources, &Renderer::styled())),
            Format::Short => output.push_str(&short(diagnostic, sources)),
            Format::Json => output.push_str(&json(diagnostic, sources)),
        }
        output.push_str(if matches!(format, Format::Human | Format::Styled) { "\n\n" } else { "\n" });
    }
    output
}

fn human(diagnostic: &Diagnostic, sources: &SourceSet<'_>, renderer: &Renderer) -> String {
    let code = diagnostic.code.to_string();
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let mut group = Group::with_title(level.primary_title(one_line(&diagnostic.headline)).id(code));
    let cuttings = cuttings(diagnostic, sources);
    for cutting in &cuttings {
        if cutting.shortened {
            group = group.element(cutting.origin());
        }
        group = group.element(cutting.snippet());
    }
    match &diagnostic.acknowledged {
        Some(reason) => group = group.element(Level::NOTE.message(one_line(&format!("acknowledged: {reason}")))),
        None => {
            for help in &diagnostic.help {
                group = group.element(Level::HELP.message(one_line(help)));
            }
        }
    }
    let mut report = vec![group];
    if let Some(suggestion) = &diagnostic.suggestion {
        let file = sources.file(suggestion.span.file);
        let (first, last) = (file.lines().line(suggestion.span.start), file.lines().line(suggestion.span.end));
        let (start, text) = lines_of(file, first, last);
        let range = suggestion.span.start as usize - start..suggestion.span.end as usize - start;
        let patch = Patch::new(range, suggestion.replacement.as_str());
        let snippet = Snippet::source(text).line_start(first).path(file.display()).patch(patch);
        report.push(Level::HELP.secondary_title(one_line(&suggestion.text)).element(snippet));
    }
    let rendered = renderer.render(&report);
    if cuttings.iter().any(|cutting| cutting.shortened) { without_continuations(&rendered) } else { rendered }
}

/// Without the `:::` lines that the renderer puts between our own origin and the snippet.
fn without_continuations(rendered: &str) -> String {
    let is_continuation = |line: &&str| {
        let mut escape = false;
        let visible = line.chars().filter(|&letter| {
            escape |= letter == '\u{1b}';
            let shown = !escape;
            escape &= letter != 'm';
            shown
        });
        visible.collect::<String>().trim() == ":::"
    };
    let lines: Vec<&str> = rendered.lines().filter(|line| !is_continuation(line)).collect();
    lines.join("\n")
}

/// Some lines of a file with what is labelled in them. Only these reach the renderer, which would otherwise scan
/// megabytes for every message.
struct Cutting<'a> {
    file: &'a SourceFile,
    labels: Vec<(AnnotationKind, std::ops::Range<usize>, &'a str)>,
    first_line: usize,
    last_line: usize,
    /// Where the first label is: line and column.
    place: gateway_yaml::Position,
    text: std::borrow::Cow<'a, str>,
    /// Whether lines were cut, so that the renderer cannot count their columns.
    shortened: bool,
}

fn cuttings<'a>(diagnostic: &'a Diagnostic, sources: &'a SourceSet<'_>) -> Vec<Cutting<'a>> {
    let mut cuttings: Vec<Cutting<'a>> = Vec::new();
    let primary = diagnostic.primary.iter().map(|label| (AnnotationKind::Primary, label));
    let secondary = diagnostic.secondary.iter().map(|label| (AnnotationKind::Context, label));
    for (kind, Label { span, text }) in primary.chain(secondary) {
        let file = sources.file(span.file);
        let range = first_line_of(*span, file.text());
        let line = file.lines().line(span.start);
        let near = cuttings.iter_mut().find(|cutting| {
            std::ptr::eq(cutting.file, file) && line + NEAR >= cutting.first_line && line <= cutting.last_line + NEAR
        });
        match near {
            Some(cutting) => {
                cutting.first_line = cutting.first_line.min(line);
                cutting.last_line = cutting.last_line.max(line);
                cutting.labels.push((kind, range, text));
            }
            None => cuttings.push(Cutting {
                file,
                labels: vec![(kind, range, text)],
                first_line: line,
                last_line: line,
                place: file.lines().position(file.text(), span.start),
                text: "".into(),
                shortened: false,
            }),
        }
    }
    cuttings.iter_mut().for_each(Cutting::cut);
    cuttings
}

impl<'a> Cutting<'a> {
    /// Takes the lines out of the file and makes the labels relative to them.
    fn cut(&mut self) {
        let (start, text) = lines_of(self.file, self.first_line, self.last_line);
        for (_, range, _) in &mut self.labels {
            *range = range.start.saturating_sub(start)..range.end.saturating_sub(start);
        }
        self.text = text.into();
        // The index knows where lines end; a search would read megabytes for every message.
        let starts = (self.first_line..=self.last_line).filter_map(|line| self.file.lines().line_start(line));
        let starts: Vec<usize> = starts.map(|at| (at as usize).saturating_sub(start)).collect();
        let ends = starts.iter().skip(1).copied().chain([text.len()]);
        let lines: Vec<&str> = starts.iter().zip(ends).filter_map(|(&from, to)| text.get(from..to)).collect();
        if lines.iter().all(|line| line.trim_end().len() <= LONG_LINE) {
            return;
        }
        let mut short = String::new();
        let mut moved = Vec::new();
        let mut line_start = 0;
        for line in lines {
            let inside =
                |range: &std::ops::Range<usize>| (line_start..line_start + line.len().max(1)).contains(&range.start);
            let focus = self.labels.iter().filter(|(_, range, _)| inside(range)).map(|(_, range, _)| range.clone());
            let focus = focus.reduce(|a, b| a.start.min(b.start)..a.end.max(b.end)).unwrap_or(line_start..line_start);
            let from = floor(text, focus.start.saturating_sub(LONG_LINE / 4).max(line_start));
            let to = floor(text, (from + LONG_LINE).min(line_start + line.trim_end_matches(['\r', '\n']).len()));
            let before = if from > line_start { "… " } else { "" };
            for (at, (_, range, _)) in self.labels.iter().enumerate().filter(|(_, (_, range, _))| inside(range)) {
                let place = |offset: usize| short.len() + before.len() + offset.clamp(from, to) - from;
                moved.push((at, place(range.start)..place(range.end)));
            }
            let after = if to < line_start + line.trim_end().len() { " …\n" } else { "\n" };
            short.extend([before, &text[from..to], after]);
            line_start += line.len();
        }
        for (at, range) in moved {
            self.labels[at].1 = range;
        }
        self.text = short.into();
        self.shortened = true;
    }

    fn origin(&self) -> Origin<'_> {
        Origin::path(self.file.display()).line(self.place.line).char_column(self.place.column)
    }

    fn snippet(&self) -> Snippet<'_, annotate_snippets::Annotation<'_>> {
        let annotations = self.labels.iter().map(|(kind, range, text)| {
            let end = range.end.clamp(range.start, self.text.len().max(range.start));
            let annotation = kind.span(range.start.min(self.text.len())..end.min(self.text.len()));
            if text.is_empty() { annotation } else { annotation.label(one_line(text)) }
        });
        let snippet =
            Snippet::source(&*self.text).line_start(self.first_line).annotations(annotations.collect::<Vec<_>>());
        if self.shortened { snippet } else { snippet.path(self.file.display()) }
    }
}

/// The span's part on its first line: a list or mapping of many lines is pointed at, not underlined.
fn first_line_of(span: Span, text: &str) -> std::ops::Range<usize> {
    let start = floor(text, span.start as usize);
    let end = floor(text, span.end as usize).max(start);
    let line_end = text[start..end].find(['\r', '\n']).map_or(end, |newline| start + newline);
    start..line_end
}

/// Lines `first..=last` and the offset at which they start.
fn lines_of(file: &SourceFile, first: usize, last: usize) -> (usize, &str) {
    let text = file.text();
    let start = file.lines().line_start(first).map_or(0, |start| start as usize);
    let end = file.lines().line_start(last + 1).map_or(text.len(), |end| end as usize);
    // A byte order mark is no part of what people see.
    let start = if text[start..].starts_with('\u{feff}') { start + '\u{feff}'.len_utf8() } else { start };
    (start, text[start..end].trim_end_matches(['\r', '\n']))
}

fn floor(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// Text out of a document cannot forge lines or terminal commands.
fn one_line(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

fn short(diagnostic: &Diagnostic, sources: &SourceSet<'_>) -> String {
    let mut line = String::new();
    if let Some(Label { span, .. }) = &diagnostic.primary {
        let (file, place) = sources.locate(*span);
        let _ = write!(line, "{file}:{place}: ");
    }
    let _ = write!(line, "{}[{}]: {}", severity(diagnostic.severity), diagnostic.code, one_line(&diagnostic.headline));
    if let Some(reason) = &diagnostic.acknowledged {
        let _ = write!(line, " (acknowledged: {})", one_line(reason));
    }
    line
}

fn json(diagnostic: &Diagnostic, sources: &SourceSet<'_>) -> String {
    let place = |label: &Label| {
        let (file, start) = sources.locate(label.span);
        let end = Span { start: label.span.end, ..label.span };
        let (_, end) = sources.locate(end);
        serde_json::json!({
            "file": file, "line": start.line, "column": start.column,
            "endLine": end.line, "endColumn": end.column, "label": label.text,
        })
    };
    let mut object = serde_json::json!({
        "code": diagnostic.code.to_string(),
        "name": diagnostic.code.info().map(|info| info.name),
        "severity": severity(diagnostic.severity),
        "message": diagnostic.headline,
        "help": diagnostic.help,
        "acknowledged": diagnostic.acknowledged,
        "related": diagnostic.secondary.iter().map(place).collect::<Vec<_>>(),
    });
    if let (Some(label), Some(object)) = (&diagnostic.primary, object.as_object_mut())
        && let serde_json::Value::Object(place) = place(label)
    {
        object.extend(place);
    }
    if let Some(suggestion) = &diagnostic.suggestion {
        object["suggestion"] = serde_json::json!({
            "text": suggestion.text, "start": suggestion.span.start, "end": suggestion.span.end,
            "replacement": suggestion.replacement,
        });
    }
    object.to_string()
}
