//! A shop's own binary: a strategy that is code is a strategy like any other, in every command.

use std::path::PathBuf;
use std::process::Command;

use serde_json::json;
use tempfile::TempDir;

use crate::support::lab::{SHIPPED, counts};
use crate::support::shopwarm::{Shopwarm, binary, program, shopwarm};

const CODED: &str = "checkout/instalments";

/// `examples/coded_strategy.rs`, built beside the binary. Only a run of all test targets builds it.
fn example() -> PathBuf {
    let folder = binary().parent().expect("a folder");
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--quiet", "--locked", "--example", "coded_strategy"]);
    build.arg("--target-dir").arg(folder.parent().expect("a folder"));
    // What is said of this package would have build scripts of others run again.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            build.env_remove(&name);
        }
    }
    build.args(cfg!(feature = "otel").then_some("--all-features"));
    assert!(build.status().expect("cargo").success());
    folder.join("examples/coded_strategy")
}

/// The example on the sample shop.
struct Demo(PathBuf, TempDir);

impl Demo {
    fn new() -> Self {
        Self(example(), tempfile::tempdir().expect("a folder"))
    }

    fn command(&self, arguments: &str) -> Shopwarm {
        let command = program(&self.0, arguments).arg("--demo");
        command.arg("--demo-dir").arg(self.1.path())
    }

    /// The example with a definition file of these lines.
    fn with(&self, definitions: &str, arguments: &str) -> Shopwarm {
        let file = self.1.path().join("own.toml");
        std::fs::write(&file, definitions).expect("a file");
        self.command(arguments).contexts(&file)
    }
}

#[test]
fn a_shops_own_binary_keeps_every_command() {
    let demo = Demo::new();
    let help = |text: String| text.replace("coded_strategy", "shopwarm");
    let own = demo.command("--help").run().expect(0).stdout;
    assert_eq!(help(own), shopwarm("--help").run().expect(0).stdout);

    let list = demo.command("strategies -o json").run().expect(0).json();
    let list = list["strategies"].as_array().expect("a list").clone();
    assert_eq!(list.len(), SHIPPED.len() + 1);
    let coded = list.iter().find(|line| line["id"] == CODED).expect("it is listed");
    assert_eq!(
        [&coded["key"], &coded["priority"], &coded["ttl"], &coded["enabled"]],
        [&json!("Instalments:{months}"), &json!(80), &json!("1d"), &json!(true)]
    );
    let details = demo.command("strategies -v").run().expect(0).stdout;
    assert!(details.contains("priority     [code] 80"), "{details}");
}

#[test]
fn it_is_warmed_looked_up_and_read_back() {
    let demo = Demo::new();
    let run = demo.command("warmup all -o json").run().expect(0);
    let order: Vec<_> = run.json()["strategies"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|s| s["id"].clone())
        .collect();
    // By priority: behind hot-products with 100, before recommendations with 60.
    assert_eq!((&order[0], &order[1]), (&json!(SHIPPED[0]), &json!(CODED)));
    assert_eq!(counts(&run.strategy(CODED)), [3, 0, 0, 0]);

    let got = demo.command("keys get Instalments:12 -o json").run().expect(0).json();
    assert_eq!(
        (&got["strategy"], &got["cached"]["value"]["months"]),
        (&json!(CODED), &json!(12)),
        "{got:#}"
    );
}

#[test]
fn it_is_selected_inspected_and_verified() {
    let demo = Demo::new();
    let looked = demo.command("dry-run context checkout -o json").run().expect(0);
    assert_eq!(looked.json()["totals"]["missing"], 3, "{}", looked.stdout);
    demo.command("warmup strategy checkout/instalments").run().expect(0);
    let verified = demo.command("verify context checkout --require 100% -o json");
    verified.run().expect(0);
    let doctor = demo.command("doctor -o json").run().expect(0).stdout;
    assert!(doctor.contains("put together in code"), "{doctor}");
}

#[test]
fn keys_come_by_name_and_behind_a_prefix() {
    let demo = Demo::new();
    let named = "warmup keys eu:Instalments:6 Instalments:7 --prefix eu: -o json";
    let run = demo.command(named).run();
    assert_eq!(counts(&run.strategy(CODED)), [1, 1, 0, 0], "{}", run.stdout);
    assert_eq!(run.strategy(CODED)["not_found"], json!(["eu:Instalments:7"]));
}

#[test]
fn a_file_may_change_what_the_code_does_not_say_alone() {
    let demo = Demo::new();
    let file =
        |line: &str| format!("[context]\nname = \"checkout\"\n[strategies.instalments]\n{line}\n");
    let list = demo.with(&file("ttl = \"5m\""), "strategies -o json").run().expect(0).json();
    let mut lines = list["strategies"].as_array().expect("a list").iter();
    let coded = lines.find(|line| line["id"] == CODED).expect("it is listed");
    assert_eq!(coded["ttl"], "5m", "{list:#}");
    let off = demo.with(&file("enabled = false"), "warmup context checkout");
    off.run().expect(2);
    let refused = demo.with(&file("key = \"Other:{months}\""), "strategies").run();
    let refused = refused.expect(4).stderr;
    assert!(refused.contains("key: this is set in the strategy's code"), "{refused}");
}
