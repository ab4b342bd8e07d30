//! GitHub Actions: annotations for what failed and for unmet requirements, and the table in the job summary.

use std::fs::OpenOptions;
use std::io::Write as _;

use super::output::note;
use super::report::document::Document;
use super::report::words::troubles;
use crate::application::record::StrategyRecord;
use crate::domain::failure::Failure;
use crate::domain::gate::Judged;
use crate::domain::report::Report;
use crate::domain::verdict::Verdict;

/// A summary over 1 MiB makes the upload fail.
const SUMMARY_BYTES: usize = 512 * 1024;

fn is_here() -> bool {
    std::env::var_os("GITHUB_ACTIONS").is_some_and(|value| value == "true")
}

/// Annotates what failed in a run, and adds its table to the summary.
pub(super) fn report(report: &Report, document: &Document) {
    if !is_here() {
        return;
    }
    let strategies: Vec<StrategyRecord> = report.strategies.iter().map(Into::into).collect();
    for trouble in troubles(&strategies.iter().collect::<Vec<_>>()) {
        // Keys that may fail are no reason to look for what turned a step red.
        let level = if trouble.keys.is_none() || !report.passes() { "error" } else { "warning" };
        let lines =
            [Some(trouble.what), trouble.keys, trouble.hint.map(|hint| format!("hint: {hint}"))];
        let lines: Vec<String> = lines.into_iter().flatten().collect();
        note(&annotation(level, &trouble.who, &lines.join("\n")));
    }
    add_to_summary(format!(
        "### {}\n\n{}\n```\n{}```\n",
        heading(document),
        document.markdown(),
        document.notes()
    ));
}

/// `✗ shopwarm warmup all — incomplete: 1 of 7 strategies failed`.
fn heading(document: &Document) -> String {
    let command = document.json["command"].as_str().unwrap_or_default();
    match &document.verdict {
        Some(Verdict { mark, text, .. }) => format!("{mark} shopwarm {command} — {text}"),
        None => format!("shopwarm {command}"),
    }
}

fn add_to_summary(mut text: String) {
    let Some(path) = std::env::var_os("GITHUB_STEP_SUMMARY") else {
        return;
    };
    text.truncate(text.floor_char_boundary(SUMMARY_BYTES));
    let written = OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()));
    if let Err(error) = written {
        note(&format!("warning: cannot write the job summary: {error}\n"));
    }
}

/// Annotates each unmet requirement.
pub(super) fn requirements(judged: &[Judged<'_>]) {
    for unmet in judged.iter().filter(|judged| !judged.met && is_here()) {
        note(&annotation("error", "verify", &unmet.to_string()));
    }
}

/// Annotates a run that could not start, and adds it to the summary.
pub(super) fn failure(failure: &Failure) {
    if !is_here() {
        return;
    }
    let hint = failure.hint.as_ref();
    let hint = hint.map_or_else(String::new, |hint| format!("\nhint: {hint}"));
    let said = format!("{failure}{hint}");
    note(&annotation("error", "run", &said));
    // A fence in the message would close ours.
    let said = said.replace("```", "` ` `");
    add_to_summary(format!("### ✗ shopwarm did not start\n\n```\n{said}\n```\n"));
}

/// A workflow command; its text is escaped, so that it cannot inject another command.
fn annotation(level: &str, title: &str, message: &str) -> String {
    let data = |text: &str| text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    let property = |text: &str| data(text).replace(':', "%3A").replace(',', "%2C");
    format!("::{level} title=shopwarm {}::{}\n", property(title), data(message))
}

#[cfg(test)]
mod tests {
    #[test]
    fn an_annotation_stays_one() {
        let text = super::annotation("error", "a:b,c", "50%\n::set-output name=x::y");
        assert_eq!(text, "::error title=shopwarm a%3Ab%2Cc::50%25%0A::set-output name=x::y\n");
    }
}
