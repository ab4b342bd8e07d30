//! Connections, each with limits on size and time.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio_io_timeout::TimeoutStream;

/// Max open connections; more wait to be accepted.
const CONNECTIONS: usize = 1200;

/// Below this many free slots, idle connections get a shorter timeout.
const FEW_PLACES: usize = CONNECTIONS / 2;

/// Timeout for the next request's headers.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// The same when few slots are free.
const SHORT_HEADER_TIMEOUT: Duration = Duration::from_secs(2);

/// Timeout for a client that does not read its response.
const WRITE_TIMEOUT: Duration = Duration::from_secs(20);

/// Max bytes of all headers, and of the read buffer.
const MAX_HEADERS: usize = 16 * 1024;

/// How long connections may take to finish when the server stops.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(3);

/// Pause after a failed accept.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves until `closing`; then connections finish their responses.
pub(super) async fn serve(
    listener: TcpListener,
    router: Router,
    mut closing: watch::Receiver<bool>,
) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        // The semaphore is never closed.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = closing.wait_for(|closing| *closing) => break,
        };
        let Ok((stream, client)) = accepted else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let header_timeout = match places.available_permits() {
            0..FEW_PLACES => SHORT_HEADER_TIMEOUT,
            _ => HEADER_TIMEOUT,
        };
        let connection = answer(stream, client, header_timeout, router.clone(), closing.clone());
        tokio::spawn(async move {
            connection.await;
            drop(place);
        });
    }
    let all = u32::try_from(CONNECTIONS).unwrap_or(u32::MAX);
    let _ = tokio::time::timeout(CLOSE_TIMEOUT, places.acquire_many(all)).await;
}

/// Serves one connection.
async fn answer(
    stream: TcpStream,
    client: SocketAddr,
    header_timeout: Duration,
    router: Router,
    mut closing: watch::Receiver<bool>,
) {
    let _ = stream.set_nodelay(true);
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(WRITE_TIMEOUT));
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(client);
        router.call(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(header_timeout)
        .max_buf_size(MAX_HEADERS)
        .serve_connection(TokioIo::new(Box::pin(stream)), service);
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        // Errors of clients are not ours.
        _ = connection.as_mut() => return,
        _ = closing.wait_for(|closing| *closing) => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}
