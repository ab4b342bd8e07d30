//! `shopwarm serve`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use crate::application::clock::{self, Clock, Timetable};
use crate::application::schedule;
use crate::application::selection::Selection;
use crate::application::service::{Order, Service};
use crate::application::stop::StopSignal;
use crate::config::Config;
use crate::contexts::definitions::faults;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::report::Stop;
use crate::domain::run::Trigger;
use crate::interfaces::admin::{self, Admin};
use crate::interfaces::exit::Exit;
use crate::interfaces::signals;
use crate::setup;
use crate::setup::shop::{CurrentShop, Shop};

/// Between two looks at what other processes did.
const LEARN_EVERY: Duration = Duration::from_secs(60);

/// `read` reads the configuration, at the start and when told to again.
pub(super) async fn run(
    read: &dyn Fn() -> Result<Config, Failure>,
    stop: StopSignal,
) -> Result<Exit, Failure> {
    // Before anything listens, so that no signal comes too early.
    let hangups = signal(SignalKind::hangup()).map_err(|error| {
        Failure::new(
            FailureKind::Internal,
            "cannot hear SIGHUP",
            error.to_string(),
        )
    })?;
    let first = Shop::load(read()?)?;
    setup::are_configured(&first.config)?;
    for fault in first.faults() {
        tracing::warn!(failure = %fault, "a definition is not valid: its strategy fails in every run");
    }
    let (listener, address) = admin::listen(&first.config.serving).await?;
    let at_start = first
        .start_selection()
        .map(|selection| at_start(&first, selection));
    let shop = Arc::new(CurrentShop::new(first));
    let metrics = Arc::new(setup::Metrics::new());
    let service = Arc::new(Service::new(shop.clone(), metrics.clone()));
    let rendering = Arc::clone(&metrics);
    let admin = Admin::new(
        service.clone(),
        shop.clone(),
        Box::new(move || rendering.render()),
    );
    let admin = Arc::new(admin);

    let (close, closing) = watch::channel(false);
    let serving = tokio::spawn(Arc::clone(&admin).serve(listener, closing));
    let timetable = {
        let shop = Arc::clone(&shop);
        move || {
            let shop = shop.get();
            Timetable {
                jobs: shop.jobs.iter().map(|plan| plan.job.clone()).collect(),
                deadline: shop.config.deadline,
            }
        }
    };
    let changes = shop.changes();
    let keeping_time = tokio::spawn(Clock::new(service.clone(), timetable).run(changes));
    if let Some(order) = at_start {
        tokio::spawn(clock::at_start(service.clone(), order));
    }
    let learning = tokio::spawn(learn(service.clone(), shop.clone(), metrics.clone()));
    let reloading = reload(hangups, read, &shop, &admin, address);
    tracing::info!("listening on http://{address}");
    tracing::info!("{}", schedule::summary(&shop.get().jobs, Timestamp::now()));

    let runs = Arc::clone(&service);
    let listening = signals::change_pace(move |change| {
        for run in runs.active() {
            run.change_pace(change);
        }
    })?;

    tokio::select! {
        () = stop.stopped() => {}
        () = reloading => {}
    }
    keeping_time.abort();
    learning.abort();
    tracing::info!("ending: waiting for the runs that go on");
    let finished = service.drain(shop.get().config.serving.grace).await;
    drop(listening);
    close.send_replace(true);
    let _ = serving.await;
    tracing::info!(finished, "ended");
    Ok(match (finished, stop.reason()) {
        (false, Some(Stop::Interrupted)) => Exit::Interrupted,
        (false, _) => Exit::Terminated,
        (true, _) => Exit::Success,
    })
}

/// Strategies are counted from 0, and last successes are those of all processes on the cache, not of
/// this one alone.
async fn learn(service: Arc<Service>, shop: Arc<CurrentShop>, metrics: Arc<setup::Metrics>) {
    loop {
        let shop = shop.get();
        metrics.declare(shop.definitions.iter().map(|d| &d.spec.id));
        if let (Ok(last), Ok(runs)) = (service.last_complete().await, service.runs().await) {
            metrics.seed(&last, &runs);
        }
        tokio::time::sleep(LEARN_EVERY).await;
    }
}

/// The order to warm what is to be warmed first.
fn at_start(shop: &Shop, selection: Selection) -> Order {
    Order {
        deadline: shop.config.deadline,
        ..Order::new(selection, Trigger::Start)
    }
}

/// Reads everything again at each SIGHUP. What is not valid as a whole changes nothing.
async fn reload(
    mut hangups: Signal,
    read: &dyn Fn() -> Result<Config, Failure>,
    shop: &CurrentShop,
    admin: &Admin,
    address: SocketAddr,
) {
    while hangups.recv().await.is_some() {
        let new = read().and_then(Shop::load).and_then(without_faults);
        match new.and_then(|new| fits(new, &shop.get(), address)) {
            Ok(new) => {
                let (strategies, jobs) = (new.definitions.len(), new.jobs.len());
                admin.reload(&new.config.serving);
                shop.replace(new);
                tracing::info!(strategies, jobs, "reloaded");
            }
            Err(failure) => {
                let hint = failure.hint.clone().unwrap_or_default();
                tracing::error!(%failure, hint, "not reloaded, all stays as it was");
            }
        }
    }
}

/// What is there goes on as it was, rather than without the strategies that are now wrong.
fn without_faults(new: Shop) -> Result<Shop, Failure> {
    match faults(&new.definitions) {
        Some(failure) => Err(failure),
        None => Ok(new),
    }
}

/// What cannot change while it listens at `address`.
fn fits(new: Shop, old: &Shop, address: SocketAddr) -> Result<Shop, Failure> {
    let serving = &new.config.serving;
    if serving.listen != old.config.serving.listen {
        tracing::warn!("another address to listen on needs a restart");
    }
    if !address.ip().is_loopback() && serving.token.is_none() {
        let what = "the new configuration has no token";
        let why = format!("this server listens on {address}, which other machines can reach");
        return Err(Failure::new(FailureKind::Config, what, why)
            .hint("set one with --token-file FILE or SHOPWARM_TOKEN"));
    }
    Ok(new)
}
