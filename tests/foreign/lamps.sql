-- A shop of lamps as PHP shops keep it: a prefix, languages, attributes in rows, zero dates, no foreign keys.
SET sql_mode = '';
CREATE TABLE ls_language (language_id INT UNSIGNED AUTO_INCREMENT PRIMARY KEY, name VARCHAR(32) NOT NULL, code VARCHAR(5) NOT NULL, status TINYINT(1) NOT NULL DEFAULT 1);
INSERT INTO ls_language (name, code) VALUES ('English', 'en-gb'), ('Deutsch', 'de-de'), ('中文', 'zh-cn');

CREATE TABLE ls_product (product_id INT UNSIGNED AUTO_INCREMENT PRIMARY KEY, model VARCHAR(64) NOT NULL, price DECIMAL(15,4) NOT NULL DEFAULT 0,
    quantity INT NOT NULL DEFAULT 0, image VARCHAR(255) DEFAULT NULL, status TINYINT(1) NOT NULL DEFAULT 0, `order` INT NOT NULL DEFAULT 0,
    date_available DATE NOT NULL DEFAULT '0000-00-00', date_added DATETIME NOT NULL, date_modified DATETIME NOT NULL) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
INSERT INTO ls_product (model, price, quantity, image, status, `order`, date_available, date_added, date_modified)
SELECT CONCAT('LS-', seq), 5 + seq / 8, seq MOD 7, IF(seq MOD 5 = 0, NULL, CONCAT('catalog/lamp ', seq, '.jpg')), seq MOD 9 != 0, seq MOD 13,
    IF(seq MOD 4 = 0, '0000-00-00', DATE_ADD('2025-01-01', INTERVAL seq DAY)), DATE_ADD('2025-01-01 08:30:00', INTERVAL seq HOUR), DATE_ADD('2026-01-01 12:00:00', INTERVAL seq MINUTE)
FROM seq_1_to_300;

CREATE TABLE ls_product_description (product_id INT UNSIGNED NOT NULL, language_id INT UNSIGNED NOT NULL, name VARCHAR(255) NOT NULL, description TEXT NOT NULL,
    PRIMARY KEY (product_id, language_id), KEY name (name)) DEFAULT CHARSET=utf8mb4;
INSERT INTO ls_product_description
SELECT product_id, language_id, CONCAT(IF(language_id = 3, '灯 ', 'Lamp "Ü" '), product_id), CONCAT('<p>Line one\nline two &amp; 💡 ', product_id, '</p>') FROM ls_product, ls_language;

CREATE TABLE ls_product_image (product_image_id INT UNSIGNED AUTO_INCREMENT PRIMARY KEY, product_id INT UNSIGNED NOT NULL, image VARCHAR(255) NOT NULL, sort_order INT NOT NULL DEFAULT 0, KEY product_id (product_id));
INSERT INTO ls_product_image (product_id, image, sort_order) SELECT seq MOD 100 + 1, CONCAT('catalog/', seq, '.png'), 250 - seq FROM seq_1_to_250;

CREATE TABLE ls_product_meta (meta_id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY, product_id INT UNSIGNED NOT NULL, meta_key VARCHAR(64) NOT NULL, meta_value LONGTEXT, KEY product_id (product_id));
INSERT INTO ls_product_meta (product_id, meta_key, meta_value)
SELECT product_id, 'colour', ELT(product_id MOD 3 + 1, 'red', 'grün', 'white') FROM ls_product
UNION ALL SELECT product_id, 'watts', product_id MOD 60 FROM ls_product WHERE product_id MOD 2 = 0
UNION ALL SELECT product_id, 'dimmable', 'yes' FROM ls_product WHERE product_id MOD 10 = 0;

CREATE TABLE ls_category (category_id INT UNSIGNED AUTO_INCREMENT PRIMARY KEY, parent_id INT UNSIGNED NOT NULL DEFAULT 0, sort_order INT NOT NULL DEFAULT 0, status TINYINT(1) NOT NULL);
INSERT INTO ls_category (parent_id, sort_order, status) VALUES (0, 2, 1), (0, 1, 1), (1, 1, 1), (1, 2, 1), (3, 1, 1), (2, 1, 0);
CREATE TABLE ls_category_description (category_id INT UNSIGNED NOT NULL, language_id INT UNSIGNED NOT NULL, name VARCHAR(255) NOT NULL, PRIMARY KEY (category_id, language_id)) DEFAULT CHARSET=utf8mb4;
INSERT INTO ls_category_description SELECT category_id, language_id, CONCAT('Cat ', category_id, '/', language_id) FROM ls_category, ls_language;
CREATE TABLE ls_product_to_category (product_id INT UNSIGNED NOT NULL, category_id INT UNSIGNED NOT NULL, PRIMARY KEY (product_id, category_id));
INSERT INTO ls_product_to_category SELECT product_id, product_id MOD 6 + 1 FROM ls_product;

CREATE TABLE ls_setting (setting_id INT UNSIGNED AUTO_INCREMENT PRIMARY KEY, store_id INT NOT NULL DEFAULT 0, `key` VARCHAR(128) NOT NULL, value TEXT NOT NULL, serialized TINYINT(1) NOT NULL DEFAULT 0);
INSERT INTO ls_setting (store_id, `key`, value) VALUES (0, 'config_name', 'Lamps & more'), (0, 'config_currency', 'EUR'), (0, 'config_limit', '20'), (1, 'config_name', 'Lämpchen'), (1, 'config_empty', '');
CREATE TABLE ls_customer (customer_id INT UNSIGNED AUTO_INCREMENT PRIMARY KEY, email VARCHAR(96) NOT NULL, password VARCHAR(255) NOT NULL, date_added DATETIME NOT NULL);
INSERT INTO ls_customer (email, password, date_added) VALUES ('a@example.com', 'not a secret', '2026-01-01 00:00:00');
