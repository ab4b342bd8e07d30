//! Completions and manual pages.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::shopwarm::shopwarm;

const SHELLS: [(&str, &str); 4] = [
    ("bash", "shopwarm.bash"),
    ("zsh", "_shopwarm"),
    ("fish", "shopwarm.fish"),
    ("powershell", "_shopwarm.ps1"),
];

/// `BLESS=1` writes the files anew.
#[test]
fn the_completions_in_the_repository_are_those_that_are_printed() {
    for (shell, name) in SHELLS {
        let printed = shopwarm(&format!("completions {shell}"))
            .run()
            .expect(0)
            .stdout;
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("completions")
            .join(name);
        if std::env::var_os("BLESS").is_some() {
            fs::write(&path, &printed).expect("completions can be written");
        }
        let kept = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            kept == printed,
            "completions/{name} is out of date: BLESS=1 cargo test completions"
        );
    }
}

fn source(shell: &str, arguments: &[&str], script: &str) -> String {
    let output = Command::new(shell).args(arguments).arg(script).output();
    let output = output.unwrap_or_else(|e| panic!("{shell}: {e}; scripts/test installs it"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && errors.is_empty(),
        "{shell}: {errors}"
    );
    text
}

fn completion(name: &str) -> String {
    format!("{}/completions/{name}", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn bash_completes_commands() {
    let script = format!(
        "source {}; COMP_WORDS=(shopwarm warmup ''); COMP_CWORD=2; _shopwarm shopwarm '' warmup; echo \"${{COMPREPLY[@]}}\"",
        completion("shopwarm.bash")
    );
    let reply = source("bash", &["--norc", "-c"], &script);
    assert!(
        reply.contains("all") && reply.contains("strategy"),
        "{reply}"
    );
}

#[test]
fn zsh_takes_the_completions() {
    let script = format!(
        "autoload -U compinit && compinit -u -D && source {} && whence -w _shopwarm",
        completion("_shopwarm")
    );
    assert!(source("zsh", &["-f", "-c"], &script).contains("function"));
}

#[test]
fn fish_completes_commands() {
    let script = format!(
        "source {}; complete -C 'shopwarm warmup '",
        completion("shopwarm.fish")
    );
    let reply = source("fish", &["--no-config", "-c"], &script);
    assert!(
        reply.contains("all") && reply.contains("context"),
        "{reply}"
    );
}

#[test]
fn manual_pages_are_printed() {
    let page = shopwarm("man").run().expect(0).stdout;
    assert!(
        page.contains(".TH shopwarm 1") && page.contains("warmup"),
        "{page}"
    );
    let page = shopwarm("man warmup all").run().expect(0).stdout;
    assert!(page.contains("concurrency"), "{page}");
    let wrong = shopwarm("man warmpu").run().expect(2);
    assert!(
        wrong.stderr.contains("did you mean `warmup`?"),
        "{}",
        wrong.stderr
    );
}
