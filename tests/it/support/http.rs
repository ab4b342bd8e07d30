//! `shopwarm serve` as a child, and a small HTTP/1.1 client. What a server answers is checked
//! against what its `/openapi.json` promises, in every test.
#![allow(dead_code, reason = "a toolbox: not every test run uses every tool")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::faults::until;
use crate::support::servers::PATIENCE;
use crate::support::shopwarm::{Finished, Shopwarm};
use crate::support::tools::tool;

/// No password or token of these tests may be seen anywhere.
const SECRETS: [&str; 4] = ["shop-secret", "admin-secret", "hunter2", "a-token-nobody-knows"];

/// A token for tests.
pub const TOKEN: &str = "a-token-nobody-knows-42";

/// A running `shopwarm serve`; it ends with this value.
pub struct Server {
    child: Child,
    pub port: u16,
    said: Arc<Mutex<String>>,
    reading: Option<JoinHandle<()>>,
    token: Option<&'static str>,
    samples: Mutex<Vec<Value>>,
}

impl Server {
    /// Starts `shopwarm serve` as it is told to and waits until it listens.
    #[track_caller]
    pub fn start(command: Shopwarm) -> Server {
        let mut child = command.start();
        drop((child.stdin.take(), child.stdout.take()));
        let said = Arc::new(Mutex::new(String::new()));
        let stderr = BufReader::new(child.stderr.take().expect("piped"));
        let saying = Arc::clone(&said);
        let reading = thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                let mut said = saying.lock().expect("a text");
                said.push_str(&line);
                said.push('\n');
            }
        });
        let mut server = Server {
            child,
            port: 0,
            said,
            reading: Some(reading),
            token: None,
            samples: Mutex::default(),
        };
        until("it listens or has ended", || {
            server.said().contains("listening on http://") || server.has_ended()
        });
        let said = server.said();
        let (_, after) = said
            .split_once("listening on http://")
            .unwrap_or_else(|| panic!("it does not listen:\n{said}"));
        let address: String = after.chars().take_while(|c| !matches!(c, ' ' | '\n')).collect();
        let (_, port) = address.rsplit_once(':').expect("a port");
        server.port = port.parse().expect("a port");
        // What its answers are checked against.
        server.get("/openapi.json").expect(200);
        server
    }

    /// The same for a server that wants [`TOKEN`]; requests bring it.
    #[track_caller]
    pub fn start_with_token(command: Shopwarm) -> Server {
        let mut server = Server::start(command.env("SHOPWARM_TOKEN", TOKEN));
        server.token = Some(TOKEN);
        server
    }

    /// Requests bring this token from now on.
    pub fn bring(&mut self, token: Option<&'static str>) {
        self.token = token;
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// All that it has said on stderr.
    pub fn said(&self) -> String {
        self.said.lock().expect("a text").clone()
    }

    /// Waits until it has said this on stderr, and returns all it said.
    #[track_caller]
    pub fn hears(&self, word: &str) -> String {
        let asked = Instant::now();
        while !self.said().contains(word) {
            assert!(asked.elapsed() < PATIENCE, "it never said {word:?}:\n{}", self.said());
            thread::sleep(Duration::from_millis(10));
        }
        self.said()
    }

    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("a child").is_some()
    }

    /// Sends a signal, such as `TERM`.
    pub fn signal(&self, signal: &str) {
        let id = self.id().to_string();
        let sent = Command::new("kill").args(["-s", signal, &id]).status();
        assert!(sent.expect("kill").success(), "it has ended already");
    }

    /// Waits for its end, that somebody has asked for.
    #[track_caller]
    pub fn end(mut self) -> Finished {
        use std::os::unix::process::ExitStatusExt as _;
        until("the server has ended", || self.has_ended());
        let status = self.child.wait().expect("a child");
        if let Some(reading) = self.reading.take() {
            reading.join().expect("stderr is text");
        }
        Finished {
            code: status.code().unwrap_or_else(|| -status.signal().unwrap_or(0)),
            stdout: String::new(),
            stderr: self.said(),
        }
    }

    pub fn ask(&self, method: &'static str, path: &str) -> Ask<'_> {
        let ask = Ask {
            server: self,
            method,
            path: path.to_owned(),
            headers: vec![("Connection".to_owned(), "close".to_owned())],
            body: Vec::new(),
        };
        match self.token {
            Some(token) => ask.token(token),
            None => ask,
        }
    }

    #[track_caller]
    pub fn get(&self, path: &str) -> Answer {
        self.ask("GET", path).send()
    }

    #[track_caller]
    pub fn post(&self, path: &str) -> Answer {
        self.ask("POST", path).send()
    }

    #[track_caller]
    pub fn post_json(&self, path: &str, body: &Value) -> Answer {
        self.ask("POST", path).json(body).send()
    }

    /// What a GET answers with 200.
    #[track_caller]
    pub fn json(&self, path: &str) -> Value {
        self.get(path).expect(200).json()
    }

    /// Starts a run without waiting for it; returns its id.
    #[track_caller]
    pub fn start_run(&self, path: &str) -> String {
        let answer = self.post(&format!("{path}?wait=false")).expect(202);
        answer.json()["run_id"].as_str().expect("an id").to_owned()
    }

    /// The events of a run, after event `last`, up to the stream's end.
    #[track_caller]
    pub fn events(&self, run: &str, last: Option<u64>) -> Vec<Told> {
        self.listen(run, last).collect()
    }

    /// The events of a run as they come.
    #[track_caller]
    pub fn listen(&self, run: &str, last: Option<u64>) -> Listening {
        let mut ask = self.ask("GET", &format!("/admin/runs/{run}/events"));
        if let Some(last) = last {
            ask = ask.header("Last-Event-ID", &last.to_string());
        }
        let reply = ask.open();
        assert_eq!(reply.status, 200);
        assert_eq!(reply.header("content-type"), Some("text/event-stream"));
        Listening(BufReader::new(reply.body))
    }

    /// An open connection to write odd things to.
    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).expect("a connection");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(reading) = self.reading.take() {
            let _ = reading.join();
        }
        if thread::panicking() {
            eprintln!("--- the server said\n{}", self.said());
            return;
        }
        let samples = std::mem::take(&mut *self.samples.lock().expect("a list"));
        let said = format!("{}{}", self.said(), Value::from(samples.clone()));
        for secret in SECRETS {
            assert!(!said.contains(secret), "{secret} in\n{said}");
        }
        assert!(!said.contains("panicked"), "{said}");
        check(&samples);
    }
}

/// A request that is being put together.
pub struct Ask<'a> {
    server: &'a Server,
    method: &'static str,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Ask<'_> {
    /// A header; one of the same name is replaced.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    #[must_use]
    pub fn token(self, token: &str) -> Self {
        self.header("Authorization", &format!("Bearer {token}"))
    }

    #[must_use]
    pub fn key(self, key: &str) -> Self {
        self.header("Idempotency-Key", key)
    }

    #[must_use]
    pub fn json(self, body: &Value) -> Self {
        self.header("Content-Type", "application/json").body(body.to_string())
    }

    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    #[track_caller]
    pub fn send(self) -> Answer {
        let (server, method, path) = (self.server, self.method, self.path.clone());
        let mut reply = self.open();
        let mut body = Vec::new();
        if method != "HEAD" {
            reply.body.read_to_end(&mut body).expect("a body");
        }
        let answer = Answer {
            status: reply.status,
            headers: reply.headers,
            body: String::from_utf8(body).expect("text"),
        };
        server.samples.lock().expect("a list").push(json!({
            "method": method, "path": path, "status": answer.status, "port": server.port,
            "content_type": answer.header("content-type"), "body": answer.body,
        }));
        answer
    }

    /// Sends it and reads the head of the answer.
    #[track_caller]
    pub fn open(self) -> Reply {
        let mut stream = self.server.connect();
        let host = self.server.address();
        let has_host = |(name, _): &(String, String)| name.eq_ignore_ascii_case("host");
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.path);
        if !self.headers.iter().any(has_host) {
            head += &format!("Host: {host}\r\n");
        }
        for (name, value) in &self.headers {
            head += &format!("{name}: {value}\r\n");
        }
        if !self.body.is_empty() {
            head += &format!("Content-Length: {}\r\n", self.body.len());
        }
        head += "\r\n";
        stream.write_all(head.as_bytes()).expect("sent");
        // One that is refused for its length need not be taken.
        let _ = stream.write_all(&self.body);
        Reply::read(stream).expect("an answer")
    }
}

/// An answer of which the body is still to come.
pub struct Reply {
    pub status: u16,
    headers: Vec<(String, String)>,
    pub body: Body,
}

impl Reply {
    /// Reads the head; `None`: the connection was closed.
    pub fn read(stream: TcpStream) -> Option<Reply> {
        let mut stream = BufReader::new(stream);
        let mut line = String::new();
        stream.read_line(&mut line).ok()?;
        let status = line.split(' ').nth(1)?.parse().ok()?;
        let mut headers = Vec::new();
        loop {
            let mut line = String::new();
            stream.read_line(&mut line).ok()?;
            let Some((name, value)) = line.trim_end().split_once(':') else {
                break;
            };
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let find = |name: &str| headers.iter().find(|(n, _)| n == name).map(|(_, v)| v);
        let left = match (find("transfer-encoding"), find("content-length")) {
            (Some(_), _) => Left::Chunks(0),
            (_, Some(length)) => Left::Bytes(length.parse().ok()?),
            _ => Left::All,
        };
        Some(Reply { status, headers, body: Body { stream, left } })
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }
}

fn find<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let found = headers.iter().find(|(known, _)| known == name);
    found.map(|(_, value)| value.as_str())
}

pub struct Body {
    stream: BufReader<TcpStream>,
    left: Left,
}

enum Left {
    Bytes(usize),
    /// Of this chunk.
    Chunks(usize),
    All,
}

impl Read for Body {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if let Left::Chunks(0) = self.left {
            let mut size = String::new();
            while size.trim().is_empty() {
                size.clear();
                if self.stream.read_line(&mut size)? == 0 {
                    return Err(std::io::ErrorKind::UnexpectedEof.into());
                }
            }
            let size = usize::from_str_radix(size.trim(), 16).expect("a chunk's size");
            self.left = if size == 0 { Left::Bytes(0) } else { Left::Chunks(size) };
        }
        let (Left::Bytes(left) | Left::Chunks(left)) = &mut self.left else {
            return self.stream.read(buffer);
        };
        let most = buffer.len().min(*left);
        let read = self.stream.read(&mut buffer[..most])?;
        *left -= read;
        Ok(read)
    }
}

/// A whole answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    headers: Vec<(String, String)>,
    pub body: String,
}

impl Answer {
    /// Panics with what was answered unless it has this status.
    #[track_caller]
    pub fn expect(self, status: u16) -> Answer {
        assert_eq!(self.status, status, "{}", self.body);
        self
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e} in {self:?}"))
    }

    /// A refusal in the form of all refusals: with this status, and these words in its detail.
    #[track_caller]
    pub fn refuses(self, status: u16, words: &[&str]) -> Value {
        let answer = self.expect(status);
        let kind = answer.header("content-type");
        assert_eq!(kind, Some("application/problem+json"), "{}", answer.body);
        let problem = answer.json();
        assert_eq!(problem["status"], status);
        assert!(!problem["title"].as_str().expect("a title").is_empty());
        let detail = problem["detail"].as_str().expect("a detail");
        for word in words {
            assert!(detail.contains(word), "no {word:?} in {detail}");
        }
        problem
    }
}

/// An event as a client gets it.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    pub id: Option<u64>,
    pub name: String,
    pub data: Value,
}

/// Events as they come.
pub struct Listening(BufReader<Body>);

impl Iterator for Listening {
    type Item = Told;

    fn next(&mut self) -> Option<Told> {
        let (mut id, mut name, mut data) = (None, None, None);
        loop {
            let mut line = String::new();
            if self.0.read_line(&mut line).expect("a stream") == 0 {
                return None;
            }
            match line.trim_end_matches('\n').split_once(": ") {
                Some(("id", text)) => id = text.parse().ok(),
                Some(("event", text)) => name = Some(text.to_owned()),
                Some(("data", text)) => data = serde_json::from_str(text).ok(),
                _ if name.is_some() => break,
                // A comment keeps the connection alive.
                _ => {}
            }
        }
        let (name, data) = (name?, data.expect("JSON"));
        Some(Told { id, name, data })
    }
}

/// Checks answers against what `/openapi.json` promises of them.
pub fn check(samples: &[Value]) {
    let mut python = tool("python3")
        .args(["-I", "-c", include_str!("../../fixtures/openapi.py")])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("Python");
    let openapi: &Value = samples
        .iter()
        .find(|sample| sample["path"] == "/openapi.json")
        .map_or(&Value::Null, |sample| &sample["body"]);
    let input = json!({ "openapi": openapi, "samples": samples });
    let mut stdin = python.stdin.take().expect("piped");
    stdin.write_all(input.to_string().as_bytes()).expect("written");
    drop(stdin);
    let done = python.wait_with_output().expect("Python");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}
