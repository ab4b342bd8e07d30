//! Completions and manual pages.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::shopwarm::{Shopwarm, binary, file, shopwarm};

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
        let printed = shopwarm(&format!("completions {shell}")).run().expect(0).stdout;
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("completions").join(name);
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

/// What the program offers for the last word, without what it means.
fn offered(line: &str) -> Vec<String> {
    let asked = line.split(' ').fold(shopwarm("__complete"), Shopwarm::arg);
    let lines = asked.run().expect(0).stdout;
    let value = |line: &str| line.split('\t').next().unwrap_or_default().to_owned();
    lines.lines().map(value).collect()
}

#[test]
fn what_can_follow_is_offered_and_nothing_else() {
    for (line, all) in [
        ("warmup context ", "catalog identity ordering"),
        ("warmup strategy catalog/h", "catalog/hot-products"),
        ("warmup k", "keys"),
        ("warmup ide", "identity identity/active-user-sessions"),
        ("warmup catalog ord", "ordering ordering/recent-orders"),
        ("dry-run -o json ide", "identity identity/active-user-sessions"),
        ("verify a", "all"),
        ("verify catalog a", ""),
        ("verify --require=ord", "--require=ordering/recent-orders= --require=ordering="),
        ("warmup all --tag h", "high-priority"),
        ("warmup all --tag=h", "--tag=high-priority"),
        ("serve --on-start ide", "identity identity/active-user-sessions"),
        ("warmup all --mode ", "refresh only-missing"),
        ("warmup all --max-s", "--max-shrink"),
        ("warmup all --verify --pru", "--prune"),
        ("completions ", "bash elvish fish powershell zsh"),
        ("runs ", "last last~1"),
        ("runs last --diff ", "last last~1"),
        ("usage l", "last last~1"),
        ("effect l", "last last~1"),
        ("usage --demo=", "--demo=stale --demo=expiring --demo=failing"),
        ("man wa", "warmup"),
        ("help warmup ", "all context strategy keys"),
        ("warmup all --plan ", ":files"),
        ("init ", ":folders"),
        ("keys get ", ""),
        ("warmup all --deadline ", ""),
        ("schedule list --timezone ", ""),
    ] {
        let offered = offered(line).join(" ");
        assert_eq!(offered, all, "{line}");
    }
    assert!(offered("").contains(&"help".to_owned()));
    let options = offered("warmup all --");
    assert!(options.iter().all(|option| option.starts_with("--")));
    assert!(options.contains(&"--database-url".to_owned()));
}

/// Nor does it run the command that prints a URL.
#[test]
fn own_definitions_are_offered_without_a_connection() {
    let text = "[vars]\nstore = 1\n[context]\nname = \"own\"\nowns = []\n\
        [strategies.one]\nkey = \"K:{id}\"\nvalue = \"object\"\ntags = [\"t\"]\nsql.any = \"SELECT :store AS id\"\n";
    let (dir, definitions) = file("own.toml", text);
    let settings = "contexts = [\"own.toml\"]\ndatabase_url_command = \"touch was-run\"\n\
        cache_url = \"redis://192.0.2.1:6379\"\nnonsense = true\n";
    std::fs::write(dir.path().join("shopwarm.toml"), settings).expect("a file");
    for (line, offered) in [
        ("warmup strategy ", "own/one"),
        ("warmup all --exclude ", "own\tA context"),
        ("warmup all --tag ", "t\tA tag"),
        ("warmup all --var ", "store="),
    ] {
        let asked = line.split(' ').fold(shopwarm("__complete"), Shopwarm::arg);
        let in_file = asked.dir(dir.path()).run().expect(0).stdout;
        assert!(in_file.starts_with(offered), "{line}: {in_file}");
        let flag = shopwarm("__complete --contexts").arg(&definitions);
        let by_flag = line.split(' ').fold(flag, Shopwarm::arg).run().expect(0);
        assert_eq!(in_file, by_flag.stdout, "{line}");
    }
    assert!(!dir.path().join("was-run").exists());
}

/// Runs a script in a folder with one file, with shopwarm in the PATH.
fn source(shell: &str, arguments: &[&str], script: &str) -> String {
    let bin = binary().parent().expect("a folder").to_owned();
    let path = std::env::var("PATH").expect("text");
    let (folder, _) = file("plan.json", "");
    let output = Command::new(shell)
        .args(arguments)
        .arg(script)
        .env("PATH", format!("{}:{path}", bin.display()))
        .current_dir(folder.path())
        .output();
    let output = output.unwrap_or_else(|e| panic!("{shell}: {e}; scripts/test installs it"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && errors.is_empty(), "{shell}: {errors}");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn completion(name: &str) -> String {
    format!("{}/completions/{name}", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn bash_completes_the_words_of_the_shop() {
    for (words, reply) in [
        ("warmup k", "keys"),
        ("warmup context ''", "catalog identity ordering"),
        ("verify a", "all"),
        ("verify catalog a", ""),
        ("verify --require=ord", "--require=ordering/recent-orders= --require=ordering="),
        ("warmup all --tag h", "high-priority"),
        ("warmup all --tag = h", "high-priority"),
        ("warmup all --plan ''", "plan.json"),
        ("warmup all --plan =", "plan.json"),
        ("keys get ''", ""),
    ] {
        let script = format!(
            "source {}; COMP_WORDS=(shopwarm {words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); \
             _shopwarm shopwarm; echo \"${{COMPREPLY[@]}}\"",
            completion("shopwarm.bash")
        );
        assert_eq!(source("bash", &["--norc", "-c"], &script), reply, "{words}");
    }
}

#[test]
fn zsh_completes_the_words_of_the_shop() {
    for (words, reply) in [
        ("warmup k", "keys:Warm single keys"),
        ("runs ''", "last:The last run last~1:The run before"),
        ("warmup all --plan ''", "files"),
        ("init ''", "files -/"),
        ("keys get ''", ""),
    ] {
        let script = format!(
            "autoload -U compinit && compinit -u -D && source {}; \
             _describe() {{ print -l -- ${{(P)2}} }}; _files() {{ print files $* }}; compset() {{ }}; \
             words=(shopwarm {words}); CURRENT=$#words; _shopwarm || true",
            completion("_shopwarm")
        );
        assert_eq!(source("zsh", &["-f", "-c"], &script), reply, "{words}");
    }
}

#[test]
fn fish_completes_the_words_of_the_shop() {
    for (line, reply) in [
        ("warmup k", "keys Warm single keys"),
        ("runs ", "last The last run last~1 The run before"),
        ("warmup all --tag=h", "--tag=high-priority A tag"),
        ("warmup all --plan ", "plan.json"),
        ("warmup all --plan=", "--plan=plan.json"),
        ("keys get ", ""),
    ] {
        let script =
            format!("source {}; complete -C 'shopwarm {line}'", completion("shopwarm.fish"));
        let found = source("fish", &["--no-config", "-c"], &script);
        assert_eq!(found, reply, "{line}");
    }
}

#[test]
fn manual_pages_are_printed() {
    let page = shopwarm("man").run().expect(0).stdout;
    assert!(page.contains(".TH shopwarm 1") && page.contains("warmup"), "{page}");
    for section in ["SYNOPSIS", "COMMANDS", "ENVIRONMENT", "FILES", "EXIT STATUS", "EXAMPLES"] {
        let heading = page.lines().any(|line| {
            let title = line.strip_prefix(".SH ").unwrap_or_default();
            title == section
        });
        assert!(heading, "{section}\n{page}");
    }
    let page = shopwarm("man warmup all").run().expect(0).stdout;
    for there in [
        ".SH SYNOPSIS\n.nf\nshopwarm warmup all [OPTIONS]\n.fi\n",
        "\\fB\\-\\-concurrency\\fR",
        "[env: SHOPWARM_CONCURRENCY]",
        ".nf\nshopwarm warmup all \\-\\-gentle \\-\\-deadline 10m\n",
    ] {
        assert!(page.contains(there), "{there}\n{page}");
    }
    let wrong = shopwarm("man warmpu").run().expect(2);
    assert!(wrong.stderr.contains("did you mean `warmup`?"), "{}", wrong.stderr);
}
