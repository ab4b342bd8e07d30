//! `shopwarm doctor`.

use clap::Args;
use serde_json::json;

use super::target::Target;
use crate::application::run_state::stop::StopSignal;
use crate::application::settings::RunSettings;
use crate::config::Config;
use crate::domain::failure::Failure;
use crate::domain::finding::{Finding, Level};
use crate::domain::key::visible;
use crate::domain::wording::counted;
use crate::interfaces::exit::Exit;
use crate::interfaces::output::{Format, Output, wrap};
use crate::interfaces::report::document::Document;
use crate::interfaces::report::table::Table;
use crate::setup;

#[derive(Args, Debug)]
pub(super) struct DoctorArgs {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    run: RunSettings,
}

/// Column of the text, after mark and level.
const INDENT: usize = 10;

/// Without a terminal, lines are not wrapped.
const UNBOUNDED: usize = usize::MAX;

/// Min width of the layout.
const NARROWEST: usize = 30;

/// `found`: the configuration as far as it could be read, and its errors.
pub(super) async fn run(
    args: &DoctorArgs,
    (config, wrong): (Option<Config>, Vec<Failure>),
    output: &Output,
    stop: &StopSignal,
) -> Result<Exit, Failure> {
    let selection = args.target.selection()?;
    let mut findings = tokio::select! {
        findings = setup::doctor::checkup(config.as_ref(), &wrong, &selection) => findings,
        () = stop.stopped() => return Ok(stop.reason().map_or(Exit::Internal, Exit::from)),
    };
    if output.verbose || output.format != Format::Table {
        findings.push(Finding::ok("terminal", output.terminal()));
    }
    let text = match output.format {
        Format::Table => lines(&findings, output),
        format => document(&findings).render(format, None),
    };
    output.result(&text);
    Ok(worst(&findings))
}

/// The highest exit code of a failed check.
fn worst(findings: &[Finding]) -> Exit {
    let exits = findings.iter().filter_map(|finding| match finding.level {
        Level::Failed(kind) => Some(Exit::from(kind)),
        _ => None,
    });
    exits.max_by_key(|exit| *exit as u8).unwrap_or(Exit::Success)
}

fn is_failed(finding: &Finding) -> bool {
    matches!(finding.level, Level::Failed(_))
}

fn summary(findings: &[Finding]) -> String {
    let failed = findings.iter().filter(|f| is_failed(f)).count();
    let warnings = findings.iter().filter(|f| f.level == Level::Warning);
    let warnings = warnings.count();
    let ok = findings.len() - failed - warnings;
    let level = findings.iter().map(|finding| finding.level).max_by_key(|level| urgency(*level));
    let (mark, colour) = mark(level.unwrap_or(Level::Ok));
    let (style, bold) = (colour.on_default().bold(), anstyle::Style::new().bold());
    let said = format!("{ok} ok, {}, {failed} failed", counted(warnings, "warning"));
    format!("{style}{mark}{style:#} {bold}{said}{bold:#}\n")
}

/// One line per check, with its hint below; what needs attention comes last. `-q` omits passed checks.
fn lines(findings: &[Finding], output: &Output) -> String {
    let width = output.width().map_or(UNBOUNDED, |width| width.max(NARROWEST));
    let mut shown: Vec<&Finding> = findings.iter().collect();
    shown.retain(|finding| !output.quiet || finding.level != Level::Ok);
    shown.sort_by_key(|finding| urgency(finding.level));
    let mut text = String::new();
    let mut last = None;
    for finding in shown {
        // A hint that repeats the previous one is omitted.
        let is_new = finding.hint.is_some() && finding.hint != last;
        text.push_str(&line(finding, is_new, width));
        if is_new {
            last.clone_from(&finding.hint);
        }
    }
    if !output.quiet {
        text.push_str(&summary(findings));
    }
    text
}

fn urgency(level: Level) -> u8 {
    match level {
        Level::Ok => 0,
        Level::Warning => 1,
        Level::Failed(_) => 2,
    }
}

fn mark(level: Level) -> (&'static str, anstyle::AnsiColor) {
    match level {
        Level::Ok => ("✓", anstyle::AnsiColor::Green),
        Level::Warning => ("!", anstyle::AnsiColor::Yellow),
        Level::Failed(_) => ("✗", anstyle::AnsiColor::Red),
    }
}

fn line(finding: &Finding, with_hint: bool, width: usize) -> String {
    let (mark, colour) = mark(finding.level);
    let (colour, bold) = (colour.on_default(), anstyle::Style::new().bold());
    let said = visible(format!("{}: {}", finding.check, finding.text));
    let mut wrapped = wrap(&said, width - INDENT).into_iter();
    let first = wrapped.next().unwrap_or_default();
    // Names longer than the line are not highlighted.
    let first = match first.strip_prefix(&finding.check) {
        Some(rest) => format!("{bold}{}{bold:#}{rest}", finding.check),
        None => first,
    };
    let level = finding.level.name();
    let mut text = format!("{colour}{mark} {level:7}{colour:#} {first}\n");
    let mut more: Vec<String> = wrapped.collect();
    if let Some(hint) = finding.hint.as_ref().filter(|_| with_hint) {
        more.extend(wrap(&format!("→ {hint}"), width - INDENT));
    }
    for line in more {
        text.push_str(&format!("{:INDENT$}{line}\n", ""));
    }
    text
}

fn document(findings: &[Finding]) -> Document {
    let worst = if findings.iter().any(is_failed) {
        "failed"
    } else if findings.iter().any(|f| f.level == Level::Warning) {
        "warning"
    } else {
        "ok"
    };
    let table = Table::of(|finding: &&Finding| {
        let Finding { check, level, text, hint } = finding;
        json!({ "check": check, "level": level.name(), "text": text, "hint": hint })
    });
    let table = table
        .text("level", 0, |finding| finding.level.name().to_owned())
        .text("check", 0, |finding| finding.check.clone())
        .csv(["check", "level"])
        .text("found", 0, |finding| finding.text.clone())
        .csv(["text"])
        .text("what to do", 0, |finding| finding.hint.clone().unwrap_or_default())
        .csv(["hint"]);
    let mut document = table.document(findings, None);
    document.footer = summary(findings);
    document.json = json!({ "schema_version": 1, "worst": worst, "checks": document.lines });
    document
}
