//! The option file of MySQL's and MariaDB's clients, `~/.my.cnf`: its section `[client]`.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use url::Url;

use super::client_files::{at_home, shown, text, unusable};
use crate::domain::failure::Failure;

/// In a URL, as Python's drivers call it: another file.
const FILE: &str = "read_default_file";

/// Options that a URL takes as parameters of these names.
const PARAMETERS: [(&str, &str); 5] = [
    ("socket", "socket"),
    ("ssl-ca", "ssl-ca"),
    ("ssl-cert", "ssl-cert"),
    ("ssl-key", "ssl-key"),
    ("ssl-mode", "ssl-mode"),
];

const ACCOUNT: [&str; 5] = ["host", "port", "user", "password", "database"];

/// Options that change nothing for us: what a terminal shows, character sets, timeouts, sizes.
const WITHOUT_EFFECT: &str = "auto-rehash character-sets-dir compress connect-timeout \
    default-character-set local-infile max-allowed-packet net-buffer-length no-auto-rehash \
    no-beep pager prompt quick reconnect safe-updates select-limit skip-auto-rehash table";

struct Options {
    path: PathBuf,
    all: Vec<(String, String)>,
}

/// The URL with what it leaves to the file; `None`: it says all itself, or there is no file.
pub(super) fn completed(url: &str) -> Result<Option<String>, Failure> {
    // Others say what is wrong with it.
    let Ok(mut parsed) = Url::parse(url) else {
        return Ok(None);
    };
    let pairs: Vec<(String, String)> = parsed.query_pairs().into_owned().collect();
    let named = pairs.iter().find(|(name, _)| name == FILE);
    let place = url.split('?').next().and_then(|place| place.rsplit_once('@'));
    let says_password = place.is_some_and(|(user, _)| user.matches(':').count() > 1);
    if named.is_none() && !parsed.username().is_empty() && says_password {
        return Ok(None);
    }
    let Some(options) = Options::read(named.map(|(_, path)| path.as_str()))? else {
        return Ok(None);
    };
    let others = pairs.iter().filter(|(name, _)| name != FILE);
    let others: Vec<_> = others.cloned().collect();
    parsed.set_query(None);
    if !others.is_empty() {
        parsed.query_pairs_mut().extend_pairs(&others);
    }
    options.fill(&mut parsed, says_password)?;
    Ok(Some(parsed.into()))
}

/// A URL of `~/.my.cnf` alone, if it names a database.
pub(super) fn url() -> Result<Option<String>, Failure> {
    let Some(options) = Options::read(None)? else {
        return Ok(None);
    };
    if options.get("database").is_none() {
        return Ok(None);
    }
    completed("mysql:///")
}

impl Options {
    /// The named file, or the one at home if there is one.
    fn read(named: Option<&str>) -> Result<Option<Self>, Failure> {
        let path = named.map(PathBuf::from).or_else(|| at_home(".my.cnf"));
        let Some(path) = path else { return Ok(None) };
        let Some(text) = text(&path)? else {
            return match named {
                Some(_) => Err(unusable(&path, format!("{FILE} names it, and it is not there"))),
                None => Ok(None),
            };
        };
        let all = of_client(&text);
        if all.is_empty() {
            return Ok(None);
        }
        let mode = std::fs::metadata(&path).map_or(0, |file| file.permissions().mode());
        if mode & 0o002 != 0 {
            let why = "everybody may write it, so MySQL's own clients ignore it too";
            return Err(unusable(&path, why).hint(format!("chmod 600 {}", path.display())));
        }
        let unknown = |name: &str| {
            !ACCOUNT.contains(&name)
                && PARAMETERS.iter().all(|(known, _)| *known != name)
                && !WITHOUT_EFFECT.split_whitespace().any(|known| known == name)
        };
        if let Some((name, _)) = all.iter().find(|(name, _)| unknown(name)) {
            let why = format!("shopwarm does not know {} in [client]", shown(name));
            return Err(unusable(&path, why).hint("give user and password in the database URL"));
        }
        Ok(Some(Self { path, all }))
    }

    /// Of an option that is given twice, the last counts.
    fn get(&self, name: &str) -> Option<&str> {
        let mut all = self.all.iter().rev();
        all.find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    fn fill(&self, url: &mut Url, says_password: bool) -> Result<(), Failure> {
        let unfit = |()| unusable(&self.path, "a value in [client] does not fit a URL");
        let says_host = url.host_str().is_some_and(|host| !host.is_empty());
        if !says_host {
            let host = self.get("host").unwrap_or("localhost");
            url.set_host(Some(host)).map_err(|_| unfit(()))?;
            if let Some(port) = self.get("port") {
                let port = port.parse().map_err(|_| unfit(()))?;
                url.set_port(Some(port)).map_err(unfit)?;
            }
        }
        if let Some(database) = self.get("database").filter(|_| url.path().len() < 2) {
            url.set_path(database);
        }
        let mine = self.get("user");
        if let Some(user) = mine.filter(|_| url.username().is_empty()) {
            url.set_username(user).map_err(unfit)?;
        }
        // The password of another user is none of ours.
        let is_mine = mine.is_none_or(|user| encoded(user) == url.username());
        if let Some(password) = self.get("password").filter(|_| is_mine && !says_password) {
            url.set_password(Some(password)).map_err(unfit)?;
        }
        let said: Vec<String> = url.query_pairs().map(|(name, _)| name.into_owned()).collect();
        for (option, parameter) in PARAMETERS {
            let is_said =
                said.iter().any(|name| name == parameter) || (option == "socket" && says_host);
            if let Some(value) = self.get(option).filter(|_| !is_said) {
                url.query_pairs_mut().append_pair(parameter, value);
            }
        }
        Ok(())
    }
}

/// A user as a URL writes it.
fn encoded(user: &str) -> String {
    let mut url = Url::parse("mysql://h").expect("a URL");
    let _ = url.set_username(user);
    url.username().to_owned()
}

/// The options of `[client]`, with their names as MySQL means them.
fn of_client(text: &str) -> Vec<(String, String)> {
    let mut options = Vec::new();
    let mut is_inside = false;
    for line in text.lines().map(str::trim) {
        if let Some(rest) = line.strip_prefix('[') {
            is_inside = rest.split(']').next() == Some("client");
        } else if line.starts_with('!') {
            // Another file, which we do not follow.
            let name = line.split_whitespace().next().unwrap_or_default();
            options.push((name.to_owned(), String::new()));
        } else if is_inside && !line.is_empty() && !line.starts_with(['#', ';']) {
            let (name, value) = line.split_once('=').unwrap_or((line, ""));
            let name = name.trim().replace('_', "-");
            let name = name.strip_prefix("loose-").unwrap_or(&name);
            options.push((name.to_owned(), value_of(value.trim())));
        }
    }
    options
}

/// A value without its quotes, escapes and comment.
fn value_of(text: &str) -> String {
    let quote = text.chars().next().filter(|c| matches!(c, '"' | '\''));
    let inner = match quote.and_then(|quote| text[1..].rsplit_once(quote)) {
        Some((inner, _)) => inner,
        None => text.split_once(" #").map_or(text, |(value, _)| value.trim_end()),
    };
    let (mut value, mut chars) = (String::new(), inner.chars());
    while let Some(c) = chars.next() {
        match (c, c == '\\') {
            (_, true) => match chars.next() {
                Some('s') => value.push(' '),
                Some('t') => value.push('\t'),
                Some(c @ ('\\' | '"' | '\'')) => value.push(c),
                Some(c) => value.extend(['\\', c]),
                None => value.push('\\'),
            },
            (c, _) => value.push(c),
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn filled(file: &str, url: &str) -> String {
        let (path, all) = (Path::new("my.cnf").to_owned(), of_client(file));
        let mut url = Url::parse(url).expect("a URL");
        let says_password = url.password().is_some();
        Options { path, all }.fill(&mut url, says_password).expect("a URL");
        url.into()
    }

    #[test]
    fn what_the_url_leaves_out_comes_from_the_file() {
        let file = "user=no\n[client]\nuser = shop\npassword=\"p@ s#s\"\nhost=h\nport=7\ndatabase=d\n\
                    ssl_ca=/ca # ours\nsocket=/s\n[mysqld]\nuser=mysql\n";
        for (url, expected) in [
            ("mysql:///", "mysql://shop:p%40%20s%23s@h:7/d?socket=%2Fs&ssl-ca=%2Fca"),
            ("mysql://x/y", "mysql://shop:p%40%20s%23s@x/y?ssl-ca=%2Fca"),
            ("mysql://shop@x:1/y", "mysql://shop:p%40%20s%23s@x:1/y?ssl-ca=%2Fca"),
            ("mysql://root@x/y", "mysql://root@x/y?ssl-ca=%2Fca"),
            ("mysql://shop:own@x/y?ssl-ca=z", "mysql://shop:own@x/y?ssl-ca=z"),
        ] {
            assert_eq!(filled(file, url), expected);
        }
    }

    #[test]
    fn values_are_read_as_mysql_reads_them() {
        for (text, value) in [
            ("a#b", "a#b"),
            ("a # b", "a"),
            ("'a # b' # c", "a # b"),
            (r#""a\"b\\c\sd\x""#, r#"a"b\c d\x"#),
            ("", ""),
        ] {
            assert_eq!(value_of(text), value, "{text}");
        }
    }
}
