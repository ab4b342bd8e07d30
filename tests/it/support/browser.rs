//! A real browser, driven through its driver's own protocol (W3C WebDriver: JSON over HTTP).

use std::fs::{self, File, Permissions};
use std::io::{BufRead, BufReader, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::servers::{PATIENCE, find, supervise, temp_dir};
use crate::support::tools::axe;

/// Chromium without a window, with a profile of its own. Dropping it ends it and its driver.
pub struct Browser {
    driver: Child,
    port: u16,
    session: String,
    dir: TempDir,
    home: TempDir,
}

/// The answer to an HTTP request.
pub struct Answer {
    pub status: u16,
    pub body: Value,
}

impl Browser {
    pub fn open() -> Browser {
        let (dir, home) = (temp_dir(), temp_dir());
        // Whatever happens to the test, neither of the two stays.
        supervise(std::process::id(), dir.path());
        supervise(std::process::id(), home.path());
        let driver = launch(dir.path());
        let mut browser = Browser { driver, port: 0, session: String::new(), dir, home };
        browser.port =
            until("the driver's port", || browser.announced().or_else(|| browser.relaunch()));
        browser.begin();
        browser
    }

    /// The driver ends if somebody takes the port that it has chosen: then it chooses another.
    fn relaunch(&mut self) -> Option<u16> {
        let ended = self.driver.try_wait().expect("the driver's state");
        if ended.is_some() {
            self.driver = launch(self.dir.path());
        }
        None
    }

    /// The port that the driver says it took.
    fn announced(&self) -> Option<u16> {
        let log = fs::read_to_string(self.dir.path().join("log")).ok()?;
        let (_, after) = log.split_once("successfully on port ")?;
        let (port, _) = after.split_once('.')?;
        port.parse().ok()
    }

    fn begin(&mut self) {
        let profile = format!("--user-data-dir={}", self.home.path().display());
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--window-size=1400,900",
            &profile,
        ];
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome",
            "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
            "goog:chromeOptions": { "binary": self.starter(), "args": arguments },
        } } });
        let session = self.call("POST", "/session", Some(wanted));
        self.session = text(&session["sessionId"]);
        // What it opens by itself is not what the test asks for.
        self.go("about:blank");
        self.requests();
    }

    /// The browser writes its number down before it starts, as all servers of the tests do.
    fn starter(&self) -> PathBuf {
        let file = self.dir.path().join("chromium");
        let (home, chromium) = (self.home.path().display(), find("chromium"));
        let chromium = chromium.display();
        let script = format!("#!/bin/sh\ncd {home} && echo $$ >pid && exec {chromium} \"$@\"\n");
        fs::write(&file, script).expect("a file");
        fs::set_permissions(&file, Permissions::from_mode(0o755)).expect("a program");
        file
    }

    /// A call of the driver; panics with what it complains of.
    #[track_caller]
    fn call(&self, method: &str, path: &str, body: Option<Value>) -> Value {
        let answer = http(self.port, method, path, &[], body).expect("the driver answers");
        assert_eq!(answer.status, 200, "{method} {path}: {:#}", answer.body);
        answer.body["value"].clone()
    }

    #[track_caller]
    fn post(&self, path: &str, body: Value) -> Value {
        let path = format!("/session/{}{path}", self.session);
        self.call("POST", &path, Some(body))
    }

    #[track_caller]
    pub fn go(&self, url: &str) {
        self.post("/url", json!({ "url": url }));
    }

    /// Makes the view this wide, however narrow a window may be.
    #[track_caller]
    pub fn resize(&self, width: u32) {
        let view =
            json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false });
        self.devtools("Emulation.setDeviceMetricsOverride", view);
    }

    /// What a function's body returns, run in the page.
    #[track_caller]
    pub fn script(&self, script: &str, arguments: Value) -> Value {
        self.post("/execute/sync", json!({ "script": script, "args": arguments }))
    }

    /// What a function's body hands to its only argument.
    #[track_caller]
    pub fn script_later(&self, script: &str) -> Value {
        self.post("/execute/async", json!({ "script": script, "args": [] }))
    }

    /// The visible text of every element that the selector finds.
    #[track_caller]
    pub fn texts(&self, selector: &str) -> Vec<String> {
        // Of what is not shown, `innerText` is all that it holds.
        let script = "return [...document.querySelectorAll(arguments[0])]
            .map((found) => found.checkVisibility() ? found.innerText : '')";
        let found = self.script(script, json!([selector]));
        found.as_array().expect("a list").iter().map(text).collect()
    }

    /// The visible text of the first such element, as soon as there is one.
    #[track_caller]
    pub fn text(&self, selector: &str) -> String {
        until(selector, || self.texts(selector).into_iter().next())
    }

    /// Waits until the first such element has a text that says this.
    #[track_caller]
    pub fn sees(&self, selector: &str, words: &str) -> String {
        let what = format!("{words:?} in {selector}");
        until(&what, || {
            let found = self.texts(selector).into_iter().next();
            found.filter(|found| found.contains(words))
        })
    }

    /// Clicks as a person does: it must be there, in view, and not behind something else.
    #[track_caller]
    pub fn click(&self, selector: &str) {
        let element = self.element(selector);
        self.post(&format!("/element/{element}/click"), json!({}));
    }

    #[track_caller]
    pub fn write(&self, selector: &str, text: &str) {
        let element = self.element(selector);
        self.post(&format!("/element/{element}/clear"), json!({}));
        self.post(&format!("/element/{element}/value"), json!({ "text": text }));
    }

    /// Presses keys one after another: text, or what WebDriver calls them.
    #[track_caller]
    pub fn press(&self, keys: &[&str]) {
        let strokes = keys.iter().flat_map(|key| {
            let stroke = |kind: &str| json!({ "type": kind, "value": key });
            [stroke("keyDown"), stroke("keyUp")]
        });
        let keyboard =
            json!({ "type": "key", "id": "keyboard", "actions": strokes.collect::<Vec<_>>() });
        self.post("/actions", json!({ "actions": [keyboard] }));
    }

    /// What a rule book of accessibility finds wrong with what is shown now.
    #[track_caller]
    pub fn violations(&self) -> Vec<String> {
        // As a script of the driver, which the page's own policy does not hold back.
        self.script(&axe(), json!([]));
        let run = "const [done] = arguments;
            axe.run(document).then(({ violations }) => done(violations.flatMap((rule) =>
                rule.nodes.map((node) => `${rule.id}: ${node.html}`))), (error) => done([String(error)]))";
        let found = self.script_later(run);
        found.as_array().expect("a list").iter().map(text).collect()
    }

    /// A command of the browser's own protocol.
    #[track_caller]
    pub fn devtools(&self, command: &str, parameters: Value) {
        let body = json!({ "cmd": command, "params": parameters });
        self.post("/goog/cdp/execute", body);
    }

    #[track_caller]
    fn element(&self, selector: &str) -> String {
        self.text(selector);
        let found = self.post("/element", json!({ "using": "css selector", "value": selector }));
        let (_, id) = found.as_object().and_then(|found| found.iter().next()).expect("a reference");
        text(id)
    }

    /// What the page complained of since it was last asked.
    pub fn complaints(&self) -> Vec<String> {
        let log = self.post("/se/log", json!({ "type": "browser" }));
        let lines = log.as_array().expect("a list").iter();
        lines
            .filter(|line| ["SEVERE", "WARNING"].contains(&line["level"].as_str().unwrap_or("")))
            .map(|line| text(&line["message"]))
            .collect()
    }

    /// The addresses that were asked for since this was last asked.
    pub fn requests(&self) -> Vec<String> {
        let log = self.post("/se/log", json!({ "type": "performance" }));
        let lines = log.as_array().expect("a list").iter();
        let events = lines.map(|line| serde_json::from_str::<Value>(&text(&line["message"])));
        events
            .map(|event| event.expect("JSON")["message"].take())
            .filter(|event| {
                let asked = ["Network.requestWillBeSent", "Network.webSocketCreated"];
                asked.contains(&event["method"].as_str().unwrap_or(""))
            })
            .map(|event| {
                let of = &event["params"];
                let url = of["request"]["url"].as_str().or(of["url"].as_str());
                url.expect("an address").to_owned()
            })
            .collect()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if !self.session.is_empty() {
            let path = format!("/session/{}", self.session);
            let _ = http(self.port, "DELETE", &path, &[], None);
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
        end_all_in(self.home.path());
    }
}

/// Ends what still works in this folder of ours: the browser, where its session did not end it.
fn end_all_in(dir: &Path) {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    for process in processes {
        let works_in = fs::read_link(process.path().join("cwd"));
        if works_in.is_ok_and(|place| place.starts_with(dir)) {
            let mut kill = Command::new("kill");
            kill.args(["-s", "KILL"]).arg(process.file_name());
            let _ = kill.stderr(Stdio::null()).status();
        }
    }
}

/// The driver, on a port that it chooses and tells in its log.
fn launch(dir: &Path) -> Child {
    let log = File::create(dir.join("log")).expect("a file");
    Command::new("sh")
        .args(["-c", "echo $$ >pid && exec \"$@\"", "sh"])
        .arg(find("chromedriver"))
        .arg("--port=0")
        .current_dir(dir)
        .env("HOME", dir)
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("a file"))
        .stderr(log)
        .spawn()
        .expect("the driver starts")
}

/// Waits for something to be there.
#[track_caller]
pub fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let asked = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(asked.elapsed() < PATIENCE, "still waiting for {what}");
        thread::sleep(Duration::from_millis(50));
    }
}

/// One request to a server of this machine, JSON both ways.
pub fn http(
    port: u16,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: Option<Value>,
) -> std::io::Result<Answer> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let body = body.map(|body| body.to_string()).unwrap_or_default();
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n");
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    if !body.is_empty() {
        head += "Content-Type: application/json\r\n";
    }
    head += &format!("Content-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    stream.write_all((head + &body).as_bytes())?;
    answered(BufReader::new(stream))
}

/// Reads as much as the head says: the browser's driver does not hang up.
fn answered(mut from: impl BufRead) -> std::io::Result<Answer> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") && from.read_line(&mut head)? > 0 {}
    let head = head.to_ascii_lowercase();
    let length = head
        .split("content-length:")
        .nth(1)
        .and_then(|after| after.lines().next()?.trim().parse().ok());
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    let mut body = vec![0; length.expect("a length")];
    from.read_exact(&mut body)?;
    let body = String::from_utf8_lossy(&body).into_owned();
    Ok(Answer {
        status: status.expect("a status"),
        body: serde_json::from_str(&body).unwrap_or_else(|_| body.into()),
    })
}

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}
