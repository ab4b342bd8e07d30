use super::facts::Group;
use super::*;
use crate::domain::key_rows::UniqueKeys;
use crate::domain::schema::{ForeignKey, Kind, TableColumn};
use crate::infrastructure::source::dialects::{MYSQL, POSTGRES, SQLITE};

fn column(name: &str, kind: Kind) -> TableColumn {
    TableColumn {
        name: name.to_owned(),
        declared: String::new(),
        kind,
        is_nullable: false,
        has_zero_default: false,
        length: None,
    }
}

fn table(name: &str, key: &[&str], columns: &[(&str, Kind)]) -> Table {
    Table {
        name: name.to_owned(),
        columns: columns.iter().map(|(name, kind)| column(name, *kind)).collect(),
        keys: UniqueKeys {
            primary: key.iter().map(|name| (*name).to_owned()).collect(),
            ..UniqueKeys::default()
        },
        ..Table::default()
    }
}

fn refers(mut table: Table, column: &str, parent: &str, key: &str) -> Table {
    table.foreign_keys.push(ForeignKey {
        columns: vec![column.to_owned()],
        parent: parent.to_owned(),
        parent_columns: vec![key.to_owned()],
        is_guess: false,
    });
    table
}

/// As if ten rows of each table had been read.
fn sections(mut schema: Schema, dialect: crate::application::ports::Dialect) -> Vec<Section> {
    let mut names = Names::of(&schema);
    guess::guess(&mut schema, &names);
    let group = Group { is_known: true, filled: 10, distinct: 10, most: 1, has_blanks: false };
    let tables = schema.tables.iter();
    let each = tables.map(|table| {
        let facts = Facts {
            rows: 10,
            key: group.clone(),
            references: vec![group.clone(); table.foreign_keys.len()],
            ..Facts::default()
        };
        section(&schema, &mut names, dialect, &Fit::new(table, dialect), &facts)
    });
    each.collect()
}

fn keys(sections: &[Section]) -> Vec<&str> {
    let strategies = sections.iter().flat_map(|section| &section.strategies);
    strategies.map(|strategy| strategy.key.as_str()).collect()
}

#[test]
fn a_parent_has_lists_of_its_children() {
    let schema = Schema {
        tables: vec![
            table("customers", &["id"], &[("id", Kind::Integer), ("name", Kind::Text)]),
            refers(
                refers(
                    table(
                        "orders",
                        &["id"],
                        &[
                            ("id", Kind::Integer),
                            ("customer_id", Kind::Integer),
                            ("payer_id", Kind::Integer),
                        ],
                    ),
                    "customer_id",
                    "customers",
                    "id",
                ),
                "payer_id",
                "customers",
                "id",
            ),
        ],
        elsewhere: Vec::new(),
    };
    let all = sections(schema, SQLITE);
    assert_eq!(
        keys(&all),
        [
            "customer:{id}",
            "order:{id}",
            "customer:{_customer_id}:orders",
            "customer:{_payer_id}:orders_by_payer"
        ]
    );
    let list = &all[1].strategies[1];
    assert_eq!(list.name, "order-by-customer");
    assert_eq!(list.order_by.as_deref(), Some("id"));
    assert_eq!(list.sql, "SELECT id, payer_id,\n       customer_id AS _customer_id\nFROM orders");
}

#[test]
fn children_are_guessed_only_where_nothing_is_declared() {
    let tables = || {
        vec![
            table(
                "oc_product",
                &["product_id"],
                &[("product_id", Kind::Integer), ("parent_id", Kind::Integer)],
            ),
            table(
                "oc_product_image",
                &["product_image_id"],
                &[("product_image_id", Kind::Integer), ("product_id", Kind::Integer)],
            ),
            table("oc_note", &["id"], &[("id", Kind::Integer), ("product_id", Kind::Text)]),
        ]
    };
    let all = sections(Schema { tables: tables(), elsewhere: Vec::new() }, MYSQL);
    assert_eq!(
        keys(&all),
        [
            "product:{product_id}",
            "product_image:{product_image_id}",
            "product:{_product_id}:images",
            "note:{id}"
        ],
        "a text is no reference to a number"
    );
    let mut declared = tables();
    declared[2] = refers(declared[2].clone(), "id", "oc_product", "product_id");
    let all = sections(Schema { tables: declared, elsewhere: Vec::new() }, MYSQL);
    assert!(!keys(&all).contains(&"product:{_product_id}:images"));
}

#[test]
fn a_parent_is_known_however_its_key_is_called() {
    for (own, other) in [
        ("product_id", "productId"),
        ("id_product", "id_product"),
        ("ProductID", "ProductID"),
        ("id", "idProduct"),
    ] {
        let tables = vec![
            table("Products", &[own], &[(own, Kind::Integer)]),
            table("image", &["id"], &[("id", Kind::Integer), (other, Kind::Integer)]),
        ];
        let schema = Schema { tables, elsewhere: Vec::new() };
        let list = format!("product:{{_{other}}}:images");
        assert!(keys(&sections(schema, SQLITE)).contains(&list.as_str()), "{other}");
    }
}

#[test]
fn children_of_an_example_are_in_the_order_of_their_list() {
    let product = table("product", &["id"], &[("id", Kind::Integer)]);
    let columns = [
        ("id", Kind::Integer),
        ("product_id", Kind::Integer),
        ("sortOrder", Kind::Integer),
        ("listPrice", Kind::Number),
        ("shape", Kind::Other),
    ];
    let image = table("image", &["id"], &columns);
    let tables = [product, refers(image, "product_id", "product", "id")];
    let facts = Facts { rows: 10, ..Facts::default() };
    for (dialect, order) in
        [(POSTGRES, "ORDER BY c.\"sortOrder\", c.id)"), (MYSQL, "ORDER BY c.sortOrder, c.id)")]
    {
        let fits = tables.each_ref().map(|table| Fit::new(table, dialect));
        let readings = fits.each_ref().map(|fit| Reading::new(dialect, fit, &facts));
        let all = examples(&mut Names::of(&Schema::default()), &readings);
        let sql = &all[0].strategy.sql;
        assert!(sql.contains(order) && sql.contains("listPrice"), "{sql}");
        assert!(all[0].heading.contains("inside, without shape;"), "{}", all[0].heading);
        let unordered = all[0].unordered.as_deref().unwrap_or_default();
        assert_eq!(unordered, sql.replace(&format!(" {order}"), ")"));
    }
}

#[test]
fn a_version_is_the_surest_thing_that_changes() {
    let version = |dialect, columns: &[(&str, Kind)], nullable: &str, row_version| {
        let mut table = table("t", &["id"], columns);
        table.row_version = row_version;
        for column in &mut table.columns {
            column.is_nullable = column.name == nullable;
        }
        let all = sections(Schema { tables: vec![table], elsewhere: Vec::new() }, dialect);
        all[0].version.clone()
    };
    let (id, at) = (("id", Kind::Integer), ("updatedAt", Kind::Moment));
    let counter = ("lock_version", Kind::Integer);
    let said = |version: Option<String>| version.unwrap_or_default();
    assert_eq!(said(version(MYSQL, &[id, at, counter], "", None)), "lock_version");
    assert_eq!(said(version(MYSQL, &[id, at, counter], "lock_version", None)), "updatedAt");
    assert_eq!(said(version(SQLITE, &[id, at], "updatedAt", None)), "COALESCE(updatedAt, '')");
    assert_eq!(said(version(POSTGRES, &[id, at], "updatedAt", Some("xmin::text"))), "xmin::text");
    assert_eq!(said(version(POSTGRES, &[id], "", Some("xmin::text"))), "xmin::text");
    assert_eq!(version(SQLITE, &[id, ("version", Kind::Text)], "", None), None);
}

#[test]
fn the_file_is_one_that_can_be_read() {
    let mut secret = table(
        "account",
        &["id"],
        &[("id", Kind::Integer), ("password", Kind::Text), ("picture", Kind::Binary)],
    );
    secret.columns[2].declared = "bytea".to_owned();
    let mut views = table("best", &[], &[("product_id", Kind::Integer), ("sold", Kind::Integer)]);
    views.is_view = true;
    let keyless = table("sessions", &["id"], &[("id", Kind::Integer)]);
    let schema = Schema { tables: vec![secret, views, keyless], elsewhere: Vec::new() };
    let mut sections = sections(schema, POSTGRES);
    sections[2] = Section {
        table: "sessions".to_owned(),
        why: Some("a framework's own table".to_owned()),
        ..Section::default()
    };
    let text = file::definitions(&sections, &[], "", None);
    let expected = "
[context]
name = \"shop\"
owns = [\"account\", \"best\"]

# account: 10 rows
# Left out (looks like a secret): password
# Left out (bytea; select it with types = { picture = \"base64\" }): picture
[strategies.account]
key      = \"account:{id}\"
value    = \"object\"
ttl      = \"12h\"
sql      = \"\"\"
SELECT id
FROM account\"\"\"

# best
# A view. Name in the key columns that tell all its rows apart, and take the # away:
# [strategies.best]
# key      = \"best:{product_id}\"
# value    = \"object\"
# ttl      = \"1h\"
# sql      = \"\"\"
# SELECT product_id, sold
# FROM best\"\"\"

# Left out:
#   sessions: a framework's own table
";
    assert!(text.ends_with(expected), "{text}");
}
