//! A proxy that changes bytes on their way, for servers of which there is none here: a real server with the
//! one difference that a test is about.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;

/// Changes what was read at once, without changing its length.
pub type Edit = fn(&mut [u8]);

/// A port behind which a server is.
pub fn rewriting(port: u16, to_server: Edit, to_client: Edit) -> u16 {
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
            thread::spawn(move || copy(client, server, to_server));
            thread::spawn(move || copy(server_too, client_too, to_client));
        }
    });
    here
}

/// Nothing is changed.
pub fn as_it_is(_: &mut [u8]) {}

/// Replaces each occurrence of a text by another of the same length.
pub fn replace(bytes: &mut [u8], old: &[u8], new: &[u8]) {
    assert_eq!(old.len(), new.len());
    for at in 0..bytes.len().saturating_sub(old.len() - 1) {
        if bytes[at..].starts_with(old) {
            bytes[at..at + new.len()].copy_from_slice(new);
        }
    }
}

/// Copies until one side ends.
fn copy(mut from: TcpStream, mut to: TcpStream, edit: Edit) {
    let mut buffer = vec![0; 1 << 16];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        edit(&mut buffer[..read]);
        if to.write_all(&buffer[..read]).is_err() {
            return;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}
