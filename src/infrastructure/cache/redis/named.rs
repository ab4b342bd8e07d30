//! Connects to a server whose certificate has a name, while its cluster announces its address.

use std::net::{IpAddr, SocketAddr};
use std::sync::Mutex;

use redis::aio::MultiplexedConnection;
use redis::io::AsyncDNSResolver;
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, RedisError, RedisFuture,
    RedisResult,
};

use crate::domain::sync::lock;

/// Names that a server's certificate may have, the most likely first.
#[derive(Default)]
pub(super) struct Names {
    all: Mutex<Vec<String>>,
    /// The one that was valid last time.
    valid: Mutex<Option<String>>,
}

impl Names {
    /// Adds one before the others.
    pub(super) fn add(&self, name: &str) {
        let mut all = lock(&self.all);
        if name.parse::<IpAddr>().is_err() && !all.iter().any(|known| known == name) {
            all.insert(0, name.to_owned());
        }
    }

    /// Connects to the address. If the certificate does not match it, tries the names.
    pub(super) async fn connect(
        &self,
        info: ConnectionInfo,
        config: &AsyncConnectionConfig,
    ) -> RedisResult<MultiplexedConnection> {
        let valid = lock(&self.valid).clone();
        if let Some(name) = valid
            && let Ok(connection) = connect_as(&name, &info, config).await
        {
            return Ok(connection);
        }
        let refused = match open(info.clone(), config).await {
            Err(error) if is_name_mismatch(&error) => error,
            done => return done,
        };
        let all = lock(&self.all).clone();
        for name in all {
            match connect_as(&name, &info, config).await {
                Err(error) if is_name_mismatch(&error) => {}
                Err(error) => return Err(error),
                Ok(connection) => {
                    *lock(&self.valid) = Some(name);
                    return Ok(connection);
                }
            }
        }
        Err(refused)
    }
}

async fn open(
    info: ConnectionInfo,
    config: &AsyncConnectionConfig,
) -> RedisResult<MultiplexedConnection> {
    Client::open(info)?.get_multiplexed_async_connection_with_config(config).await
}

/// Connects to an address, and expects a name in the certificate.
async fn connect_as(
    name: &str,
    info: &ConnectionInfo,
    config: &AsyncConnectionConfig,
) -> RedisResult<MultiplexedConnection> {
    let ConnectionAddr::TcpTls { host, port, insecure, tls_params } = info.addr().clone() else {
        return open(info.clone(), config).await;
    };
    let Ok(address) = host.parse::<IpAddr>() else {
        return open(info.clone(), config).await;
    };
    let named = ConnectionAddr::TcpTls { host: name.to_owned(), port, insecure, tls_params };
    open(info.clone().set_addr(named), &config.clone().set_dns_resolver(At(address))).await
}

fn is_name_mismatch(error: &RedisError) -> bool {
    let text = error.to_string();
    text.contains("NotValidForName") || text.contains("not valid for name")
}

/// Every name is at this address.
struct At(IpAddr);

impl AsyncDNSResolver for At {
    fn resolve<'a, 'b: 'a>(
        &'a self,
        _: &'b str,
        port: u16,
    ) -> RedisFuture<'a, Box<dyn Iterator<Item = SocketAddr> + Send + 'a>> {
        let here: Box<dyn Iterator<Item = SocketAddr> + Send> =
            Box::new(std::iter::once(SocketAddr::new(self.0, port)));
        Box::pin(std::future::ready(Ok(here)))
    }
}
