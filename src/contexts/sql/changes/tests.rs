use super::*;
use crate::infrastructure::source::grammars::{MYSQL, POSTGRES, SQLITE};

fn rows(grammar: &'static Grammar, sql: &str) -> TrackedTable {
    match tracking(sql, grammar, &["id"]) {
        Tracking::Rows(rows, _) => rows,
        other => panic!("{sql}\n{other:?}"),
    }
}

#[test]
fn a_plain_select_over_one_table_is_told_by_its_rows() {
    let expected = TrackedTable {
        table: TableName { name: "products".into(), parts: vec!["products".into()] },
        key: vec!["id".into()],
        changed_at: "updated_at".into(),
    };
    for grammar in [POSTGRES, MYSQL, SQLITE] {
        for sql in [
            "SELECT id, name, updated_at AS _changed_at FROM products",
            "SELECT *, updated_at AS _changed_at FROM products WHERE is_active AND deleted_at IS NULL",
            "SELECT p.id, lower(p.name) AS name, p.updated_at AS _changed_at FROM products p
             WHERE p.price > 10.5 AND p.brand IN ('Acme', 'B') -- or more",
            "(SELECT id, CASE WHEN stock > 0 THEN 'yes' END AS s, updated_at AS _changed_at FROM products)",
        ] {
            assert_eq!(rows(grammar, sql), expected, "{grammar:?}: {sql}");
        }
    }
    let quoted =
        rows(POSTGRES, r#"SELECT "Id" AS id, Updated_At AS _changed_at FROM shop."Products""#);
    assert_eq!(quoted.table.name, r#"shop."Products""#);
    assert_eq!(quoted.table.parts, ["shop", "Products"]);
    assert_eq!(quoted.key, ["Id"]);
    assert_eq!(quoted.changed_at, "updated_at");
}

#[test]
fn a_selection_that_other_things_decide_is_told_by_its_keys() {
    for (grammar, sql) in [
        (POSTGRES, "SELECT id, u AS _changed_at FROM t WHERE u > now() - interval '1 hour'"),
        (POSTGRES, "SELECT id, u AS _changed_at FROM t WHERE u > 'today'"),
        (POSTGRES, "SELECT id, u AS _changed_at FROM t WHERE u > CURRENT_DATE"),
        (MYSQL, "SELECT id, u AS _changed_at FROM t WHERE u > UTC_TIMESTAMP"),
        (POSTGRES, "SELECT id, u AS _changed_at FROM t WHERE EXISTS (SELECT 1 FROM s)"),
        (POSTGRES, "SELECT id, u AS _changed_at FROM t WHERE u > DATE 'yesterday'"),
        (POSTGRES, "SELECT lower(id) AS id, u AS _changed_at FROM t"),
        (POSTGRES, "SELECT id, coalesce(u, c) AS _changed_at FROM t"),
        (MYSQL, "SELECT id, u AS _changed_at FROM t USE INDEX (x)"),
        (
            POSTGRES,
            "SELECT a.id, b.n, greatest(a.u, b.u) AS _changed_at FROM a JOIN b ON b.id = a.b",
        ),
        (SQLITE, "SELECT a.id, b.n, max(a.u, b.u) AS _changed_at FROM a, b WHERE b.id = a.b"),
    ] {
        match tracking(sql, grammar, &["id"]) {
            Tracking::Keys(_) => {}
            other => panic!("{sql}\n{other:?}"),
        }
    }
}

#[test]
fn what_a_key_tells_is_read_off_the_text() {
    let identity = |grammar, sql, keys: &[&str]| match tracking(sql, grammar, keys) {
        Tracking::Keys(identity) => identity,
        other => panic!("{sql}\n{other:?}"),
    };
    let of = |at: usize, name: &str| (at, name.to_owned());
    let price = identity(
        POSTGRES,
        "SELECT product_id, price, u AS _changed_at FROM prices WHERE valid_from <= now()",
        &["product_id"],
    );
    assert_eq!(price.tables[0].name, "prices");
    assert_eq!((price.fixed, price.equal), (vec![of(0, "product_id")], vec![]));
    let joined = identity(
        MYSQL,
        "SELECT p.*, t.title, greatest(p.u, t.u) AS _changed_at FROM product p
         JOIN texts AS t ON (t.Product_Id = p.id AND t.language = 1)",
        &["id"],
    );
    assert_eq!(joined.fixed, [of(0, "id")]);
    assert_eq!(joined.numbers, [of(1, "language")]);
    assert_eq!(joined.equal, [(of(1, "product_id"), of(0, "id"))]);
    let now = "SELECT id, u AS _changed_at FROM t WHERE kind = 'now' AND a = 'x'";
    assert_eq!(identity(POSTGRES, now, &["id"]).fixed, [of(0, "id"), of(0, "a")]);
    let using = identity(
        SQLITE,
        "SELECT a.id, max(a.u, b.u) AS _changed_at FROM a JOIN b USING (id)",
        &["id"],
    );
    assert_eq!(using.equal, [(of(0, "id"), of(1, "id"))]);
    for sql in [
        "SELECT lower(slug) AS slug, u AS _changed_at FROM t WHERE slug = 'a' OR id = 1",
        "SELECT slug || 'x' AS slug, u AS _changed_at FROM t WHERE id > 1 AND NOT (id = 7)",
    ] {
        let identity = identity(POSTGRES, sql, &["slug"]);
        assert_eq!((identity.fixed, identity.numbers), (vec![], vec![]));
    }
}

#[test]
fn what_may_change_unseen_is_not_told_at_all() {
    for (grammar, sql, words) in [
        (POSTGRES, "SELECT id FROM t", "not select `_changed_at`"),
        (POSTGRES, "SELECT id, now() AS n, u AS _changed_at FROM t", "function"),
        (SQLITE, "SELECT id, date('now') AS n, u AS _changed_at FROM t", "function"),
        (POSTGRES, "SELECT id, 'now'::timestamp AS n, u AS _changed_at FROM t", "word"),
        (POSTGRES, "SELECT id, random() AS n, u AS _changed_at FROM t", "function"),
        (POSTGRES, "SELECT id, shop.price(id) AS n, u AS _changed_at FROM t", "function"),
        (POSTGRES, "SELECT id, (SELECT 1 FROM s) AS n, u AS _changed_at FROM t", "subquery"),
        (
            POSTGRES,
            "SELECT id, row_number() OVER (ORDER BY id) AS n, u AS _changed_at FROM t",
            "function",
        ),
        (POSTGRES, "SELECT max(id) AS id, max(u) AS _changed_at FROM t", "function"),
        (SQLITE, "SELECT max(id) AS id, max(u) AS _changed_at FROM t", "function"),
        (POSTGRES, "SELECT id, max(u) AS _changed_at FROM t GROUP BY id", "GROUP BY"),
        (POSTGRES, "SELECT DISTINCT id, u AS _changed_at FROM t", "DISTINCT"),
        (
            POSTGRES,
            "SELECT id, u AS _changed_at FROM t UNION ALL SELECT id, u FROM s",
            "plain SELECT",
        ),
        (POSTGRES, "WITH w AS (SELECT * FROM t) SELECT id, u AS _changed_at FROM w", "WITH"),
        (POSTGRES, "SELECT id, u AS _changed_at FROM (SELECT * FROM t) q", "subquery"),
        (POSTGRES, "SELECT a.id, a.u AS _changed_at FROM a JOIN b ON b.id = a.b", "latest"),
        (
            POSTGRES,
            "SELECT a.id, least(a.u, b.u) AS _changed_at FROM a JOIN b ON b.id = a.b",
            "latest",
        ),
        (
            POSTGRES,
            "SELECT a.id, greatest(a.u, b.u) AS _changed_at FROM a LEFT JOIN b ON b.id = a.b",
            "outer",
        ),
        (
            POSTGRES,
            "SELECT a.id, greatest(a.u, b.u) AS _changed_at FROM a JOIN b ON b.d < now()",
            "something other than",
        ),
    ] {
        match tracking(sql, grammar, &["id"]) {
            Tracking::None(why) => assert!(why.contains(words), "{sql}\n{why}"),
            other => panic!("{sql}\n{other:?}"),
        }
    }
}
