//! URLs as they can be shown to a person: without what is secret in them, and without what might be.
//!
//! A password that is not escaped makes a URL that can be read in two ways. So nothing is shown
//! that is not surely what it seems: a host that looks like a host, a name that looks like a name.

use std::borrow::Cow;

use super::database::SERVERS;

const HIDDEN: &str = "***";
const NO_URL: &str = "(set, not a URL)";
const UNCLEAR: &str = "(set, not a valid URL)";

const CACHES: [&str; 4] = ["redis", "rediss", "valkey", "valkeys"];
const TOPOLOGIES: [&str; 2] = ["sentinel", "cluster"];

/// The longest name of a host or a user that is shown.
const LONGEST_NAME: usize = 255;

/// The URL without its password, without its parameters' values, and without all that is not
/// surely harmless. Of a text that is no URL, and of one that can be read in two ways, nothing.
pub fn url(text: &str) -> String {
    match Url::parse(text) {
        Some(url) => url.shown(),
        None if is_url(text) => UNCLEAR.to_owned(),
        None => NO_URL.to_owned(),
    }
}

/// Whether a text is a URL that can be read, and in one way only.
pub fn is_valid(text: &str) -> bool {
    Url::parse(text).is_some()
}

/// Whether there is a password or a token in a URL. In a text that cannot be read there is one where
/// it has a place for one.
pub fn holds_password(text: &str) -> bool {
    let names_secret = |text: &str| {
        let text = text.to_ascii_lowercase();
        text.contains("pass") || text.contains("token")
    };
    let Some(url) = Url::parse(text) else {
        return text.contains('@') || names_secret(text);
    };
    let is_set = |text: Option<&str>| text.is_some_and(|text| !text.is_empty());
    let token = url.password.is_none() && is_set(url.user) && !url.is_database();
    is_set(url.password) || token || url.query.is_some_and(names_secret)
}

/// Whether host, path or parameters may hold a part of the password.
pub fn is_ambiguous(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once("://") else {
        return false;
    };
    let (authority, tail) = cut(rest, &['/', '?', '#']);
    if is_file(scheme) {
        // A server's address behind the wrong scheme.
        return authority.contains(':') && authority.contains('@');
    }
    let (tail, fragment) = cut(tail, &['#']);
    let (path, query) = cut(tail, &['?']);
    let bare_query = path.is_empty() && !authority.contains('@') && query.contains('@');
    path.contains('@') || fragment.contains('@') || bare_query
}

/// A text for people that may hold a misplaced URL.
pub fn text(text: &str) -> Cow<'_, str> {
    if !text.contains("://") {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let is_scheme = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
        let scheme = rest[..at].chars().rev().take_while(|c| is_scheme(*c));
        let mut start = at - scheme.count();
        // Behind a colour's code its last letter looks like one of the scheme's.
        if rest[..start].ends_with("\x1b[") {
            start += rest[start..at].find('m').map_or(0, |colour| colour + 1);
        }
        let end = at + end_of_url(&rest[at..]);
        let word = &rest[start..end];
        shown.push_str(&rest[..start]);
        match word.contains(['@', '?', '#']) {
            true => shown.push_str(&url(word)),
            false => shown.push_str(word),
        }
        rest = &rest[end..];
    }
    shown.push_str(rest);
    Cow::Owned(shown)
}

/// Where the URL ends whose `://` a text begins with. A password may hold spaces and quotes, so all
/// up to the last `@` of the line belongs to it.
fn end_of_url(text: &str) -> usize {
    let behind = "://".len();
    let next = text[behind..].find("://").map(|at| at + behind);
    let line = text.find('\n').into_iter().chain(next).min();
    let line = &text[..line.unwrap_or(text.len())];
    let sure = line.rfind('@').unwrap_or(behind);
    let ends = |c: char| c.is_whitespace() || c.is_control() || "\"'`".contains(c);
    line[sure..].find(ends).map_or(line.len(), |end| sure + end)
}

fn is_url(text: &str) -> bool {
    let scheme = text.split(':').next().unwrap_or_default();
    text.contains("://") || (text.contains(':') && is_file(scheme))
}

fn is_file(scheme: &str) -> bool {
    matches!(scheme, "sqlite" | "unix" | "redis+unix" | "valkey+unix")
}

/// `redis`, `rediss+sentinel`, and what else a cache's URL begins with.
fn is_cache(scheme: &str) -> bool {
    let (kind, topology) = scheme.split_once('+').unwrap_or((scheme, TOPOLOGIES[0]));
    CACHES.contains(&kind) && TOPOLOGIES.contains(&topology)
}

/// The text before the first of these characters, and the rest from there.
fn cut<'a>(text: &'a str, at: &[char]) -> (&'a str, &'a str) {
    text.split_at(text.find(at).unwrap_or(text.len()))
}

/// A URL that can be read in one way only.
struct Url<'a> {
    scheme: &'a str,
    user: Option<&'a str>,
    password: Option<&'a str>,
    /// Behind the user: hosts with their ports, or of a file all up to the parameters.
    place: &'a str,
    path: &'a str,
    query: Option<&'a str>,
}

impl<'a> Url<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Self::parse_file(text);
        }
        let Some((scheme, rest)) = text.split_once("://") else {
            return Self::parse_file(text);
        };
        if is_file(scheme) {
            return Self::parse_file(text);
        }
        if !SERVERS.contains(&scheme) && !is_cache(scheme) {
            return None;
        }
        let (authority, tail) = cut(rest, &['/', '?', '#']);
        if tail.contains('@') {
            return None;
        }
        let (tail, _) = cut(tail, &['#']);
        let (path, query) = cut(tail, &['?']);
        let (user, place) = match authority.rsplit_once('@') {
            Some((user, place)) => (Some(user), place),
            None => (None, authority),
        };
        let password = user.and_then(|user| Some(user.split_once(':')?.1));
        place.split(',').all(is_host).then_some(Self {
            scheme,
            user: user.map(|user| cut(user, &[':']).0),
            password,
            place,
            path,
            query: query.strip_prefix('?'),
        })
    }

    fn parse_file(text: &'a str) -> Option<Self> {
        let (scheme, rest) = text.split_once(':')?;
        let (place, query) = cut(rest, &['?', '#']);
        // A server's address behind the wrong scheme would bring a password with it.
        let is_safe = is_file(scheme) && !rest.contains('@') && !place.contains(char::is_control);
        is_safe.then_some(Self {
            scheme,
            user: None,
            password: None,
            place,
            path: "",
            query: query.strip_prefix('?'),
        })
    }

    fn is_database(&self) -> bool {
        SERVERS.contains(&self.scheme)
    }

    fn shown(&self) -> String {
        let slashes = if is_file(self.scheme) { "" } else { "//" };
        let mut shown = format!("{}:{slashes}", self.scheme);
        if let Some(user) = self.user {
            // Some write a token in place of the user.
            let is_name = match self.password {
                Some(password) => !password.is_empty(),
                None => self.is_database(),
            };
            let is_shown = user.is_empty() || (is_name && is_plain(user));
            shown.push_str(if is_shown { user } else { HIDDEN });
            if self.password.is_some() {
                shown.push_str(&format!(":{HIDDEN}"));
            }
            shown.push('@');
        }
        shown.push_str(self.place);
        shown.push_str(if self.is_path_plain() { self.path } else { "/***" });
        if self.query.is_some() {
            shown.push_str(&format!("?{HIDDEN}"));
        }
        shown
    }

    /// A database's name; of a cache its number, behind a master's name where it has one.
    fn is_path_plain(&self) -> bool {
        let path = self.path.strip_prefix('/').unwrap_or_default();
        let is_number = |text: &str| text.chars().all(|c| c.is_ascii_digit());
        if path.is_empty() {
            return true;
        }
        if self.is_database() {
            return is_plain(path);
        }
        match path.split_once('/') {
            _ if !self.scheme.ends_with("+sentinel") => is_number(path),
            Some((master, number)) => is_plain(master) && is_number(number),
            None => is_plain(path),
        }
    }
}

/// What nobody would take for anything but a name.
fn is_plain(name: &str) -> bool {
    let is_letter = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    !name.is_empty() && name.len() <= LONGEST_NAME && name.chars().all(is_letter)
}

/// `HOST`, `HOST:PORT`, `[ADDRESS]:PORT`, a socket's folder as `%2Frun...`, or nothing.
fn is_host(place: &str) -> bool {
    let (host, port) = match place.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (place, None),
    };
    let is_socket = place.starts_with("%2F") || place.starts_with("%2f");
    let is_address = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .is_some_and(|host| host.chars().all(|c| c.is_ascii_hexdigit() || ":.".contains(c)));
    let is_name = host.is_empty() || is_plain(host) || is_address;
    let is_folder = is_socket && is_plain(&host.replace("%2F", "-").replace("%2f", "-"));
    let is_port = port.is_none_or(|port| port.is_empty() || port.parse::<u16>().is_ok());
    (is_name || is_folder) && is_port
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_shown_without_its_secrets() {
        for (text, shown) in [
            ("postgres://u:s3cret@h/db", "postgres://u:***@h/db"),
            ("postgres://u:s3cret@h/db?password=s3cret", "postgres://u:***@h/db?***"),
            ("postgres://u@[::1]:5432/db", "postgres://u@[::1]:5432/db"),
            ("postgres://u:s3cret@%2Frun%2Fpg/db", "postgres://u:***@%2Frun%2Fpg/db"),
            ("postgres:///db?host=/run", "postgres:///db?***"),
            ("mysql://u:s3c@ret@h/db", "mysql://u:***@h/db"),
            ("mysql://u:s3cret@h/db;s3cret", "mysql://u:***@h/***"),
            ("redis://:s3cret@h:6379/0", "redis://:***@h:6379/0"),
            ("redis://s3cret:@h", "redis://***:***@h"),
            ("redis://h/s3cret", "redis://h/***"),
            ("redis://h/0#s3cret", "redis://h/0"),
            ("rediss://s3cret@h", "rediss://***@h"),
            ("redis+sentinel://u:s3cret@a:1,b:2/main/0", "redis+sentinel://u:***@a:1,b:2/main/0"),
            ("redis+sentinel://a:1,[::1]:2/main", "redis+sentinel://a:1,[::1]:2/main"),
            ("rediss+cluster://s3cret@a:1,b?x=s3cret", "rediss+cluster://***@a:1,b?***"),
            ("redis+unix:///run/r.sock?pass=s3cret", "redis+unix:///run/r.sock?***"),
            ("sqlite:/srv/my shop.db?mode=ro", "sqlite:/srv/my shop.db?***"),
            ("sqlite::memory:", "sqlite::memory:"),
        ] {
            assert_eq!(url(text), shown, "{text}");
            assert!(!is_ambiguous(text), "{text}");
        }
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_not_shown() {
        for text in [
            "postgres://u:1/s3cret@h/db",
            "postgres://u:1#s3cret@h/db",
            "postgres://u:1?s3cret@h/db",
            "redis://s3cret?s3cret@h",
            "redis://s3cret!/0",
            "redis://user:s3cret",
            "redis+sentinel://u:a@s3cret/@b:1,c:2/main",
            "redis+sentinel://a:1,s3cret=:2/main",
            "redis://u:s3 cret@h",
            "s3cret://u@h",
            "sqlite://u:s3cret@h/db",
            "sqlite:s3\ncret",
            "postgres://h:99999/s3cret",
        ] {
            assert_eq!(url(text), UNCLEAR, "{text}");
        }
        for text in ["", "s3cret", "s3:cret", "postgres:s3cret"] {
            assert_eq!(url(text), NO_URL, "{text}");
        }
    }

    #[test]
    fn a_password_is_known_for_one() {
        for (text, holds) in [
            ("postgres://u@h/db", false),
            ("postgres://u:p@h/db", true),
            ("postgres://u:@h/db", false),
            ("postgres://h/db?sslpassword=p", true),
            ("redis://h:1/0", false),
            ("redis://token@h", true),
            ("redis+unix:///s?pass=p", true),
            ("redis+cluster://a:1,b:2", false),
            ("sqlite:/srv/shop.db", false),
            ("who knows", false),
            ("foo://x", false),
            ("127.0.0.1:26399", false),
            ("foo://u:p@x", true),
            ("mysql://u:p@s/w#rd@h/db", true),
        ] {
            assert_eq!(holds_password(text), holds, "{text}");
        }
    }

    #[test]
    fn a_url_in_a_text_is_hidden_and_the_text_is_not() {
        for (said, shown) in [
            ("nothing of the kind", "nothing of the kind"),
            ("none of postgres://, mysql://, sqlite:", "none of postgres://, mysql://, sqlite:"),
            ("no command 'redis://:s3cret@h/0' here", "no command 'redis://:***@h/0' here"),
            (
                "x=http://u:s3cret@h postgres://u:s3cret@h",
                "x=(set, not a valid URL) postgres://u:***@h",
            ),
            ("'redis://:s3 s3'cret@h/0' is none", "'(set, not a valid URL)' is none"),
            ("\x1b[33mredis://s3cret@h\x1b[0m", "\x1b[33mredis://***@h\x1b[0m"),
        ] {
            assert_eq!(text(said), shown);
        }
    }
}
