//! `shopwarm serve`.

use std::net::SocketAddr;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::application::run_state::stop::StopSignal;
use crate::application::schedule;
use crate::config::Config;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::report::Stop;
use crate::interfaces::admin::{self, Admin};
use crate::interfaces::exit::Exit;
use crate::interfaces::signals;
use crate::setup::server::Server;

/// `read` reads the configuration, at the start and on SIGHUP.
pub(super) async fn run(
    read: &dyn Fn() -> Result<Config, Failure>,
    stop: StopSignal,
) -> Result<Exit, Failure> {
    // First, so that no signal is missed.
    let mut hangups = signal(SignalKind::hangup()).map_err(|error| {
        let what = "cannot listen for SIGHUP";
        Failure::new(FailureKind::Internal, what, error.to_string())
    })?;
    let server = Server::new(read()?)?;
    let (listener, address) = admin::listen(&server.shop.get().config).await?;
    let admin = Arc::new(Admin::new(&server));
    let (close, closing) = watch::channel(false);
    let serving = tokio::spawn(Arc::clone(&admin).serve(listener, closing));
    tracing::info!("{}", first_line(&server, address));
    let working = server.work();
    let helping = server.help(&stop);
    let reloading = async {
        while hangups.recv().await.is_some() {
            match read().and_then(|config| server.reload(config, address)) {
                Ok(()) => {
                    let shop = server.shop.get();
                    admin.reload(&shop.config);
                    // Only now do requests need the new token.
                    let (strategies, jobs) = (shop.definitions.len(), shop.jobs.len());
                    tracing::info!(strategies, jobs, "reloaded");
                }
                Err(failure) => {
                    let hint = failure.hint.clone().unwrap_or_default();
                    tracing::error!(%failure, hint, "not reloaded, the old configuration stays");
                }
            }
        }
    };

    let runs = Arc::clone(&server.service);
    let listening = signals::change_pace(move |change| {
        for run in runs.registry.active() {
            run.change_pace(change);
        }
    })?;
    tokio::select! {
        () = stop.stopped() => {}
        () = reloading => {}
    }
    drop(working);
    tracing::info!("shutting down: waiting for active runs");
    let grace = server.shop.get().config.serve.grace().0;
    let draining = server.service.registry.drain(grace);
    let (finished, _) = tokio::join!(draining, timeout(grace, helping.join_all()));
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

/// Where its page is, who may use it, and what it will do by itself.
fn first_line(server: &Server, address: SocketAddr) -> String {
    let shop = server.shop.get();
    let who = match &shop.config.token {
        Some(_) => "with a token",
        None => "no token: for this machine only",
    };
    // The next three: what comes later is no news.
    let jobs = schedule::summary(&shop.jobs, Timestamp::now(), 3);
    format!("listening on http://{address} (page and admin API, {who}); {jobs}")
}
