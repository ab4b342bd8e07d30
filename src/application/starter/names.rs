//! Names of tables in keys and strategies.

use std::collections::{BTreeMap, BTreeSet};

use super::inflection::singular;
use crate::domain::schema::{Schema, Table};
use crate::domain::strategy::is_name;

/// Table prefixes of well-known shops.
const KNOWN_PREFIXES: [&str; 8] = ["oc", "wp", "ps", "mage", "jos", "xc", "tbl", "llx"];

/// With at least this many tables, what nearly all of them begin with is a prefix.
const MANY_TABLES: usize = 5;

/// The longest name of a strategy that leaves room for a number.
const LONGEST: usize = 60;

pub(super) struct Names {
    prefix: String,
    entities: BTreeMap<String, String>,
    taken: BTreeSet<String>,
    /// The keys of lists, without the names of their columns.
    shapes: BTreeSet<String>,
}

impl Names {
    pub(super) fn of(schema: &Schema) -> Self {
        let tables = schema.tables.iter().filter(|table| !table.is_view);
        let prefix = prefix(&tables.collect::<Vec<_>>());
        let all = schema.tables.iter().map(|table| table.name.as_str());
        let entities = entities(&all.collect::<Vec<_>>(), &prefix);
        Self { prefix, entities, taken: BTreeSet::new(), shapes: BTreeSet::new() }
    }

    /// The first of these templates that no other list has, or the last with a number.
    pub(super) fn key<const N: usize>(&mut self, wanted: [String; N]) -> String {
        let last = wanted.last().cloned().unwrap_or_default();
        let shape = |key: &str| key.split(['{', '}']).step_by(2).collect::<Vec<_>>().join("{}");
        let numbered = (2..).map(|n| format!("{last}_{n}"));
        let mut all = wanted.into_iter().chain(numbered);
        let free = all.find(|key| !self.shapes.contains(&shape(key)));
        let free = free.unwrap_or_default();
        self.shapes.insert(shape(&free));
        free
    }

    /// The prefix of all tables, which keys do not have: `oc_`, or nothing.
    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The table's name in keys: its words in lower case, without the prefix, the last in the singular.
    pub(super) fn entity(&self, table: &str) -> &str {
        self.entities.get(table).map_or("", String::as_str)
    }

    /// The table's words without the prefix.
    pub(super) fn words(&self, table: &str) -> Vec<String> {
        words(table.strip_prefix(&self.prefix).unwrap_or(table))
    }

    /// A name for a strategy that no other has.
    pub(super) fn strategy(&mut self, wanted: &str) -> String {
        let known = |c: char| match c.to_ascii_lowercase() {
            c if c.is_ascii_alphanumeric() => c,
            _ => '-',
        };
        let plain: String = wanted.chars().map(known).collect();
        let parts: Vec<&str> = plain.split('-').filter(|part| !part.is_empty()).collect();
        let mut name = parts.join("-");
        if !is_name(&name[..name.len().min(1)]) || name == "all" {
            name = format!("table-{name}");
        }
        name.truncate(LONGEST);
        let name = name.trim_end_matches('-').to_owned();
        let numbered = (2..).map(|n| format!("{name}-{n}"));
        let mut all = std::iter::once(name.clone()).chain(numbered);
        let free = all.find(|name| !self.taken.contains(name)).unwrap_or(name);
        self.taken.insert(free.clone());
        free
    }
}

/// The words of a name in lower case: `order_items`, `OrderItems` and `order items` have the same.
pub(super) fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let all: Vec<char> = name.chars().collect();
    for (at, c) in all.iter().enumerate() {
        let after = |next: usize| all.get(at + next).is_some_and(|c| c.is_lowercase());
        let before = at > 0 && (all[at - 1].is_lowercase() || all[at - 1].is_numeric());
        let begins = c.is_uppercase() && (before || (at > 0 && after(1)));
        if !c.is_alphanumeric() || begins {
            words.push(String::new());
        }
        if c.is_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.extend(c.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// What a column with the key of such a row is called.
pub(super) fn ids(entity: &str) -> [String; 2] {
    [format!("{entity}_id"), format!("id_{entity}")]
}

fn prefix(tables: &[&Table]) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for (first, _) in tables.iter().filter_map(|table| table.name.split_once('_')) {
        *counts.entry(first).or_default() += 1;
    }
    let most = counts.into_iter().max_by_key(|(_, count)| *count);
    let is_prefix = |first: &str, count: usize| {
        let nearly_all = count * 10 >= tables.len() * 9;
        let is_known = KNOWN_PREFIXES.contains(&first) && count > 1;
        let is_sure = is_known || count >= MANY_TABLES || tables.iter().any(|t| is_named(t, first));
        nearly_all && is_sure && !first.is_empty() && tables.iter().all(|table| table.name != first)
    };
    match most {
        Some((first, count)) if is_prefix(first, count) => format!("{first}_"),
        _ => String::new(),
    }
}

/// Whether its key names the table without the prefix, as `id_product` does `dub_product`.
fn is_named(table: &Table, prefix: &str) -> bool {
    let bare = table.name.strip_prefix(prefix).unwrap_or_default();
    let own = singular_words(bare).join("_");
    matches!(table.key(), [key] if ids(&own).contains(&words(key).join("_")))
}

/// The words of a table's name, the last in the singular.
fn singular_words(table: &str) -> Vec<String> {
    let mut words = words(table);
    if let Some(last) = words.last_mut() {
        *last = singular(last);
    }
    words
}

/// The name of each table, all different.
fn entities(tables: &[&str], prefix: &str) -> BTreeMap<String, String> {
    let bare = |table: &str| table.strip_prefix(prefix).unwrap_or(table).to_owned();
    let one = |table: &str| singular_words(&bare(table)).join("_");
    let mut entities = BTreeMap::new();
    let mut taken = BTreeSet::new();
    for table in tables {
        let same = tables.iter().filter(|other| one(other) == one(table));
        let mut name = if same.count() == 1 { one(table) } else { words(&bare(table)).join("_") };
        // Keys of the tool's own begin so.
        if name.is_empty() || name == "shopwarm" {
            name = format!("table_{name}");
        }
        let numbered = (2..).map(|n| format!("{name}_{n}"));
        let mut all = std::iter::once(name.clone()).chain(numbered);
        let free = all.find(|name| !taken.contains(name)).unwrap_or(name);
        taken.insert(free.clone());
        entities.insert((*table).to_owned(), free);
    }
    entities
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::key_rows::UniqueKeys;

    #[test]
    fn words_are_found_however_they_are_put_together() {
        for name in
            ["order_items", "OrderItems", "order items", "orderItems", "ORDER_ITEMS", "order-items"]
        {
            assert_eq!(words(name), ["order", "items"], "{name}");
        }
        assert_eq!(words("HTTPServer2Log"), ["http", "server2", "log"]);
        assert_eq!(words("größe"), ["größe"]);
        assert!(words("__ \"").is_empty());
    }

    #[test]
    fn a_prefix_is_what_nearly_all_tables_begin_with() {
        let prefix = |tables: &[&str]| {
            let keyed = |name: &&str| {
                let (name, key) = name.split_once(' ').unwrap_or((name, "id"));
                let mut keys = UniqueKeys::default();
                keys.primary.push(key.to_owned());
                Table { name: name.to_owned(), keys, ..Table::default() }
            };
            let tables: Vec<Table> = tables.iter().map(keyed).collect();
            super::prefix(&tables.iter().collect::<Vec<_>>())
        };
        let shop = ["shop_a", "shop_b", "shop_c", "shop_d", "shop_e"];
        let films = ["film", "film_actor", "film_text", "film_a", "film_b", "film_c"];
        assert_eq!(prefix(&["wp_posts", "wp_options"]), "wp_");
        assert_eq!(prefix(&shop), "shop_");
        assert_eq!(prefix(&["order_item", "order_note", "order_total"]), "");
        assert_eq!(prefix(&films), "");
        assert_eq!(prefix(&["a", "b"]), "");
        assert_eq!(prefix(&[]), "");
        for key in ["id_product", "product_id", "ProductID", "idProduct"] {
            assert_eq!(prefix(&[&format!("dub_products {key}")]), "dub_", "{key}");
        }
        let few = ["dub_product id_product", "dub_product_lang", "dub_tax id"];
        assert_eq!(prefix(&few), "dub_", "a key says so");
        assert_eq!(prefix(&["dub_product id", "dub_product_lang"]), "", "nothing does");
        assert_eq!(prefix(&["product id_product", "product_lang"]), "");
    }

    #[test]
    fn names_are_in_the_singular_and_all_different() {
        let tables =
            ["orders", "order", "Order Items", "order_items", "oc", "shopwarm", "\"", "商品"];
        let named = entities(&tables, "");
        let name = |table: &str| named[table].as_str();
        assert_eq!((name("orders"), name("order")), ("orders", "order"));
        assert_eq!(name("Order Items"), "order_items");
        assert_eq!(name("order_items"), "order_items_2");
        assert_eq!(
            (name("shopwarm"), name("\""), name("商品")),
            ("table_shopwarm", "table_", "商品")
        );
    }

    #[test]
    fn every_strategy_has_a_valid_name_of_its_own() {
        let mut names = Names::of(&Schema::default());
        let long = "x".repeat(80);
        let mut all = Vec::new();
        for wanted in ["all", "product", "Product", "商品", "2_posts", "a__b", "", &long, &long] {
            let name = names.strategy(wanted);
            assert!(is_name(&name) && name != "all", "{wanted}: {name}");
            assert!(!all.contains(&name), "{name}");
            all.push(name);
        }
        assert_eq!(all[..3], ["table-all", "product", "product-2"]);
    }
}
