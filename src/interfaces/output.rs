//! The only file that prints. Results go to stdout, everything else to stderr.

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::OnceLock;

use clap::{Args, ValueEnum};

use crate::domain::failure::{Failure, FailureKind};

#[derive(Args, Clone, Copy, Debug, Default)]
#[command(next_help_heading = "Output")]
pub struct OutputFlags {
    /// The form of results on stdout
    #[arg(
        short,
        long,
        global = true,
        value_name = "FORM",
        env = "SHOPWARM_OUTPUT",
        default_value = "table"
    )]
    pub output: Format,
    /// How progress is shown on stderr
    #[arg(
        long,
        global = true,
        value_name = "FORM",
        env = "SHOPWARM_PROGRESS",
        default_value = "auto"
    )]
    pub progress: ProgressForm,
    /// Show errors and asked-for results only: no progress, no table
    #[arg(short, long, global = true, env = "SHOPWARM_QUIET", value_parser = clap::builder::FalseyValueParser::new())]
    pub quiet: bool,
    /// Show more: every kept error, every field
    #[arg(short, long, global = true, action = clap::ArgAction::Count, env = "SHOPWARM_VERBOSE")]
    pub verbose: u8,
    /// Log on stderr in this form [default: text while serving, else none]
    #[arg(long, global = true, value_name = "FORM", env = "SHOPWARM_LOG_FORMAT")]
    pub log_format: Option<LogFormat>,
    /// When to colour
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        env = "SHOPWARM_COLOR",
        default_value = "auto"
    )]
    pub color: ColorWhen,
}

/// The form of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// A line each
    Text,
    /// A JSON object a line
    Json,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    #[default]
    Table,
    Json,
    Ndjson,
    Csv,
    Markdown,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ProgressForm {
    /// Bars on a terminal, else lines
    #[default]
    Auto,
    /// A live bar for each strategy
    Bars,
    /// A line every 10 seconds
    Lines,
    /// The engine's events, a JSON object a line
    Json,
    None,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ColorWhen {
    #[default]
    Auto,
    Always,
    Never,
}

/// Where a command's words go.
#[derive(Clone, Copy, Debug)]
pub struct Output {
    pub format: Format,
    pub quiet: bool,
    pub verbose: bool,
    progress: ProgressForm,
    pub log_format: Option<LogFormat>,
    /// Nobody asked for a form.
    unasked: bool,
}

impl Output {
    /// `asked`: whether somebody asked for the form.
    pub fn new(flags: OutputFlags, asked: bool) -> Self {
        // anstream and console look at NO_COLOR, CLICOLOR_FORCE and the terminal themselves.
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

    /// The form of progress, once it is known where it goes.
    pub fn progress(&self) -> ProgressForm {
        match self.progress {
            _ if self.quiet => ProgressForm::None,
            // The log says it.
            ProgressForm::Auto if self.log_format.is_some() => ProgressForm::None,
            ProgressForm::Auto if io::stderr().is_terminal() => ProgressForm::Bars,
            ProgressForm::Auto => ProgressForm::Lines,
            form => form,
        }
    }

    /// Whether plain lines are meant: results go into a pipe, and nobody asked for a form.
    pub fn is_plain(&self) -> bool {
        self.unasked && !io::stdout().is_terminal()
    }

    /// Columns of the terminal that results go to; `None` where it is none.
    pub fn width(&self) -> Option<usize> {
        let (_, columns) = console::Term::stdout().size_checked()?;
        io::stdout().is_terminal().then_some(usize::from(columns))
    }

    /// Where results and progress go, in a line.
    pub fn terminal(&self) -> String {
        let (out, err) = (io::stdout(), io::stderr());
        let of = |is_terminal: bool, choice: anstream::ColorChoice| {
            let what = if is_terminal { "a" } else { "no" };
            let no = if choice == anstream::ColorChoice::Never {
                "no "
            } else {
                ""
            };
            format!("{what} terminal, {no}colours")
        };
        let width = self
            .width()
            .map_or_else(String::new, |w| format!(", {w} columns"));
        format!(
            "stdout is {}{width}; stderr is {}",
            of(out.is_terminal(), anstream::AutoStream::choice(&out)),
            of(err.is_terminal(), anstream::AutoStream::choice(&err)),
        )
    }

    /// Prints a result. [`delivered`] says whether it arrived.
    pub fn result(&self, text: &str) {
        let mut stdout = anstream::stdout().lock();
        let written = stdout
            .write_all(text.as_bytes())
            .and_then(|()| stdout.flush());
        note_loss(written);
    }

    /// Results that come bit by bit.
    pub fn stream() -> Stream {
        Stream(io::BufWriter::with_capacity(64 * 1024, io::stdout()))
    }

    /// A failure: what, why, what to do next.
    pub fn failure(&self, failure: &Failure) {
        let red = anstyle::AnsiColor::Red.on_default().bold();
        let mut text = format!("{red}error:{red:#} {failure}\n");
        if let Some(hint) = &failure.hint {
            let dim = anstyle::Style::new().dimmed();
            text.push_str(&format!("{dim}  hint:{dim:#} {hint}\n"));
        }
        note(&text);
    }

    /// A line for the person who watches.
    pub fn note(&self, text: &str) {
        if !self.quiet {
            note(&format!("{text}\n"));
        }
    }
}

/// Whether there is a person who can be asked, and answer.
pub fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// A result that is written as it comes.
pub struct Stream(io::BufWriter<io::Stdout>);

impl Stream {
    /// Whether what follows can still arrive.
    pub fn write(&mut self, bytes: &[u8]) -> bool {
        note_loss(self.0.write_all(bytes))
    }

    /// Hands on what is buffered.
    pub fn flush(&mut self) {
        note_loss(self.0.flush());
    }
}

/// Why results were lost on their way to stdout: the first reason.
static LOST: OnceLock<String> = OnceLock::new();

/// Remembers an error of stdout; says whether there was none. A reader that has seen enough
/// (`| head`) loses nothing that it wants.
pub fn note_loss(written: io::Result<()>) -> bool {
    if let Err(error) = &written
        && error.kind() != io::ErrorKind::BrokenPipe
    {
        let _ = LOST.set(error.to_string());
    }
    written.is_ok()
}

/// Whether all results have arrived at stdout.
///
/// # Errors
/// The disk is full, say: what was printed is not complete.
pub fn delivered() -> Result<(), Failure> {
    match LOST.get() {
        None => Ok(()),
        Some(why) => {
            let what = "cannot write the results to stdout";
            Err(Failure::new(FailureKind::Internal, what, why)
                .hint("they are not complete; write them to another place"))
        }
    }
}

/// Where the log goes: to stderr, a whole record at a time.
pub fn log_writer() -> impl io::Write {
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

/// To stderr as it is. Nobody there is no error.
pub fn note(text: &str) {
    let mut stderr = anstream::stderr().lock();
    let _ = stderr.write_all(text.as_bytes());
}
