//! A cache with TLS: an authority of one's own, certificates on both sides, and words that help.

use std::fs;
use std::path::Path;

use crate::support::faults::{bulk, calm, count, warm};
use crate::support::servers::{MUTUAL_TLS, Redis, RedisCluster, Sqlite};
use crate::support::shopwarm::{Shopwarm, file};

/// With the files of this folder.
fn trusting(run: Shopwarm, dir: &Path, [ca, cert, key]: [&str; 3]) -> Shopwarm {
    let flags = [("CA", ca), ("CERT", cert), ("KEY", key)];
    let given = flags.into_iter().filter(|(_, file)| !file.is_empty());
    given.fold(run, |run, (name, file)| run.env(&format!("SHOPWARM_CACHE_{name}"), dir.join(file)))
}

const ALL: [&str; 3] = ["ca.crt", "client.crt", "client.key"];

#[test]
fn certificates_on_both_sides_let_a_run_in() {
    let (_dir, contexts) = bulk(&[100]);
    let database = Sqlite::database();
    let redis = Redis::start_mutual_tls();
    let at = redis.ca_file();
    let at = at.parent().unwrap();
    let run = warm(&contexts, database.url(), redis.url());
    let run = calm(trusting(run, at, ALL).run()).expect(0);
    assert_eq!(count(&run.strategy("bulk/first"), "warmed"), 100);

    // In the file, paths are meant from where it stands.
    let (dir, config) = file(
        "shopwarm.toml",
        "cache_ca = \"ca.crt\"\ncache_cert = \"client.crt\"\ncache_key = \"client.key\"\n",
    );
    for name in ALL {
        fs::copy(at.join(name), dir.path().join(name)).unwrap();
    }
    let url = format!("{}?protocol=resp3", redis.url());
    let run = warm(&contexts, database.url(), url).arg("--config").arg(config);
    calm(run.run()).expect(0);

    let cluster =
        RedisCluster::start_with(2, 0, &MUTUAL_TLS.split_whitespace().collect::<Vec<_>>(), None);
    for url in [
        cluster.url().replace("redis+", "rediss+"),
        format!("rediss://localhost:{}", cluster.nodes[1].port()),
    ] {
        let run = warm(&contexts, database.url(), url);
        let run = calm(trusting(run, at, ALL).run()).expect(0);
        assert_eq!(count(&run.strategy("bulk/first"), "warmed"), 100);
    }
}

/// As Azure and ElastiCache have it: the nodes announce addresses, and their certificates have a name.
#[test]
fn certificates_of_nodes_may_have_the_name_of_the_cluster() {
    let (_dir, contexts) = bulk(&[3000]);
    let database = Sqlite::database();
    let args = MUTUAL_TLS.replace("--tls-cert-file server.crt", "--tls-cert-file named.crt");
    let cluster =
        RedisCluster::start_with(3, 0, &args.split_whitespace().collect::<Vec<_>>(), None);
    let at = cluster.nodes[0].ca_file();
    let at = at.parent().unwrap();
    let url = |host| format!("rediss+cluster://{host}:{}", cluster.nodes[0].port());
    let run = warm(&contexts, database.url(), url("localhost"));
    let run = calm(trusting(run, at, ALL).run()).expect(0);
    assert_eq!(count(&run.strategy("bulk/first"), "warmed"), 3000);
    // Nobody says which name to expect.
    let run = warm(&contexts, database.url(), url("127.0.0.1"));
    let run = calm(trusting(run, at, ALL).run()).expect(6);
    assert!(run.stderr.contains("use the host name in the server's certificate"), "{}", run.stderr);
}

#[test]
fn what_is_wrong_with_a_certificate_is_said() {
    let (_dir, contexts) = bulk(&[1]);
    let database = Sqlite::database();
    let mutual = Redis::start_mutual_tls();
    let one_sided = Redis::start_tls();
    let plain = Redis::start(&[]);
    let own = Redis::start(&[
        "--port",
        "0",
        "--tls-port",
        "@PORT@",
        "--tls-auth-clients",
        "no",
        "--tls-ca-cert-file",
        "ca.crt",
        "--tls-cert-file",
        "ca.crt",
        "--tls-key-file",
        "ca.key",
    ]);
    let at = mutual.ca_file();
    let at = at.parent().unwrap();
    fs::write(at.join("no.pem"), "nothing of the kind").unwrap();
    let own = format!("rediss://127.0.0.1:{}", own.port());
    for (url, files, code, words) in [
        (mutual.url(), ["ca.crt", "", ""], 6, ["certificate", "--cache-cert"]),
        (mutual.url(), ["ca.crt", "server.crt", "server.key"], 6, ["certificate", "--cache-cert"]),
        (one_sided.url(), ["", "", ""], 6, ["UnknownIssuer", "--cache-ca"]),
        (one_sided.url(), ["client.crt", "", ""], 6, ["UnknownIssuer", "--cache-ca"]),
        (own, ["ca.crt", "", ""], 6, ["CaUsedAsEndEntity", "CA:FALSE"]),
        (plain.url(), ["ca.crt", "", ""], 4, ["without TLS", "rediss://"]),
        (mutual.url(), ["none.crt", "", ""], 4, ["none.crt", "No such file"]),
        (mutual.url(), ["no.pem", "", ""], 4, ["no.pem", "no certificate"]),
        (mutual.url(), ["ca.crt", "client.key", "client.key"], 4, ["client.key", "no certificate"]),
        (mutual.url(), ["ca.crt", "client.crt", "ca.crt"], 4, ["ca.crt", "no private key"]),
        (mutual.url(), ["ca.crt", "client.crt", ""], 4, ["--cache-cert", "--cache-key FILE"]),
        (mutual.url(), ["ca.crt", "", "client.key"], 4, ["--cache-key", "--cache-cert FILE"]),
        (mutual.url(), ["ca.crt", "client.crt", "server.key"], 4, ["certificate", "key"]),
    ] {
        let run = trusting(warm(&contexts, database.url(), &url), at, files);
        let run = calm(run.run());
        assert_eq!(run.code, code, "{url} with {files:?}: {}", run.stderr);
        for word in words {
            assert!(run.stderr.contains(word), "{files:?}: no {word:?} in\n{}", run.stderr);
        }
    }
}
