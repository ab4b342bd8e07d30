//! HAProxy in front of several Redis: a client reaches the one that is the primary.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;

use super::Redis;
use super::front::Front;
use super::process::find;
use crate::support::faults::until;

pub struct HaProxy(Front);

impl HaProxy {
    /// Asks each server five times a second whether it is the primary.
    pub fn start(servers: &[&Redis]) -> HaProxy {
        let servers: String = (servers.iter().zip(["a", "b", "c"]))
            .map(|(server, name)| format!("  server {name} 127.0.0.1:{} check\n", server.port()))
            .collect();
        let command = [find("haproxy"), "-db".into(), "-f".into(), "haproxy.cfg".into()];
        let proxy = HaProxy(Front::start(&command, |dir, port| {
            let text = format!(
                "global\n  maxconn 200\n\
                 defaults\n  mode tcp\n  timeout connect 1s\n  timeout client 1h\n  timeout server 1h\n\
                 listen cache\n  bind 127.0.0.1:{port}\n  option tcp-check\n\
                 \x20 tcp-check send info\\ replication\\r\\n\n\
                 \x20 tcp-check expect string role:master\n\
                 \x20 default-server inter 200ms fall 1 rise 1\n{servers}"
            );
            fs::write(dir.join("haproxy.cfg"), text).unwrap();
        }));
        // Before the first check it takes all of them for primaries, and leads to one after the other.
        until("the proxy knows the primary", || (0..6).all(|_| proxy.leads_to_the_primary()));
        proxy
    }

    /// Whether who answers now is a primary.
    pub fn leads_to_the_primary(&self) -> bool {
        let mut said = [0; 4096];
        let mut ask = || {
            let mut stream = TcpStream::connect(("127.0.0.1", self.0.port))?;
            stream.write_all(b"ROLE\r\n")?;
            stream.read(&mut said)
        };
        ask().is_ok_and(|n| String::from_utf8_lossy(&said[..n]).contains("master"))
    }

    /// Leads to one port, and closes what is idle for so long.
    pub fn closing_idle(port: u16, after: &str) -> HaProxy {
        let command = [find("haproxy"), "-db".into(), "-f".into(), "haproxy.cfg".into()];
        HaProxy(Front::start(&command, |dir, here| {
            let text = format!(
                "global\n  maxconn 200\n\
                 defaults\n  mode tcp\n  timeout connect 1s\n  timeout client {after}\n  timeout server {after}\n\
                 listen server\n  bind 127.0.0.1:{here}\n  server a 127.0.0.1:{port}\n"
            );
            fs::write(dir.join("haproxy.cfg"), text).unwrap();
        }))
    }

    pub fn port(&self) -> u16 {
        self.0.port
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.0.port)
    }
}
