SELECT id, total FROM orders

SELECT o.id AS "Order", o."status" FROM orders AS o

SELECT * FROM public.orders

-- view
SELECT orders.* FROM ONLY orders

SELECT * FROM orders AS o (number, customer)

VALUES (1, 'a'), (2, 'b')

SELECT id, v FROM orders JOIN (VALUES (1, 'a'), (2, 'b')) AS t (id, v) USING (id)

SELECT DISTINCT status FROM orders

SELECT DISTINCT ON (user_id) user_id, id FROM orders ORDER BY user_id, created_at DESC NULLS LAST

SELECT ALL id FROM orders

SELECT count(*), count(DISTINCT user_id) FROM orders

SELECT count(*) FILTER (WHERE status = 'paid') AS paid FROM orders

SELECT user_id, sum(total) FROM orders GROUP BY user_id HAVING sum(total) > 100

SELECT user_id, status, sum(total) FROM orders GROUP BY GROUPING SETS ((user_id), (status), ())

SELECT user_id, status, sum(total), grouping(user_id, status) FROM orders GROUP BY ROLLUP (user_id, status)

SELECT user_id, status, sum(total) FROM orders GROUP BY CUBE (user_id, status)

-- view
SELECT user_id, status FROM orders GROUP BY DISTINCT ROLLUP (user_id, status)

SELECT user_id, sum(total) FROM orders GROUP BY 1

SELECT status, array_agg(id ORDER BY created_at DESC) FROM orders GROUP BY status

SELECT string_agg(DISTINCT status, ', ' ORDER BY status) FROM orders

SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY total) FROM orders

SELECT mode() WITHIN GROUP (ORDER BY status) FROM orders

SELECT json_agg(json_build_object('id', id, 'total', total) ORDER BY id) FROM orders

SELECT jsonb_object_agg(id, status) FROM orders

SELECT json_object_agg(id, status) FILTER (WHERE status IS NOT NULL) FROM orders

SELECT bool_and(total > 0), every(total > 0), max(created_at) FROM orders

SELECT row_number() OVER (PARTITION BY user_id ORDER BY created_at DESC) FROM orders

SELECT rank() OVER w, dense_rank() OVER w FROM orders WINDOW w AS (PARTITION BY status ORDER BY total)

SELECT sum(total) OVER (ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) FROM orders

SELECT sum(total) OVER (ORDER BY created_at RANGE BETWEEN INTERVAL '7 days' PRECEDING AND CURRENT ROW) FROM orders

SELECT sum(total) OVER (ORDER BY id GROUPS BETWEEN 1 PRECEDING AND 1 FOLLOWING) FROM orders

SELECT avg(total) OVER (ORDER BY id ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING EXCLUDE CURRENT ROW) FROM orders

SELECT avg(total) OVER (ORDER BY id RANGE UNBOUNDED PRECEDING EXCLUDE TIES) FROM orders

SELECT lag(total, 1, 0) OVER (ORDER BY id), lead(total) OVER (ORDER BY id) FROM orders

SELECT first_value(id) OVER (PARTITION BY user_id ORDER BY id), ntile(4) OVER (ORDER BY total) FROM orders

SELECT count(*) FILTER (WHERE total > 10) OVER (PARTITION BY user_id) FROM orders

SELECT * FROM (SELECT o.*, row_number() OVER (PARTITION BY user_id ORDER BY id) AS n FROM orders o) q WHERE n <= 3

WITH big AS (SELECT * FROM orders WHERE total > 100) SELECT * FROM big

WITH big AS MATERIALIZED (SELECT * FROM orders) SELECT * FROM big

WITH big AS NOT MATERIALIZED (SELECT * FROM orders) SELECT * FROM big

WITH a AS (SELECT 1 AS x), b (y) AS (SELECT x + 1 FROM a) SELECT * FROM a, b

WITH RECURSIVE tree AS (SELECT id, parent_id, 1 AS depth FROM categories WHERE parent_id IS NULL UNION ALL SELECT c.id, c.parent_id, t.depth + 1 FROM categories c JOIN tree t ON c.parent_id = t.id) SELECT * FROM tree

WITH RECURSIVE path (id, name, trail) AS (SELECT id, name, ARRAY[id] FROM categories UNION ALL SELECT c.id, c.name, p.trail || c.id FROM categories c JOIN path p ON c.parent_id = p.id WHERE NOT c.id = ANY (p.trail)) SELECT * FROM path

-- view
WITH RECURSIVE t AS (SELECT id, parent_id FROM categories UNION ALL SELECT c.id, c.parent_id FROM categories c JOIN t ON c.parent_id = t.id) SEARCH DEPTH FIRST BY id SET ord SELECT * FROM t

-- view
WITH RECURSIVE t AS (SELECT id, parent_id FROM categories UNION ALL SELECT c.id, c.parent_id FROM categories c JOIN t ON c.parent_id = t.id) CYCLE id SET is_cycle USING path SELECT * FROM t

SELECT o.id, l.sku FROM orders o CROSS JOIN LATERAL (SELECT i.sku FROM order_items i WHERE i.order_id = o.id ORDER BY i.price DESC LIMIT 3) l

SELECT o.id, l.n FROM orders o LEFT JOIN LATERAL (SELECT count(*) AS n FROM order_items i WHERE i.order_id = o.id) l ON true

SELECT o.id, e.value FROM orders o, jsonb_array_elements(o.items) AS e (value)

SELECT o.id, e.value, e.ordinality FROM orders o, LATERAL jsonb_array_elements(o.items) WITH ORDINALITY AS e (value, ordinality)

SELECT o.id, t.tag, t.n FROM orders o CROSS JOIN LATERAL unnest(o.tags) WITH ORDINALITY AS t (tag, n)

SELECT * FROM unnest(ARRAY[1, 2], ARRAY['a', 'b']) AS t (n, s)

-- view
SELECT * FROM ROWS FROM (generate_series(1, 3), unnest(ARRAY['a', 'b'])) AS t (n, s)

SELECT d::date AS day FROM generate_series('2026-01-01'::date, '2026-02-01'::date, '1 day'::interval) AS d

SELECT n FROM generate_series(1, 10, 2) AS g (n)

SELECT x.* FROM orders o, jsonb_to_recordset(o.items) AS x (sku text, quantity int)

SELECT k, v FROM products p, jsonb_each_text(p.attributes) AS a (k, v)

SELECT o.id FROM orders o INNER JOIN order_items i ON i.order_id = o.id AND i.quantity > 1

SELECT o.id FROM orders o LEFT OUTER JOIN order_items i ON i.order_id = o.id WHERE i.order_id IS NULL

SELECT o.id FROM orders o RIGHT JOIN order_items i ON i.order_id = o.id

SELECT coalesce(o.id, i.order_id) AS id FROM orders o FULL OUTER JOIN order_items i ON i.order_id = o.id

SELECT o.id FROM orders o NATURAL JOIN order_items i

SELECT o.id FROM orders o CROSS JOIN products p

SELECT o.id FROM (orders o JOIN order_items i ON i.order_id = o.id) JOIN products p ON p.id = i.product_id

-- view
SELECT * FROM orders o JOIN products p USING (id) AS j

SELECT id FROM orders WHERE user_id IN (SELECT id FROM products WHERE stock > 0)

SELECT id FROM orders o WHERE EXISTS (SELECT FROM order_items i WHERE i.order_id = o.id)

SELECT id FROM orders WHERE (user_id, status) IN (SELECT 1, 'paid')

SELECT id FROM orders WHERE total > ALL (SELECT price FROM products)

SELECT id FROM orders WHERE user_id = ANY (ARRAY[1, 2, 3])

SELECT id FROM orders WHERE status = ANY ('{paid,open}'::text[])

SELECT id, (SELECT max(price) FROM order_items i WHERE i.order_id = o.id) AS dearest FROM orders o

SELECT ARRAY(SELECT sku FROM order_items i WHERE i.order_id = o.id ORDER BY sku) AS skus FROM orders o

SELECT id FROM orders WHERE (total, id) > (10, 1)

SELECT ROW(id, status) FROM orders

-- view
SELECT (ROW(id, status)).* FROM orders

SELECT 1 AS x UNION SELECT 2 UNION ALL SELECT 3

SELECT id FROM orders INTERSECT SELECT order_id FROM order_items

SELECT id FROM orders EXCEPT ALL SELECT order_id FROM order_items

(SELECT id FROM orders ORDER BY id LIMIT 3) UNION ALL (SELECT id FROM products ORDER BY id LIMIT 3)

SELECT * FROM (SELECT id FROM orders ORDER BY id FETCH FIRST 3 ROWS WITH TIES) q

SELECT * FROM (SELECT id FROM orders ORDER BY id OFFSET 2 ROWS FETCH NEXT 3 ROWS ONLY) q

SELECT items -> 0 ->> 'sku' FROM orders

SELECT items #> '{0,sku}', items #>> '{0,sku}' FROM orders

SELECT id FROM orders WHERE items @> '[{"sku": "x"}]'

SELECT id FROM products WHERE attributes ? 'colour'

SELECT id FROM products WHERE attributes ?| ARRAY['a', 'b'] OR attributes ?& ARRAY['a', 'b']

SELECT attributes || '{"a": 1}'::jsonb, attributes - 'a', attributes #- '{a,b}' FROM products

SELECT id FROM products WHERE attributes @? '$.sizes[*] ? (@ > 2)' OR attributes @@ '$.a == 1'

SELECT attributes['colour'] FROM products

SELECT jsonb_path_query_first(attributes, '$.colour') FROM products

SELECT jsonb_set(attributes, '{a}', '1'), jsonb_pretty(attributes), jsonb_strip_nulls(attributes) FROM products

SELECT to_jsonb(o) - 'note' FROM orders o

SELECT row_to_json(o) FROM orders o

SELECT json_build_array(id, status) FROM orders

-- elsewhere
SELECT JSON_VALUE(attributes, '$.colour') FROM products

-- elsewhere
-- view
SELECT JSON_VALUE(attributes, '$.n' RETURNING int DEFAULT 0 ON ERROR) FROM products

-- elsewhere
-- view
SELECT JSON_QUERY(attributes, '$.sizes' WITH WRAPPER) FROM products

-- elsewhere
SELECT JSON_EXISTS(attributes, '$.colour') FROM products

-- elsewhere
SELECT JSON_OBJECT('id': id, 'status': status ABSENT ON NULL) FROM orders

-- elsewhere
SELECT JSON_OBJECT('id' VALUE id RETURNING jsonb) FROM orders

-- elsewhere
SELECT JSON_ARRAY(id, status NULL ON NULL) FROM orders

-- elsewhere
SELECT JSON_ARRAYAGG(id ORDER BY id) FROM orders

-- elsewhere
SELECT JSON_OBJECTAGG('k' VALUE id) FROM orders

-- elsewhere
SELECT note IS JSON, note IS JSON OBJECT, note IS NOT JSON FROM orders

-- elsewhere
SELECT o.id, t.sku FROM orders o, JSON_TABLE(o.items, '$[*]' COLUMNS (n FOR ORDINALITY, sku text PATH '$.sku')) AS t

-- elsewhere
-- view
SELECT o.id, t.sku FROM orders o, JSON_TABLE(o.items, '$[*]' COLUMNS (sku text PATH '$.sku' DEFAULT '' ON EMPTY) ERROR ON ERROR) AS t

SELECT ARRAY[1, 2, 3], ARRAY[[1, 2], [3, 4]], '{1,2}'::int[]

SELECT tags[1], tags[1:2], tags[:2], tags[2:] FROM orders

SELECT array_length(tags, 1), cardinality(tags), array_position(tags, 'a') FROM orders

SELECT tags || 'x'::text, array_append(tags, 'y'), array_remove(tags, 'z') FROM orders

SELECT id FROM orders WHERE tags && ARRAY['a'] AND tags @> ARRAY['b'] AND tags <@ ARRAY['a', 'b']

SELECT array_to_string(tags, ',', '*'), string_to_array(note, ',') FROM orders

SELECT (ARRAY[1, 2, 3])[2]

SELECT total::int, total::numeric(10, 2), CAST(total AS double precision) FROM orders

SELECT '1'::int + 1, int '5', numeric '1.5', date '2026-01-01', timestamp '2026-01-01 00:00', interval '1 day'

SELECT CAST(id AS character varying(10)), CAST(tags AS text[]), CAST(note AS bytea) FROM orders

SELECT created_at::timestamp without time zone, created_at::timestamptz(3) FROM orders

SELECT created_at AT TIME ZONE 'Europe/Berlin' FROM orders

SELECT created_at AT TIME ZONE 'UTC' AT TIME ZONE 'Europe/Berlin' FROM orders

-- elsewhere
-- view
SELECT created_at AT LOCAL FROM orders

SELECT created_at - INTERVAL '1 day', created_at + INTERVAL '1' DAY, now() - INTERVAL '1 year 2 months' FROM orders

SELECT INTERVAL '1:30' HOUR TO MINUTE, INTERVAL '3' MONTH

SELECT created_at + make_interval(days => 7) FROM orders

SELECT extract(epoch FROM created_at), extract(year FROM created_at), date_part('dow', created_at) FROM orders

SELECT date_trunc('month', created_at), date_trunc('day', created_at, 'Europe/Berlin'), age(created_at) FROM orders

SELECT to_char(created_at, 'YYYY-MM-DD"T"HH24:MI:SS'), to_date('2026', 'YYYY'), to_timestamp(0) FROM orders

SELECT current_date, current_timestamp, localtime, current_timestamp(3), clock_timestamp()

SELECT (created_at, INTERVAL '1 day') OVERLAPS (now(), INTERVAL '1 day') FROM orders

SELECT id FROM orders WHERE created_at BETWEEN '2026-01-01' AND '2026-02-01'

SELECT id FROM orders WHERE total BETWEEN SYMMETRIC 10 AND 1

SELECT id FROM orders WHERE total NOT BETWEEN 1 AND 10

SELECT id FROM orders WHERE status LIKE 'p%' AND note ILIKE '%x%' AND note NOT LIKE 'a\_%' ESCAPE '\'

SELECT id FROM orders WHERE note SIMILAR TO '(a|b)%' OR note NOT SIMILAR TO 'c'

SELECT id FROM orders WHERE note ~ '^a' OR note ~* 'b$' OR note !~ 'c' OR note !~* 'd'

SELECT id FROM orders WHERE note ~~ 'a%' OR note ~~* 'b%' OR note !~~ 'c'

SELECT id FROM orders WHERE note LIKE ANY (ARRAY['a%', 'b%'])

SELECT id FROM orders WHERE note ^@ 'a' AND starts_with(note, 'a')

SELECT id FROM orders WHERE status IS DISTINCT FROM 'paid' AND note IS NOT DISTINCT FROM NULL

SELECT id FROM orders WHERE (total > 1) IS TRUE AND (total > 2) IS NOT UNKNOWN AND note ISNULL

SELECT id FROM orders WHERE note NOTNULL OR NOT (total > 1)

SELECT CASE WHEN total > 100 THEN 'big' WHEN total > 10 THEN 'mid' ELSE 'small' END FROM orders

SELECT CASE status WHEN 'paid' THEN 1 ELSE 0 END, coalesce(note, ''), nullif(status, ''), greatest(1, total), least(1, total) FROM orders

SELECT substring(note FROM 1 FOR 3), substring(note FROM '[a-z]+'), substring(note, 1, 3), position('a' IN note), overlay(note PLACING 'x' FROM 1 FOR 2) FROM orders

SELECT trim(note), trim(BOTH ' ' FROM note), trim(LEADING 'x' FROM note), ltrim(note), btrim(note, 'x') FROM orders

SELECT upper(note) || lower(status) || initcap(note), concat_ws('-', id, status), format('%s-%I', id, status) FROM orders

SELECT regexp_replace(note, '\s+', ' ', 'g'), regexp_match(note, 'a'), split_part(note, ',', 1), translate(note, 'a', 'b') FROM orders

SELECT left(note, 3), right(note, 3), lpad(id::text, 8, '0'), repeat('x', 3), reverse(note), md5(note), encode(sha256(note::bytea), 'hex') FROM orders

SELECT E'a\nb', E'it''s', 'it''s', $$it's$$, $x$a $$ b$x$, U&'d\0061t', B'101', X'1F'

SELECT 'a'
  'b'

SELECT 1e3, 1.5e-3, .5

SELECT 5 % 3, 2 ^ 3, |/ 16, ||/ 27, @ -5, 5 & 3, 5 | 3, 5 # 3, ~5, 1 << 2, 8 >> 1

SELECT 1 OPERATOR(pg_catalog.+) 2

SELECT id FROM orders WHERE note COLLATE "C" > 'a'

SELECT id FROM orders WHERE search @@ to_tsquery('english', 'shoe & red')

SELECT ts_rank(search, plainto_tsquery('shoe')), ts_headline(note, to_tsquery('x')) FROM orders

SELECT id FROM orders WHERE to_tsvector('simple', note) @@ websearch_to_tsquery('simple', 'a -b')

SELECT to_tsvector('a') || to_tsvector('b'), setweight(search, 'A') FROM orders

SELECT id FROM orders TABLESAMPLE SYSTEM (10)

SELECT id FROM orders TABLESAMPLE BERNOULLI (10) REPEATABLE (1)

SELECT int4range(1, 5) @> 3, tstzrange(now(), NULL, '[)') && tstzrange(created_at, NULL) FROM orders

SELECT '[1,5)'::int4range * '[3,9)'::int4range, '10.0.0.0/8'::inet >> '10.1.2.3'::inet

SELECT point(1, 2) <-> point(3, 4)

-- view
SELECT xmlelement(name x, xmlattributes(id AS n), status) FROM orders

SELECT xmlforest(id, status) FROM orders

SELECT o FROM orders o

SELECT count(o.*) FROM orders o

SELECT (o).id FROM orders o

SELECT id, status FROM orders -- a comment; with a semicolon

SELECT /* a comment, 'with a quote */ id FROM orders

SELECT
  o.id,
  -- the customer
  o.user_id
FROM orders o

SELECT "user", "select" FROM (SELECT 1, 2) AS t ("user", "select")

SELECT id AS value, status type, note name FROM orders

SELECT id FROM orders WHERE true AND NOT false AND NULL IS NULL

-- refused: cannot be read
SELECT

SELECT nullif(total, 0) / 2.0 * -1, - total, + total FROM orders

SELECT width_bucket(total, 0, 100, 10), round(total, 2), trunc(total), ceil(total), mod(id, 2), sign(total), power(2, 3), random() FROM orders

SELECT make_date(2026, 1, 1), justify_interval('35 days'), isfinite(now())

SELECT num_nulls(note, status), num_nonnulls(note, status) FROM orders

SELECT pg_typeof(id), pg_column_size(note), pg_size_pretty(1024::bigint) FROM orders

SELECT corr(total, id), stddev_pop(total), variance(total), regr_slope(total, id) FROM orders

-- view
SELECT id::text COLLATE "C" FROM orders

SELECT CAST(id AS text) COLLATE "C" FROM orders

-- refused: directly followed by a word
SELECT 1_000, 0b101

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
SELECT * INTO copy FROM orders

-- refused: INTO belongs
MERGE INTO orders o USING products p ON true WHEN MATCHED THEN DELETE

-- refused: the SQL writes (UPDATE)
WITH x AS (UPDATE orders SET total = 0 RETURNING *) SELECT * FROM x

-- refused: the SQL writes (DELETE)
WITH x AS (DELETE FROM orders RETURNING *) SELECT * FROM x

-- refused: locks rows
SELECT id FROM orders FOR UPDATE

-- refused: locks rows
SELECT id FROM orders FOR SHARE OF orders NOWAIT

-- refused: cannot be read
SELECT id FROM orders FOR NO KEY UPDATE

-- refused: `pg_sleep` is not allowed
SELECT pg_sleep(5)

-- refused: `pg_advisory_lock` is not allowed
SELECT pg_advisory_lock(1)

-- refused: `nextval` is not allowed
SELECT nextval('orders_id_seq')

-- refused: `setval` is not allowed
SELECT setval('orders_id_seq', 1)

-- refused: `set_config` is not allowed
SELECT set_config('a.b', 'c', false)

-- refused: `pg_read_file` is not allowed
SELECT pg_read_file('/etc/passwd')

-- refused: `lo_import` is not allowed
SELECT lo_import('/etc/passwd')

-- refused: `dblink` in FROM
SELECT * FROM dblink('x', 'SELECT 1') AS t (a int)

-- refused: `query_to_xml` is not allowed
SELECT query_to_xml('SELECT 1', true, true, '')

-- refused: cannot check what `crosstab`
SELECT * FROM crosstab('SELECT 1') AS t (a int)

-- refused: cannot check what `my_function`
SELECT * FROM my_function(1)

-- refused: cannot be read
CALL refresh_orders()

-- refused: cannot be read
SHOW search_path

-- refused: cannot be read
COPY orders TO STDOUT

-- refused: cannot be read
EXPLAIN ANALYZE SELECT 1

-- refused: has a parameter
SELECT $1 FROM orders

-- refused: U& escapes
SELECT U&"d\0061t" FROM orders

-- refused: `/*` inside
SELECT /* /* */ */ 1

-- refused: two quotes
SELECT E'it\'s' FROM orders

-- refused: which is not in `owns`
SELECT * FROM pg_catalog.pg_class

-- refused: which is not in `owns`
SELECT * FROM "Orders"

-- refused: cannot be read
SELECT * FROM users ISNULL

SELECT status ISNULL, note NOTNULL AS isnull FROM orders
