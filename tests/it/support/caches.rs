//! The crate's own caches.

use std::sync::Arc;

use shopwarm::application::ports::Cache;
use shopwarm::infrastructure::cache::{Access, ConnectOptions, connect};

/// Runs it on the cache that the URL names.
pub fn on<F: Future<Output = ()>>(url: &str, promise: impl FnOnce(Arc<dyn Cache>) -> F) {
    run(async {
        let options = ConnectOptions::default();
        let cache = connect(url, Access::Write, &options).await;
        promise(cache.expect("a cache")).await;
    });
}

/// On a runtime of its own.
pub fn run(promise: impl Future<Output = ()>) {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(promise);
}
