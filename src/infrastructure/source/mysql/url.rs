//! Parameters in the database URL. Frameworks use others than the driver. We set those that would
//! change a value, ignore harmless ones, and refuse the rest, which the driver would drop silently.

use sqlx::ConnectOptions as _;
use sqlx::mysql::MySqlConnectOptions;
use url::Url;

use super::super::errors::invalid_url;
use crate::domain::failure::Failure;

/// Parameters that the driver supports.
const HONOURED: &str = "sslmode ssl-mode sslca ssl-ca sslcert ssl-cert sslkey ssl-key socket \
    statement-cache-capacity";

/// Statements that a session keeps, unless the URL says otherwise. The server does not answer when one
/// is closed, so the next packet waits for a delayed ACK, mostly 40 ms: the driver keeps Nagle's
/// algorithm on.
const STATEMENTS: [&str; 2] = ["statement-cache-capacity", "256"];

/// Character set, collation and time zone: sessions always use utf8mb4 and `session_timezone`.
const OURS: &str = "charset collation timezone time-zone encoding characterencoding \
    charactersetresults connectioncollation useunicode \
    servertimezone connectiontimezone forceconnectiontimezonetosession loc";

/// Harmless parameters of frameworks and drivers: versions, pools, timeouts, and conversions in
/// their own language.
const HARMLESS: &str = "adapter allowmultiqueries allownativepasswords allowpublickeyretrieval \
    autoreconnect bignumberstrings cacheprepstmts checkconnliveness checkout_timeout \
    clientfoundrows conn_max_age connect_timeout connecttimeout connection_limit connectionlimit \
    datestrings decimalnumbers defaultfetchsize driver interpolateparams jdbccomplianttruncation \
    maxallowedpacket multiplestatements multistatements parsetime pool pool_timeout \
    prepared_statements prepstmtcachesize prepstmtcachesqllimit readtimeout read_timeout reconnect \
    rewritebatchedstatements serverversion sockettimeout socket_timeout \
    supportbignumbers tcpkeepalive timeout tinyint1isbit useaffectedrows usecompression \
    usecursorfetch uselegacydatetimecode uselocalsessionstate useserverprepstmts \
    waitfortimeout write_timeout writetimeout yearisdatetype zerodatetimebehavior";

/// Parameters for TLS and sockets, with the driver's names.
const RENAMED: [(&str, &str); 10] = [
    ("usessl", "ssl-mode=REQUIRED"),
    ("requiressl", "ssl-mode=REQUIRED"),
    ("ssl", "ssl-mode=REQUIRED or ssl-mode=DISABLED"),
    ("tls", "ssl-mode=REQUIRED, VERIFY_CA or VERIFY_IDENTITY"),
    ("sslaccept", "ssl-mode=VERIFY_CA or VERIFY_IDENTITY"),
    ("ssl_mode", "ssl-mode"),
    ("verifyservercertificate", "ssl-mode=VERIFY_CA"),
    ("ssl_ca", "ssl-ca"),
    ("unix_socket", "socket"),
    ("unixsocket", "socket"),
];

fn lists(list: &str, name: &str) -> bool {
    list.split_whitespace().any(|word| word == name)
}

/// Connection options from a URL.
///
/// # Errors
/// A parameter would have no effect; never quotes a value.
pub(super) fn options(text: &str) -> Result<MySqlConnectOptions, Failure> {
    let mut url: Url = text.parse().map_err(|_| unparsable(text))?;
    if url.path().trim_matches('/').is_empty() {
        let hint = "add its name: mysql://USER:PASSWORD@HOST/DATABASE";
        return Err(invalid_url("it names no database").hint(hint));
    }
    let mut kept = vec![STATEMENTS.map(str::to_owned).into()];
    for (name, value) in url.query_pairs() {
        let lower = name.to_ascii_lowercase();
        if lists(HONOURED, &name) {
            kept.push((name.into_owned(), value.into_owned()));
        } else if !lists(OURS, &lower)
            && !lists(HARMLESS, &lower)
            && !asks_for_nothing(&lower, &value)
        {
            return Err(refused(&name, &lower));
        }
    }
    url.query_pairs_mut().clear().extend_pairs(kept);
    let options = MySqlConnectOptions::from_url(&url).map_err(|_| unparsable(text))?;
    Ok(options
        .charset("utf8mb4")
        // The server defines `||`, as it does for the shop.
        .pipes_as_concat(false)
        .no_engine_substitution(false)
        .disable_statement_logging())
}

/// JDBC's `useSSL=false` permits TLS; `true` requires it.
fn asks_for_nothing(lower: &str, value: &str) -> bool {
    lower == "usessl" && value.eq_ignore_ascii_case("false")
}

fn unparsable(text: &str) -> Failure {
    let (_, place) = text.split_once("://").unwrap_or_default();
    let place = place.split(['/', '?']).next().unwrap_or_default();
    let hosts = place.rsplit('@').next().unwrap_or_default();
    match hosts.contains(',') {
        true => invalid_url("it lists several hosts, and shopwarm connects to one MySQL server")
            .hint("give the address of one, or of a proxy in front of them"),
        false => invalid_url("it cannot be parsed"),
    }
}

fn refused(name: &str, lower: &str) -> Failure {
    let name = crate::domain::key::printable(name.as_bytes());
    let why = format!("shopwarm does not know its parameter `{name}` and would ignore it");
    let honoured = HONOURED.split_whitespace().find(|known| known.eq_ignore_ascii_case(lower));
    let renamed = RENAMED.iter().find(|(known, _)| *known == lower);
    let instead = honoured.or(renamed.map(|(_, instead)| *instead));
    invalid_url(why).hint(match instead {
        Some(instead) => format!("write {instead} instead"),
        None => "remove it from the URL; docs/database.md lists the known parameters".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(parameters: &str) -> Option<(String, String)> {
        let url = format!("mysql://u:secret@localhost/shop?{parameters}");
        let failure = options(&url).err()?;
        Some((failure.why, failure.hint.unwrap_or_default()))
    }

    #[test]
    fn what_cannot_matter_is_accepted() {
        for parameters in [
            "",
            "charset=utf8&collation=utf8_bin&timezone=%2B05:00",
            "serverVersion=8.0.32&charset=utf8mb4",
            "parseTime=true&loc=Local&useSSL=false",
            "useUnicode=true&characterEncoding=latin1&serverTimezone=Europe/Berlin",
            "ssl-mode=DISABLED&socket=/run/mysqld.sock",
        ] {
            assert_eq!(refusal(parameters), None, "{parameters}");
        }
    }

    #[test]
    fn a_url_without_a_database_is_refused() {
        for url in ["mysql://localhost", "mysql://u:secret@localhost:3306/?charset=utf8"] {
            let failure = options(url).expect_err(url);
            assert_eq!(failure.why, "it names no database");
        }
    }

    #[test]
    fn what_nobody_would_honour_is_refused_by_name() {
        for (parameters, hint) in [
            ("sslMode=VERIFY_CA", "write sslmode instead"),
            ("unix_socket=/run/x", "write socket instead"),
            ("tls=true", "ssl-mode=REQUIRED"),
            ("useSSL=true", "ssl-mode=REQUIRED"),
            ("sessionVariables=sql_mode=''", "remove it"),
            ("init_command=SET%20x", "remove it"),
        ] {
            let (why, found) = refusal(parameters).expect(parameters);
            let name = parameters.split('=').next().unwrap_or_default();
            assert!(why.contains(&format!("`{name}`")), "{why}");
            assert!(found.contains(hint), "{found}");
            assert!(!why.contains("secret"), "{why}");
        }
    }
}
