//! A TCP proxy that misbehaves when told to: the network between shopwarm and a server.
#![allow(dead_code, reason = "a toolbox: not every test run uses every tool")]

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use socket2::SockRef;

/// How often a connection looks whether something has been asked of it.
const TICK: Duration = Duration::from_millis(10);

/// Stands in front of a port on 127.0.0.1 and hands everything on, until told otherwise. What it is
/// told holds for all connections, those open and those to come.
pub struct FaultProxy {
    port: u16,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    /// Bytes until the cut, one for each direction; none: no cut is asked for.
    to_server: Budget,
    to_client: Budget,
    stalled: AtomicBool,
    refusing: AtomicBool,
    /// A connection that began in an earlier era is to be reset.
    era: AtomicU32,
    /// Connections accepted so far.
    accepted: AtomicU64,
    closed: AtomicBool,
}

#[derive(Default)]
struct Budget {
    until_cut: Mutex<Option<usize>>,
    until_stall: Mutex<Option<usize>>,
}

impl FaultProxy {
    /// A proxy before `port` of 127.0.0.1.
    pub fn to(port: u16) -> FaultProxy {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let state = Arc::new(State::default());
        let proxy =
            FaultProxy { port: listener.local_addr().unwrap().port(), state: Arc::clone(&state) };
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if state.closed.load(SeqCst) {
                    break;
                }
                state.accepted.fetch_add(1, SeqCst);
                if !state.refusing.load(SeqCst) {
                    state.connect(client, port);
                }
            }
        });
        proxy
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// How many connections have come so far, refused ones too.
    pub fn accepted(&self) -> u64 {
        self.state.accepted.load(SeqCst)
    }

    /// Closes a connection, once, when `bytes` more have gone to the server; exactly these arrive.
    pub fn cut_after_to_server(&self, bytes: usize) {
        self.state.to_server.set(bytes);
    }

    /// Closes a connection, once, when `bytes` more have come back; exactly these arrive.
    pub fn cut_after_to_client(&self, bytes: usize) {
        self.state.to_client.set(bytes);
    }

    /// Whether every cut that was asked for has come.
    pub fn has_cut(&self) -> bool {
        let budgets = [&self.state.to_server, &self.state.to_client];
        let is_cut = |budget: &Budget| budget.until_cut.lock().unwrap().is_none();
        budgets.into_iter().all(is_cut)
    }

    /// Ends all open connections with a reset (RST), both ways. Later ones work.
    pub fn reset(&self) {
        self.state.era.fetch_add(1, SeqCst);
        // By then each of them has noticed.
        thread::sleep(3 * TICK);
    }

    /// Hands nothing on any more, and keeps everything open.
    pub fn stall(&self) {
        self.state.stalled.store(true, SeqCst);
    }

    /// Does the same by itself, once, when about `bytes` more have gone to the server. Whoever watches
    /// for that moment from outside may come too late on a busy machine.
    pub fn stall_after_to_server(&self, bytes: usize) {
        *self.state.to_server.until_stall.lock().unwrap() = Some(bytes);
    }

    pub fn is_stalled(&self) -> bool {
        self.state.stalled.load(SeqCst)
    }

    /// Closes new connections at once.
    pub fn refuse(&self) {
        self.state.refusing.store(true, SeqCst);
    }

    /// Ends `stall` and `refuse`.
    pub fn flow(&self) {
        self.state.stalled.store(false, SeqCst);
        self.state.refusing.store(false, SeqCst);
    }

    /// Ends everything that was asked for, cuts that have not come too.
    pub fn heal(&self) {
        self.flow();
        for budget in [&self.state.to_server, &self.state.to_client] {
            *budget.until_cut.lock().unwrap() = None;
            *budget.until_stall.lock().unwrap() = None;
        }
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.state.closed.store(true, SeqCst);
        self.state.era.fetch_add(1, SeqCst);
        // Wakes the listener, which then sees that it is over.
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
    }
}

impl State {
    fn connect(self: &Arc<State>, client: TcpStream, port: u16) {
        // No server: the client sees its connection end.
        let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) else {
            return;
        };
        let era = self.era.load(SeqCst);
        for stream in [&client, &server] {
            stream.set_nodelay(true).unwrap();
            stream.set_read_timeout(Some(TICK)).unwrap();
        }
        let (client, server) = (Arc::new(client), Arc::new(server));
        let (state, from, to) = (Arc::clone(self), Arc::clone(&client), Arc::clone(&server));
        thread::spawn(move || state.pump(&from, &to, &state.to_server, era));
        let state = Arc::clone(self);
        thread::spawn(move || state.pump(&server, &client, &state.to_client, era));
    }

    /// Carries one direction until its end. The connection closes when both directions have let go
    /// of it.
    fn pump(&self, mut from: &TcpStream, mut to: &TcpStream, budget: &Budget, era: u32) {
        let mut buffer = [0; 16 * 1024];
        let over = || self.era.load(SeqCst) != era;
        loop {
            if over() {
                // Closing with a linger time of zero is what sends a reset.
                for stream in [from, to] {
                    let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
                }
                return;
            }
            if self.stalled.load(SeqCst) {
                thread::sleep(TICK);
                continue;
            }
            let read = match from.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) =>
                {
                    continue;
                }
                Err(_) => break,
            };
            // What was read just before a stall waits it out.
            while self.stalled.load(SeqCst) && !over() {
                thread::sleep(TICK);
            }
            let (pass, cut) = budget.take(read);
            let written = !over() && to.write_all(&buffer[..pass]).is_ok();
            if budget.stalls_after(pass) {
                self.stalled.store(true, SeqCst);
            }
            if cut || !written {
                let _ = from.shutdown(Shutdown::Both);
                let _ = to.shutdown(Shutdown::Both);
                return;
            }
        }
        let _ = to.shutdown(Shutdown::Write);
    }
}

impl Budget {
    fn set(&self, bytes: usize) {
        *self.until_cut.lock().unwrap() = Some(bytes);
    }

    /// Whether the stall that was asked for is due after these bytes.
    fn stalls_after(&self, bytes: usize) -> bool {
        let mut left = self.until_stall.lock().unwrap();
        *left = left.map(|left| left.saturating_sub(bytes));
        left.take_if(|left| *left == 0).is_some()
    }

    /// How many of `bytes` may pass, and whether the cut is due after them.
    fn take(&self, bytes: usize) -> (usize, bool) {
        let mut left = self.until_cut.lock().unwrap();
        match *left {
            None => (bytes, false),
            Some(limit) if limit > bytes => {
                *left = Some(limit - bytes);
                (bytes, false)
            }
            Some(limit) => {
                *left = None;
                (limit, true)
            }
        }
    }
}
