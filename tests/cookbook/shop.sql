-- The shop of the cookbook, in SQL that every database takes.
CREATE TABLE language (code VARCHAR(8) PRIMARY KEY, name VARCHAR(40) NOT NULL);
INSERT INTO language VALUES ('en', 'English'), ('de', 'Deutsch');

CREATE TABLE category (id INTEGER PRIMARY KEY, parent_id INTEGER, position INTEGER NOT NULL);
CREATE TABLE category_name (category_id INTEGER NOT NULL, language VARCHAR(8) NOT NULL, name VARCHAR(80) NOT NULL, PRIMARY KEY (category_id, language));
INSERT INTO category VALUES (1, NULL, 1), (2, 1, 2), (3, 1, 1), (4, NULL, 2);
INSERT INTO category_name VALUES
    (1, 'en', 'Lamps'), (1, 'de', 'Lampen'), (2, 'en', 'Desk lamps'), (2, 'de', 'Tischlampen'),
    (3, 'en', 'Floor lamps'), (3, 'de', 'Stehlampen'), (4, 'en', 'Bulbs'), (4, 'de', 'Birnen');

CREATE TABLE product (id INTEGER PRIMARY KEY, category_id INTEGER NOT NULL, sku VARCHAR(20) NOT NULL UNIQUE, price DECIMAL(10,2) NOT NULL,
    stock INTEGER NOT NULL, sold INTEGER NOT NULL, created_at TIMESTAMP NOT NULL, updated_at TIMESTAMP NOT NULL);
CREATE TABLE product_name (product_id INTEGER NOT NULL, language VARCHAR(8) NOT NULL, name VARCHAR(80) NOT NULL, PRIMARY KEY (product_id, language));
INSERT INTO product VALUES
    (1, 2, 'L-1', 24.50, 7, 120, '2026-01-05 10:00:00', '2026-03-01 08:00:00'),
    (2, 2, 'L-2', 19.50, 0, 310, '2026-02-01 10:00:00', '2026-03-02 08:00:00'),
    (3, 2, 'L-3', 89.00, 3, 15, '2026-03-01 10:00:00', '2026-03-03 08:00:00'),
    (4, 3, 'F-1', 149.00, 2, 44, '2026-03-05 10:00:00', '2026-03-06 08:00:00'),
    (5, 4, 'B-1', 3.20, 900, 5000, '2025-11-01 10:00:00', '2026-03-04 08:00:00');
INSERT INTO product_name VALUES
    (1, 'en', 'Clamp'), (1, 'de', 'Klemme'), (2, 'en', 'Swan'), (2, 'de', 'Schwan'), (3, 'en', 'Arc'), (3, 'de', 'Bogen'),
    (4, 'en', 'Heron'), (4, 'de', 'Reiher'), (5, 'en', 'Candle bulb'), (5, 'de', 'Kerze');

CREATE TABLE image (id INTEGER PRIMARY KEY, product_id INTEGER NOT NULL, position INTEGER NOT NULL, file VARCHAR(80) NOT NULL);
INSERT INTO image VALUES (1, 1, 2, 'clamp-side.jpg'), (2, 1, 1, 'clamp.jpg'), (3, 4, 1, 'heron.jpg');

CREATE TABLE price (product_id INTEGER NOT NULL, currency VARCHAR(3) NOT NULL, amount DECIMAL(10,2) NOT NULL,
    valid_from TIMESTAMP NOT NULL, valid_to TIMESTAMP NOT NULL, PRIMARY KEY (product_id, currency, valid_from));
INSERT INTO price VALUES
    (1, 'EUR', 24.50, '2026-01-01 00:00:00', '2035-01-01 00:00:00'), (1, 'USD', 27.00, '2026-01-01 00:00:00', '2035-01-01 00:00:00'),
    (1, 'EUR', 99.00, '2024-01-01 00:00:00', '2026-01-01 00:00:00'), (2, 'EUR', 19.50, '2026-01-01 00:00:00', '2035-01-01 00:00:00');

CREATE TABLE attribute (product_id INTEGER NOT NULL, name VARCHAR(40) NOT NULL, value VARCHAR(200) NOT NULL, PRIMARY KEY (product_id, name));
INSERT INTO attribute VALUES (1, 'colour', 'red'), (1, 'watts', '40'), (2, 'colour', 'white'), (4, 'watts', '60');

CREATE TABLE setting (tenant INTEGER NOT NULL, name VARCHAR(40) NOT NULL, value VARCHAR(200) NOT NULL, PRIMARY KEY (tenant, name));
INSERT INTO setting VALUES (1, 'currency', 'EUR'), (1, 'free_shipping_from', '50'), (2, 'currency', 'USD');

CREATE TABLE tag (product_id INTEGER NOT NULL, tag VARCHAR(40) NOT NULL, PRIMARY KEY (product_id, tag));
INSERT INTO tag VALUES (1, 'sale'), (2, 'sale'), (4, 'new');
