<?php
// Makes every document of the shop of lamps out of the database, in PHP alone, and compares it with the cache.
// Usage: php lamps.php MYSQL_URL REDIS_URL

$source = parse_url($argv[1]);
$target = parse_url($argv[2]);
mysqli_report(MYSQLI_REPORT_ERROR | MYSQLI_REPORT_STRICT);
$database = ltrim($source['path'], '/');
$db = new mysqli($source['host'], $source['user'], urldecode($source['pass'] ?? ''), $database, $source['port']);
$db->set_charset('utf8mb4');
$redis = new Redis();
$redis->connect($target['host'], $target['port']);
$expected = [];

function rows(string $sql): array { global $db; return $db->query($sql)->fetch_all(MYSQLI_ASSOC); }
function text(?string $value): string { return $value === null ? 'null' : json_encode($value, JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES); }
function number(?string $value): string { return $value ?? 'null'; }
function moment(?string $value): string { return text($value === null ? null : str_replace(' ', 'T', $value)); }
function object(array $fields): string {
    $parts = [];
    foreach ($fields as $name => $json) { $parts[] = text((string) $name) . ':' . $json; }
    return '{' . implode(',', $parts) . '}';
}

foreach (rows('SELECT * FROM ls_product p JOIN ls_product_description d USING (product_id) JOIN ls_language l ON l.language_id = d.language_id') as $r) {
    $code = rows("SELECT code FROM ls_language WHERE language_id = {$r['language_id']}")[0]['code'];
    $p = rows("SELECT * FROM ls_product WHERE product_id = {$r['product_id']}")[0];
    $d = rows("SELECT * FROM ls_product_description WHERE product_id = {$r['product_id']} AND language_id = {$r['language_id']}")[0];
    $images = array_map(fn($i) => text($i['image']), rows("SELECT image FROM ls_product_image WHERE product_id = {$r['product_id']} ORDER BY sort_order"));
    $expected["product:{$p['product_id']}:$code"] = object([
        'product_id' => number($p['product_id']), 'name' => text($d['name']), 'description' => text($d['description']),
        'price' => number($p['price']), 'quantity' => number($p['quantity']), 'status' => $p['status'] ? 'true' : 'false',
        'order' => number($p['order']), 'date_available' => $p['date_available'] === '0000-00-00' ? 'null' : text($p['date_available']),
        'date_added' => moment($p['date_added']), 'images' => '[' . implode(',', $images) . ']',
    ]);
}

foreach (rows('SELECT DISTINCT product_id FROM ls_product_meta') as $r) {
    $meta = array_column(rows("SELECT meta_key, meta_value FROM ls_product_meta WHERE product_id = {$r['product_id']}"), 'meta_value', 'meta_key');
    $expected["attributes:{$r['product_id']}"] = object([
        'product_id' => number($r['product_id']), 'colour' => text($meta['colour'] ?? null), 'watts' => number($meta['watts'] ?? null), 'dimmable' => text($meta['dimmable'] ?? null),
    ]);
}

function menu(int $parent, string $language): string {
    $nodes = [];
    foreach (rows("SELECT c.*, d.name FROM ls_category c JOIN ls_category_description d USING (category_id) JOIN ls_language l USING (language_id)
                    WHERE c.status = 1 AND c.parent_id = $parent AND l.code = '$language' ORDER BY c.sort_order, c.category_id") as $c) {
        $nodes[] = object(['category_id' => number($c['category_id']), 'parent_id' => $c['parent_id'] === '0' ? 'null' : number($c['parent_id']),
            'name' => text($c['name']), 'sort_order' => number($c['sort_order']), 'children' => menu((int) $c['category_id'], $language)]);
    }
    return '[' . implode(',', $nodes) . ']';
}
foreach (['en-gb', 'de-de'] as $language) { $expected["menu:$language"] = menu(0, $language); }

foreach (rows('SELECT DISTINCT store_id FROM ls_setting') as $r) {
    $settings = array_column(rows("SELECT `key`, value FROM ls_setting WHERE store_id = {$r['store_id']} ORDER BY `key`"), 'value', 'key');
    $expected["settings:{$r['store_id']}"] = object(array_map('text', $settings));
}

foreach (rows('SELECT product_id, model, price, date_added FROM ls_product') as $r) { $expected["php:product:{$r['product_id']}"] = serialize($r); }

$wrong = 0;
foreach ($expected as $key => $value) {
    $cached = $redis->get($key);
    if ($cached !== $value && $wrong++ < 5) { echo "$key\n  cache    ", var_export($cached, true), "\n  database $value\n"; }
}
$sorted = 0;
foreach (rows('SELECT DISTINCT category_id FROM ls_product_to_category') as $r) {
    $prices = array_column(rows("SELECT product_id, price FROM ls_product JOIN ls_product_to_category USING (product_id) WHERE category_id = {$r['category_id']}"), 'price', 'product_id');
    $cached = $redis->zRange("category:{$r['category_id']}:by-price", 0, -1, true);
    $prices = array_map('floatval', $prices);
    ksort($prices); ksort($cached);
    $sorted++;
    if ($cached != $prices && $wrong++ < 5) { echo "category:{$r['category_id']}:by-price\n"; }
}
$all = array_filter($redis->keys('*'), fn($key) => !str_starts_with($key, 'shopwarm:'));
$others = count($all) - count($expected) - $sorted;
echo count($expected) + $sorted, " documents, $wrong wrong, $others that nobody expected\n";
exit($wrong || $others ? 1 : 0);
