//! What other languages read and write: their programs are given a script and answer in JSON.

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::servers::Redis;
use super::tools::tool;

/// What a Python script prints, as JSON. `given` is its input, `cache` the Redis if there is one.
pub fn python(script: &str, input: &str, redis: Option<&Redis>) -> Value {
    let connect = redis.map_or_else(String::new, |redis| {
        let url = redis.url();
        format!("import redis; url = '{url}'; cache = redis.Redis.from_url(url)\n")
    });
    let script = format!("import sys, json; given = sys.stdin.read()\n{connect}{script}");
    answer(tool("python").args(["-c", &script]), input)
}

/// What a Node script prints, as JSON. `given` is its input.
pub fn node(script: &str, input: &str) -> Value {
    let script = format!("const given = require('fs').readFileSync(0, 'utf8');\n{script}");
    answer(Command::new("node").args(["-e", &script]), input)
}

/// What a PHP script prints, as JSON. `$in` is its input, `$redis` the cache if there is one.
pub fn php(script: &str, input: &str, redis: Option<&Redis>) -> Value {
    let connect = redis.map_or_else(String::new, |redis| {
        let port = port(redis);
        format!("$redis = new Redis(); $redis->connect('127.0.0.1', {port});")
    });
    let script = format!("$in = stream_get_contents(STDIN); {connect} {script}");
    answer(Command::new("php").args(["-d", "memory_limit=1G", "-r", &script]), input)
}

fn port(redis: &Redis) -> String {
    let url = redis.url();
    let (_, address) = url.rsplit_once(':').expect("a port");
    address.chars().take_while(char::is_ascii_digit).collect()
}

#[track_caller]
fn answer(command: &mut Command, input: &str) -> Value {
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.stderr(Stdio::piped()).spawn().expect("it starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    let input = input.to_owned();
    let writing = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    writing.join().expect("written").expect("it reads");
    let text = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}{said}"))
}
