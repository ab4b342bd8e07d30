-- The shop's tables, as SQLite keeps them: date-times are text, booleans 0 and 1.
CREATE TABLE categories (
    id          VARCHAR(36) PRIMARY KEY,
    name        VARCHAR(100) NOT NULL,
    description VARCHAR(500),
    parent_id   VARCHAR(36),
    created_at  TIMESTAMPTZ NOT NULL, updated_at TIMESTAMPTZ NOT NULL, deleted_at TIMESTAMPTZ,
    created_by  VARCHAR(36), updated_by VARCHAR(36), deleted_by VARCHAR(36),
    version     INTEGER NOT NULL
);
CREATE TABLE products (
    id          VARCHAR(36) PRIMARY KEY,
    name        VARCHAR(200) NOT NULL,
    price       NUMERIC(10, 2) NOT NULL,
    description VARCHAR(1000),
    sku         VARCHAR(100) UNIQUE,
    brand       VARCHAR(100),
    stock       INTEGER NOT NULL,
    is_active   BOOLEAN NOT NULL,
    sales_count INTEGER NOT NULL,
    category_id VARCHAR(36),
    created_at  TIMESTAMPTZ NOT NULL, updated_at TIMESTAMPTZ NOT NULL, deleted_at TIMESTAMPTZ,
    created_by  VARCHAR(36), updated_by VARCHAR(36), deleted_by VARCHAR(36),
    version     INTEGER NOT NULL
);
CREATE INDEX products_by_sales ON products (sales_count, id);
CREATE TABLE users (
    id          VARCHAR(36) PRIMARY KEY,
    name        VARCHAR(100) NOT NULL,
    email       VARCHAR(255) NOT NULL UNIQUE,
    created_at  TIMESTAMPTZ NOT NULL, updated_at TIMESTAMPTZ NOT NULL, deleted_at TIMESTAMPTZ,
    created_by  VARCHAR(36), updated_by VARCHAR(36), deleted_by VARCHAR(36),
    version     INTEGER NOT NULL
);
CREATE TABLE orders (
    id          VARCHAR(36) PRIMARY KEY,
    customer_id VARCHAR(36) NOT NULL,
    total       NUMERIC(10, 2) NOT NULL,
    status      VARCHAR(20) NOT NULL,
    paid_at     TIMESTAMP,
    shipped_at  TIMESTAMP,
    created_at  TIMESTAMPTZ NOT NULL, updated_at TIMESTAMPTZ NOT NULL, deleted_at TIMESTAMPTZ,
    created_by  VARCHAR(36), updated_by VARCHAR(36), deleted_by VARCHAR(36),
    version     INTEGER NOT NULL
);
CREATE INDEX orders_by_age ON orders (created_at, id);
CREATE TABLE order_items (
    id           VARCHAR(36) PRIMARY KEY,
    order_id     VARCHAR(36) NOT NULL,
    product_id   VARCHAR(36) NOT NULL,
    product_name VARCHAR(200) NOT NULL,
    quantity     INTEGER NOT NULL,
    unit_price   NUMERIC(10, 2) NOT NULL,
    created_at   TIMESTAMPTZ NOT NULL, updated_at TIMESTAMPTZ NOT NULL,
    created_by   VARCHAR(36), updated_by VARCHAR(36),
    version      INTEGER NOT NULL
);
CREATE INDEX order_items_by_order ON order_items (order_id);
