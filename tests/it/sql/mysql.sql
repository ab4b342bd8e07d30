SELECT id, total FROM orders

SELECT `id`, `status` FROM `orders`

SELECT o.`id` AS `Order`, o.status AS 'state', o.note "remark" FROM orders o

SELECT DISTINCT status FROM orders

SELECT DISTINCTROW status FROM orders

SELECT SQL_NO_CACHE id FROM orders

SELECT SQL_CALC_FOUND_ROWS id FROM orders

SELECT SQL_BIG_RESULT status, count(*) FROM orders GROUP BY status

SELECT STRAIGHT_JOIN o.id FROM orders o JOIN order_items i ON i.order_id = o.id

SELECT HIGH_PRIORITY id FROM orders

SELECT id FROM orders FORCE INDEX (PRIMARY)

SELECT id FROM orders USE INDEX (PRIMARY) WHERE id > 1

SELECT id FROM orders IGNORE INDEX FOR ORDER BY (PRIMARY)

SELECT id FROM orders o USE INDEX () WHERE id > 1

SELECT o.id FROM orders o FORCE INDEX FOR JOIN (PRIMARY) JOIN order_items i ON i.order_id = o.id

SELECT /*+ MAX_EXECUTION_TIME(1000) */ id FROM orders

SELECT o.id FROM orders o STRAIGHT_JOIN order_items i ON i.order_id = o.id

SELECT o.id FROM orders o INNER JOIN (SELECT order_id AS id FROM order_items) i USING (id)

SELECT o.id FROM orders o LEFT JOIN order_items i ON i.order_id = o.id AND i.quantity > 1 WHERE i.order_id IS NULL

SELECT o.id FROM orders o RIGHT OUTER JOIN order_items i ON i.order_id = o.id

SELECT o.id FROM orders o NATURAL LEFT JOIN order_items i

SELECT o.id FROM orders o CROSS JOIN products p

SELECT o.id FROM orders o, order_items i, products p WHERE i.order_id = o.id AND p.id = i.product_id

SELECT o.id FROM orders o LEFT JOIN (order_items i JOIN products p ON p.id = i.product_id) ON i.order_id = o.id

SELECT o.id FROM orders o JOIN (SELECT order_id, count(*) AS n FROM order_items GROUP BY order_id) c ON c.order_id = o.id

-- elsewhere
SELECT id FROM orders PARTITION (p0)

SELECT count(*), count(DISTINCT user_id), count(DISTINCT user_id, status) FROM orders

SELECT user_id, sum(total) FROM orders GROUP BY user_id HAVING sum(total) > 100

SELECT user_id, sum(total) AS s FROM orders GROUP BY user_id HAVING s > 100

SELECT user_id, status, sum(total) FROM orders GROUP BY user_id, status WITH ROLLUP

-- view
SELECT status, count(*) FROM orders GROUP BY status DESC

SELECT user_id, sum(total) FROM orders GROUP BY 1

SELECT GROUP_CONCAT(status) FROM orders

SELECT GROUP_CONCAT(DISTINCT status ORDER BY status DESC SEPARATOR '; ') FROM orders

SELECT GROUP_CONCAT(id, ':', status ORDER BY id ASC SEPARATOR '|') FROM orders GROUP BY user_id

SELECT GROUP_CONCAT(id ORDER BY id LIMIT 3) FROM orders

SELECT JSON_ARRAYAGG(id), JSON_OBJECTAGG(id, status) FROM orders

SELECT JSON_ARRAYAGG(JSON_OBJECT('id', id, 'total', total)) FROM orders

SELECT BIT_AND(id), BIT_OR(id), BIT_XOR(id), STD(total), VAR_POP(total) FROM orders

SELECT row_number() OVER (PARTITION BY user_id ORDER BY created_at DESC) AS n FROM orders

SELECT rank() OVER w, dense_rank() OVER w FROM orders WINDOW w AS (PARTITION BY status ORDER BY total)

SELECT sum(total) OVER (ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) FROM orders

SELECT lag(total, 1) OVER (ORDER BY id), lead(total) OVER (ORDER BY id), first_value(id) OVER (ORDER BY id) FROM orders

SELECT * FROM (SELECT o.*, row_number() OVER (PARTITION BY user_id ORDER BY id) AS n FROM orders o) q WHERE n <= 3

WITH big AS (SELECT * FROM orders WHERE total > 100) SELECT * FROM big

WITH a AS (SELECT 1 AS x), b (y) AS (SELECT x + 1 FROM a) SELECT * FROM a, b

WITH RECURSIVE tree AS (SELECT id, parent_id, 1 AS depth FROM categories WHERE parent_id IS NULL UNION ALL SELECT c.id, c.parent_id, t.depth + 1 FROM categories c JOIN tree t ON c.parent_id = t.id) SELECT * FROM tree

WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10) SELECT i FROM n

WITH RECURSIVE p AS (SELECT id, CAST(name AS CHAR(1000)) AS path FROM categories UNION ALL SELECT c.id, CONCAT(p.path, '/', c.name) FROM categories c JOIN p ON c.parent_id = p.id) SELECT * FROM p

VALUES (1, 'a'), (2, 'b')

SELECT 1 UNION SELECT 2 UNION ALL SELECT 3

SELECT id FROM orders INTERSECT SELECT order_id FROM order_items

SELECT id FROM orders EXCEPT SELECT order_id FROM order_items

SELECT id FROM orders UNION DISTINCT SELECT order_id FROM order_items

(SELECT id FROM orders ORDER BY id LIMIT 3) UNION ALL (SELECT id FROM products ORDER BY id LIMIT 3)

SELECT * FROM (SELECT id FROM orders ORDER BY id LIMIT 2, 3) q

SELECT * FROM (SELECT id FROM orders ORDER BY id LIMIT 3 OFFSET 2) q

SELECT 1 FROM DUAL

SELECT 1

SELECT id FROM orders WHERE user_id IN (SELECT id FROM products WHERE stock > 0)

SELECT id FROM orders o WHERE EXISTS (SELECT 1 FROM order_items i WHERE i.order_id = o.id)

SELECT id FROM orders WHERE (user_id, status) IN ((1, 'paid'), (2, 'open'))

SELECT id FROM orders WHERE (user_id, status) = (SELECT 1, 'paid')

SELECT id FROM orders WHERE ROW(user_id, id) > ROW(1, 2)

SELECT id FROM orders WHERE total > ALL (SELECT price FROM products) OR total = ANY (SELECT price FROM products) OR total <> SOME (SELECT price FROM products)

SELECT id, (SELECT max(price) FROM order_items i WHERE i.order_id = o.id) AS dearest FROM orders o

-- elsewhere
SELECT items->'$[0].sku' FROM orders

-- elsewhere
SELECT items->>'$[0].sku' FROM orders

SELECT JSON_EXTRACT(items, '$[0].sku'), JSON_UNQUOTE(JSON_EXTRACT(items, '$[0].sku')), JSON_VALUE(items, '$[0].sku') FROM orders

SELECT JSON_CONTAINS(items, '1'), JSON_LENGTH(items), JSON_KEYS(items), JSON_TYPE(items), JSON_VALID(items) FROM orders

SELECT JSON_SEARCH(items, 'one', 'x'), JSON_SET(items, '$.a', 1), JSON_MERGE_PATCH(items, '{}'), JSON_QUERY(items, '$[0]') FROM orders

-- elsewhere
-- view
SELECT JSON_VALUE(items, '$.n' RETURNING SIGNED DEFAULT 0 ON EMPTY) FROM orders

-- elsewhere
SELECT 1 MEMBER OF ('[1, 2]')

-- elsewhere
SELECT id FROM orders WHERE 17 MEMBER OF (items->'$.tags')

SELECT JSON_OVERLAPS('[1]', '[1, 2]')

SELECT o.id, j.sku FROM orders o, JSON_TABLE(o.items, '$[*]' COLUMNS (sku VARCHAR(20) PATH '$.sku')) AS j

SELECT o.id, j.n, j.q FROM orders o JOIN JSON_TABLE(o.items, '$[*]' COLUMNS (n FOR ORDINALITY, q INT PATH '$.q' DEFAULT '0' ON EMPTY NULL ON ERROR, x INT EXISTS PATH '$.x')) j

SELECT j.size FROM products p, JSON_TABLE(p.attributes, '$[*]' COLUMNS (NESTED PATH '$.sizes[*]' COLUMNS (size INT PATH '$'))) j

-- elsewhere
SELECT o.id, l.sku FROM orders o, LATERAL (SELECT sku FROM order_items i WHERE i.order_id = o.id LIMIT 3) l

-- elsewhere
SELECT o.id, l.n FROM orders o LEFT JOIN LATERAL (SELECT count(*) AS n FROM order_items i WHERE i.order_id = o.id) l ON TRUE

SELECT id FROM orders WHERE status LIKE 'p%' AND note NOT LIKE 'a|_%' ESCAPE '|'

SELECT id FROM orders WHERE note REGEXP '^a' OR note RLIKE 'b$' OR note NOT REGEXP 'c'

SELECT REGEXP_REPLACE(note, '[0-9]+', ''), REGEXP_SUBSTR(note, 'a+'), REGEXP_INSTR(note, 'a') FROM orders

SELECT id FROM orders WHERE note SOUNDS LIKE 'smith'

SELECT id FROM orders WHERE MATCH (note) AGAINST ('shoe')

SELECT id, MATCH (note) AGAINST ('+shoe -red' IN BOOLEAN MODE) AS score FROM orders

SELECT id FROM orders WHERE MATCH (note) AGAINST ('shoe' IN NATURAL LANGUAGE MODE)

SELECT id FROM orders WHERE MATCH (note) AGAINST ('shoe' WITH QUERY EXPANSION)

SELECT id FROM orders WHERE note = BINARY 'A' AND BINARY status = 'paid'

SELECT id FROM orders WHERE note COLLATE utf8mb4_bin = 'a'

SELECT note COLLATE utf8mb4_general_ci AS n FROM orders

SELECT id FROM orders WHERE status <=> NULL

SELECT id FROM orders WHERE status <> 'a' AND status != 'b'

SELECT id FROM orders WHERE total > 1 && total < 10 || note IS NULL

SELECT id FROM orders WHERE total > 1 XOR total < 5

SELECT id FROM orders WHERE ! (total > 1)

SELECT id FROM orders WHERE NOT total > 1 AND total IS NOT NULL AND (total > 1) IS TRUE AND (total > 2) IS NOT UNKNOWN

SELECT 7 DIV 2, 7 MOD 2, 7 % 2, 7 / 2, -7, +7

SELECT 5 & 3, 5 | 3, 5 ^ 3, ~5, 1 << 2, 8 >> 1

SELECT IF(total > 10, 'big', 'small'), IFNULL(note, ''), NULLIF(status, ''), COALESCE(note, status), ISNULL(note) FROM orders

SELECT CASE WHEN total > 100 THEN 'big' ELSE 'small' END, CASE status WHEN 'paid' THEN 1 END FROM orders

SELECT ELT(1, 'a', 'b'), FIELD(status, 'a', 'b'), FIND_IN_SET('a', 'a,b'), GREATEST(1, 2), LEAST(1, 2) FROM orders

SELECT CONCAT(id, '-', status), CONCAT_WS(',', id, status), SUBSTRING_INDEX(note, ',', 1) FROM orders

SELECT SUBSTRING(note, 1, 3), SUBSTRING(note FROM 2), SUBSTRING(note FROM 2 FOR 3), SUBSTR(note, 2), MID(note, 1, 2), LEFT(note, 2), RIGHT(note, 2) FROM orders

SELECT TRIM(note), TRIM(LEADING '0' FROM note), TRIM(BOTH 'x' FROM note), TRIM('x' FROM note), LTRIM(note), LPAD(id, 8, '0') FROM orders

SELECT POSITION('a' IN note), LOCATE('a', note), INSTR(note, 'a'), INSERT(note, 1, 2, 'x'), REPLACE(note, 'a', 'b'), REVERSE(note) FROM orders

SELECT LENGTH(note), CHAR_LENGTH(note), UPPER(note), LCASE(note), HEX(note), UNHEX('41'), MD5(note), SHA2(note, 256), TO_BASE64(note) FROM orders

SELECT CHAR(65, 66), ASCII('a'), ORD('a'), SPACE(3), REPEAT('x', 3), FORMAT(total, 2), QUOTE(note) FROM orders

SELECT CONVERT(note USING utf8mb4), CONVERT(id, CHAR), CONVERT(note, DECIMAL(10, 2)), CONVERT(note, SIGNED INTEGER) FROM orders

SELECT CAST(id AS CHAR), CAST(id AS CHAR(10)), CAST(total AS SIGNED), CAST(total AS UNSIGNED), CAST(note AS DECIMAL(10, 2)), CAST(created_at AS DATE) FROM orders

SELECT CAST(note AS CHAR CHARACTER SET utf8mb4), CAST(note AS CHAR(3) CHARACTER SET latin1), CAST(note AS BINARY) FROM orders

SELECT CAST(created_at AS DATETIME(6)), CAST(created_at AS TIME), CAST(total AS DOUBLE) FROM orders

SELECT _utf8mb4'x', _latin1 'x', N'x', _binary'x', _utf8mb4'x' COLLATE utf8mb4_bin

SELECT x'41', X'41', 0x41, b'101', 0x41 + 0

SELECT 'it''s', "it""s", "it's", 'a"b', 'a' 'b', 'line\nbreak', 'back\\slash'

SELECT 1e3, 1.5e-3, .5, -1.5, 1E+3

-- view
SELECT TRUE, FALSE, NULL, \N

SELECT DATE_ADD(created_at, INTERVAL 1 DAY), DATE_SUB(created_at, INTERVAL '1:30' HOUR_MINUTE) FROM orders

SELECT created_at + INTERVAL 1 DAY, created_at - INTERVAL 2 MONTH, INTERVAL 1 HOUR + created_at FROM orders

SELECT DATE_ADD(created_at, INTERVAL id MINUTE), ADDDATE(created_at, 7), SUBDATE(created_at, INTERVAL 1 WEEK), NOW() - INTERVAL 30 DAY FROM orders

SELECT DATE(created_at), TIME(created_at), YEAR(created_at), MONTH(created_at), DAYOFWEEK(created_at), WEEK(created_at, 3), QUARTER(created_at) FROM orders

SELECT EXTRACT(YEAR FROM created_at), EXTRACT(DAY_HOUR FROM created_at), DATE_FORMAT(created_at, '%Y-%m-%d %H:%i'), STR_TO_DATE('2026', '%Y') FROM orders

SELECT TIMESTAMPDIFF(DAY, created_at, NOW()), TIMESTAMPADD(HOUR, 1, created_at), DATEDIFF(NOW(), created_at), TIMEDIFF('10:00', '09:00'), LAST_DAY(created_at) FROM orders

SELECT NOW(), NOW(6), CURDATE(), CURRENT_DATE, CURRENT_TIMESTAMP(3), UTC_TIMESTAMP(), UNIX_TIMESTAMP(created_at), FROM_UNIXTIME(0), SYSDATE() FROM orders

SELECT CONVERT_TZ(created_at, '+00:00', 'Europe/Berlin') FROM orders

SELECT DATE '2026-01-01', TIME '10:00', TIMESTAMP '2026-01-01 00:00:00', {d '2026-01-01'}, {ts '2026-01-01 00:00:00'}

SELECT GET_FORMAT(DATE, 'ISO')

SELECT id FROM orders WHERE created_at BETWEEN '2026-01-01' AND NOW()

SELECT id FROM orders WHERE created_at >= CURDATE() - INTERVAL 1 DAY AND total NOT BETWEEN 1 AND 10

SELECT id FROM orders WHERE status IN ('paid', 'open') AND status NOT IN ('x')

SELECT id value, status type, note name FROM orders

SELECT o.* FROM orders AS o

SELECT id FROM orders -- a comment; with a semicolon

SELECT id FROM orders # a comment; with a semicolon

SELECT /* a comment, 'with a quote */ id FROM orders

-- refused: parameter or variable
SELECT id, @@version FROM orders

SELECT ROUND(total, 2), TRUNCATE(total, 1), CEIL(total), FLOOR(total), ABS(total), MOD(id, 2), POW(2, 3), SQRT(2), RAND(1), SIGN(total), CRC32(note) FROM orders

SELECT INET_ATON('10.0.0.1'), INET6_NTOA(INET6_ATON('::1')), UUID(), BIT_COUNT(5), CONV('a', 16, 2), BIN(5), OCT(8)

SELECT ST_AsText(POINT(1, 2)), ST_Distance(POINT(1, 2), POINT(3, 4))

SELECT VERSION(), DATABASE(), SCHEMA(), CONNECTION_ID(), CURRENT_USER()

SELECT COUNT(*) > 3 AS many, SUM(total > 10) AS big, SUM(status = 'paid') AS paid FROM orders

SELECT id, total * quantity AS value FROM orders JOIN order_items ON order_items.order_id = orders.id

SELECT id FROM orders WHERE id = 1 OR id = 2 AND NOT id = 3

SELECT id FROM orders WHERE (id, user_id) IN (SELECT order_id, product_id FROM order_items)

SELECT id FROM orders GROUP BY id, status WITH ROLLUP HAVING id IS NOT NULL

SELECT MAX(id) KEEP FROM orders

SELECT DEFAULT(status) FROM orders

SELECT LAST_INSERT_ID(), ROW_COUNT(), FOUND_ROWS()

-- view
SELECT COLUMN_GET(COLUMN_CREATE('a', 1), 'a' AS INT)

-- elsewhere
SELECT GROUPING(status), status, count(*) FROM orders GROUP BY status WITH ROLLUP

SELECT JSON_OBJECT('id', id, 'lines', (SELECT JSON_ARRAYAGG(JSON_OBJECT('sku', sku)) FROM order_items i WHERE i.order_id = o.id)) FROM orders o

SELECT id FROM orders WHERE STRCMP(note, 'a') = 0 AND note > 'a' COLLATE utf8mb4_general_ci

SELECT id FROM orders WHERE created_at > DATE_FORMAT(NOW(), '%Y-%m-01') AND DAY(created_at) = 1

SELECT id MOD 2 FROM orders

SELECT NTILE(4) OVER (ORDER BY total), PERCENT_RANK() OVER (ORDER BY total), CUME_DIST() OVER (ORDER BY total), NTH_VALUE(id, 2) OVER (ORDER BY id) FROM orders

SELECT MEDIAN(total) OVER (PARTITION BY status) FROM orders

SELECT PERCENTILE_CONT(0.5) WITHIN GROUP (ORDER BY total) OVER (PARTITION BY status) FROM orders

-- elsewhere
-- view
SELECT id FROM orders FOR SYSTEM_TIME AS OF TIMESTAMP '2026-01-01 00:00:00'

SELECT seq FROM seq_1_to_10

-- refused: cannot be read as one query
SELECT NEXT VALUE FOR numbers

SELECT * FROM (SELECT 1 AS a UNION SELECT 2) t WHERE a > 1

-- view
SELECT id FROM orders LIMIT ROWS EXAMINED 100

SELECT id AS `a``b`, 'x' AS `c d` FROM orders

SELECT `o`.`id` FROM `orders` AS `o` WHERE `o`.`status`='paid' AND `o`.`total`>=10

SELECT SQL_SMALL_RESULT SQL_BUFFER_RESULT status, count(*) FROM orders GROUP BY status

-- elsewhere
SELECT ANY_VALUE(note) FROM orders

-- view
SELECT CHAR(65 USING utf8mb4)

-- view
SELECT INTERVAL(5, 1, 3, 7)

-- elsewhere
SELECT CAST('{}' AS JSON)

-- refused: directly followed by a word
SELECT 0b101

-- refused: INTO belongs
INSERT INTO orders (id) VALUES (1)

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
REPLACE INTO orders (id) VALUES (1)

-- refused: INTO belongs
SELECT id FROM orders INTO OUTFILE '/tmp/x'

-- refused: INTO belongs
SELECT id INTO @x FROM orders

-- refused: locks rows
SELECT id FROM orders FOR UPDATE

-- refused: locks rows
SELECT id FROM orders FOR UPDATE SKIP LOCKED

-- refused: locks rows
SELECT id FROM orders FOR SHARE

-- refused: cannot be read
SELECT id FROM orders LOCK IN SHARE MODE

-- refused: `SLEEP` is not allowed
SELECT SLEEP(5)

-- refused: `BENCHMARK` is not allowed
SELECT BENCHMARK(1000000, MD5('a'))

-- refused: `GET_LOCK` is not allowed
SELECT GET_LOCK('x', 10)

-- refused: `LOAD_FILE` is not allowed
SELECT LOAD_FILE('/etc/passwd')

-- refused: parameter or variable
SELECT @x := 1

-- refused: parameter or variable
SELECT ? FROM orders

-- refused: run the text inside
SELECT /*!50000 id */ FROM orders

-- refused: two quotes
SELECT 'it\'s' FROM orders

-- refused: two minus signs
SELECT 5--1

-- refused: cannot be read
CALL refresh_orders()

-- refused: cannot be read
SHOW TABLES

-- refused: cannot be read
SET NAMES utf8mb4

-- refused: cannot be read
DO 1

-- refused: table `shop.day_hour`
SELECT * FROM shop.day_hour

-- refused: table `shop.mod`
SELECT * FROM shop.mod

SELECT status MOD 2, total MOD (3 + 1), MOD(id, 2) FROM orders
