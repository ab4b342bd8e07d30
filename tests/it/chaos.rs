//! Faults of all kinds at random moments of real runs, and after each the report is compared with
//! what is in the cache.
//!
//! The gate runs the same seeds every time, and `scripts/hunt faults` new ones. A failure prints how to
//! repeat its round: `SHOPWARM_FAULT_SEED=... SHOPWARM_FAULT_ROUNDS=1`.

use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::process::Child;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;
use tempfile::TempDir;

use crate::support::faults::{Least, bulk, calm, keys, true_counts_of, warm};
use crate::support::proxy::FaultProxy;
use crate::support::servers::{Database, Postgres, Redis, Sqlite, bounded};
use crate::support::shopwarm::{Finished, finish};

/// The first seed of the gate, and how many rounds follow from it.
const SEED: u64 = 1;
const ROUNDS: u64 = 200;

/// Seeds that failed once. They come first.
const KEPT: [u64; 3] = [1_795_895_004_530, 11_000_017, 22_000_434];

/// Rounds that go on at the same time: most of a round is waiting.
const LANES: usize = 3;

const ROWS: [u32; 2] = [2500, 400];
const ALL_ROWS: u64 = ROWS[0] as u64 + ROWS[1] as u64;

/// A round that takes longer hangs: no fault here lasts for a second.
const HANGS: Duration = Duration::from_secs(90);

/// How a run may end, whatever happens to it; the last two by a signal that came too early for it.
const EXITS: [i32; 9] = [0, 3, 5, 6, 8, 130, 143, -2, -15];

/// Ended by a signal.
const SIGNALLED: [i32; 4] = [130, 143, -2, -15];

/// What one lane's rounds have in common.
struct Lane {
    _definitions: TempDir,
    contexts: PathBuf,
    redis: Redis,
    cache: FaultProxy,
    databases: [Database; 2],
    network: FaultProxy,
}

impl Lane {
    fn new() -> Self {
        let (definitions, contexts) = bulk(&ROWS);
        let redis = Redis::start(&[]);
        let databases = [Sqlite::database(), Postgres::database()];
        Self {
            _definitions: definitions,
            contexts,
            cache: FaultProxy::to(redis.port()),
            network: FaultProxy::to(databases[1].port()),
            redis,
            databases,
        }
    }

    /// As it was before anything happened.
    fn mend(&self) {
        self.cache.heal();
        self.network.heal();
        for command in ["CLIENT UNPAUSE", "CONFIG SET maxmemory 0", "REPLICAOF NO ONE"] {
            self.redis.cli(&command.split(' ').collect::<Vec<_>>());
        }
    }

    fn round(&self, seed: u64, story: &mut String) -> Ended {
        let mut rng = Rng::with_seed(seed);
        self.mend();
        self.redis.cli(&["FLUSHALL"]);
        let (name, url) = match rng.bool() {
            true => ("sqlite", self.databases[0].url()),
            false => ("postgres", self.databases[1].url_via(self.network.port())),
        };
        let (batch, flight) = (rng.u32(5..=500), rng.u32(1..=20));
        let mode = ["refresh", "only-missing"][rng.usize(..2)];
        let _ = write!(story, "{name} --batch-size {batch} --concurrency {flight} --mode {mode}");
        let cache = format!("redis://127.0.0.1:{}", self.cache.port());
        let run = warm(&self.contexts, url, cache).args(&format!(
            "--batch-size {batch} --concurrency {flight} --mode {mode} --progress none"
        ));
        let mut child = run.start();
        let mut may_have_lost = false;
        for n in 0..rng.u32(1..=3) {
            self.wait_a_bit(&mut rng, &mut child);
            if child.try_wait().unwrap().is_some() {
                break;
            }
            let fault = Fault::any(&mut rng);
            let _ = write!(story, "; {fault:?}");
            self.make(fault, &child);
            // After its last look at the cache a run cannot know of a restart. One that is in the middle
            // has that look before it; one that an earlier fault has ended may be past it, and nothing
            // that can be seen from outside tells the two apart.
            may_have_lost |= n > 0 && matches!(fault, Fault::Restart);
        }
        self.mend();
        let ended = Instant::now();
        while child.try_wait().unwrap().is_none() && ended.elapsed() < HANGS {
            thread::sleep(Duration::from_millis(5));
        }
        let hangs = child.try_wait().unwrap().is_none();
        if hangs {
            child.kill().unwrap();
        }
        Ended { run: finish(child), hangs, may_have_lost }
    }

    /// Until so many keys are there, or for so many milliseconds.
    fn wait_a_bit(&self, rng: &mut Rng, child: &mut Child) {
        if rng.bool() {
            return thread::sleep(Duration::from_millis(rng.u64(0..120)));
        }
        let (asked, some) = (Instant::now(), rng.u64(..ALL_ROWS));
        while asked.elapsed() < Duration::from_millis(300)
            && child.try_wait().unwrap().is_none()
            && self.holds() < some
        {
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Keys in the cache, about.
    fn holds(&self) -> u64 {
        self.redis.cli(&["DBSIZE"]).parse().unwrap()
    }

    fn make(&self, fault: Fault, child: &Child) {
        let (redis, cache, network) = (&self.redis, &self.cache, &self.network);
        match fault {
            Fault::Reset => cache.reset(),
            Fault::CutToServer(bytes) => cache.cut_after_to_server(bytes),
            Fault::CutToClient(bytes) => cache.cut_after_to_client(bytes),
            Fault::Stall(for_so_long) => {
                cache.stall();
                thread::sleep(for_so_long);
                cache.flow();
            }
            Fault::Refuse(for_so_long) => {
                cache.refuse();
                cache.reset();
                thread::sleep(for_so_long);
                cache.flow();
            }
            Fault::Pause(for_so_long, what) => {
                redis.cli(&["CLIENT", "PAUSE", &for_so_long.as_millis().to_string(), what]);
            }
            Fault::KillClients => {
                redis.cli(&["CLIENT", "KILL", "TYPE", "normal"]);
            }
            Fault::Freeze(for_so_long) => {
                redis.pause();
                thread::sleep(for_so_long);
                redis.resume();
            }
            Fault::Full(free) => {
                let info = redis.cli(&["INFO", "memory"]);
                let used = info.lines().find_map(|l| l.strip_prefix("used_memory:")).unwrap();
                let limit = used.trim().parse::<usize>().unwrap() + free;
                redis.cli(&["CONFIG", "SET", "maxmemory", &limit.to_string()]);
            }
            Fault::Replica(for_so_long) => {
                redis.cli(&["REPLICAOF", "127.0.0.1", "1"]);
                thread::sleep(for_so_long);
                redis.cli(&["REPLICAOF", "NO", "ONE"]);
            }
            Fault::Restart => {
                cache.stall();
                thread::sleep(Duration::from_millis(30));
                if self.holds() < ALL_ROWS {
                    redis.restart();
                }
                cache.flow();
            }
            Fault::DatabaseReset => network.reset(),
            Fault::DatabaseCut(bytes) => network.cut_after_to_client(bytes),
            Fault::DatabaseStall(for_so_long) => {
                network.stall();
                thread::sleep(for_so_long);
                network.flow();
            }
            Fault::Signal(name) => {
                let mut kill = bounded(["/bin/kill"]);
                kill.arg(name).arg(child.id().to_string());
                // It may have ended meanwhile.
                let _ = kill.status();
            }
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Fault {
    Reset,
    CutToServer(usize),
    CutToClient(usize),
    Stall(Duration),
    Refuse(Duration),
    Pause(Duration, &'static str),
    KillClients,
    Freeze(Duration),
    /// So many bytes are left.
    Full(usize),
    Replica(Duration),
    /// Killed, and started again empty.
    Restart,
    DatabaseReset,
    DatabaseCut(usize),
    DatabaseStall(Duration),
    Signal(&'static str),
}

impl Fault {
    fn any(rng: &mut Rng) -> Self {
        let time = Duration::from_millis(rng.u64(5..400));
        match rng.u32(..16) {
            0 => Self::Reset,
            1 => Self::CutToServer(rng.usize(1..1_000_000)),
            2 => Self::CutToClient(rng.usize(1..20_000)),
            3 => Self::Stall(time),
            4 => Self::Refuse(time),
            5 => Self::Pause(time, "ALL"),
            6 => Self::Pause(time, "WRITE"),
            7 => Self::KillClients,
            8 => Self::Freeze(time),
            9 => Self::Full(rng.usize(..1_000_000)),
            10 => Self::Replica(time),
            11 => Self::Restart,
            12 => Self::DatabaseReset,
            13 => Self::DatabaseCut(rng.usize(1..1_000_000)),
            14 => Self::DatabaseStall(time),
            _ => Self::Signal(["-INT", "-TERM"][rng.usize(..2)]),
        }
    }
}

/// A round's run, and what is to be known to judge it.
struct Ended {
    run: Finished,
    hangs: bool,
    /// The cache may have lost keys after the run had looked for the last time.
    may_have_lost: bool,
}

/// What must hold, whatever happened.
fn check(ended: Ended, redis: &Redis) {
    let Ended { run, hangs, may_have_lost } = ended;
    assert!(!hangs, "it has not ended within {HANGS:?}:\n{}", run.stderr);
    assert!(EXITS.contains(&run.code), "exit {}:\n{}", run.code, run.stderr);
    let run = calm(run);
    if run.stdout.is_empty() {
        // It did not begin, or two signals ended it at once.
        let told = ![0, 3].contains(&run.code) && run.stderr.contains("error: ");
        assert!(told || SIGNALLED.contains(&run.code), "{run:?}");
        return;
    }
    let is_complete = run.json()["outcome"] == "complete";
    let least = match may_have_lost && !is_complete {
        true => Least::Nothing,
        false => Least::Acknowledged,
    };
    true_counts_of(&run, redis, least);
    assert_eq!(run.code == 0, is_complete, "{}", run.stdout);
    if is_complete {
        assert_eq!(keys(redis), ALL_ROWS, "{}", run.stdout);
    }
}

fn from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

/// The gate's seeds, or those that the environment asks for.
fn seeds() -> Vec<u64> {
    let rounds = from_environment("SHOPWARM_FAULT_ROUNDS").unwrap_or(ROUNDS);
    let from = |seed: u64| (0..rounds).map(move |round| seed.wrapping_add(round));
    match from_environment("SHOPWARM_FAULT_SEED") {
        Some(seed) => from(seed).collect(),
        None => KEPT.into_iter().chain(from(SEED)).collect(),
    }
}

#[test]
fn random_faults_never_make_a_report_untrue() {
    let seeds = seeds();
    println!("{} rounds from seed {}", seeds.len(), seeds[0]);
    let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
    let lane = || {
        let lane = Lane::new();
        while !failed.load(Ordering::Relaxed)
            && let Some(&seed) = seeds.get(next.fetch_add(1, Ordering::Relaxed))
        {
            let mut story = String::new();
            let checked = catch_unwind(AssertUnwindSafe(|| {
                let ended = lane.round(seed, &mut story);
                lane.mend();
                check(ended, &lane.redis);
            }));
            if checked.is_err() {
                failed.store(true, Ordering::Relaxed);
                panic!("SHOPWARM_FAULT_SEED={seed} SHOPWARM_FAULT_ROUNDS=1: {story}");
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..LANES.min(seeds.len()) {
            scope.spawn(lane);
        }
    });
}
