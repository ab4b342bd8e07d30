-- Time passed in the cache: some keys have 20 minutes left of two hours, some 30 of four.
UPDATE entries SET expires_at = (unixepoch() + 1200) * 1000 WHERE cast(key AS TEXT) LIKE 'Product:id:prod-00%';
UPDATE entries SET expires_at = (unixepoch() + 1800) * 1000 WHERE cast(key AS TEXT) LIKE 'Category:%e%';
DELETE FROM entries WHERE cast(key AS TEXT) LIKE 'Order:id:%5';
