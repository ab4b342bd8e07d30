//! Limits wrong tokens per client address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::domain::sync::lock;

/// Wrong tokens that an address may send in a burst, and the time until it may send another.
const FAILURES: f64 = 10.0;
const ANOTHER_EVERY: Duration = Duration::from_secs(6);

/// Max addresses to track.
const REMEMBERED: usize = 10_000;

/// Wrong tokens by address, as a leaky bucket.
#[derive(Default)]
pub(super) struct Failures(Mutex<HashMap<IpAddr, (f64, Instant)>>);

impl Failures {
    /// Counts a wrong token; `false`: too many.
    pub(super) fn allow(&self, client: IpAddr) -> bool {
        let client = network(client);
        let mut all = lock(&self.0);
        if all.len() >= REMEMBERED {
            all.retain(|_, known| left(known) > 0.0);
        }
        if all.len() >= REMEMBERED && !all.contains_key(&client) {
            return false;
        }
        let known = all.entry(client).or_insert((0.0, Instant::now()));
        let failures = left(known);
        if failures > FAILURES - 1.0 {
            return false;
        }
        *known = (failures + 1.0, Instant::now());
        true
    }
}

/// One IPv6 client owns a whole /64.
fn network(client: IpAddr) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V6(address) => {
            let network = u128::from(address) >> 64 << 64;
            IpAddr::V6(network.into())
        }
        address => address,
    }
}

fn left((failures, at): &(f64, Instant)) -> f64 {
    (failures - at.elapsed().as_secs_f64() / ANOTHER_EVERY.as_secs_f64()).max(0.0)
}
