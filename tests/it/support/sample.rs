//! The sample shop in a folder of its own, and what its commands print.
//! What changes from run to run is replaced by a word in brackets.

use std::ffi::OsString;
use std::process::Command;

use insta::{Settings, assert_snapshot};

use super::shopwarm::{Finished, Shopwarm, binary, shopwarm};

/// A strategy with a row that cannot be encoded, one whose query fails, and one without a version.
const TROUBLE: &str = r#"
extends = "shipped"
[context]
name = "extra"
owns = ["products"]
[strategies.mixed]
key = "Mixed:{id}"
value = "object"
priority = 5
sql.any = "SELECT id, CASE WHEN id = 'prod-0011' THEN 9e999 ELSE 1.5 END AS ratio FROM products WHERE id < 'prod-0020'"
[strategies.broken]
key = "Broken:{_id}"
value = "text"
sql.any = "SELECT id AS _id, no_such_column FROM products"
"#;

/// The sample shop and an embedded cache, in a folder of their own.
pub struct Sample {
    pub dir: tempfile::TempDir,
    demo: &'static str,
}

impl Sample {
    /// It is there, so that no command says that it is new.
    pub fn new() -> Self {
        let sample = Self::none("--demo");
        sample.command("runs -q").run().expect(0);
        sample
    }

    /// Not made yet.
    pub fn none(demo: &'static str) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        std::fs::write(dir.path().join("trouble.toml"), TROUBLE).expect("a file");
        Self { dir, demo }
    }

    pub fn warm() -> Self {
        let sample = Self::new();
        sample.command("warmup all -q").run().expect(0);
        sample
    }

    pub fn command(&self, arguments: &str) -> Shopwarm {
        let command = shopwarm(self.demo).args("--demo-dir sample");
        command
            .args(arguments)
            .env("TZ", "UTC")
            .env("SHOPWARM_TTL_JITTER", "0")
            .dir(self.dir.path())
    }

    /// The same in a terminal of so many columns.
    pub fn on_columns(&self, columns: usize, arguments: &str) -> Finished {
        let path = |name: &str| self.dir.path().join(name).display().to_string();
        let (stderr, code) = (path("stderr"), path("code"));
        let line = format!(
            "stty cols {columns} rows 50; {} {} --demo-dir sample {arguments} 2>{stderr}; echo $? >{code}",
            binary().display(),
            self.demo,
        );
        let output = Command::new("script")
            .args(["-qec", &line, "/dev/null"])
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("TZ", "UTC")
            .env("NO_COLOR", "1")
            .env("SHOPWARM_TTL_JITTER", "0")
            .current_dir(self.dir.path())
            .output()
            .expect("script");
        let read = |path: &str| std::fs::read_to_string(path).expect("a file");
        Finished {
            code: read(&code).trim().parse().expect("a number"),
            stdout: String::from_utf8_lossy(&output.stdout).replace('\r', ""),
            stderr: read(&stderr),
        }
    }

    /// Takes what a terminal shows at 40, 80 and 120 columns, and the colours at 80.
    pub fn scene(&self, name: &str, line: &str) {
        let mut text = format!("$ {line}\n");
        for columns in [40, 80, 120] {
            let (code, shown) = self.shown(columns, line, "NO_COLOR=1");
            let wide = shown.lines().filter(|l| is_too_wide(l, columns));
            let wide: Vec<&str> = wide.collect();
            assert!(wide.is_empty(), "{name}, {columns} columns: {wide:#?}");
            assert!(!shown.contains('\x1b'), "{name}: colours: {shown:?}");
            text += &format!("--- {columns} columns, exit {code}\n{shown}");
        }
        let (_, shown) = self.shown(80, line, "COLORTERM=");
        text += &format!("--- 80 columns, in colour\n{}", spelled(&shown));
        settings().bind(|| assert_snapshot!(format!("scene-{name}"), text));
    }

    /// The exit code of a command line in a terminal, and all that the terminal shows.
    fn shown(&self, columns: usize, line: &str, variable: &str) -> (i32, String) {
        let code = self.dir.path().join("code");
        let line = format!("stty cols {columns} rows 50; {line}; echo $? >{}", code.display());
        let output = Command::new("script")
            .args(["-qec", &format!("env {variable} bash -c '{line}'"), "/dev/null"])
            .env_clear()
            .env("PATH", path())
            .envs([("TZ", "UTC"), ("TERM", "xterm-256color")])
            .envs([("SHOPWARM_TTL_JITTER", "0"), ("SHOPWARM_PROGRESS", "none")])
            .env("SHOPWARM_DEMO_DIR", "sample")
            .current_dir(self.dir.path())
            .output()
            .expect("script");
        let code = std::fs::read_to_string(code).expect("a file");
        let shown = String::from_utf8_lossy(&output.stdout).replace('\r', "");
        (code.trim().parse().expect("a number"), shown)
    }

    /// Takes what a command shows in a terminal of so many columns, where all of it fits.
    pub fn screen(&self, name: &str, columns: usize, arguments: &str) {
        let run = self.on_columns(columns, arguments);
        let wide = run.stdout.lines();
        let wide: Vec<&str> = wide.filter(|l| is_too_wide(l, columns)).collect();
        assert!(wide.is_empty(), "{name}: {wide:#?}");
        self.check(&format!("{name}-{columns}"), arguments, &run);
    }

    /// Takes a command in the form that its arguments name.
    pub fn one(&self, name: &str, arguments: &str) {
        self.check(name, arguments, &self.command(arguments).run());
    }

    pub fn check(&self, name: &str, arguments: &str, run: &Finished) {
        let text = format!(
            "$ shopwarm {arguments}\nexit {}\n--- stdout\n{}--- stderr\n{}",
            run.code, run.stdout, run.stderr
        );
        settings().bind(|| assert_snapshot!(name, text));
    }
}

/// Where a shell finds the tool, and everything else.
fn path() -> OsString {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let ours = binary().parent().expect("a folder").to_owned();
    let folders = std::iter::once(ours).chain(std::env::split_paths(&path));
    std::env::join_paths(folders).expect("a path")
}

/// A command to copy is never broken.
fn is_too_wide(line: &str, columns: usize) -> bool {
    let is_command = ["  next: shopwarm ", "next       shopwarm "];
    line.chars().count() > columns && !is_command.iter().any(|next| line.starts_with(next))
}

/// Colours as words: `{green}`, and `{}` where the text is plain again.
fn spelled(shown: &str) -> String {
    const CODES: [(&str, &str); 14] = [
        ("0", ""),
        ("39", ""),
        ("22", ""),
        ("1", "bold"),
        ("2", "dim"),
        ("4", "underlined"),
        ("31", "red"),
        ("32", "green"),
        ("33", "yellow"),
        ("36", "cyan"),
        ("38;5;1", "red"),
        ("38;5;2", "green"),
        ("38;5;3", "yellow"),
        ("38;5;6", "cyan"),
    ];
    let mut text = shown.to_owned();
    for (code, word) in CODES {
        text = text.replace(&format!("\x1b[{code}m"), &format!("{{{word}}}"));
    }
    assert!(!text.contains('\x1b'), "a colour without a name: {text:?}");
    text
}

/// What is not the same in the next run.
fn settings() -> Settings {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").expect("a name");
    let mut settings = Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.set_snapshot_path("../snapshots");
    for (pattern, word) in [
        // The widths of columns and lines depend on the numbers in them.
        ("─+", "─"),
        (r"(?m)(\S)  +", "$1  "),
        (r"\{bold\} +", "{bold}"),
        (r" +\{\}", "{}"),
        (r" *(<1 ms|\b\d+ ms|\b\d+\.\d s)\b", " [time]"),
        // Two runs may take the same time, which is then said once.
        (r"\[time\] → \[time\]", "[time]"),
        (r"\[time\]( \|)? +[\d,]+( \||  )", "[time]$1 [rate]$2"),
        (r"\d[\d,]* keys/s", "[rate] keys/s"),
        // Where a line breaks depends on the time in it.
        (r"(\[time\];)\s+next:\s+(\S+)\s+(\S+)", "$1 next: $2 $3"),
        (r"(next: shopwarm[^\n]*)\n {2,}", "$1 "),
        (r"(next: shopwarm[^\n]*)\n {2,}", "$1 "),
        (r"(next: shopwarm[^\n]*)\n {2,}", "$1 "),
        (r"(?m)^([ |]*)[0-9a-f]{4,5}( +| \| )\d+[sm]( +| \| )", "$1[run]$2[ago]$3"),
        (r"\b(Mon|Tue|Wed|Thu|Fri|Sat|Sun) ", "[day] "),
        (r"(?m)^( ?)\[day\] \d{4}-\d\d-\d\d$", "$1[day] [date]"),
        (r"misses in \S+", "misses in [time]"),
        (r"[0-9a-f]{12}-[0-9a-f]{8}", "[run]"),
        (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?(\.\d+)?Z?", "[date]"),
        (r"\b\d+s(  \[run\]| \| \[run\])", "[ago]$1"),
        // The next job depends on the time of day, and where the line breaks on its name.
        (r"next:\s+\S+\s+at\s+\[date\]\s+UTC", "next: [job] at [date] UTC"),
        (
            r#""(elapsed_ms|estimated_ms|used_bytes|seconds|elapsed_ms_before|elapsed_ms_after)": ?[\d.]+"#,
            r#""$1": [number]"#,
        ),
        // The fifteenth column of a strategy's line: elapsed_ms.
        (r"(?m)^([^,\n]+/(?:[^,\n]*,){14})\d+,(1\.0|0\.\d+|),", "$1[number],$2,"),
        (r"(?m),\d*,\d*,(completed|failed|),(completed|failed|)$", ",[number],[number],$1,$2"),
        (r"(?m)(\[date\]),\d+,", "$1,[number],"),
        (r"\d+(\.\d+)? [KM]iB\s+(used|free)", "[size] $2"),
        (r"\d+ keys, \d+ KiB", "[number] keys, [size]"),
        (r#"("state":"[^"]*",)"ttl_seconds":\d+"#, r#"$1"ttl_seconds":[ttl]"#),
        // What a key has left is the last of its fields; what a strategy gives is followed by others.
        (r#"(?m)"ttl_seconds": \d+$"#, r#""ttl_seconds": [ttl]"#),
        (r"\d+[dhm] \d\d[hms]", "[ttl]"),
        (r"(identical|expiring|different)( \| |,)\d+( \||,)", "$1$2[ttl]$3"),
        (r"(?m)^identical\t\d+\t", "identical\t[ttl]\t"),
        (r"SQLite 3\.\d+\.\d+", "SQLite [version]"),
        (&format!(r"\b{}\b", host.trim()), "[host]"),
        (r"(?m) +$", ""),
    ] {
        settings.add_filter(pattern, word);
    }
    settings
}
