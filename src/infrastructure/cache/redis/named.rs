//! Connects to a server whose certificate has a name, while its cluster announces its address.

use std::net::{IpAddr, SocketAddr};

use redis::aio::MultiplexedConnection;
use redis::io::AsyncDNSResolver;
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, RedisError, RedisFuture,
    RedisResult,
};

/// Connects to the address. If its certificate is for others, checks it against these names.
pub(super) async fn connect(
    info: ConnectionInfo,
    names: &[String],
    config: &AsyncConnectionConfig,
) -> RedisResult<MultiplexedConnection> {
    let open = async |info: ConnectionInfo, config: &AsyncConnectionConfig| {
        Client::open(info)?.get_multiplexed_async_connection_with_config(config).await
    };
    let refused = match open(info.clone(), config).await {
        Err(error) if is_for_others(&error) => error,
        done => return done,
    };
    let ConnectionAddr::TcpTls { host, port, insecure, tls_params } = info.addr().clone() else {
        return Err(refused);
    };
    let Ok(address) = host.parse::<IpAddr>() else {
        return Err(refused);
    };
    for name in names.iter().filter(|name| name.parse::<IpAddr>().is_err()) {
        let tls_params = tls_params.clone();
        let named = ConnectionAddr::TcpTls { host: name.clone(), port, insecure, tls_params };
        let config = config.clone().set_dns_resolver(At(address));
        match open(info.clone().set_addr(named), &config).await {
            Err(error) if is_for_others(&error) => {}
            done => return done,
        }
    }
    Err(refused)
}

fn is_for_others(error: &RedisError) -> bool {
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
