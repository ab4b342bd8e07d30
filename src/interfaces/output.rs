//! The only file that prints. Results go to stdout, everything else to stderr.

mod wrap;

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::OnceLock;

use clap::{Args, ValueEnum};

pub(crate) use self::wrap::{notes, shortened_name, wrap};
use crate::domain::failure::{Failure, FailureKind};

#[derive(Args, Clone, Copy, Debug, Default)]
#[command(next_help_heading = "Output")]
pub(super) struct OutputFlags {
    /// Results as table, json, ndjson, csv or markdown
    #[arg(short, long, global = true, value_name = "FORM", env = "SHOPWARM_OUTPUT", hide_possible_values = true, hide_default_value = true, value_enum, default_value_t = Format::Table)]
    pub output: Format,
    /// How to show progress on stderr
    #[arg(long, global = true, hide_short_help = true, value_name = "FORM", env = "SHOPWARM_PROGRESS", value_enum, default_value_t = ProgressForm::Auto)]
    pub progress: ProgressForm,
    /// Show only errors and the results you asked for
    #[arg(short, long, global = true, env = "SHOPWARM_QUIET", value_parser = clap::builder::FalseyValueParser::new())]
    pub quiet: bool,
    /// Show more: every recorded error, every field
    #[arg(short, long, global = true, hide_short_help = true, action = clap::ArgAction::Count, env = "SHOPWARM_VERBOSE")]
    pub verbose: u8,
    /// Log to stderr in this format [default: text with serve, else none]
    #[arg(
        long,
        global = true,
        hide_short_help = true,
        value_name = "FORM",
        env = "SHOPWARM_LOG_FORMAT"
    )]
    pub log_format: Option<LogFormat>,
    /// When to use colours
    #[arg(long, global = true, hide_short_help = true, value_name = "WHEN", env = "SHOPWARM_COLOR", value_enum, default_value_t = ColorWhen::Auto)]
    pub color: ColorWhen,
}

/// Format of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum LogFormat {
    /// One line per event
    Text,
    /// One JSON object per line
    Json,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    #[default]
    Table,
    Json,
    Ndjson,
    Csv,
    Markdown,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum ProgressForm {
    /// Bars on a terminal, otherwise lines
    #[default]
    Auto,
    /// A live bar for each strategy
    Bars,
    /// A line after 2 seconds, then every 10 seconds
    Lines,
    /// The engine's events, one JSON object per line
    Json,
    None,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum ColorWhen {
    #[default]
    Auto,
    Always,
    Never,
}

/// Where the output of a command goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Output {
    pub format: Format,
    pub quiet: bool,
    pub verbose: bool,
    progress: ProgressForm,
    pub log_format: Option<LogFormat>,
    /// Whether no format was requested.
    unasked: bool,
}

impl Output {
    /// `asked`: whether a format was requested.
    pub(super) fn new(flags: OutputFlags, asked: bool) -> Self {
        // anstream and console check NO_COLOR, CLICOLOR_FORCE and the terminal.
        match flags.color {
            ColorWhen::Auto => {}
            ColorWhen::Always => {
                anstream::ColorChoice::Always.write_global();
                console::set_colors_enabled_stderr(true);
            }
            ColorWhen::Never => {
                anstream::ColorChoice::Never.write_global();
                console::set_colors_enabled_stderr(false);
            }
        }
        Self {
            format: flags.output,
            quiet: flags.quiet,
            verbose: flags.verbose > 0,
            progress: flags.progress,
            log_format: flags.log_format,
            unasked: !asked,
        }
    }

    /// Resolves `auto`.
    pub(super) fn progress(&self) -> ProgressForm {
        match self.progress {
            _ if self.quiet => ProgressForm::None,
            // The log replaces progress.
            ProgressForm::Auto if self.log_format.is_some() => ProgressForm::None,
            ProgressForm::Auto if can_redraw() => ProgressForm::Bars,
            ProgressForm::Auto => ProgressForm::Lines,
            form => form,
        }
    }

    /// Whether results are plain lines: stdout is a pipe, and no format was requested.
    pub(super) fn is_plain(&self) -> bool {
        self.unasked && !io::stdout().is_terminal()
    }

    /// Width of stdout; `None`: not a terminal.
    pub(super) fn width(&self) -> Option<usize> {
        stdout_width()
    }

    /// Describes stdout and stderr, for `doctor`.
    pub(super) fn terminal(&self) -> String {
        let (out, err) = (io::stdout(), io::stderr());
        let of = |is_terminal: bool, choice: anstream::ColorChoice| {
            let what = if is_terminal { "a" } else { "not a" };
            let no = if choice == anstream::ColorChoice::Never { "no " } else { "" };
            format!("{what} terminal, {no}colours")
        };
        let width = self.width().map_or_else(String::new, |w| format!(", {w} columns"));
        format!(
            "stdout is {}{width}; stderr is {}",
            of(out.is_terminal(), anstream::AutoStream::choice(&out)),
            of(err.is_terminal(), anstream::AutoStream::choice(&err)),
        )
    }

    /// Prints a result. [`delivered`] reports errors.
    pub(super) fn result(&self, text: &str) {
        let mut stdout = anstream::stdout().lock();
        let written = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
        note_loss(written);
    }

    /// Results that are written as they come.
    pub(super) fn stream() -> Stream {
        Stream(io::BufWriter::with_capacity(64 * 1024, io::stdout()))
    }

    /// A failure: what, why, what to do next.
    pub(super) fn failure(&self, failure: &Failure) {
        let red = anstyle::AnsiColor::Red.on_default().bold();
        sentences(&format!("{red}error:{red:#} {failure}\n"));
        if let Some(hint) = &failure.hint {
            let dim = anstyle::Style::new().dimmed();
            sentences(&format!("  {dim}hint:{dim:#} {hint}\n"));
        }
    }

    /// A line on stderr as it is, unless quiet.
    pub(super) fn line(&self, text: &str) {
        if !self.quiet {
            note(&format!("{text}\n"));
        }
    }

    /// A note on stderr, unless quiet.
    pub(super) fn note(&self, text: &str) {
        if !self.quiet {
            sentences(&format!("{text}\n"));
        }
    }
}

/// Writes sentences to stderr, wrapped for a terminal.
pub(super) fn sentences(text: &str) {
    note(&notes(text, stderr_width()));
}

/// Width of stdout now; `None`: not a terminal.
pub(super) fn stdout_width() -> Option<usize> {
    let (_, columns) = console::Term::stdout().size_checked()?;
    io::stdout().is_terminal().then_some(usize::from(columns))
}

/// Width of stderr now; `None`: not a terminal.
pub(super) fn stderr_width() -> Option<usize> {
    let (_, columns) = console::Term::stderr().size_checked()?;
    io::stderr().is_terminal().then_some(usize::from(columns))
}

/// Whether stderr is a terminal on which lines can be drawn again.
fn can_redraw() -> bool {
    io::stderr().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// Whether results and progress go to the same terminal.
pub(super) fn is_one_terminal() -> bool {
    io::stdout().is_terminal() && io::stderr().is_terminal()
}

/// Whether a person can be asked.
pub(super) fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// A result that is written as it comes.
pub(super) struct Stream(io::BufWriter<io::Stdout>);

impl Stream {
    /// Whether stdout is still open.
    pub(super) fn write(&mut self, bytes: &[u8]) -> bool {
        note_loss(self.0.write_all(bytes))
    }

    /// Writes the buffer.
    pub(super) fn flush(&mut self) {
        note_loss(self.0.flush());
    }
}

/// The first error of stdout.
static LOST: OnceLock<String> = OnceLock::new();

/// Records an error of stdout; `true`: there was none. A reader that closes the pipe (`| head`) is
/// not an error.
pub(super) fn note_loss(written: io::Result<()>) -> bool {
    if let Err(error) = &written
        && error.kind() != io::ErrorKind::BrokenPipe
    {
        let _ = LOST.set(error.to_string());
    }
    written.is_ok()
}

/// Whether all results were written to stdout.
///
/// # Errors
/// Stdout failed, for example because the disk is full.
pub(super) fn delivered() -> Result<(), Failure> {
    match LOST.get() {
        None => Ok(()),
        Some(why) => {
            let what = "cannot write the results to stdout";
            Err(Failure::new(FailureKind::Internal, what, why)
                .hint("they are incomplete; write them somewhere else"))
        }
    }
}

/// Writes log records to stderr, each in one piece.
pub(super) fn log_writer() -> impl io::Write {
    LogWriter
}

struct LogWriter;

impl io::Write for LogWriter {
    fn write(&mut self, record: &[u8]) -> io::Result<usize> {
        note(&String::from_utf8_lossy(record));
        Ok(record.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes to stderr and ignores errors.
pub(super) fn note(text: &str) {
    let mut stderr = anstream::stderr().lock();
    let _ = stderr.write_all(text.as_bytes());
}
