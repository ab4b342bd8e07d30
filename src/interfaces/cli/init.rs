//! `shopwarm init`.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde_json::json;

use crate::application::run_state::stop::StopSignal;
use crate::application::starter::{self, DEFINITIONS, Starter, Told};
use crate::config::{Config, DEFAULT_FILE};
use crate::contexts::shipped::SHIPPED;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::key::printable;
use crate::domain::wording::grouped;
use crate::interfaces::exit::Exit;
use crate::interfaces::output::{Format, Output};
use crate::interfaces::report::table::Table;
use crate::setup;

/// The settings file of the shipped shop.
pub(super) const TEMPLATE: &str = include_str!("shopwarm.toml");

#[derive(Args, Debug)]
pub(super) struct InitArgs {
    /// Folder to write to
    #[arg(default_value = ".", value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    dir: PathBuf,
    /// Only tables whose names match, such as `oc_product*`; repeatable
    #[arg(long, value_name = "GLOB", env = "SHOPWARM_TABLES", value_delimiter = ',')]
    tables: Vec<String>,
    /// Write the definitions that come with shopwarm, without looking at a database
    #[arg(long, value_name = "NAME", env = "SHOPWARM_TEMPLATE", conflicts_with = "tables")]
    template: Option<Template>,
    /// Write a commented starter file; asks no database
    #[arg(long, env = "SHOPWARM_EMPTY", conflicts_with_all = ["tables", "template"], value_parser = clap::builder::FalseyValueParser::new())]
    empty: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Template {
    /// Catalog, ordering and identity of the shop in the documentation
    Shop,
}

/// A file to write, its path below the folder.
type File = (PathBuf, String);

pub(super) async fn run(
    args: &InitArgs,
    config: impl FnOnce() -> Result<Config, Failure>,
    output: &Output,
    stop: &StopSignal,
) -> Result<Exit, Failure> {
    if args.template.is_some() {
        let files = shipped();
        refuse_existing(&args.dir, files.iter().map(|(path, _)| path.as_path()))?;
        return write(args, &files, &Starter::default(), "", output);
    }
    let paths = [DEFAULT_FILE, DEFINITIONS].map(PathBuf::from);
    refuse_existing(&args.dir, paths.iter().map(PathBuf::as_path))?;
    let (starter, flags) = match args.empty {
        true => (starter::empty(), String::new()),
        false => {
            let config = config()?;
            let starter = tokio::select! {
                starter = setup::starter(&config, &args.tables) => starter?,
                () = stop.stopped() => return Ok(stop.reason().map_or(Exit::Internal, Exit::from)),
            };
            (starter, flags(&config))
        }
    };
    let [settings, definitions] = paths;
    let files = [(settings, starter.settings.clone()), (definitions, starter.definitions.clone())];
    write(args, &files, &starter, &flags, output)
}

/// Flags with which other commands find the same servers and the new files.
fn flags(config: &Config) -> String {
    let flags = &config.flags.everywhere;
    match config.demo {
        // A file in this folder is not read with it.
        Some(_) => format!("{flags} --config {DEFAULT_FILE}"),
        None => flags.clone(),
    }
}

fn shipped() -> Vec<File> {
    let settings = (PathBuf::from(DEFAULT_FILE), TEMPLATE.to_owned());
    let contexts = SHIPPED.into_iter().map(|context| {
        let path = format!("contexts/{}.toml", context.name);
        (path.into(), context.definitions.to_owned())
    });
    std::iter::once(settings).chain(contexts).collect()
}

/// Nothing is written where one of the files is there.
fn refuse_existing<'a>(
    dir: &Path,
    mut files: impl Iterator<Item = &'a Path>,
) -> Result<(), Failure> {
    let found = files.find(|file| dir.join(file).symlink_metadata().is_ok());
    found.map_or(Ok(()), |file| Err(exists(&dir.join(file))))
}

fn exists(path: &Path) -> Failure {
    let what = format!("{} exists", shown(path));
    Failure::new(FailureKind::Config, what, "init overwrites nothing")
        .hint("give another folder: shopwarm init DIR")
}

fn write(
    args: &InitArgs,
    files: &[File],
    starter: &Starter,
    flags: &str,
    output: &Output,
) -> Result<Exit, Failure> {
    let mut written = Vec::new();
    for (path, text) in files {
        let path = args.dir.join(path);
        write_new(&path, text)?;
        written.push(shown(path.strip_prefix(".").unwrap_or(&path)));
    }
    let mut document = table().document(starter.tables.iter(), None);
    let next = next(args, flags);
    document.json = json!({
        "schema_version": 1, "files": written, "tables": document.lines, "notes": starter.notes, "next": next,
    });
    let mut text = String::new();
    for note in &starter.notes {
        text.push_str(&format!("{note}\n"));
    }
    text.push_str(&format!("Wrote {}. Next:\n", written.join(", ")));
    for command in &next {
        text.push_str(&format!("  {command}\n"));
    }
    match output.format {
        Format::Table if starter.tables.is_empty() => output.result(&text),
        _ => {
            document.footer = format!("\n{text}");
            document.show(output);
        }
    }
    Ok(Exit::Success)
}

fn table<'a>() -> Table<'a, &'a Told> {
    let rows = |told: &&Told| match told.rows {
        Some(rows) if told.is_large => format!("~{}", grouped(rows)),
        Some(rows) => grouped(rows),
        None => "–".to_owned(),
    };
    Table::new()
        .text("table", 0, |told: &&Told| printable(told.table.as_bytes()))
        .field("table", |told| told.table.clone())
        .number("rows", 0, rows)
        .field("rows", |told| told.rows)
        .text("keys", 0, |told| said(told))
        .field("keys", |told| told.keys.clone())
        .text("version from", 1, |told| {
            let none = if told.keys.is_empty() { "" } else { "–" };
            told.version.clone().unwrap_or_else(|| none.to_owned())
        })
        .field("version", |told| told.version.clone())
        .field("why", |told| told.why.clone())
}

/// The first key and how many more there are, or why there is none.
fn said(told: &Told) -> String {
    let lists = |count: usize| match count {
        0 => String::new(),
        1 => ", 1 list".to_owned(),
        count => format!(", {count} lists"),
    };
    let said = match (told.keys.as_slice(), &told.why) {
        ([], why) => format!("left out: {}", why.as_deref().unwrap_or("nothing to store")),
        ([first, more @ ..], None) => format!("{first}{}", lists(more.len())),
        ([first, more @ ..], Some(why)) => format!("{first}{}; {why}", lists(more.len())),
    };
    printable(said.split_whitespace().collect::<Vec<_>>().join(" ").as_bytes())
}

/// The commands that come next.
fn next(args: &InitArgs, flags: &str) -> Vec<String> {
    let is_here = args.dir == Path::new(".");
    let go = (!is_here).then(|| format!("cd {}", shown(&args.dir)));
    let checks = if args.empty {
        ["config check"].as_slice()
    } else {
        &["doctor", "dry-run", "warmup all", "verify"]
    };
    let commands = checks.iter().map(|command| format!("shopwarm {command}{flags}"));
    go.into_iter().chain(commands).collect()
}

/// Creates a file that is not there.
fn write_new(path: &Path, text: &str) -> Result<(), Failure> {
    let unwritable = |error: &std::io::Error| {
        let what = format!("cannot write {}", shown(path));
        Failure::new(FailureKind::Config, what, error.to_string())
    };
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(|error| unwritable(&error))?;
    }
    let mut file = match OpenOptions::new().write(true).create_new(true).open(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Err(exists(path)),
        opened => opened.map_err(|error| unwritable(&error))?,
    };
    file.write_all(text.as_bytes()).map_err(|error| unwritable(&error))
}

fn shown(path: &Path) -> String {
    printable(path.display().to_string().as_bytes())
}
