//! `shopwarm man`.

use std::io;

use clap::Command;
use clap_mangen::Man;

use super::help::{EXIT_CODES, examples};
use crate::application::settings::whole_help;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::nearest::nearest;
use crate::interfaces::exit::Exit;
use crate::interfaces::output::Output;

pub(super) fn run(path: &[String], mut page: Command, output: &Output) -> Result<Exit, Failure> {
    page.build();
    for name in path {
        page = inner(&page, name)?;
    }
    let text = written(page, &path.join(" ")).map_err(|e| {
        let what = "cannot make the manual page";
        Failure::new(FailureKind::Internal, what, e.to_string())
    })?;
    output.result(&String::from_utf8_lossy(&text));
    Ok(Exit::Success)
}

fn inner(page: &Command, name: &str) -> Result<Command, Failure> {
    if let Some(inner) = page.find_subcommand(name) {
        return Ok(inner.clone());
    }
    let known: Vec<&str> = page.get_subcommands().map(Command::get_name).collect();
    let what = format!("there is no command `{name}`");
    let why = format!("known: {}", known.join(", "));
    let failure = Failure::new(FailureKind::Usage, what, why);
    Err(match nearest(name, known) {
        Some(meant) => failure.hint(format!("did you mean `{meant}`?")),
        None => failure,
    })
}

fn written(page: Command, path: &str) -> io::Result<Vec<u8>> {
    let mut page = page.mut_args(|arg| {
        let help = whole_help(&arg);
        arg.long_help(help)
    });
    let usage = page.render_usage().to_string();
    let usage = usage.replace("Usage: ", "").replace("\n       ", "\n");
    let man = Man::new(page.clone());
    let mut text = Vec::new();
    man.render_title(&mut text)?;
    man.render_name_section(&mut text)?;
    text.extend(literal("SYNOPSIS", &usage));
    man.render_description_section(&mut text)?;
    text.extend(commands(&page).bytes());
    man.render_options_section(&mut text)?;
    text.extend(include_bytes!("man.roff"));
    text.extend(literal("EXIT STATUS", EXIT_CODES));
    text.extend(literal("EXAMPLES", examples(path)));
    Ok(text)
}

/// A section of lines that stay as they are.
fn literal(title: &str, text: &str) -> Vec<u8> {
    let text = text.trim_end().replace('\\', "\\e").replace('-', "\\-");
    format!(".SH {title}\n.nf\n{text}\n.fi\n").into_bytes()
}

fn commands(page: &Command) -> String {
    let shown = page.get_subcommands().filter(|inner| !inner.is_hide_set());
    let line = |inner: &Command| {
        let (name, about) = (inner.get_name(), inner.get_about().unwrap_or_default());
        format!(".TP\n\\fB{name}\\fR\n{about}\n").replace('-', "\\-")
    };
    let lines: String = shown.map(line).collect();
    match lines.is_empty() {
        true => lines,
        false => format!(".SH COMMANDS\n{lines}"),
    }
}
