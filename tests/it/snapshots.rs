//! Whole commands as a person and a machine see them: exit code, stdout and stderr in each form, on the
//! sample shop. What changes from run to run is replaced by a word in brackets.
//! `INSTA_UPDATE=always cargo test snapshots` takes the output of today.

use std::process::Command;

use insta::{Settings, assert_snapshot};

use crate::support::shopwarm::{Finished, Shopwarm, binary, shopwarm};

const FORMS: [&str; 5] = ["table", "json", "ndjson", "csv", "markdown"];

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
struct Sample {
    dir: tempfile::TempDir,
    demo: &'static str,
}

impl Sample {
    /// It is there, so that no command says that it is new.
    fn new() -> Self {
        let sample = Self::none("--demo");
        sample.command("runs -q").run().expect(0);
        sample
    }

    /// Not made yet.
    fn none(demo: &'static str) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        std::fs::write(dir.path().join("trouble.toml"), TROUBLE).expect("a file");
        Self { dir, demo }
    }

    fn warm() -> Self {
        let sample = Self::new();
        sample.command("warmup all -q").run().expect(0);
        sample
    }

    fn command(&self, arguments: &str) -> Shopwarm {
        let command = shopwarm(self.demo).args("--demo-dir sample");
        command
            .args(arguments)
            .env("TZ", "UTC")
            .env("SHOPWARM_TTL_JITTER", "0")
            .dir(self.dir.path())
    }

    /// The same in a terminal of so many columns.
    fn on_columns(&self, columns: usize, arguments: &str) -> Finished {
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

    /// Takes a command in a terminal and in all five forms.
    fn all_forms(&self, name: &str, arguments: &str) {
        self.screen(name, 80, arguments);
        for form in FORMS {
            self.one(&format!("{name}-{form}"), &format!("{arguments} -o {form}"));
        }
    }

    /// Takes what a command shows in a terminal of so many columns, where all of it fits.
    fn screen(&self, name: &str, columns: usize, arguments: &str) {
        let run = self.on_columns(columns, arguments);
        let wide = run.stdout.lines();
        let wide: Vec<&str> = wide.filter(|l| l.chars().count() > columns).collect();
        assert!(wide.is_empty(), "{name}: {wide:#?}");
        self.check(&format!("{name}-{columns}"), arguments, &run);
    }

    /// Takes a command in the form that its arguments name.
    fn one(&self, name: &str, arguments: &str) {
        self.check(name, arguments, &self.command(arguments).run());
    }

    fn check(&self, name: &str, arguments: &str, run: &Finished) {
        let text = format!(
            "$ shopwarm {arguments}\nexit {}\n--- stdout\n{}--- stderr\n{}",
            run.code, run.stdout, run.stderr
        );
        settings().bind(|| assert_snapshot!(name, text));
    }
}

/// What is not the same in the next run.
fn settings() -> Settings {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").expect("a name");
    let mut settings = Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.set_snapshot_path("snapshots");
    for (pattern, word) in [
        // The widths of columns and lines depend on the numbers in them.
        ("─+", "─"),
        (r"(?m)(\S)  +", "$1  "),
        (r" *\b(\d+ ms|\d+\.\d s)\b", " [time]"),
        (r"\[time\]( \|)? +[\d,]+( \||  )", "[time]$1 [rate]$2"),
        (r"\d[\d,]* keys/s", "[rate] keys/s"),
        // Where a line breaks depends on the time in it.
        (r"(\[time\];)\s+next:\s+(\S+)\s+(\S+)", "$1 next: $2 $3"),
        (r"(next: shopwarm[^\n]*)\n {2,}", "$1 "),
        (r"(next: shopwarm[^\n]*)\n {2,}", "$1 "),
        (r"(next: shopwarm[^\n]*)\n {2,}", "$1 "),
        (
            r"(?m)^([ |]*)[0-9a-f]{4,5}( +| \| )\d+[sm]( +| \| )",
            "$1[run]$2[ago]$3",
        ),
        (r"misses in \S+", "misses in [time]"),
        (r"[0-9a-f]{12}-[0-9a-f]{8}", "[run]"),
        (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?(\.\d+)?Z?", "[date]"),
        (r"\b\d+s(  \[run\]| \| \[run\])", "[ago]$1"),
        (r"next: \S+ at", "next: [job] at"),
        (
            r#""(elapsed_ms|estimated_ms|used_bytes|seconds|elapsed_ms_before|elapsed_ms_after)": ?[\d.]+"#,
            r#""$1": [number]"#,
        ),
        // The fifteenth column of a strategy's line: elapsed_ms.
        (
            r"(?m)^([^,\n]+/(?:[^,\n]*,){14})\d+,(1\.0|0\.\d+|),",
            "$1[number],$2,",
        ),
        (
            r"(?m),\d*,\d*,(completed|failed|),(completed|failed|)$",
            ",[number],[number],$1,$2",
        ),
        (r"(?m)(\[date\]),\d+,", "$1,[number],"),
        (r"\d+(\.\d+)? [KM]iB\s+(used|free)", "[size] $2"),
        (r"\d+ keys, \d+ KiB", "[number] keys, [size]"),
        (
            r#"("state":"[^"]*",)"ttl_seconds":\d+"#,
            r#"$1"ttl_seconds":[ttl]"#,
        ),
        // What a key has left is the last of its fields; what a strategy gives is followed by others.
        (r#"(?m)"ttl_seconds": \d+$"#, r#""ttl_seconds": [ttl]"#),
        (r"\d+[dhm] \d\d[hms]", "[ttl]"),
        (
            r"(identical|expiring|different)( \| |,)\d+( \||,)",
            "$1$2[ttl]$3",
        ),
        (r"(?m)^identical\t\d+\t", "identical\t[ttl]\t"),
        (r"SQLite 3\.\d+\.\d+", "SQLite [version]"),
        (&format!(r"\b{}\b", host.trim()), "[host]"),
        (r"(?m) +$", ""),
    ] {
        settings.add_filter(pattern, word);
    }
    settings
}

#[test]
fn warmup_in_every_form() {
    let sample = Sample::new();
    sample.all_forms("warmup", "warmup all");
    sample.screen("warmup", 40, "warmup all");
    sample.one("warmup-verified", "warmup all --verify");
    sample.one(
        "warmup-verified-json",
        "warmup context catalog --verify=99%,catalog=1% -o json",
    );
    sample.one(
        "warmup-only-missing",
        "warmup all --mode only-missing --skip-identical",
    );
    sample.one(
        "warmup-keys",
        "warmup keys Product:id:prod-0003 Nothing:1 Category:id:none",
    );
    sample.one("warmup-quiet", "warmup all -q");
    sample.one("warmup-nothing-named", "warmup");
    sample.one(
        "warmup-paced",
        "warmup context ordering --rate 100000 -o json",
    );
}

#[test]
fn a_warmup_in_trouble_in_every_form() {
    let sample = Sample::new();
    let trouble = "warmup all --contexts trouble.toml";
    sample.all_forms("trouble", trouble);
    sample.screen("trouble", 40, trouble);
    sample.one("trouble-quiet", "warmup all --contexts trouble.toml -q");
    sample.one("trouble-recorded", "runs last");
    sample.one("trouble-recorded-json", "runs last -o json");
    sample.one("trouble-runs", "runs");
    sample.one("trouble-dry-run", "dry-run all --contexts trouble.toml");
    sample.one(
        "trouble-dry-run-json",
        "dry-run context extra --contexts trouble.toml -o json",
    );
    sample.one("trouble-verify", "verify all --contexts trouble.toml");
    sample.one(
        "trouble-verify-json",
        "verify context extra --contexts trouble.toml -o json",
    );
    sample.one(
        "trouble-keys",
        "keys list --contexts trouble.toml --context extra -o json",
    );
    sample.one(
        "trouble-strict",
        "warmup all --contexts trouble.toml --strict",
    );
    sample.one("trouble-strategies", "strategies --contexts trouble.toml");
    sample.one("trouble-doctor", "doctor --contexts trouble.toml");
    sample.one(
        "trouble-config-check",
        "config check --contexts trouble.toml",
    );
}

#[test]
fn dry_run_in_every_form() {
    let sample = Sample::new();
    sample.all_forms("dry-run", "dry-run");
    sample.screen("dry-run", 40, "dry-run");
    sample.one("dry-run-exit-code", "dry-run --exit-code");
    sample.command("warmup context catalog -q").run().expect(0);
    sample.one("dry-run-orphans", "dry-run --orphans -v");
    sample.one(
        "dry-run-orphans-json",
        "dry-run strategy catalog/categories --orphans -o json",
    );
    for form in FORMS {
        let name = format!("dry-run-keys-{form}");
        sample.one(
            &name,
            &format!("dry-run strategy catalog/recommendations --keys -o {form}"),
        );
    }
}

#[test]
fn verify_in_every_form() {
    let sample = Sample::new();
    sample.one("verify-empty", "verify");
    sample.command("warmup all -q").run().expect(0);
    sample.all_forms("verify", "verify");
    sample.screen("verify", 40, "verify catalog/hot-products");
    let required = "verify --require 99%,catalog=100% --sample 2 --seed 7";
    sample.one("verify-sample", required);
    sample.one("verify-sample-json", &format!("{required} -o json"));
    sample.one("verify-unknown-name", "verify --require catalgo=99%");
}

#[test]
fn keys_in_every_form() {
    let sample = Sample::warm();
    let users = "keys list --strategy identity/active-user-sessions";
    sample.all_forms("keys-list", users);
    for columns in [40, 80] {
        let cached = format!("{users} --cached");
        sample.screen("keys-list-cached", columns, &cached);
    }
    for form in FORMS {
        let name = format!("keys-list-cached-{form}");
        sample.one(&name, &format!("{users} --cached -o {form}"));
    }
    sample.one("keys-get", "keys get Category:id:cat-tea");
    sample.one("keys-get-json", "keys get Category:id:cat-tea -o json");
    sample.one("keys-get-nowhere", "keys get nothing:1");
    sample.one("keys-list-piped", &format!("{users} --cached"));
    sample.one("keys-list-none", "keys list --state missing,different");
}

#[test]
fn runs_in_every_form() {
    let sample = Sample::new();
    sample.one("runs-none", "runs");
    sample.command("warmup context catalog -q").run().expect(0);
    sample.command("warmup all -q").run().expect(0);
    sample.all_forms("runs", "runs");
    sample.screen("runs", 40, "runs");
    sample.all_forms("runs-last", "runs last");
    for form in FORMS {
        sample.one(
            &format!("runs-complete-{form}"),
            &format!("runs --last-complete -o {form}"),
        );
    }
    sample.one("runs-unknown", "runs nobody");
    let runs = sample.command("runs -o json").run().expect(0).json();
    let id = |n: usize| {
        runs["runs"][n]["run_id"]
            .as_str()
            .expect("an id")
            .to_owned()
    };
    for form in FORMS {
        let arguments = format!("runs {} --diff {} -o {form}", id(0), id(1));
        sample.one(&format!("runs-diff-{form}"), &arguments);
    }
}

#[test]
fn strategies_doctor_and_settings_in_every_form() {
    let sample = Sample::new();
    sample.all_forms("strategies", "strategies");
    sample.one("strategies-verbose", "strategies -v");
    sample.all_forms("doctor", "doctor");
    sample.all_forms("config-show", "config show");
    sample.one(
        "doctor-quiet",
        "doctor -q --redis-url sqlite:/nowhere/cache.db",
    );
    sample.one("config-check", "config check");
    sample.one("usage", "usage");
    sample.one("probe", "probe --for 1s");
}

/// Each command on the shops of `--demo` in which there is something to find.
#[test]
fn a_tour_of_the_sample_shops() {
    for (demo, screens) in [
        ("--demo", ["tour:runs", "", ""]),
        (
            "--demo=stale",
            [
                "tour-stale:verify",
                "tour-stale-key:keys get Product:id:prod-0001",
                "tour-stale-keys:keys list --state missing,different",
            ],
        ),
        (
            "--demo=expiring",
            ["tour-expiring:dry-run", "tour-expiring-verify:verify", ""],
        ),
        (
            "--demo=failing",
            [
                "tour-failing:warmup all",
                "tour-failing-key:keys get Product:id:prod-0002",
                "tour-failing-diff:runs last --diff last~1",
            ],
        ),
    ] {
        for columns in [40, 80] {
            let sample = Sample::none(demo);
            let shown = screens.iter().filter_map(|screen| screen.split_once(':'));
            // A value is shown as it is, however wide.
            for (name, arguments) in
                shown.filter(|shown| columns == 80 || !shown.0.ends_with("-key"))
            {
                sample.screen(name, columns, arguments);
            }
        }
    }
}

#[test]
fn a_probe_of_an_access_log_in_every_form() {
    let sample = Sample::new();
    let log = "Product:id:1\nProduct:id:2\ncart:7:items\n{\"key\":\"cart:8:items\",\"hit\":false}\n{\"x\":1}\n";
    std::fs::write(sample.dir.path().join("access.log"), log).expect("a file");
    for form in FORMS {
        let name = format!("probe-{form}");
        sample.one(&name, &format!("probe --access-log access.log -o {form}"));
    }
}
