//! Connections to the configured servers.

use std::sync::Arc;

use super::retry;
use crate::application::ports::{Cache, RowSource, Sources};
use crate::config::{Config, Secret};
use crate::domain::failure::{Failure, FailureKind};
pub use crate::infrastructure::cache::Access;
use crate::infrastructure::{cache, demo, source};

/// The configured database, and its primary if it is a replica.
pub(super) async fn sources(config: &Config) -> Result<Sources, Failure> {
    let bulk = source(config).await?;
    let wanted = config.primary_url.as_ref();
    let Some(url) = wanted.filter(|_| config.run.verify_writes()) else {
        return Ok(Sources::one(bulk));
    };
    let primary = primary(url, config).await?;
    if primary.dialect() != bulk.dialect() {
        let what = "--primary-url and --database-url name different kinds of database";
        let why = "a replica and its primary are the same kind";
        return Err(Failure::new(FailureKind::Config, what, why));
    }
    Ok(Sources { bulk, primary })
}

pub(super) async fn primary(url: &Secret, config: &Config) -> Result<Arc<dyn RowSource>, Failure> {
    required(Some(url), "primary", "--primary-url")?;
    connected(url, config).await
}

/// The configured database, connected.
///
/// # Errors
/// None is configured, or it cannot be reached.
pub async fn source(config: &Config) -> Result<Arc<dyn RowSource>, Failure> {
    if let Some(sample) = &config.demo {
        demo::make(&sample.folder).await?;
    }
    required_database(config)?;
    match &config.database_url {
        Some(url) => connected(url, config).await,
        None => source::connect(required_database(config)?, &session_options(config)).await,
    }
}

/// A database whose password may change.
async fn connected(url: &Secret, config: &Config) -> Result<Arc<dyn RowSource>, Failure> {
    let fresh_url = url.fresh().cloned();
    let options = source::SessionOptions { fresh_url, ..session_options(config) };
    source::connect(url.expose(), &options).await
}

/// The configured cache, connected.
///
/// # Errors
/// None is configured, or it cannot be reached.
pub async fn cache(config: &Config, access: Access) -> Result<Arc<dyn Cache>, Failure> {
    if let Some(sample) = &config.demo {
        demo::make_folder(&sample.folder)?;
    }
    let cache = cache::connect(required_cache(config)?, access, &cache_options(config)).await?;
    if config.run.wait.is_some() {
        retry::answers(cache.as_ref()).await?;
    }
    Ok(cache)
}

/// Connection options besides the URL.
pub(super) fn cache_options(config: &Config) -> cache::ConnectOptions {
    cache::ConnectOptions {
        ca: config.cache_ca.clone(),
        cert: config.cache_cert.clone(),
        key: config.cache_key.clone(),
        nodes: config.cache_nodes.clone(),
        failover_timeout: config.failover_timeout,
        fresh_url: config.cache_url.as_ref().and_then(|url| url.fresh().cloned()),
    }
}

/// The same of the database.
pub(super) fn session_options(config: &Config) -> source::SessionOptions {
    source::SessionOptions {
        statement_timeout: config.run.statement_timeout().0,
        zone: config.session_timezone.clone(),
        fresh_url: None,
    }
}

/// Checks the URLs that are configured, and the files they need, without connecting.
///
/// # Errors
/// Says which part of a URL is wrong, or which file.
pub fn check_urls(config: &Config) -> Result<(), Failure> {
    if config.database_url.is_some() {
        source::check_url(required_database(config)?, &session_options(config))?;
    }
    match config.cache_url.is_some() {
        true => cache::check_url(required_cache(config)?, &cache_options(config)),
        false => Ok(()),
    }
}

/// Whether a database and a cache are configured; connects to neither.
///
/// # Errors
/// One is missing, or its URL is not valid.
pub fn are_configured(config: &Config) -> Result<(), Failure> {
    if config.database_url.is_none() && config.cache_url.is_none() {
        let what = "no database and no cache are configured";
        return Err(Failure::new(FailureKind::Config, what, "")
            .hint("set DATABASE_URL and CACHE_URL, or try --demo"));
    }
    required_database(config)?;
    required_cache(config).map(drop)
}

pub(super) fn required_database(config: &Config) -> Result<&str, Failure> {
    let ways = "--database-url or DATABASE_URL";
    required(config.database_url.as_ref(), "database", ways)
}

pub(super) fn required_cache(config: &Config) -> Result<&str, Failure> {
    let ways = "--cache-url, CACHE_URL or REDIS_URL";
    required(config.cache_url.as_ref(), "cache", ways)
}

fn required<'a>(url: Option<&'a Secret>, what: &str, ways: &str) -> Result<&'a str, Failure> {
    let url = url.ok_or_else(|| {
        Failure::new(FailureKind::Config, format!("no {what} is configured"), "")
            .hint(format!("give its URL with {ways}, or try --demo"))
    })?;
    if url.is_ambiguous() {
        let why = "it is unclear where its password ends";
        let what = format!("the {what} URL is not valid");
        return Err(
            Failure::new(FailureKind::Config, what, why).hint("write / as %2F, # as %23, @ as %40")
        );
    }
    Ok(url.expose())
}
