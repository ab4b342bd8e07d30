//! The sample shop of `--demo`: a SQLite file, with the same rows every time.

use std::fs::{self, File};
use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _, Executor as _, Sqlite, Transaction};

use crate::domain::failure::{Failure, FailureKind};

const PRODUCTS: u64 = 1000;
const ORDERS: u64 = 200;
const USERS: u64 = 40;
/// Number of recently active users.
const ACTIVE_USERS: u64 = 7;

/// Its files.
pub const SHOP: &str = "shop.db";
pub const CACHE: &str = "cache.db";
/// Written when a shop in which something has happened is complete.
const MADE: &str = "made";

/// What has happened there.
pub const STALE: &str = include_str!("demo/stale.sql");
pub const EXPIRING: &str = include_str!("demo/expiring.sql");
pub const FAILING: &str = include_str!("demo/failing.sql");

/// How long that can be seen: of the keys with the shortest TTL, none has expired or is about to.
const LASTS: Duration = Duration::from_mins(10);

const SCHEMA: &str = include_str!("demo/schema.sql");

const CATEGORIES: [(&str, &str, Option<&str>); 12] = [
    ("drinks", "Drinks 饮品", None),
    ("tea", "Tea 茶", Some("drinks")),
    ("green-tea", "Green tea 绿茶", Some("tea")),
    ("black-tea", "Black tea 红茶", Some("tea")),
    ("coffee", "Coffee 咖啡", Some("drinks")),
    ("kitchen", "Kitchen 厨房", None),
    ("pots", "Pots 锅具", Some("kitchen")),
    ("porcelain", "Porcelain 瓷器", Some("kitchen")),
    ("home", "Home 家居", None),
    ("lamps", "Lamps 灯具", Some("home")),
    ("textiles", "Textiles 纺织品", Some("home")),
    ("silk", "Silk 丝绸", Some("textiles")),
];

const ADJECTIVES: [&str; 8] =
    ["Fine", "Old", "Quiet", "Mountain", "River", "Royal", "Plain", "Spring"];
const BRANDS: [&str; 6] =
    ["龙井山房", "Lotus & Sons", "Nordlicht", "竹里", "Ostwind", "Maison Thé"];
const STATUSES: [&str; 7] =
    ["pending", "paid", "processing", "shipped", "delivered", "cancelled", "refunded"];

/// Creates the folder of the sample shop.
///
/// # Errors
/// It cannot be created.
pub fn make_folder(dir: &Path) -> Result<(), Failure> {
    fs::create_dir_all(dir).map_err(|e| failure(dir, &e.to_string()))
}

/// Waits while another command makes this shop, such as the other end of a pipe.
///
/// # Errors
/// There is no such folder, and it cannot be created.
pub fn lock(dir: &Path) -> Result<Option<File>, Failure> {
    make_folder(dir)?;
    let folder = File::open(dir).ok();
    // Some file systems have no locks.
    Ok(folder.filter(|folder| folder.lock().is_ok()))
}

/// Whether there is a shop.
pub fn exists(dir: &Path) -> bool {
    dir.join(SHOP).exists()
}

/// Whether there is one in which something has happened not long ago.
pub fn is_fresh(dir: &Path) -> bool {
    let made = fs::metadata(dir.join(MADE)).and_then(|made| made.modified());
    let age = made.ok().and_then(|made| made.elapsed().ok());
    exists(dir) && age.is_some_and(|age| age < LASTS)
}

/// Says that it has happened.
///
/// # Errors
/// The folder cannot be written.
pub fn finish(dir: &Path) -> Result<(), Failure> {
    fs::write(dir.join(MADE), "").map_err(|e| failure(dir, &e.to_string()))
}

/// Removes the shop and its cache.
pub fn remove(dir: &Path) {
    let files = [SHOP, CACHE].map(|file| ["", "-wal", "-shm"].map(|end| format!("{file}{end}")));
    for file in files.iter().flatten().map(String::as_str).chain([MADE]) {
        let _ = fs::remove_file(dir.join(file));
    }
}

/// Changes the shop or its cache.
///
/// # Errors
/// The file cannot be written.
pub async fn change(file: &Path, sql: &'static str) -> Result<(), Failure> {
    let failed = |e: sqlx::Error| failure(file, &e.to_string());
    let mut connection = open(file, false).await.map_err(failed)?;
    let changed = connection.execute(sqlx::raw_sql(sql)).await;
    changed.map_err(failed)?;
    connection.close().await.map_err(failed)
}

/// Creates the sample shop if needed, and makes a few users recently active.
///
/// # Errors
/// The folder or the file cannot be written.
pub async fn make(dir: &Path) -> Result<(), Failure> {
    make_folder(dir)?;
    let file = dir.join(SHOP);
    let failed = |e: sqlx::Error| failure(&file, &e.to_string());
    if !file.exists() {
        // Written to a temporary file and renamed, so that no half-made sample is seen.
        let aside = dir.join(format!("shop.db.{}", std::process::id()));
        let mut connection = open(&aside, true).await.map_err(failed)?;
        fill(&mut connection).await.map_err(failed)?;
        connection.close().await.map_err(failed)?;
        fs::rename(&aside, &file).map_err(|e| failure(&file, &e.to_string()))?;
    }
    let mut connection = open(&file, false).await.map_err(failed)?;
    // Only when they are about to become inactive, so that freshly warmed values stay valid.
    sqlx::query(
        "UPDATE users SET updated_at = strftime('%Y-%m-%d %H:%M:%S+00:00', 'now')
         WHERE id <= ? AND updated_at < strftime('%Y-%m-%d %H:%M:%S+00:00', 'now', '-30 minutes')",
    )
    .bind(format!("user-{ACTIVE_USERS:04}"))
    .execute(&mut connection)
    .await
    .map_err(failed)?;
    connection.close().await.map_err(failed)
}

fn failure(path: &Path, why: &str) -> Failure {
    let what = format!("cannot make the sample shop at {}", path.display());
    Failure::new(FailureKind::Config, what, why)
        .hint("give a folder that can be written with --demo-dir DIR")
}

async fn open(file: &Path, create: bool) -> Result<SqliteConnection, sqlx::Error> {
    SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(create)
        .busy_timeout(Duration::from_secs(5))
        .disable_statement_logging()
        .connect()
        .await
}

async fn fill(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    connection.execute(sqlx::raw_sql(SCHEMA)).await?;
    let mut transaction = connection.begin().await?;
    for (id, name, parent) in CATEGORIES {
        sqlx::query("INSERT INTO categories (id, name, description, parent_id, created_at, updated_at, version) VALUES (?, ?, ?, ?, ?, ?, 1)")
            .bind(format!("cat-{id}"))
            .bind(name)
            .bind(parent.is_none().then(|| format!("Everything about {name}")))
            .bind(parent.map(|parent| format!("cat-{parent}")))
            .bind(moment(0))
            .bind(moment(0))
            .execute(&mut *transaction)
            .await?;
    }
    for i in 1..=PRODUCTS {
        product(&mut transaction, i).await?;
    }
    for i in 1..=USERS {
        sqlx::query("INSERT INTO users (id, name, email, created_at, updated_at, version) VALUES (?, ?, ?, ?, ?, 1)")
            .bind(format!("user-{i:04}"))
            .bind(format!("{} {i}", if i.is_multiple_of(3) { "王芳" } else { "Alex Example" }))
            .bind(format!("user{i}@example.com"))
            .bind(moment(i))
            .bind(moment(i))
            .execute(&mut *transaction)
            .await?;
    }
    for i in 1..=ORDERS {
        order(&mut transaction, i).await?;
    }
    transaction.commit().await
}

async fn product(transaction: &mut Transaction<'_, Sqlite>, i: u64) -> Result<(), sqlx::Error> {
    let category = CATEGORIES[(mix(i) % CATEGORIES.len() as u64) as usize];
    let adjective = ADJECTIVES[(mix(i + 7) % 8) as usize];
    sqlx::query(
        "INSERT INTO products (id, name, price, description, sku, brand, stock, is_active, sales_count, category_id, \
         created_at, updated_at, version) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(format!("prod-{i:04}"))
    .bind(format!("{adjective} {} No. {i}", category.1))
    .bind(price(i) as f64 / 100.0)
    .bind((!i.is_multiple_of(5)).then(|| format!("{adjective} quality, “made with care”. 精选好物，第 {i} 号。")))
    .bind(format!("SKU-{i:06}"))
    .bind((!i.is_multiple_of(7)).then(|| BRANDS[(mix(i + 3) % 6) as usize]))
    .bind((mix(i + 1) % 200) as i64)
    .bind(!i.is_multiple_of(20))
    .bind((mix(i + 2) % 100_000 / (i + 5)) as i64)
    .bind(format!("cat-{}", category.0))
    .bind(moment(i))
    .bind(moment(i + mix(i) % 5000))
    .bind((1 + mix(i) % 9) as i64)
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

async fn order(transaction: &mut Transaction<'_, Sqlite>, i: u64) -> Result<(), sqlx::Error> {
    let items: Vec<u64> = (0..=(mix(i) % 4)).map(|n| 1 + mix(i * 10 + n) % PRODUCTS).collect();
    let quantity = |n: usize| 1 + mix(i + n as u64) % 3;
    let total: u64 = items.iter().enumerate().map(|(n, p)| price(*p) * quantity(n)).sum();
    let status = (mix(i + 5) % 7) as usize;
    sqlx::query(
        "INSERT INTO orders (id, customer_id, total, status, paid_at, shipped_at, created_at, updated_at, version) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, 1)",
    )
    .bind(format!("order-{i:05}"))
    .bind(format!("user-{:04}", 1 + mix(i) % USERS))
    .bind(total as f64 / 100.0)
    .bind(STATUSES[status])
    .bind((status > 0).then(|| plain(&moment(i * 30 + 1))))
    .bind((status > 2).then(|| plain(&moment(i * 30 + 2))))
    .bind(moment(i * 30))
    .bind(moment(i * 30 + 2))
    .execute(&mut **transaction)
    .await?;
    for (n, product) in items.iter().enumerate() {
        sqlx::query(
            "INSERT INTO order_items (id, order_id, product_id, product_name, quantity, unit_price, created_at, updated_at, version) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, 1)",
        )
        .bind(format!("item-{i:05}-{n}"))
        .bind(format!("order-{i:05}"))
        .bind(format!("prod-{product:04}"))
        .bind(format!("Product No. {product}"))
        .bind(quantity(n) as i64)
        .bind(price(*product) as f64 / 100.0)
        .bind(moment(i * 30))
        .bind(moment(i * 30))
        .execute(&mut **transaction)
        .await?;
    }
    Ok(())
}

/// In cents, so that sums are exact.
fn price(product: u64) -> u64 {
    99 + mix(product + 11) % 50_000
}

/// `minutes` after the shop opened.
fn moment(minutes: u64) -> String {
    let (day, minute) = (minutes / 1440, minutes % 1440);
    format!("2026-01-{:02} {:02}:{:02}:00+00:00", 1 + day % 28, minute / 60, minute % 60)
}

fn plain(moment: &str) -> String {
    moment.trim_end_matches("+00:00").to_owned()
}

/// SplitMix64: random-looking and deterministic.
fn mix(seed: u64) -> u64 {
    let z = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
