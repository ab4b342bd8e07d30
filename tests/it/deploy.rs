//! The files in `deploy/`: systemd, Kubernetes, GitHub and Docker take them, and shopwarm takes its command lines.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::support::shopwarm::{binary, shopwarm};
use crate::support::tools::{tool, yaml};

const UNITS: [&str; 3] = [
    "deploy/systemd/shopwarm.service",
    "deploy/systemd/shopwarm.timer",
    "deploy/systemd/shopwarm-serve.service",
];
const SERVICES: [&str; 2] = [UNITS[0], UNITS[2]];
/// It has no container.
const NETWORK: &str = "deploy/kubernetes/network-policy.yaml";

const MANIFESTS: [&str; 5] = [
    "deploy/kubernetes/cronjob.yaml",
    "deploy/kubernetes/serve.yaml",
    "deploy/kubernetes/init-container.yaml",
    "deploy/kubernetes/workers.yaml",
    HELM,
];
const HELM: &str = "deploy/helm/shopwarm-job.yaml";
const WORKFLOW: &str = "deploy/github/warmup.yml";
const DOCKERFILE: &str = "deploy/Dockerfile";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn text(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// What it says on both streams, once it has ended well.
#[track_caller]
fn accepted(command: &mut Command) -> String {
    let output = command.output();
    let output =
        output.unwrap_or_else(|e| panic!("{command:?}: {e}; scripts/test installs what is needed"));
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(output.status.success(), "{command:?}\n{said}");
    said
}

/// A manifest as the cluster gets it: what Helm would fill in is filled in.
fn manifest(name: &str) -> String {
    let mut parts = text(name).split("{{").map(str::to_owned).collect::<Vec<_>>();
    for part in parts.iter_mut().skip(1) {
        let (expression, rest) = part.split_once("}}").expect("{{ has its }}");
        let known = [".Release.", ".Values."];
        assert!(
            known.iter().any(|k| expression.trim().starts_with(k)),
            "{name}: this test cannot fill in {expression}"
        );
        *part = format!("sample{rest}");
    }
    parts.concat()
}

/// The units with the binary under test in place of the installed one.
fn units() -> (tempfile::TempDir, Vec<PathBuf>) {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let binary = binary().to_str().expect("a path of text");
    let place = |name: &&str| {
        let path = dir.path().join(Path::new(name).file_name().expect("a file"));
        let unit = text(name).replace("/usr/local/bin/shopwarm", binary);
        fs::write(&path, unit).expect("a unit");
        path
    };
    let paths = UNITS.iter().map(place).collect();
    (dir, paths)
}

#[test]
fn systemd_takes_the_units() {
    let (_dir, paths) = units();
    let mut verify = Command::new("systemd-analyze");
    verify.args(["verify", "--man=no", "--recursive-errors=no"]);
    // An unknown directive is only a warning, and what it says of the machine's own units is not ours.
    let said = accepted(verify.args(&paths));
    let ours: Vec<&str> = said.lines().filter(|l| l.contains("shopwarm")).collect();
    assert!(ours.is_empty(), "{ours:#?}");
}

#[test]
fn the_services_are_shut_in() {
    let (_dir, paths) = units();
    for path in paths.iter().filter(|p| p.extension().is_some_and(|e| e == "service")) {
        let mut security = Command::new("systemd-analyze");
        security.args(["security", "--offline=yes", "--no-pager", "--threshold=20"]);
        accepted(security.arg(path));
    }
}

/// `NAME=VALUE` of a unit; a line that ends with `\` goes on.
fn directives(unit: &str) -> Vec<(String, String)> {
    let unit = text(unit).replace("\\\n", " ");
    let lines = unit.lines().filter(|line| !line.starts_with('#'));
    let pairs = lines.filter_map(|line| line.split_once('='));
    pairs.map(|(n, v)| (n.to_owned(), v.to_owned())).collect()
}

fn directive(unit: &str, name: &str) -> String {
    let found = directives(unit).into_iter().find(|(n, _)| n == name);
    found.unwrap_or_else(|| panic!("no {name}= in {unit}")).1
}

fn seconds(duration: &str) -> u64 {
    humantime::parse_duration(duration).unwrap_or_else(|e| panic!("{duration}: {e}")).as_secs()
}

/// The value of a flag, given as `--flag VALUE` or `--flag=VALUE`.
fn flag(arguments: &[String], name: &str) -> Option<String> {
    let mut rest = arguments.iter().skip_while(|a| !a.starts_with(name));
    match rest.next()?.split_once('=') {
        Some((_, value)) => Some(value.to_owned()),
        None => rest.next().cloned(),
    }
}

/// The time that a run may take by its own flags.
fn longest(arguments: &[String]) -> u64 {
    let flags = ["--lock-wait", "--deadline"];
    flags.iter().filter_map(|name| flag(arguments, name)).map(|d| seconds(&d)).sum()
}

#[test]
fn systemd_waits_longer_than_shopwarm_takes() {
    let once = &command_lines(UNITS[0])[0].arguments;
    assert!(seconds(&directive(UNITS[0], "TimeoutStartSec")) > longest(once));
    let serve = &command_lines(UNITS[2])[0].arguments;
    let grace = flag(serve, "--grace").expect("a grace");
    assert!(seconds(&directive(UNITS[2], "TimeoutStopSec")) > seconds(&grace));
}

#[test]
fn kubernetes_takes_the_manifests() {
    for name in MANIFESTS.into_iter().chain([NETWORK]) {
        let (_dir, path) = crate::support::shopwarm::file("manifest.yaml", &manifest(name));
        let mut validate = tool("kubernetes-validate");
        accepted(validate.arg("--strict").arg(path));
    }
}

#[test]
fn github_takes_the_workflow() {
    for schema in ["vendor.github-workflows", "custom.github-workflows-require-timeout"] {
        let mut check = tool("check-jsonschema");
        accepted(check.args(["--builtin-schema", schema, WORKFLOW]));
    }
}

/// The specifications of the pods in a manifest, and what each stands in (a Job's or a Deployment's `spec`).
fn pods(name: &str) -> Vec<(Value, Value)> {
    let owners = yaml(&manifest(name)).into_iter().filter_map(|document| {
        let spec = &document["spec"];
        let owner =
            [&spec["jobTemplate"]["spec"], spec].into_iter().find(|s| s["template"].is_object());
        owner.cloned()
    });
    owners.map(|owner| (owner["template"]["spec"].clone(), owner)).collect()
}

fn containers(pod: &Value) -> Vec<Value> {
    let lists = [&pod["initContainers"], &pod["containers"]];
    lists.into_iter().filter_map(Value::as_array).flatten().cloned().collect()
}

/// A container's own, else its pod's.
fn setting(pod: &Value, container: &Value, name: &str) -> Value {
    let both = [&container["securityContext"], &pod["securityContext"]];
    let found = both.into_iter().find_map(|context| context.get(name));
    found.cloned().unwrap_or_default()
}

#[test]
fn containers_may_nothing_and_need_little() {
    for name in MANIFESTS {
        let pods = pods(name);
        assert!(!pods.is_empty(), "{name}");
        for (pod, _) in &pods {
            assert_eq!(pod["automountServiceAccountToken"], false, "{name}");
            for container in containers(pod) {
                let context = &container["securityContext"];
                assert_eq!(setting(pod, &container, "runAsNonRoot"), true, "{name}");
                let seccomp = setting(pod, &container, "seccompProfile");
                assert_eq!(seccomp["type"], "RuntimeDefault", "{name}");
                assert_eq!(context["readOnlyRootFilesystem"], true, "{name}");
                assert_eq!(context["allowPrivilegeEscalation"], false, "{name}");
                assert_eq!(context["capabilities"]["drop"][0], "ALL", "{name}");
                let limits = &container["resources"];
                assert!(limits["limits"]["memory"].is_string(), "{name}");
                assert!(limits["requests"]["cpu"].is_string(), "{name}");
            }
        }
    }
}

/// What no schema says.
#[test]
fn kubernetes_waits_longer_than_shopwarm_takes() {
    for name in [MANIFESTS[0], HELM] {
        let (pod, job) = pods(name).remove(0);
        assert_eq!(pod["restartPolicy"], "Never", "{name}: podFailurePolicy needs it");
        let arguments = &command_lines(name)[0].arguments;
        let most = job["activeDeadlineSeconds"].as_u64().expect("a deadline");
        assert!(most > longest(arguments), "{name}");
    }
    let helm_gives_up = 300;
    assert!(pods(HELM)[0].1["activeDeadlineSeconds"].as_u64().is_some_and(|s| s < helm_gives_up));
    let grace = flag(&command_lines(MANIFESTS[1])[0].arguments, "--grace").expect("a grace");
    let killed = pods(MANIFESTS[1])[0].0["terminationGracePeriodSeconds"].as_u64();
    assert!(killed.is_some_and(|killed| killed > seconds(&grace)));
}

/// One call of shopwarm in a file of `deploy/`.
struct CommandLine {
    arguments: Vec<String>,
    env: Vec<(String, String)>,
}

fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}

fn strings(list: &Value) -> Vec<String> {
    let items = list.as_array().into_iter().flatten();
    items.map(|item| item.as_str().expect("a string").to_owned()).collect()
}

fn in_unit(name: &str) -> Vec<CommandLine> {
    let line = directive(name, "ExecStart");
    let (program, rest) = line.split_once(' ').expect("arguments");
    assert!(program.ends_with("/shopwarm"), "{name}: {program}");
    vec![CommandLine { arguments: words(rest), env: Vec::new() }]
}

/// A container's `env`: names and values in the open.
fn variables(list: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let items = list.as_array().into_iter().flatten();
    items.map(|item| (text(&item["name"]), text(&item["value"]))).collect()
}

fn in_manifest(name: &str) -> Vec<CommandLine> {
    let containers = pods(name).into_iter().flat_map(|(pod, _)| containers(&pod));
    let ours = containers.filter(|container| container["name"] == "shopwarm");
    let line = |container: Value| CommandLine {
        arguments: strings(&container["args"]),
        env: variables(&container["env"]),
    };
    ours.map(line).collect()
}

fn in_workflow(name: &str) -> Vec<CommandLine> {
    let mut found = Vec::new();
    for step in yaml(&text(name))[0]["jobs"]["warmup"]["steps"].as_array().expect("steps") {
        let env = step["env"].as_object().into_iter().flatten();
        let env: Vec<(String, String)> =
            env.map(|(n, v)| (n.clone(), v.as_str().expect("text").to_owned())).collect();
        for line in step["run"].as_str().unwrap_or_default().lines() {
            if let Some(arguments) = line.trim().strip_prefix("shopwarm ") {
                found.push(CommandLine { arguments: words(arguments), env: env.clone() });
            }
        }
    }
    found
}

#[track_caller]
fn command_lines(name: &str) -> Vec<CommandLine> {
    let found = match name {
        name if name.ends_with(".service") => in_unit(name),
        WORKFLOW => in_workflow(name),
        _ => in_manifest(name),
    };
    assert!(!found.is_empty(), "{name} never calls shopwarm");
    found
}

/// The files with the URLs are not here or empty, which is a configuration error (4); what the command line does not know is 2.
#[test]
fn shopwarm_takes_every_command_line() {
    let files = SERVICES.into_iter().chain(MANIFESTS).chain([WORKFLOW]);
    let mut wrong = Vec::new();
    let credentials = tempfile::tempdir().expect("a folder");
    fs::write(credentials.path().join("database-url"), "").expect("a file");
    for name in files {
        for CommandLine { arguments, env } in command_lines(name) {
            let mut call = shopwarm("").env("CREDENTIALS_DIRECTORY", credentials.path());
            for argument in &arguments {
                call = call.arg(argument);
            }
            for (variable, value) in &env {
                call = call.env(variable, value);
            }
            let ended = call.run();
            if ended.code != 4 {
                let arguments = arguments.join(" ");
                wrong.push(format!(
                    "{name}: shopwarm {arguments}\nexit {}\n{}",
                    ended.code, ended.stderr
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A URL holds a password: it comes from a file, or from the workflow's secrets.
#[test]
fn no_secret_is_written_down() {
    let files = SERVICES.into_iter().chain(MANIFESTS).chain([WORKFLOW]);
    for name in files {
        for CommandLine { arguments, env } in command_lines(name) {
            for argument in &arguments {
                assert!(
                    !argument.contains("://") && !argument.contains("secrets."),
                    "{name}: {argument}"
                );
            }
            for (variable, value) in env.iter().filter(|(n, _)| n.ends_with("_URL")) {
                assert!(value.starts_with("${{ secrets."), "{name}: {variable}={value}");
            }
        }
    }
}

/// `Name = 4` of src/interfaces/exit.rs.
fn exits() -> Vec<(String, u64)> {
    let source = text("src/interfaces/exit.rs");
    let body = source.split_once("pub enum Exit {").expect("the exit codes").1;
    let body = body.split_once('}').expect("their end").0;
    let pairs = body.lines().filter_map(|line| line.trim().trim_end_matches(',').split_once(" = "));
    pairs.filter_map(|(n, c)| Some((n.to_owned(), c.parse().ok()?))).collect()
}

fn codes(list: &str) -> BTreeSet<u64> {
    list.split([',', ' '])
        .filter(|w| !w.is_empty())
        .map(|w| w.parse().unwrap_or_else(|e| panic!("{list}: {e}")))
        .collect()
}

/// Codes in a comment stand in parentheses or before a colon: `(5, 6)`, `8: another run`.
fn in_comments(text: &str) -> BTreeSet<u64> {
    let comments =
        text.lines().filter_map(|line| line.split_once("# ")).map(|(_, comment)| comment);
    let is_list = |list: &&str| {
        !list.is_empty() && list.chars().all(|c| c.is_ascii_digit() || ", ".contains(c))
    };
    comments
        .flat_map(|comment| comment.split(['(', ')', ':', '.', ';']))
        .map(str::trim)
        .filter(is_list)
        .flat_map(codes)
        .collect()
}

#[test]
fn exit_codes_are_those_of_the_program() {
    let known: BTreeSet<u64> = exits().into_iter().map(|(_, code)| code).collect();
    let mut named = Vec::new();
    for name in UNITS.into_iter().chain(MANIFESTS).chain([WORKFLOW]) {
        named.push((name, in_comments(&text(name))));
    }
    for unit in SERVICES {
        named.push((unit, codes(&directive(unit, "SuccessExitStatus"))));
    }
    for (name, codes) in named {
        let unknown: Vec<&u64> = codes.difference(&known).collect();
        assert!(unknown.is_empty(), "{name}: no exit {unknown:?} in src/interfaces/exit.rs");
    }
}

/// Usage, configuration, refused: and nothing else.
#[test]
fn what_a_retry_cannot_fix_is_not_retried() {
    let fatal = ["Usage", "Config", "Denied"];
    let fatal: BTreeSet<u64> = exits()
        .into_iter()
        .filter(|(name, _)| fatal.contains(&name.as_str()))
        .map(|(_, code)| code)
        .collect();
    assert_eq!(fatal.len(), 3, "{:?}", exits());
    for unit in SERVICES {
        let listed = codes(&directive(unit, "RestartPreventExitStatus"));
        assert_eq!(listed, fatal, "{unit}");
    }
    for name in [MANIFESTS[0], HELM] {
        let (pod, job) = pods(name).remove(0);
        let rule = &job["podFailurePolicy"]["rules"][0];
        assert_eq!(rule["action"], "FailJob", "{name}");
        let on = &rule["onExitCodes"];
        assert_eq!(on["containerName"], pod["containers"][0]["name"], "{name}");
        let listed = on["values"].as_array().expect("codes").iter();
        let listed: BTreeSet<u64> = listed.filter_map(Value::as_u64).collect();
        assert_eq!(listed, fatal, "{name}");
    }
}

#[test]
fn the_documentation_says_what_becomes_of_every_exit_code() {
    let page = text("docs/deploy.md");
    let section = page.split_once("\n## Where to run it\n").expect("the section").1;
    let section = section.split("\n## ").next().unwrap_or_default();
    let table = section.split_once("| exit | Kubernetes").expect("the table").1;
    let rows = table.lines().filter_map(|row| row.strip_prefix("| ")?.split(" |").next());
    let listed: BTreeSet<u64> = rows.flat_map(codes).collect();
    let known: BTreeSet<u64> = exits().into_iter().map(|(_, code)| code).collect();
    assert_eq!(listed, known);
    for name in UNITS.into_iter().chain(MANIFESTS).chain([NETWORK, WORKFLOW, DOCKERFILE]) {
        assert!(section.contains(&format!("](../{name})")), "no {name}");
    }
}

/// Docker's instructions: the word and what follows, one a line.
fn instructions() -> Vec<(String, String)> {
    let file = text(DOCKERFILE).replace("\\\n", " ");
    let lines = file.lines().filter(|line| !line.starts_with('#'));
    let pairs = lines.filter_map(|line| line.split_once(' '));
    pairs.map(|(word, rest)| (word.to_owned(), rest.to_owned())).collect()
}

/// The last stage's, by their word.
fn in_the_image(word: &str) -> Option<String> {
    let all = instructions();
    let last = all.iter().rposition(|(word, _)| word == "FROM").expect("a FROM");
    let found = all[last..].iter().rfind(|(w, _)| w == word);
    found.map(|(_, rest)| rest.clone())
}

#[test]
fn the_linter_takes_the_dockerfile() {
    accepted(tool("hadolint").arg(root().join(DOCKERFILE)));
}

#[test]
fn the_image_runs_shopwarm_and_not_as_root() {
    let user = in_the_image("USER").expect("a USER");
    let numbers: Vec<u32> = user.split(':').map(|n| n.parse().expect("a number")).collect();
    assert!(!numbers.contains(&0), "{user}");
    let entry = in_the_image("ENTRYPOINT").expect("an ENTRYPOINT");
    let entry: Vec<String> = serde_json::from_str(&entry).expect("the exec form");
    let copied = in_the_image("COPY").expect("a COPY");
    assert_eq!(
        entry,
        [copied.split_whitespace().last().expect("a place")],
        "what is copied is what runs"
    );
    for name in MANIFESTS {
        for (pod, _) in pods(name) {
            for container in containers(&pod).iter().filter(|c| c["name"] == "shopwarm") {
                let id = setting(&pod, container, "runAsUser").as_u64();
                let ours = Some(u64::from(numbers[0]));
                assert_eq!(id, ours, "{name}: not the image's user");
            }
        }
    }
}

/// The build gets exactly these files: they are there, Docker may send them, and cargo finds the binary in them.
#[test]
fn the_image_is_built_from_what_it_copies() {
    let ignore = text(".dockerignore");
    let dir = tempfile::tempdir().expect("a temporary folder");
    for (_, rest) in instructions().iter().filter(|(word, _)| word == "COPY") {
        let mut places = words(rest);
        if places[0].starts_with("--from=") {
            continue;
        }
        places.pop();
        for place in places {
            let sent = ignore.lines().any(|line| line == format!("!{place}"));
            assert!(sent, "{place} is not sent to Docker");
            let mut copy = Command::new("cp");
            accepted(copy.arg("-r").arg(root().join(&place)).arg(dir.path()));
        }
    }
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["metadata", "--offline", "--no-deps", "--format-version=1", "--quiet"]);
    let said = accepted(cargo.current_dir(dir.path()));
    let project: Value = serde_json::from_str(&said).expect("JSON");
    let targets = project["packages"][0]["targets"].as_array().expect("targets");
    assert!(targets.iter().any(|t| t["kind"][0] == "bin"), "{targets:#?}");
}

#[test]
fn the_image_is_built_with_the_rust_that_cargo_toml_names() {
    let rust = env!("CARGO_PKG_RUST_VERSION");
    let (_, first) = instructions().remove(0);
    assert!(first.starts_with(&format!("rust:{rust}-")), "{first}, not {rust}");
    let build = instructions().into_iter().find(|(_, rest)| rest.contains("cargo build"));
    assert!(build.is_some_and(|(_, rest)| rest.contains("--locked")));
}

/// `distroless/cc` has these; `static` would have none of them.
#[test]
#[cfg(target_os = "linux")]
fn the_image_has_the_libraries_that_the_binary_needs() {
    let image = in_the_image("FROM").expect("a FROM");
    assert!(image.contains("/distroless/cc-"), "{image}");
    let libraries = accepted(Command::new("ldd").arg(binary()));
    for library in libraries.lines().map(str::trim) {
        let there = ["libc.so", "libm.so", "libgcc_s.so", "linux-vdso.so", "/lib"];
        assert!(there.iter().any(|name| library.starts_with(name)), "{library}: is it in {image}?");
    }
}

#[test]
fn systemds_credentials_have_the_names_that_are_looked_for() {
    for unit in SERVICES {
        let dir = tempfile::tempdir().expect("a folder");
        let credentials = directives(unit).into_iter();
        let credentials = credentials.filter(|(name, _)| name == "LoadCredential");
        let mut count = 0;
        for (_, credential) in credentials {
            let (name, _) = credential.split_once(':').expect("a name and a file");
            let secret = format!("sqlite:/{}", "from-systemd");
            fs::write(dir.path().join(name), secret).expect("a file");
            count += 1;
        }
        let show = shopwarm("config show -o json").env("CREDENTIALS_DIRECTORY", dir.path());
        let settings = show.run().expect(0).json();
        let settings = settings["settings"].as_array().expect("a list").clone();
        let from = |s: &&Value| s["from"].as_str().is_some_and(|f| f.starts_with("systemd"));
        assert_eq!(settings.iter().filter(from).count(), count, "{unit}");
    }
}
