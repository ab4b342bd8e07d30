-- What happened in the shop after its cache was warmed.
UPDATE products SET price = round(price * 0.9, 2), version = version + 1, updated_at = '2026-02-01 09:00:00+00:00'
 WHERE id IN ('prod-0001', 'prod-0004', 'prod-0006', 'prod-0007');
UPDATE products SET stock = 0, version = version + 1, updated_at = '2026-02-01 09:05:00+00:00' WHERE id = 'prod-0002';
-- No longer on sale: its key is an orphan, and another product is hot.
UPDATE products SET is_active = 0, version = version + 1, updated_at = '2026-02-01 09:10:00+00:00' WHERE id = 'prod-0003';
UPDATE categories SET name = 'Teas 茶', version = version + 1, updated_at = '2026-02-01 09:15:00+00:00' WHERE id = 'cat-tea';
UPDATE orders SET status = 'shipped', shipped_at = '2026-02-01 09:20:00', version = version + 1,
       updated_at = '2026-02-01 09:20:00+00:00' WHERE id IN ('order-00198', 'order-00199');
