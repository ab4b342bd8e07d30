//! A type that the driver does not know, as MySQL's VECTOR: no server here has one, so a proxy
//! changes the type of a column on its way.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use crate::support::lab::{Lab, own, strategy};
use crate::support::servers::Dialect;

/// A column's description: its name twice, then 6 bytes before its type.
const COLUMN: &[u8] = b"\x09embedding\x09embedding\x0c";
const VECTOR: u8 = 0xf2;

/// Copies until one side ends; `odd`: changes the column's type.
fn copy(mut from: TcpStream, mut to: TcpStream, odd: bool) {
    let mut buffer = vec![0; 1 << 16];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        let found = buffer[..read].windows(COLUMN.len()).position(|part| part == COLUMN);
        if let Some(at) = found.filter(|_| odd) {
            buffer[at + COLUMN.len() + 6] = VECTOR;
        }
        if to.write_all(&buffer[..read]).is_err() {
            return;
        }
    }
    let _ = to.shutdown(std::net::Shutdown::Both);
}

/// A port behind which the server is.
fn proxy(port: u16) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let here = listener.local_addr().expect("an address").port();
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let Ok(server) = TcpStream::connect(("127.0.0.1", port)) else {
                return;
            };
            let pair = (client.try_clone(), server.try_clone());
            let (Ok(client_too), Ok(server_too)) = pair else {
                return;
            };
            thread::spawn(move || copy(client, server, false));
            thread::spawn(move || copy(server_too, client_too, true));
        }
    });
    here
}

#[test]
fn a_type_that_the_driver_does_not_know_is_a_definition_error() {
    let lab = Lab::empty(Dialect::MySql);
    lab.database.sql("CREATE TABLE t (id int PRIMARY KEY, embedding varchar(9))");
    let url = lab.database.url_via(proxy(lab.database.port())) + "?ssl-mode=DISABLED";
    let rows = strategy("t", "object", "t:{id}", "SELECT * FROM t");
    let run = lab.with(&own(&["t"], &rows), "warmup context own -o json");
    let run = run.database(url).run().expect(4);
    assert!(run.stderr.contains("has the type number 0xf2"), "{}", run.stderr);
    assert!(run.stderr.contains("own/t"), "{}", run.stderr);
}
