//! The files as they are written.

use super::examples::Example;
use super::quoting::toml_text;
use super::section::Section;
use super::strategy::commented;
use crate::domain::key::printable;
use crate::domain::wording::grouped;

/// Columns of a line.
const WIDTH: usize = 88;

/// `shopwarm.toml`. `is_empty`: no table has a row; `has_strategies`: there is something to warm.
pub(super) fn settings(is_empty: bool, has_strategies: bool) -> String {
    let empty = if is_empty {
        "\n# All tables were empty when this file was written; take the line out once they are not.\nallow_empty = true\n"
    } else {
        ""
    };
    let jobs = "\
[schedule.nightly]
cron   = \"0 2 * * *\"
warmup = \"all\"
";
    let jobs = match has_strategies {
        true => jobs.to_owned(),
        false => commented(jobs),
    };
    format!(
        "# Settings of shopwarm. `shopwarm config show` lists all of them, with their values.\n\
         # The URLs hold passwords and belong elsewhere: in DATABASE_URL and CACHE_URL, say.\n\
         \n\
         contexts = [\"contexts\"]\n\
         {empty}\n\
         # Put before every key.\n\
         # prefix = \"shop:\"\n\
         \n\
         # `shopwarm serve` warms by the clock: minute, hour, day, month, day of the week.\n\
         {jobs}"
    )
}

/// A file of definitions without any.
pub(super) fn starter() -> String {
    let example = "\
[strategies.product]
key      = \"product:{product_id}\"   # columns of the query, in braces
value    = \"object\"                 # or list, text, hash
ttl      = \"1h\"
order_by = \"product_id DESC\"        # with limit: which rows are worth warming
limit    = 500
sql      = \"\"\"
SELECT product_id, name, price, updated_at AS _version, updated_at AS _changed_at
FROM product
WHERE status = 1\"\"\"
";
    format!(
        "# A strategy reads rows and makes a key and a value of each.\n\
         # A column whose name begins with _ is not stored. _version is what changes with the row;\n\
         # _changed_at says when it last did.\n\
         \n\
         [context]\n\
         name = \"shop\"\n\
         owns = [\"product\"]   # the tables that it may read\n\
         \n{}",
        commented(example)
    )
}

/// The definitions of all tables.
pub(super) fn definitions(
    sections: &[Section],
    examples: &[Example],
    prefix: &str,
    is_guess: bool,
) -> String {
    let mut text = String::from(
        "# Written by `shopwarm init`, and yours from now on: change it, delete from it, add to it.\n\
         # Columns in braces make the key. Columns that begin with _ are not stored: _version is what\n\
         # changes with the row, _changed_at says when it last did.\n",
    );
    if is_guess {
        text.push_str(
            "# The database declares no foreign keys: lists follow the names of columns.\n",
        );
    }
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
    for (heading, example) in examples {
        text.push_str(&format!("#\n# {heading}\n"));
        text.push_str(&commented(&example.toml()));
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
    let mut lines = vec![String::new()];
    for section in read {
        let table = toml_text(&section.table);
        let is_full = |line: &String| line.chars().count() + table.chars().count() + 12 > WIDTH;
        if lines.last().is_some_and(is_full) {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            let space = if line.is_empty() { "" } else { " " };
            line.push_str(&format!("{space}{table},"));
        }
    }
    match lines.as_slice() {
        [line] => format!("owns = [{}]\n", line.trim_end_matches(',')),
        lines => format!("owns = [\n    {}\n]\n", lines.join("\n    ")),
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
    let is_told = section
        .strategies
        .iter()
        .all(|strategy| strategy.fault.is_none());
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
    printable(
        text.split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
            .as_bytes(),
    )
}
