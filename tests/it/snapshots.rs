//! Whole commands as a person and a machine see them: exit code, stdout and stderr in each form, on the
//! sample shop. What changes from run to run is replaced by a word in brackets.
//! `INSTA_UPDATE=always cargo test snapshots` takes the output of today.

use crate::support::sample::Sample;

const FORMS: [&str; 5] = ["table", "json", "ndjson", "csv", "markdown"];

/// Takes a command in a terminal and in all five forms.
fn all_forms(sample: &Sample, name: &str, arguments: &str) {
    sample.screen(name, 80, arguments);
    for form in FORMS {
        sample.one(&format!("{name}-{form}"), &format!("{arguments} -o {form}"));
    }
}

#[test]
fn warmup_in_every_form() {
    let sample = Sample::new();
    all_forms(&sample, "warmup", "warmup all");
    sample.screen("warmup", 40, "warmup all");
    sample.one("warmup-verified", "warmup all --verify");
    sample.one("warmup-verified-json", "warmup context catalog --verify=99%,catalog=1% -o json");
    sample.one("warmup-only-missing", "warmup all --mode only-missing --skip-identical");
    sample.one("warmup-keys", "warmup keys Product:id:prod-0003 Nothing:1 Category:id:none");
    sample.one("warmup-quiet", "warmup all -q");
    sample.one("warmup-nothing-named", "warmup");
    sample.one("warmup-paced", "warmup context ordering --rate 100000 -o json");
}

#[test]
fn a_warmup_in_trouble_in_every_form() {
    let sample = Sample::new();
    let trouble = "warmup all --contexts trouble.toml";
    all_forms(&sample, "trouble", trouble);
    sample.screen("trouble", 40, trouble);
    sample.one("trouble-quiet", "warmup all --contexts trouble.toml -q");
    sample.one("trouble-recorded", "runs last");
    sample.one("trouble-recorded-json", "runs last -o json");
    sample.one("trouble-runs", "runs");
    sample.one("trouble-dry-run", "dry-run all --contexts trouble.toml");
    sample.one("trouble-dry-run-json", "dry-run context extra --contexts trouble.toml -o json");
    sample.one("trouble-verify", "verify all --contexts trouble.toml");
    sample.one("trouble-verify-json", "verify context extra --contexts trouble.toml -o json");
    sample.one("trouble-keys", "keys list --contexts trouble.toml --context extra -o json");
    sample.one("trouble-strict", "warmup all --contexts trouble.toml --strict");
    sample.one("trouble-strategies", "strategies --contexts trouble.toml");
    sample.one("trouble-doctor", "doctor --contexts trouble.toml");
    sample.one("trouble-config-check", "config check --contexts trouble.toml");
}

#[test]
fn dry_run_in_every_form() {
    let sample = Sample::new();
    all_forms(&sample, "dry-run", "dry-run");
    sample.screen("dry-run", 40, "dry-run");
    sample.one("dry-run-exit-code", "dry-run --exit-code");
    sample.command("warmup context catalog -q").run().expect(0);
    sample.one("dry-run-orphans", "dry-run --orphans -v");
    sample.one("dry-run-orphans-json", "dry-run strategy catalog/categories --orphans -o json");
    for form in FORMS {
        let name = format!("dry-run-keys-{form}");
        sample.one(&name, &format!("dry-run strategy catalog/recommendations --keys -o {form}"));
    }
}

#[test]
fn verify_in_every_form() {
    let sample = Sample::new();
    sample.one("verify-empty", "verify");
    sample.command("warmup all -q").run().expect(0);
    all_forms(&sample, "verify", "verify");
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
    all_forms(&sample, "keys-list", users);
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
    all_forms(&sample, "runs", "runs");
    sample.screen("runs", 40, "runs");
    all_forms(&sample, "runs-last", "runs last");
    for form in FORMS {
        sample.one(&format!("runs-complete-{form}"), &format!("runs --last-complete -o {form}"));
    }
    sample.one("runs-unknown", "runs nobody");
    let runs = sample.command("runs -o json").run().expect(0).json();
    let id = |n: usize| runs["runs"][n]["run_id"].as_str().expect("an id").to_owned();
    for form in FORMS {
        let arguments = format!("runs {} --diff {} -o {form}", id(0), id(1));
        sample.one(&format!("runs-diff-{form}"), &arguments);
    }
}

#[test]
fn strategies_doctor_and_settings_in_every_form() {
    let sample = Sample::new();
    all_forms(&sample, "strategies", "strategies");
    sample.one("strategies-verbose", "strategies -v");
    all_forms(&sample, "doctor", "doctor");
    all_forms(&sample, "config-show", "config show");
    sample.one("doctor-quiet", "doctor -q --redis-url sqlite:/nowhere/cache.db");
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
        ("--demo=expiring", ["tour-expiring:dry-run", "tour-expiring-verify:verify", ""]),
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
