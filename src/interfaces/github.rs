//! GitHub Actions: an annotation for each failed strategy, and the table in the job's summary.

use std::fs::OpenOptions;
use std::io::Write as _;

use super::document::Document;
use super::output::note;
use crate::domain::failure::Failure;
use crate::domain::report::{Report, Status};

/// GitHub drops what is beyond, without a word.
const SHOWN_ANNOTATIONS: usize = 10;

/// A summary over 1 MiB makes the upload fail.
const SUMMARY_BYTES: usize = 512 * 1024;

fn is_here() -> bool {
    std::env::var_os("GITHUB_ACTIONS").is_some_and(|value| value == "true")
}

/// Annotates what failed in a run, and adds its table to the summary.
pub fn report(report: &Report, document: &Document) {
    if !is_here() {
        return;
    }
    let failed = report.strategies.iter().filter_map(|strategy| {
        let wrong = strategy.stats.failed + strategy.stats.unknown;
        let message = match &strategy.status {
            Status::Failed(failure) => failure.to_string(),
            _ if wrong > 0 => format!("{wrong} of {} keys were not warmed", strategy.stats.total()),
            _ => return None,
        };
        Some((strategy.id.to_string(), message))
    });
    for (id, message) in failed.take(SHOWN_ANNOTATIONS) {
        note(&annotation(&id, &message));
    }
    if let Some(path) = std::env::var_os("GITHUB_STEP_SUMMARY") {
        let mut text = format!(
            "### shopwarm\n\n{}\n```\n{}```\n",
            document.markdown(),
            document.footer
        );
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
}

/// Annotates a run that could not start.
pub fn failure(failure: &Failure) {
    if is_here() {
        note(&annotation("run", &failure.to_string()));
    }
}

/// A workflow command. What comes from outside is escaped, so that it cannot become another one.
fn annotation(title: &str, message: &str) -> String {
    let data = |text: &str| {
        text.replace('%', "%25")
            .replace('\r', "%0D")
            .replace('\n', "%0A")
    };
    let property = |text: &str| data(text).replace(':', "%3A").replace(',', "%2C");
    format!(
        "::error title=shopwarm {}::{}\n",
        property(title),
        data(message)
    )
}

#[cfg(test)]
mod tests {
    #[test]
    fn an_annotation_stays_one() {
        let text = super::annotation("a:b,c", "50%\n::set-output name=x::y");
        assert_eq!(
            text,
            "::error title=shopwarm a%3Ab%2Cc::50%25%0A::set-output name=x::y\n"
        );
    }
}
