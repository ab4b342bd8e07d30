//! Streams a strategy's entries into the cache, several batches at a time.

use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use tokio::time::sleep;

use super::delivery::{Delivery, grace};
use super::outbox::Outbox;
use super::streams::Streams;
use crate::application::guards::breaker::Breaker;
use crate::application::guards::memory::MemoryGuard;
use crate::application::guards::recheck::Sent;
use crate::application::keys::leave::RunKeys;
use crate::application::ports::Entries;
use crate::application::resume::notes::Notes;
use crate::application::run_state::book::Book;
use crate::application::run_state::context::RunContext;
use crate::application::run_state::event::Event;
use crate::application::run_state::tally::Tally;
use crate::domain::failure::Failure;

/// After this long without anything, a run says what it waits for.
const STALLED: Duration = Duration::from_secs(1);

/// The path from the strategies to the cache.
pub struct Flow<'a> {
    memory: MemoryGuard,
    pub writer: Writer<'a>,
}

impl<'a> Flow<'a> {
    pub fn new(run: RunContext<'a>, notes: Notes<'a>) -> Self {
        let options = &run.plan.options;
        let cache = run.plan.target.clone();
        Self {
            memory: MemoryGuard::new(cache, options.on_eviction),
            writer: Writer {
                run,
                breaker: Breaker::new(options.batch_size),
                keys: RunKeys::new(&run),
                streams: Streams::new(run.plan),
                notes,
            },
        }
    }

    /// Warms a strategy's whole selection, which `entries` gives.
    pub async fn warm(&mut self, book: &mut Book, index: usize, entries: Entries<'a>) {
        self.run(book, index, entries, false).await;
    }

    /// Warms keys of a strategy that were asked for by name.
    pub async fn warm_named(&mut self, book: &mut Book, index: usize, entries: Entries<'a>) {
        self.run(book, index, entries, true).await;
    }

    async fn run(&mut self, book: &mut Book, index: usize, entries: Entries<'a>, named: bool) {
        let run = self.writer.run;
        let entries = run.plan.pace.throttle(entries);
        let id = &run.plan.spec(index).id;
        let (memory, writer) = (&mut self.memory, &mut self.writer);
        let watched = memory
            .watch(id, run.stop, entries, |entries| writer.write(book, index, named, entries));
        let mut watched = watched.await;
        let tally = &mut book.tallies[index];
        watched.tell(&mut book.warnings, &mut tally.report.warnings);
        if let Some(failure) = watched.failure {
            // What was written may have been evicted.
            writer.notes.restart().await;
            book.is_broken = true;
            tally.fail(failure);
        }
    }
}

/// Writes batches and counts what became of them.
pub struct Writer<'a> {
    run: RunContext<'a>,
    breaker: Breaker,
    pub keys: RunKeys,
    pub streams: Streams<'a>,
    pub notes: Notes<'a>,
}

impl<'a> Writer<'a> {
    /// Writes a strategy's entries, several batches at a time; whether the run goes on.
    async fn write(
        &mut self,
        book: &mut Book,
        index: usize,
        named: bool,
        entries: Entries<'a>,
    ) -> bool {
        let (run, started) = (self.run, Instant::now());
        let delivery = Delivery::new(run.plan, index);
        let mut outbox = Outbox::new(&delivery, &run.plan.options, grace(run));
        let mut entries = Some(entries);
        let (mut stopping, mut moved) = (false, started);
        let elapsed = book.tallies[index].report.stats.elapsed;
        book.tallies[index].is_whole = false;

        while entries.is_some() || !outbox.is_empty() {
            let reads = entries.is_some() && outbox.has_room();
            tokio::select! {
                biased;
                () = run.stop.stopped(), if !stopping => {
                    run.report(&Event::Stopping { why: run.stop.reason() });
                    (entries, stopping) = (None, true);
                }
                sent = outbox.next(entries.is_none()), if !outbox.is_empty() => {
                    if !self.count(book, index, sent) {
                        entries = None;
                    }
                }
                next = async { entries.as_mut().expect("guarded").next().await }, if reads => {
                    if !named && book.goes_on(&run) {
                        self.streams.open_after(index);
                    }
                    match next {
                        Some(Ok(mut batch)) => {
                            self.notes.read(&batch);
                            book.tallies[index].count_unsent(&mut batch, named);
                            outbox.send(batch);
                            moved = Instant::now();
                            continue;
                        }
                        Some(Err(failure)) => book.fail(index, failure),
                        None => book.tallies[index].is_whole = !named,
                    }
                    entries = None;
                }
                () = sleep(STALLED) => {
                    tell_stalled(book, index, &run, outbox.is_writing(), moved);
                    continue;
                }
            }
            moved = Instant::now();
            book.tallies[index].report.stats.elapsed = elapsed + started.elapsed();
            tell_progress(book, index, &run);
        }
        let tally = &mut book.tallies[index];
        delivery.warnings().await.into_iter().for_each(|warning| tally.report.warn(warning));
        tally.failure.is_none() && !run.is_stopped()
    }

    /// Counts what became of some batches; `false`: a failure ends the strategy.
    fn count(&mut self, book: &mut Book, index: usize, sent: Result<Vec<Sent>, Failure>) -> bool {
        let tally = &mut book.tallies[index];
        let failures: Vec<Failure> = match sent {
            Ok(sent) => {
                sent.into_iter().filter_map(|sent| self.count_batch(tally, index, sent)).collect()
            }
            Err(refusal) => vec![refusal],
        };
        let goes_on = failures.is_empty();
        failures.into_iter().for_each(|failure| book.fail(index, failure));
        goes_on
    }

    fn count_batch(&mut self, tally: &mut Tally, index: usize, sent: Sent) -> Option<Failure> {
        self.notes.settled(&sent);
        let Sent { batch, written, .. } = sent;
        let enough = self.breaker.observe(&written);
        self.keys.note(index, &batch, &written);
        let inspected = written.inspected();
        let fatal = tally.count(&batch, written, &self.run.plan.ttls[index]);
        if let Some(inspected) = &inspected {
            let id = &tally.report.id;
            self.run.report(&Event::Inspected { id, batch: &batch, inspected });
        }
        fatal.or(enough)
    }
}

/// Reports that nothing comes, unless the run holds itself back.
fn tell_stalled(book: &Book, index: usize, run: &RunContext<'_>, sent: bool, since: Instant) {
    let on = match run.plan.workers.get() {
        Some(_) => "workers",
        None if sent => "cache",
        None => "database",
    };
    let time = since.elapsed();
    if run.plan.pace.now().limited_by.is_none() {
        let id = &book.tallies[index].report.id;
        run.report(&Event::Stalled { id, on, time });
    }
}

/// Reports the counts so far, and what somebody has changed about the pace.
fn tell_progress(book: &Book, index: usize, run: &RunContext<'_>) {
    let pace = &run.plan.pace;
    for change in pace.take_changes() {
        let pace = pace.now();
        run.report(&Event::PaceChanged { change, pace });
    }
    let report = &book.tallies[index].report;
    let (id, stats, pace) = (&report.id, report.stats, pace.now());
    run.report(&Event::Progress { id, stats, pace });
}
