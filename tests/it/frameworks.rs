//! What frameworks read from their caches with their own code, and what they write there.

use serde_json::json;

use crate::support::lab::{Lab, own, strategy};
use crate::support::readers::{php, python};
use crate::support::servers::Dialect;

const SQL: &str = "SELECT id, name, price FROM t";

fn lab() -> Lab {
    let lab = Lab::empty(Dialect::MySql);
    lab.database.sql(
        "CREATE TABLE t (id int PRIMARY KEY, name VARCHAR(20), price DECIMAL(10,2));
         INSERT INTO t VALUES (1, 'Käse', 12.50), (2, NULL, 3.00)",
    );
    lab
}

fn warm(lab: &Lab, strategies: &[(&str, &str)]) -> String {
    let all = strategies.iter().enumerate();
    let all =
        all.map(|(i, (key, more))| strategy(&format!("s{i}"), "object", key, SQL) + more + "\n");
    let definitions = own(&["t"], &all.collect::<String>());
    lab.warm(&definitions).expect(0);
    definitions
}

fn is_identical(lab: &Lab, definitions: &str, keys: u64) {
    let verified = lab.with(definitions, "verify all -o json").run().expect(0);
    assert_eq!(verified.json()["totals"]["identical"], keys);
}

#[test]
fn laravel_reads_its_cache() {
    let lab = lab();
    let key = "laravel_database_laravel_cache_:product:{id}";
    let definitions = warm(&lab, &[(key, "format = \"php\"")]);
    let read = php(
        "error_reporting(E_ALL & ~E_DEPRECATED);
         require '/usr/share/php/Illuminate/Redis/autoload.php';
         require '/usr/share/php/Illuminate/Cache/autoload.php';
         $server = ['host' => $redis->getHost(), 'port' => $redis->getPort()];
         $manager = new Illuminate\\Redis\\RedisManager(new stdClass, 'phpredis', [
             'default' => $server, 'options' => ['prefix' => 'laravel_database_'],
         ]);
         $store = new Illuminate\\Cache\\RedisStore($manager, 'laravel_cache_');
         $cache = new Illuminate\\Cache\\Repository($store);
         $read = [$cache->get('product:1'), $cache->get('product:2'), $cache->get('product:3')];
         $cache->put('product:2', $cache->get('product:2'), 7200);
         echo json_encode($read);",
        "",
        Some(&lab.redis),
    );
    let first = json!({"id": 1, "name": "Käse", "price": 12.5});
    let second = json!({"id": 2, "name": null, "price": 3});
    assert_eq!(read, json!([first, second, null]));
    is_identical(&lab, &definitions, 2);
}

#[test]
fn symfony_reads_its_cache() {
    let lab = lab();
    let definitions = warm(&lab, &[("shop:product.{id}", "format = \"php\"")]);
    let read = php(
        "error_reporting(E_ALL & ~E_DEPRECATED);
         require '/usr/share/php/Symfony/Component/Cache/autoload.php';
         $pool = new Symfony\\Component\\Cache\\Adapter\\RedisAdapter($redis, 'shop');
         $items = array_map(fn ($id) => $pool->getItem(\"product.$id\"), [1, 2, 3]);
         echo json_encode(array_map(fn ($item) => $item->isHit() ? $item->get() : false, $items));",
        "",
        Some(&lab.redis),
    );
    let first = json!({"id": 1, "name": "Käse", "price": 12.5});
    let second = json!({"id": 2, "name": null, "price": 3});
    assert_eq!(read, json!([first, second, false]));
    is_identical(&lab, &definitions, 2);
}

#[test]
fn django_redis_reads_its_cache() {
    let lab = lab();
    let definitions = warm(
        &lab,
        &[
            (":1:product:{id}", "numbers = \"string\""),
            (":1:packed:{id}", "format = \"msgpack\"\ncompress = \"gzip\""),
            (":1:framed:{id}", "compress = \"lz4\""),
        ],
    );
    let read = python(
        "import django
from django.conf import settings
def using(serializer, compressor=None):
    options = {'SERIALIZER': f'django_redis.serializers.{serializer}'}
    if compressor: options['COMPRESSOR'] = f'django_redis.compressors.{compressor}'
    return {'BACKEND': 'django_redis.cache.RedisCache', 'LOCATION': url, 'OPTIONS': options}
settings.configure(CACHES={
    'default': using('json.JSONSerializer'),
    'packed': using('msgpack.MSGPackSerializer', 'gzip.GzipCompressor'),
    'framed': using('json.JSONSerializer', 'lz4.Lz4Compressor'),
})
django.setup()
from django.core.cache import caches
read = [caches['default'].get(f'product:{id}') for id in (1, 2, 3)]
read += [caches[name].get(f'{name}:1') for name in ('packed', 'framed')]
caches['packed'].set('packed:2', caches['packed'].get('packed:2'), 7200)
print(json.dumps(read))",
        "",
        Some(&lab.redis),
    );
    let first = json!({"id": 1, "name": "Käse", "price": 12.5});
    let strings = [
        json!({"id": "1", "name": "Käse", "price": "12.50"}),
        json!({"id": "2", "name": null, "price": "3.00"}),
    ];
    assert_eq!(read, json!([strings[0], strings[1], null, first, first]));
    is_identical(&lab, &definitions, 6);
}
