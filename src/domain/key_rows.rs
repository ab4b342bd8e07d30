//! Whether a key tells which rows its value is made of.
//!
//! Where it does, a value changes only when one of these rows does. Where it does not (prices by
//! date, say), another row may take a key's place, and none of them has changed.

/// A table as a query names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableName {
    /// As the SQL has it, quotes and schema too.
    pub name: String,
    /// Its name as the database stores it, its schema before it where the SQL names one.
    pub parts: Vec<String>,
}

/// A column of one of a query's tables, by the table's place.
pub type ColumnOf = (usize, String);

/// What a query says of the rows behind each of its keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyRows {
    pub tables: Vec<TableName>,
    /// Columns whose values are fixed by the key or are constant.
    pub fixed: Vec<ColumnOf>,
    /// Columns that equal a number in every row.
    pub numbers: Vec<ColumnOf>,
    /// Pairs of columns that are equal in every row.
    pub equal: Vec<(ColumnOf, ColumnOf)>,
}

/// The sets of columns that no two rows of a table have the same values in. A view, or a table whose
/// rows are not the same for everybody, has none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UniqueKeys {
    pub primary: Vec<String>,
    pub others: Vec<Vec<String>>,
    /// The table's columns that hold text, where the database compares a text with a number by turning
    /// it into one: `1`, `01` and `1 ` are different texts, and all of them equal 1.
    pub texts: Vec<String>,
}

impl UniqueKeys {
    /// Puts together what a database says in rows: which key, whether it is the primary one, and a
    /// column of it; `None`: an expression, which makes the key none.
    pub fn of(rows: impl IntoIterator<Item = (String, bool, Option<String>)>) -> Self {
        let mut keys: Vec<(String, bool, Option<Vec<String>>)> = Vec::new();
        for (name, is_primary, column) in rows {
            let same = keys.iter().position(|(known, is, _)| *known == name && *is == is_primary);
            let at = same.unwrap_or_else(|| {
                keys.push((name, is_primary, Some(Vec::new())));
                keys.len() - 1
            });
            let columns = &mut keys[at].2;
            match column {
                Some(column) => columns.iter_mut().for_each(|all| all.push(column.clone())),
                None => *columns = None,
            }
        }
        let mut unique = Self::default();
        for (_, is_primary, columns) in keys {
            match columns {
                Some(columns) if is_primary => unique.primary = columns,
                Some(columns) => unique.others.push(columns),
                None => {}
            }
        }
        unique
    }

    fn all(&self) -> impl Iterator<Item = &Vec<String>> {
        let keys = self.others.iter().chain([&self.primary]);
        keys.filter(|key| !key.is_empty())
    }
}

impl KeyRows {
    /// The first table of which a key does not tell one row. `unique`: the keys of each table.
    pub fn unfixed(&self, unique: &[UniqueKeys]) -> Option<&TableName> {
        self.unknown(unique, vec![false; self.tables.len()])
    }

    /// The first table of which several rows may be joined to one row of the first.
    pub fn multiplying(&self, unique: &[UniqueKeys]) -> Option<&TableName> {
        self.unknown(unique, (0..self.tables.len()).map(|at| at == 0).collect())
    }

    /// The first table of which no single row is known. `rows`: those that are known to begin with.
    fn unknown(&self, unique: &[UniqueKeys], mut rows: Vec<bool>) -> Option<&TableName> {
        let is_text = |(at, column): &ColumnOf| {
            let table = unique.get(*at);
            table.is_some_and(|table| table.texts.contains(column))
        };
        let numbers = self.numbers.iter().filter(|column| !is_text(column));
        let mut fixed: Vec<ColumnOf> = self.fixed.iter().chain(numbers).cloned().collect();
        let same_type = |(a, b): &&(ColumnOf, ColumnOf)| is_text(a) == is_text(b);
        loop {
            let before = (fixed.len(), rows.iter().filter(|row| **row).count());
            for (at, keys) in unique.iter().enumerate() {
                let knows = |column: &String| fixed.iter().any(|(of, c)| *of == at && c == column);
                rows[at] |= keys.all().any(|key| key.iter().all(knows));
            }
            for (a, b) in self.equal.iter().filter(same_type) {
                for (from, to) in [(a, b), (b, a)] {
                    if (rows[from.0] || fixed.contains(from)) && !fixed.contains(to) {
                        fixed.push(to.clone());
                    }
                }
            }
            if before == (fixed.len(), rows.iter().filter(|row| **row).count()) {
                break;
            }
        }
        let at = rows.iter().position(|row| !row)?;
        self.tables.get(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(name: &str) -> TableName {
        TableName { name: name.to_owned(), parts: vec![name.to_owned()] }
    }

    fn primary(columns: &[&str]) -> UniqueKeys {
        UniqueKeys {
            primary: columns.iter().map(|c| (*c).to_owned()).collect(),
            ..UniqueKeys::default()
        }
    }

    fn of(at: usize, name: &str) -> ColumnOf {
        (at, name.to_owned())
    }

    #[test]
    fn a_unique_column_tells_the_row() {
        let mut prices = KeyRows {
            tables: vec![table("prices")],
            fixed: vec![of(0, "product_id")],
            numbers: Vec::new(),
            equal: Vec::new(),
        };
        let mut unique = primary(&["id"]);
        assert_eq!(prices.unfixed(std::slice::from_ref(&unique)), Some(&table("prices")));
        unique.others.push(vec!["product_id".to_owned()]);
        assert_eq!(prices.unfixed(&[unique]), None);
        assert!(prices.unfixed(&[UniqueKeys::default()]).is_some(), "a view");
        prices.fixed.push(of(0, "id"));
        assert_eq!(prices.unfixed(&[primary(&["id"])]), None);
        assert!(prices.unfixed(&[primary(&["id", "shop"])]).is_some());
    }

    #[test]
    fn a_row_tells_those_that_it_is_joined_with_by_their_keys() {
        // product p JOIN texts t ON t.product = p.id AND t.language = 1 JOIN brand b ON b.id = p.brand
        let query = KeyRows {
            tables: vec![table("product"), table("texts"), table("brand")],
            fixed: vec![of(0, "id")],
            numbers: vec![of(1, "language")],
            equal: vec![(of(1, "product"), of(0, "id")), (of(2, "id"), of(0, "brand"))],
        };
        let keys = [primary(&["id"]), primary(&["product", "language"]), primary(&["id"])];
        assert_eq!(query.unfixed(&keys), None);
        let mut texts = keys.clone();
        texts[1].texts.push("language".to_owned());
        assert_eq!(query.unfixed(&texts), Some(&table("texts")), "'1' and '01'");
        let mut texts = keys;
        texts[2].texts.push("id".to_owned());
        assert_eq!(query.unfixed(&texts), Some(&table("brand")), "'1' and '01'");
        let many = [primary(&["id"]), primary(&["id"]), primary(&["id"])];
        assert_eq!(query.unfixed(&many), Some(&table("texts")));
    }

    #[test]
    fn a_join_by_a_unique_key_multiplies_no_row() {
        let query = KeyRows {
            tables: vec![table("store"), table("product")],
            fixed: Vec::new(),
            numbers: Vec::new(),
            equal: vec![(of(1, "store"), of(0, "id"))],
        };
        let by_id = [primary(&["id"]), primary(&["id"])];
        assert_eq!(query.multiplying(&by_id), Some(&table("product")));
        assert_eq!(query.multiplying(&[primary(&["id"]), primary(&["store"])]), None);
    }

    #[test]
    fn keys_are_put_together_from_rows() {
        let row = |name: &str, is_primary, column: Option<&str>| {
            (name.to_owned(), is_primary, column.map(str::to_owned))
        };
        let unique = UniqueKeys::of([
            row("pk", true, Some("a")),
            row("pk", true, Some("b")),
            row("u", false, Some("c")),
            row("lower", false, Some("a")),
            row("lower", false, None),
        ]);
        assert_eq!(unique.primary, ["a", "b"]);
        assert_eq!(unique.others, [["c"]]);
    }
}
