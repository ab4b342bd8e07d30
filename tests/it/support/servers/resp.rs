//! Asks a Redis server over its socket, and gives the answer as `redis-cli` prints it into a pipe.

use std::io::Write as _;
use std::os::unix::net::UnixStream;
use std::path::Path;

use redis::{Cmd, Parser, Value};

use super::process::PATIENCE;

pub fn ask(socket: &Path, words: &[&str]) -> String {
    let mut command = Cmd::new();
    for word in words {
        command.arg(word);
    }
    let mut server = UnixStream::connect(socket).unwrap();
    server.set_read_timeout(Some(PATIENCE)).unwrap();
    server.write_all(&command.get_packed_command()).unwrap();
    let answer = Parser::new().parse_value(&mut server);
    let answer = answer.unwrap_or_else(|error| panic!("{words:?}: {error}"));
    printed(&answer).trim_end_matches('\n').to_owned()
}

fn printed(answer: &Value) -> String {
    match answer {
        Value::Nil => String::new(),
        Value::Okay => "OK".to_owned(),
        Value::Int(number) => number.to_string(),
        Value::SimpleString(text) => text.clone(),
        Value::BulkString(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Value::ServerError(error) => {
            [error.code(), error.details().unwrap_or_default()].join(" ").trim_end().to_owned()
        }
        Value::Array(all) => all.iter().map(printed).collect::<Vec<_>>().join("\n"),
        other => panic!("{other:?}"),
    }
}
