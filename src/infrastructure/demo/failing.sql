-- Prices that have no JSON form, and a column that a migration renamed.
UPDATE products SET price = 9e999, version = version + 1 WHERE id IN ('prod-0002', 'prod-0012', 'prod-0031');
ALTER TABLE users RENAME COLUMN email TO email_address;
