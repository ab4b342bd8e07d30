SELECT id, total FROM orders

SELECT "id", [status], `note` FROM "orders"

SELECT o.id AS 'Order', o.status state FROM orders AS o

SELECT main.orders.id FROM main.orders

SELECT rowid, oid, _rowid_ FROM orders

SELECT DISTINCT status FROM orders

SELECT ALL id FROM orders

SELECT count(*), count(DISTINCT user_id), count() FROM orders

SELECT count(*) FILTER (WHERE status = 'paid') FROM orders

SELECT user_id, sum(total), total(total), avg(total) FROM orders GROUP BY user_id HAVING sum(total) > 100

SELECT user_id, sum(total) AS s FROM orders GROUP BY 1 HAVING s > 100

SELECT status, max(created_at), note FROM orders GROUP BY status

SELECT group_concat(status), group_concat(status, '; ') FROM orders

SELECT group_concat(status, ', ' ORDER BY id DESC) FROM orders

SELECT string_agg(status, ', ') FROM orders

SELECT group_concat(DISTINCT status) FROM orders

SELECT json_group_array(id), json_group_object(id, status) FROM orders

SELECT json_group_array(json_object('id', id, 'total', total)) FROM orders

SELECT json_group_array(id ORDER BY id DESC) FROM orders

SELECT row_number() OVER (PARTITION BY user_id ORDER BY created_at DESC) FROM orders

SELECT rank() OVER w, dense_rank() OVER w FROM orders WINDOW w AS (PARTITION BY status ORDER BY total)

SELECT sum(total) OVER (ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) FROM orders

SELECT sum(total) OVER (ORDER BY id GROUPS BETWEEN 1 PRECEDING AND 1 FOLLOWING) FROM orders

SELECT sum(total) OVER (ORDER BY total RANGE BETWEEN 10 PRECEDING AND CURRENT ROW) FROM orders

SELECT avg(total) OVER (ORDER BY id ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING EXCLUDE CURRENT ROW) FROM orders

SELECT avg(total) OVER (ORDER BY id ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING EXCLUDE TIES) FROM orders

SELECT lag(total, 1, 0) OVER (ORDER BY id), lead(total) OVER (ORDER BY id), nth_value(id, 2) OVER (ORDER BY id) FROM orders

SELECT count(*) FILTER (WHERE total > 10) OVER (PARTITION BY user_id) FROM orders

SELECT ntile(4) OVER (ORDER BY total), percent_rank() OVER (ORDER BY total), cume_dist() OVER (ORDER BY total) FROM orders

SELECT first_value(id) OVER (PARTITION BY user_id ORDER BY id), last_value(id) OVER (ORDER BY id) FROM orders

SELECT * FROM (SELECT o.*, row_number() OVER (PARTITION BY user_id ORDER BY id) AS n FROM orders o) q WHERE n <= 3

WITH big AS (SELECT * FROM orders WHERE total > 100) SELECT * FROM big

WITH big AS MATERIALIZED (SELECT * FROM orders) SELECT * FROM big

WITH big AS NOT MATERIALIZED (SELECT * FROM orders) SELECT * FROM big

WITH a AS (SELECT 1 AS x), b (y) AS (SELECT x + 1 FROM a) SELECT * FROM a, b

WITH RECURSIVE tree AS (SELECT id, parent_id, 1 AS depth FROM categories WHERE parent_id IS NULL UNION ALL SELECT c.id, c.parent_id, t.depth + 1 FROM categories c JOIN tree t ON c.parent_id = t.id) SELECT * FROM tree

WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10) SELECT i FROM n

WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n LIMIT 10) SELECT i FROM n

VALUES (1, 'a'), (2, 'b')

SELECT column1, column2 FROM (VALUES (1, 'a'), (2, 'b'))

WITH v (id, name) AS (VALUES (1, 'a'), (2, 'b')) SELECT * FROM v

SELECT 1 AS x UNION SELECT 2 UNION ALL SELECT 3

SELECT id FROM orders INTERSECT SELECT order_id FROM order_items

SELECT id FROM orders EXCEPT SELECT order_id FROM order_items

SELECT * FROM (SELECT id FROM orders ORDER BY id LIMIT 3) UNION ALL SELECT * FROM (SELECT id FROM products ORDER BY id LIMIT 3)

SELECT * FROM (SELECT id FROM orders ORDER BY id LIMIT 2, 3)

SELECT * FROM (SELECT id FROM orders ORDER BY id LIMIT 3 OFFSET 2) q

SELECT * FROM (SELECT id FROM orders ORDER BY total DESC NULLS LAST, id COLLATE NOCASE ASC)

SELECT 1

SELECT o.id FROM orders o JOIN order_items i ON i.order_id = o.id

SELECT o.id FROM orders o INNER JOIN (SELECT order_id AS id FROM order_items) i USING (id)

SELECT o.id FROM orders o LEFT OUTER JOIN order_items i ON i.order_id = o.id WHERE i.order_id IS NULL

SELECT o.id FROM orders o RIGHT JOIN order_items i ON i.order_id = o.id

SELECT o.id FROM orders o FULL OUTER JOIN order_items i ON i.order_id = o.id

SELECT o.id FROM orders o NATURAL JOIN order_items i

SELECT o.id FROM orders o NATURAL LEFT JOIN order_items i

SELECT o.id FROM orders o CROSS JOIN products p

SELECT o.id FROM orders o, order_items i, products p WHERE i.order_id = o.id AND p.id = i.product_id

SELECT o.id FROM orders o LEFT JOIN (order_items i JOIN products p ON p.id = i.product_id) ON i.order_id = o.id

SELECT o.id FROM (orders o JOIN order_items i ON i.order_id = o.id)

SELECT o.id FROM orders o JOIN (SELECT order_id, count(*) AS n FROM order_items GROUP BY order_id) c ON c.order_id = o.id

SELECT id FROM orders INDEXED BY orders_by_user WHERE user_id = 1

SELECT id FROM orders NOT INDEXED WHERE user_id = 1

SELECT id FROM orders WHERE +user_id = 1

SELECT id FROM orders WHERE user_id IN (SELECT id FROM products WHERE stock > 0)

SELECT id FROM orders o WHERE EXISTS (SELECT 1 FROM order_items i WHERE i.order_id = o.id)

SELECT id FROM orders o WHERE NOT EXISTS (SELECT * FROM order_items i WHERE i.order_id = o.id)

SELECT id FROM orders WHERE (user_id, status) IN (VALUES (1, 'paid'), (2, 'open'))

SELECT id FROM orders WHERE (user_id, status) IN (SELECT 1, 'paid')

SELECT id FROM orders WHERE (user_id, id) > (1, 2)

SELECT id FROM orders WHERE user_id IN ()

SELECT id, (SELECT max(price) FROM order_items i WHERE i.order_id = o.id) AS dearest FROM orders o

SELECT items -> '$[0].sku', items ->> '$[0].sku', items -> 0 ->> 'sku' FROM orders

SELECT json_extract(items, '$[0].sku'), json_array_length(items), json_type(items), json_valid(items) FROM orders

SELECT json_object('id', id, 'lines', json(items)), json_array(id, status), json_quote(note) FROM orders

SELECT json_set(items, '$.a', 1), json_remove(items, '$.a'), json_patch(items, '{}'), json_insert(items, '$.b', 2) FROM orders

SELECT jsonb(items), jsonb_extract(items, '$[0]'), json_pretty(items) FROM orders

SELECT o.id, e.key, e.value FROM orders o, json_each(o.items) e

SELECT o.id, e.value ->> 'sku' FROM orders o JOIN json_each(o.items, '$.lines') AS e

SELECT e.fullkey FROM orders o, json_tree(o.items) AS e WHERE e.type = 'text'

SELECT o.id, e.value FROM orders o LEFT JOIN json_each(o.items) e ON true

SELECT value FROM json_each('[1, 2, 3]')

SELECT id FROM orders WHERE EXISTS (SELECT 1 FROM json_each(orders.items) WHERE value = 'x')

SELECT id FROM orders WHERE status LIKE 'p%' AND note NOT LIKE 'a\_%' ESCAPE '\'

SELECT id FROM orders WHERE note GLOB 'a*' OR note NOT GLOB 'b?'

-- elsewhere
SELECT id FROM orders WHERE note REGEXP '^a'

SELECT id FROM orders WHERE note MATCH 'shoe'

SELECT id FROM search WHERE search MATCH 'shoe AND red'

-- refused: cannot check what `search` in FROM reads
SELECT id FROM search('shoe')

SELECT id, bm25(search), highlight(search, 0, '<b>', '</b>') FROM search WHERE search MATCH 'shoe*'

SELECT id FROM orders WHERE note = 'a' COLLATE NOCASE AND status COLLATE BINARY > 'a'

SELECT id FROM orders WHERE status == 'paid' AND status <> 'a' AND status != 'b'

SELECT id FROM orders WHERE status IS 'paid' AND note IS NOT 'x'

SELECT id FROM orders WHERE status IS DISTINCT FROM 'paid' AND note IS NOT DISTINCT FROM NULL

SELECT id FROM orders WHERE note ISNULL OR note NOTNULL OR note NOT NULL

SELECT id FROM orders WHERE note IS NULL AND (total > 1) IS TRUE AND (total > 2) IS NOT FALSE

SELECT id FROM orders WHERE total BETWEEN 1 AND 10 AND total NOT BETWEEN 2 AND 3

SELECT id FROM orders WHERE status IN ('paid', 'open') AND status NOT IN ('x')

SELECT 7 % 2, 7 / 2, -7, +7, 5 & 3, 5 | 3, ~5, 1 << 2, 8 >> 1

SELECT 'a' || 'b' || id FROM orders

SELECT CASE WHEN total > 100 THEN 'big' ELSE 'small' END, CASE status WHEN 'paid' THEN 1 END FROM orders

SELECT iif(total > 10, 'big', 'small'), ifnull(note, ''), nullif(status, ''), coalesce(note, status) FROM orders

SELECT min(1, 2), max(total, 10), likely(total > 1), unlikely(total > 2), likelihood(total > 3, 0.5) FROM orders

SELECT substr(note, 1, 3), substring(note, 2), trim(note), ltrim(note, 'x'), rtrim(note), replace(note, 'a', 'b'), instr(note, 'a') FROM orders

SELECT upper(note), lower(note), length(note), octet_length(note), hex(note), unhex('41'), quote(note), unicode('a'), char(65, 66) FROM orders

SELECT printf('%05d', id), format('%s-%s', id, status), concat(id, status), concat_ws('-', id, status) FROM orders

SELECT round(total, 2), abs(total), sign(total), random() % 10 FROM orders

SELECT typeof(id), CAST(id AS TEXT), CAST(total AS INTEGER), CAST(note AS REAL), CAST(note AS BLOB), CAST(total AS NUMERIC) FROM orders

SELECT CAST(total AS DECIMAL(10, 2)), CAST(id AS VARCHAR(10)) FROM orders

SELECT 'it''s', x'41', X'4142', 'back\slash', 'a"b', 'line
break'

SELECT 1e3, 1.5e-3, .5, 0x1F

SELECT TRUE, FALSE, NULL

SELECT date(created_at), time(created_at), datetime(created_at, '+1 day'), julianday(created_at), unixepoch(created_at) FROM orders

SELECT strftime('%Y-%m', created_at), date('now', 'start of month', '-1 day'), timediff('2026-01-02', '2026-01-01') FROM orders

SELECT CURRENT_DATE, CURRENT_TIME, CURRENT_TIMESTAMP

SELECT id FROM orders WHERE created_at > datetime('now', '-30 days')

SELECT id FROM orders -- a comment; with a semicolon

SELECT /* a comment, 'with a quote */ id FROM orders

SELECT o.* FROM orders o

SELECT *, total * 2 AS twice FROM orders

SELECT id value, status type, note name FROM orders

SELECT "user", "select" FROM (SELECT 1 AS "user", 2 AS "select")

-- elsewhere
SELECT generate_series.value FROM generate_series(1, 10)

-- elsewhere
SELECT value FROM generate_series(1, 10, 2) AS g

SELECT id FROM orders GROUP BY id HAVING count(*) > 1

SELECT id, sum(total) OVER () AS all_total, total / sum(total) OVER (PARTITION BY user_id) AS share FROM orders

SELECT id FROM orders WHERE id = 1 OR id = 2 AND NOT id = 3

SELECT NOT EXISTS (SELECT 1 FROM order_items)

SELECT exists(SELECT 1 FROM order_items), (SELECT count(*) FROM products)

SELECT max(id) AS id, status FROM orders GROUP BY status

SELECT o.id, o.total - lag(o.total) OVER (PARTITION BY o.user_id ORDER BY o.id) AS change FROM orders o

SELECT p.id, (SELECT json_group_array(json_object('sku', i.sku, 'n', i.quantity)) FROM order_items i WHERE i.product_id = p.id) AS lines FROM products p

SELECT p.id, c.name FROM products p LEFT JOIN categories c ON c.id = p.parent_id

SELECT c.id, p.name FROM categories c LEFT JOIN categories p ON p.id = c.parent_id

SELECT id, name, 'products/' || slug AS url FROM products WHERE stock > 0

SELECT id, round(avg(price), 2) FROM products GROUP BY id, name

SELECT attributes ->> 'colour' AS colour, count(*) FROM products GROUP BY attributes ->> 'colour'

SELECT id FROM products WHERE json_extract(attributes, '$.size') BETWEEN 1 AND 5

SELECT id FROM products WHERE CAST(attributes ->> '$.size' AS INTEGER) > 3

SELECT DISTINCT p.id FROM products p, json_each(p.attributes, '$.tags') t WHERE t.value IN ('a', 'b')

SELECT id, row_number() OVER win AS n FROM products WINDOW win AS (ORDER BY price), other AS (win)

SELECT id, nullif(trim(note), '') IS NULL AS is_empty FROM orders

SELECT sqlite_version(), changes(), total_changes(), last_insert_rowid()

SELECT zeroblob(3), randomblob(3), soundex('a')

SELECT id FROM orders WHERE note LIKE '%' || status || '%'

SELECT id FROM orders WHERE abs(total) IN (1, 2) IS NOT NULL

-- elsewhere
SELECT median(total), percentile(total, 50) FROM orders

SELECT CASE WHEN NULL THEN 1 END IS NULL

SELECT total -> 1 FROM orders

SELECT id, total FROM orders WHERE total = (SELECT max(total) FROM orders)

-- view
SELECT id FROM (orders)

SELECT group_concat(name, ' > ') FROM (SELECT name FROM categories ORDER BY id)

WITH RECURSIVE up AS (SELECT id, parent_id, name AS path FROM categories WHERE parent_id IS NULL UNION ALL SELECT c.id, c.parent_id, up.path || '/' || c.name FROM up JOIN categories c ON c.parent_id = up.id) SELECT id, path FROM up

SELECT raise_to.id FROM orders AS raise_to

-- elsewhere
SELECT ceil(total), floor(total), mod(id, 2), pow(2, 3), sqrt(2) FROM orders

-- refused: directly followed by a word
SELECT 1_000

-- refused: the SQL writes (UPDATE)
UPDATE orders SET total = 0

-- refused: the SQL writes (DELETE)
DELETE FROM orders

-- refused: cannot be read
DROP VIEW orders_view

-- refused: TABLE form
TABLE orders

-- refused: TABLE form
TRUNCATE TABLE orders

-- refused: semicolon
SELECT 1; SELECT 2

-- refused: semicolon
SELECT id FROM orders;

-- refused: `order_by` and `limit`
SELECT id FROM orders ORDER BY id

-- refused: `order_by` and `limit`
SELECT id FROM orders LIMIT 5

-- refused: which is not in `owns`
SELECT * FROM users

-- refused: which is not in `owns`
SELECT id FROM orders WHERE user_id IN (SELECT id FROM users)

-- refused: which is not in `owns`
SELECT id, (SELECT max(id) FROM users) FROM orders

-- refused: which is not in `owns`
SELECT id FROM orders UNION SELECT id FROM users

-- refused: which is not in `owns`
WITH x AS (SELECT * FROM users) SELECT * FROM x

-- refused: not in scope
WITH a AS (SELECT * FROM b), b AS (SELECT 1) SELECT * FROM a

-- refused: cannot be read
SELECT id FROM orders WHERE

-- refused: cannot be read
SELEC id FROM orders

-- refused: not closed
SELECT 'open FROM orders

-- refused: not closed
SELECT id /* open FROM orders

-- refused: INTO belongs
INSERT INTO orders (id) VALUES (1)

-- refused: INTO belongs
REPLACE INTO orders (id) VALUES (1)

-- refused: cannot be read
PRAGMA table_info(orders)

-- refused: cannot be read
ATTACH 'x.db' AS x

-- refused: cannot be read
EXPLAIN SELECT 1

-- refused: cannot check what `pragma_table_info`
SELECT * FROM pragma_table_info('orders')

-- refused: `load_extension` is not allowed
SELECT load_extension('x')

-- refused: `readfile` is not allowed
SELECT readfile('/etc/passwd')

-- refused: `writefile` is not allowed
SELECT writefile('/tmp/x', 'y')

-- refused: `edit` is not allowed
SELECT edit(note) FROM orders

-- refused: which is not in `owns`
SELECT * FROM sqlite_master

-- refused: which is not in `owns`
SELECT id FROM users INDEXED BY users_by_name

-- refused: which is not in `owns`
SELECT id FROM users NOT INDEXED

-- refused: which is not in `owns`
SELECT * FROM other.orders

-- refused: parameter or variable
SELECT ?1 FROM orders

-- refused: parameter or variable
SELECT @x FROM orders

-- refused: is a string
SELECT * FROM 'orders'

SELECT status NOT GLOB 'a*' OR name NOT MATCH 'b' FROM orders, products
