//! The files as they are written.

use super::examples::Example;
use super::quoting::toml_text;
use super::section::Section;
use super::select::lines;
use super::strategy::commented;
use crate::domain::key::printable;
use crate::domain::wording::grouped;

/// A file of definitions without any.
pub(super) const EMPTY: &str = include_str!("empty.toml");

const JOBS: &str = "[schedule.nightly]\ncron   = \"0 2 * * *\"\nwarmup = \"all\"\n";

const ALLOW_EMPTY: &str = "
# All tables were empty when this file was written; take the line out once they are not.
allow_empty = true
";

/// `shopwarm.toml`. `is_empty`: no table has a row; `has_strategies`: there is something to warm.
pub(super) fn settings(is_empty: bool, has_strategies: bool) -> String {
    let empty = if is_empty { ALLOW_EMPTY } else { "" };
    let text = include_str!("settings.toml").replace("{allow_empty}", empty);
    if has_strategies { text + JOBS } else { text + &commented(JOBS) }
}

/// The definitions of all tables.
pub(super) fn definitions(
    sections: &[Section],
    examples: &[Example],
    prefix: &str,
    lists: Option<&str>,
) -> String {
    let mut text = include_str!("head.toml").to_owned();
    text.push_str(&commented(lists.unwrap_or_default()));
    let is_read = |section: &&Section| !section.strategies.is_empty();
    let (read, out): (Vec<&Section>, Vec<&Section>) = sections.iter().partition(is_read);
    text.push_str("\n[context]\nname = \"shop\"\n");
    text.push_str(&owns(&read, prefix));
    for section in read {
        text.push('\n');
        text.push_str(&of_section(section));
    }
    if !out.is_empty() {
        text.push_str("\n# Left out:\n");
        for section in out {
            let why = section.why.as_deref().unwrap_or("nothing to store");
            text.push_str(&commented(&format!(
                "  {}: {}",
                printable(section.table.as_bytes()),
                one_line(why)
            )));
        }
    }
    if !examples.is_empty() {
        text.push_str("\n# Other ways to write it; take the # away to try one.\n");
    }
    for example in examples {
        text.push_str(&format!("#\n# {}\n", one_line(&example.heading)));
        text.push_str(&commented(&example.strategy.toml()));
    }
    text
}

/// The tables that are read; nothing, and so any table, where a name has a sign with a meaning there.
fn owns(read: &[&Section], prefix: &str) -> String {
    let all = |is: &dyn Fn(&str) -> bool| read.iter().all(|section| is(&section.table));
    if !all(&|table| !table.contains(['.', '*', '?', '['])) {
        return String::new();
    }
    if !prefix.is_empty() && all(&|table| table.starts_with(prefix)) {
        return format!("owns = [{}]\n", toml_text(&format!("{prefix}*")));
    }
    let tables = read.iter().map(|section| toml_text(&section.table));
    let tables: Vec<String> = tables.collect();
    match lines(&tables, 8) {
        several if several.contains('\n') => {
            format!("owns = [\n    {},\n]\n", lines(&tables, 4))
        }
        line => format!("owns = [{line}]\n"),
    }
}

fn of_section(section: &Section) -> String {
    let rows = match section.rows {
        Some(rows) if section.is_large => {
            format!(": about {} rows, the newest are warmed", grouped(rows))
        }
        Some(1) => ": 1 row".to_owned(),
        Some(rows) => format!(": {} rows", grouped(rows)),
        None => String::new(),
    };
    let mut text = format!("# {}{rows}\n", printable(section.table.as_bytes()));
    let is_told = section.strategies.iter().all(|strategy| strategy.fault.is_none());
    if let Some(why) = section.why.as_ref().filter(|_| is_told) {
        text.push_str(&commented(&one_line(why)));
    }
    for note in &section.notes {
        text.push_str(&commented(&one_line(note)));
    }
    for (nth, strategy) in section.strategies.iter().enumerate() {
        if nth > 0 {
            text.push('\n');
        }
        match &strategy.fault {
            Some(why) => {
                text.push_str(&commented(&one_line(why)));
                text.push_str(&commented(&strategy.toml()));
            }
            None => text.push_str(&strategy.toml()),
        }
    }
    text
}

/// A server's words may have several lines.
fn one_line(text: &str) -> String {
    printable(text.split_whitespace().collect::<Vec<_>>().join(" ").as_bytes())
}
