//! `init`: what it writes for a schema that it has never seen is warmed and verified at once.

use serde_json::Value;

use crate::support::foreign::{
    CHINOOK, Newcomer, OPENCART, PRESTASHOP, PRISMA, SAKILA_MYSQL, SAKILA_POSTGRES, WOOCOMMERCE,
};
use crate::support::servers::Dialect;
use crate::support::shop::{DIALECTS, load};

#[track_caller]
fn holds(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "no {part} in\n{text}");
    }
}

#[track_caller]
fn lacks(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(!text.contains(part), "{part} is in\n{text}");
    }
}

#[test]
fn the_shipped_shop_is_warm_at_once() {
    for dialect in DIALECTS {
        let shop = Newcomer::on(dialect, &load(dialect));
        shop.settle();
        let product: Value =
            serde_json::from_str(&shop.lab.get("product:prod-0001")).expect("JSON");
        assert!(product["name"].is_string(), "{dialect:?}: {product}");
        let version = match dialect {
            Dialect::Postgres => "xmin::text AS _version",
            _ => "version AS _version",
        };
        let written = shop.definitions();
        holds(&written, &[version, "updated_at AS _changed_at"]);
        lacks(&written, &["updated_at AS _version"]);
    }
}

#[test]
fn an_opencart_is_warm_at_once() {
    let shop = Newcomer::on(Dialect::MySql, OPENCART);
    shop.settle();
    let written = shop.definitions();
    holds(
        &written,
        &[
            "\"product:{product_id}\"",
            "\"product_description:{product_id}:{language_id}\"",
            "\"product:{_product_id}:images\"",
            "NULLIF(date_available, 0) AS date_available",
            "COALESCE(date_modified, '') AS _version",
            "`key`",
            "Left out (looks like a secret): password, salt, token",
            "session: a framework's own table",
        ],
    );
    lacks(&written, &["strategies.session", "do-not-show"]);
    let lab = &shop.lab;
    assert!(lab.get("product:30").contains("\"date_available\":null"), "{}", lab.get("product:30"));
    let images: Value = serde_json::from_str(&lab.get("product:28:images")).expect("JSON");
    assert_eq!((&images[0]["image"], &images[1]["image"]), (&"a.jpg".into(), &"b.jpg".into()));
    assert!(!lab.get("customer:1").contains("password"));
}

#[test]
fn a_prestashop_is_warm_at_once() {
    let shop = Newcomer::on(Dialect::MySql, PRESTASHOP);
    let said = shop.settle().stdout;
    holds(&said, &["product:{id_product} ", "1 row without Code is left out"]);
    lacks(&said, &["This user sees"]);
    let written = shop.definitions();
    holds(
        &written,
        &[
            "owns = [\"dub_*\"]",
            "lists follow the names of columns",
            "\"product:{_id_product}:images\"",
            "\"product:{_id_product}:langs\"",
            "[strategies.image-by-product]",
            "WHERE Code <> ''",
            "# 1 row without Code is left out",
            "NULLIF(date_add, 0) AS date_add",
            "Rows may still hold passwords",
            "`--changed` reads only rows whose",
        ],
    );
    lacks(&written, &["-by-lang", "NULLIF(available_date"]);
    let images: Value = serde_json::from_str(&shop.lab.get("product:1:images")).expect("JSON");
    assert_eq!(images[0]["file"], "d.jpg");
}

#[test]
fn a_woocommerce_is_warm_at_once() {
    let shop = Newcomer::on(Dialect::MySql, WOOCOMMERCE);
    shop.settle();
    let lab = &shop.lab;
    holds(&lab.get("post:1"), &["\"post_title\":\"Hoodie\""]);
    holds(&lab.get("post:1:postmeta"), &["\"meta_key\":\"_price\"", "\"meta_key\":null"]);
    lacks(&lab.get("user:1"), &["user_pass", "activation"]);
}

#[test]
fn a_prisma_shop_is_warm_at_once() {
    let shop = Newcomer::on(Dialect::Postgres, PRISMA);
    let said = shop.settle().stdout;
    let written = shop.definitions();
    holds(
        &written,
        &[
            "\"product_variant:{id}\"",
            "\"order_line:{orderId}:{line}\"",
            "\"order:{_orderId}:lines\"",
            "\"category:{_parentId}:children\"",
            "\"category:{_A}:products\"",
            "\"product:{_B}:categories\"",
            "xmin::text AS _version",
            "encode(\"key\", 'hex')",
            "Left out (tstzrange has no JSON form",
            "prisma_migrations",
        ],
    );
    lacks(&written, &["\"passwordHash\",", "audit", "Event_2026"]);
    holds(&said, &["audit (1)"]);
    let lab = &shop.lab;
    let line: Value = serde_json::from_str(&lab.get("order:1:lines")).expect("JSON");
    assert_eq!(line[0]["quantity"], 3, "{line}");
    holds(&lab.get("product:00000000-0000-4000-8000-000000000002"), &["\"weight\":\"NaN\""]);
    holds(&lab.get("picture:0102"), &["\"width\":\"Infinity\""]);
}

#[test]
fn a_chinook_is_warm_at_once() {
    for dialect in [Dialect::Postgres, Dialect::Sqlite] {
        let shop = Newcomer::on(dialect, CHINOOK);
        shop.settle();
        let albums: Value = serde_json::from_str(&shop.lab.get("artist:1:albums")).expect("JSON");
        let titles: Vec<&str> = albums
            .as_array()
            .expect("a list")
            .iter()
            .filter_map(|album| album["Title"].as_str())
            .collect();
        assert_eq!(titles, ["For Those About To Rock", "Let There Be Rock"]);
        holds(&shop.lab.get("playlist:1:tracks"), &["1"]);
        holds(&shop.lab.get("employee:1:children"), &["Edwards"]);
        let one = shop.lab.get("invoice_line:2");
        holds(&one, &["\"UnitPrice\":0.99"]);
    }
}

#[test]
fn a_sakila_is_warm_at_once() {
    for (dialect, script) in [(Dialect::Postgres, SAKILA_POSTGRES), (Dialect::MySql, SAKILA_MYSQL)]
    {
        let shop = Newcomer::on(dialect, script);
        shop.settle();
        let written = shop.definitions();
        holds(
            &written,
            &[
                "\"language:{_language_id}:films\"",
                "# [strategies.film-list]",
                "types = { picture =",
            ],
        );
        let actors = shop.lab.get("film:1:actors");
        holds(&actors, &["1", "2"]);
        let staff = shop.lab.get("staff:1");
        lacks(&staff, &["do-not-show", "picture"]);
        if dialect == Dialect::MySql {
            holds(
                &written,
                &["Left out (geometry has no JSON form", "CAST(length AS CHAR) AS length"],
            );
            holds(&shop.lab.get("device:00112233445566778899aabbccddeeff"), &["till"]);
        }
    }
}
