-- As OpenCart makes it.
SET sql_mode = '';
CREATE TABLE oc_product (product_id INTEGER PRIMARY KEY, model VARCHAR(64) NOT NULL, date_available DATE NOT NULL DEFAULT '0000-00-00');
INSERT INTO oc_product VALUES (1, 'M-1', '2026-03-01'), (2, 'M-2', '0000-00-00');
