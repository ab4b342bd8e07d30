-- What happened in the shop after its cache was warmed.
UPDATE products SET price = round(price * 0.9, 2), version = version + 1, updated_at = strftime('%Y-%m-%d %H:%M:%S+00:00', 'now')
 WHERE id IN ('prod-0001', 'prod-0004', 'prod-0006', 'prod-0007');
UPDATE products SET stock = 0, version = version + 1, updated_at = strftime('%Y-%m-%d %H:%M:%S+00:00', 'now') WHERE id = 'prod-0002';
-- No longer on sale: its key is an orphan, and another product is hot.
UPDATE products SET is_active = 0, version = version + 1, updated_at = strftime('%Y-%m-%d %H:%M:%S+00:00', 'now') WHERE id = 'prod-0003';
UPDATE categories SET name = 'Teas 茶', version = version + 1, updated_at = strftime('%Y-%m-%d %H:%M:%S+00:00', 'now') WHERE id = 'cat-tea';
UPDATE orders SET status = 'shipped', shipped_at = datetime('now'), version = version + 1,
       updated_at = strftime('%Y-%m-%d %H:%M:%S+00:00', 'now') WHERE id IN ('order-00198', 'order-00199');
