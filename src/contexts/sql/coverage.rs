//! Tells which tables a value is made of whose changes its `_version` does not show.
//!
//! Only the text is known. Where it does not say which table a column of the version is from,
//! nothing is said. A query in FROM or in WITH stands for all tables that it reads.

use std::ops::ControlFlow;

use sqlparser::ast::{Expr, Function, Ident, Query, Select, SetExpr, TableFactor, Visit};

use super::parse::{lists, stored_name, with_query};
use super::purity::{PURE_FUNCTIONS, may_be_text};
use super::relations::{Relation, relations_in};
use super::scope::{self, Column, Names, arguments, called_function};
use super::walk::{Node, each, walk};
use crate::application::ports::grammar::Grammar;
use crate::domain::strategy::VERSION;

/// Functions beyond the pure ones that read nothing but their arguments. A stored function may read
/// any table.
const READS_ARGUMENTS: &str = "array_agg array_to_string count crc32 date_format digest encode format \
    group_concat hashtext json_agg json_arrayagg json_group_array json_group_object json_object_agg \
    json_objectagg jsonb_agg max min quote row sha1 sha2 sha256 string_agg strftime sum to_char \
    unix_timestamp unixepoch";

/// Why a query's `_version` does not cover its values, for people; `keys`: the key's columns.
pub fn uncovered(sql: &str, grammar: &'static Grammar, keys: &[&str]) -> Option<String> {
    let read = with_query(sql, grammar, |query| {
        let mut reading = Reading {
            grammar,
            keys,
            with: Names::default(),
            scope: Names::default(),
            names: Vec::new(),
        };
        Ok(reading.gap(query))
    });
    read.ok().flatten()
}

/// The tables that an expression's value comes from.
#[derive(Clone, Default)]
struct Origins {
    /// Each with whether it is in a query inside of this one.
    places: Vec<(Relation, bool)>,
    /// And perhaps others.
    is_unknown: bool,
}

impl Origins {
    const UNKNOWN: Self = Self { places: Vec::new(), is_unknown: true };

    fn add(&mut self, other: &Self) {
        self.is_unknown |= other.is_unknown;
        self.places.extend(other.places.iter().cloned());
    }

    fn covers(&self, place: &Relation) -> bool {
        self.places.iter().any(|(known, is_inside)| {
            known.table == place.table && (*is_inside || known.alias == place.alias)
        })
    }
}

struct Reading<'k> {
    grammar: &'static Grammar,
    /// The key's columns, which cannot change without another key.
    keys: &'k [&'k str],
    /// What WITH names.
    with: Names<Origins>,
    /// What FROM names.
    scope: Names<Origins>,
    /// The columns by their places, as the first SELECT of a UNION names them.
    names: Vec<String>,
}

impl Reading<'_> {
    fn gap(&mut self, query: &Query) -> Option<String> {
        for cte in query.with.iter().flat_map(|with| &with.cte_tables) {
            let name = &cte.alias.name.value;
            let mut origins = self.read(&cte.query);
            let is_itself = |place: &Relation| place.table.eq_ignore_ascii_case(name);
            origins.places.retain(|(place, _)| !is_itself(place));
            self.with.0.push((name.clone(), origins));
        }
        self.gap_of_body(&query.body)
    }

    fn gap_of_body(&mut self, body: &SetExpr) -> Option<String> {
        match body {
            SetExpr::Select(select) => self.gap_of_select(select),
            SetExpr::Query(inner) => self.gap(inner),
            SetExpr::SetOperation { left, right, .. } => {
                let gap = self.gap_of_body(left);
                gap.or_else(|| self.gap_of_body(right))
            }
            _ => None,
        }
    }

    fn gap_of_select(&mut self, select: &Select) -> Option<String> {
        self.scope.0.clear();
        scope::from(select).for_each(|(factor, _)| self.add(factor));
        let is_first = self.names.is_empty();
        let (mut version, mut stored) = (None, Origins::default());
        let mut ranks = false;
        for (at, column) in scope::columns(select).enumerate() {
            let own = match column {
                Column::One(_, alias) => {
                    alias.map_or_else(String::new, |alias| stored_name(alias, self.grammar))
                }
                // What follows a `*` has no known place.
                _ if !is_first => return None,
                _ => "*".to_owned(),
            };
            if is_first {
                self.names.push(own);
            }
            let name = self.names.get(at).map_or("", String::as_str);
            match column {
                Column::One(expr, _) => match name {
                    VERSION => version = Some((expr, self.read(expr))),
                    "*" => return None,
                    name if name.starts_with('_') || self.keys.contains(&name) => {}
                    _ => {
                        ranks |= calls(expr, |function| function.over.is_some());
                        stored.add(&self.read(expr));
                    }
                },
                Column::All(Some(table), _) => {
                    let origins = self.scope.find(scope::last(table)).into_iter();
                    origins.for_each(|origins| stored.add(origins));
                }
                _ => {
                    let seen = self.scope.0.iter();
                    seen.for_each(|(_, origins)| stored.add(origins));
                }
            }
        }
        let (version, origins) = version?;
        said(&origins, &stored).or_else(|| of_other_rows(version, ranks))
    }

    fn add(&mut self, factor: &TableFactor) {
        let mut origins = self.read(factor);
        let table = Relation::of(factor).filter(|place| self.with.find(&place.table).is_none());
        if table.is_some() {
            origins.places.iter_mut().for_each(|place| place.1 = false);
        }
        let name = scope::called(factor).map(|name| name.value.clone());
        // What a function makes of a row is the row's.
        origins.is_unknown |= name.is_none();
        self.scope.0.push((name.unwrap_or_default(), origins));
    }

    /// The tables that a part of a query reads, those of its subqueries too.
    fn read(&self, tree: &impl Visit) -> Origins {
        let mut found = Origins::default();
        for place in relations_in(tree) {
            match self.with.find(&place.table) {
                Some(origins) => found.add(origins),
                None => found.places.push((place, true)),
            }
        }
        let mut depth = 0;
        each(tree, |node| match node {
            Node::Query(_) => depth += 1,
            Node::EndOfQuery => depth -= 1,
            // In a subquery a name may be of one of its own tables.
            Node::Expr(expr) => found.add(&self.of_node(expr, depth == 0)),
            _ => {}
        });
        found
    }

    /// What an expression reads itself, without those inside it. `is_own`: its names are those of this
    /// query's FROM.
    fn of_node(&self, expr: &Expr, is_own: bool) -> Origins {
        let is_key =
            |column: &Ident| self.keys.contains(&stored_name(column, self.grammar).as_str());
        let known = match expr {
            Expr::Identifier(word) => match self.scope.find(&word.value) {
                Some(row) => Some(row.clone()),
                None if may_be_text(word, self.grammar) || is_key(word) => None,
                None => match self.scope.0.as_slice() {
                    [(_, origins)] if is_own => Some(origins.clone()),
                    _ => is_own.then_some(Origins::UNKNOWN),
                },
            },
            Expr::CompoundIdentifier(parts) => match parts.as_slice() {
                [.., column] if is_key(column) => None,
                [.., table, _] => match self.scope.find(&table.value) {
                    None => is_own.then_some(Origins::UNKNOWN),
                    row => row.cloned(),
                },
                _ => None,
            },
            // A stored function may read any table, and `p.*` stands for columns.
            Expr::Function(function) => {
                let name = called_function(function);
                let is_known = lists(PURE_FUNCTIONS, &name) || lists(READS_ARGUMENTS, &name);
                let is_plain = is_known && !function.args.to_string().contains('*');
                (!is_plain).then_some(Origins::UNKNOWN)
            }
            Expr::QualifiedWildcard(..) | Expr::Wildcard(_) => Some(Origins::UNKNOWN),
            _ => None,
        };
        known.unwrap_or_default()
    }
}

/// What the version misses of the stored columns, for people.
fn said(version: &Origins, stored: &Origins) -> Option<String> {
    let mut known: Vec<&str> = version.places.iter().map(|(p, _)| p.table.as_str()).collect();
    known.dedup();
    let mut missed: Vec<String> = Vec::new();
    for (place, _) in &stored.places {
        let shown = match known.contains(&place.table.as_str()) {
            true => format!("{} ({})", place.table, place.alias),
            false => place.table.clone(),
        };
        if !version.covers(place) && !missed.contains(&shown) {
            missed.push(shown);
        }
    }
    if version.is_unknown || missed.is_empty() {
        return None;
    }
    let from = match known.join(", ").as_str() {
        "" => "no table".to_owned(),
        known => format!("{known} only"),
    };
    let missed = missed.join(", ");
    Some(format!("its {VERSION} comes from {from}; changes of {missed} are not seen"))
}

/// Functions that show that a row is gone from those that they read.
const COUNTS: &str = "array_agg count group_concat json_agg json_arrayagg json_group_array json_group_object \
    json_object_agg json_objectagg jsonb_agg string_agg sum";

/// What a version misses of other rows of its tables. `ranks`: the stored columns say how a row compares
/// with others.
fn of_other_rows(version: &Expr, ranks: bool) -> Option<String> {
    let is = |names, function: &Function| lists(names, &called_function(function));
    if ranks && !calls(version, |function| function.over.is_some()) {
        return Some(format!(
            "its {VERSION} comes from one row, and a window function reads others"
        ));
    }
    let is_greatest = |function: &Function| {
        arguments(function).len() == 1 && function.over.is_none() && is("max min", function)
    };
    let misses = calls(version, is_greatest) && !calls(version, |function| is(COUNTS, function));
    misses.then(|| {
        format!("its {VERSION} is the greatest of several rows; a deleted one is not seen")
    })
}

/// Whether an expression calls such a function.
fn calls(expr: &Expr, is_such: impl Fn(&Function) -> bool) -> bool {
    let found = walk(expr, |node| match node {
        Node::Expr(Expr::Function(function)) if is_such(function) => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    });
    found.is_break()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::infrastructure::source::grammars::{MYSQL, POSTGRES, SQLITE};

    const IMAGES: &str = "(SELECT json_agg(i.file) FROM image i WHERE i.product_id = p.id)";

    fn said(grammar: &'static Grammar, sql: &str) -> String {
        uncovered(sql, grammar, &["id"]).unwrap_or_default()
    }

    #[test]
    fn tables_that_the_version_misses_are_named() {
        let nested = format!("SELECT p.id, {IMAGES} AS images, p.at AS _version FROM product p");
        for (grammar, sql, expected) in [
            (POSTGRES, nested.as_str(), "product only; changes of image"),
            (
                POSTGRES,
                "SELECT p.id, b.name, p.xmin::text AS _version FROM product p JOIN brand b ON b.id = p.b",
                "product only; changes of brand",
            ),
            (
                MYSQL,
                "SELECT p.*, b.name, s.n, P.`at` AS _version FROM product p
                 LEFT JOIN brand b USING (b) JOIN (SELECT id, count(*) AS n FROM sale) s USING (id)",
                "product only; changes of brand, sale",
            ),
            (
                SQLITE,
                "WITH t AS (SELECT product_id, group_concat(tag) AS tags FROM tag GROUP BY 1)
                 SELECT p.id, t.tags, p.at AS _version FROM product p, t WHERE t.product_id = p.id",
                "product only; changes of tag",
            ),
            (
                POSTGRES,
                "WITH p AS (SELECT *, xmin FROM product) SELECT p.id, b.name, p.xmin::text AS _version FROM p
                 JOIN brand b ON b.id = p.brand_id",
                "product only; changes of brand",
            ),
            (
                POSTGRES,
                "SELECT id, name, at AS _version FROM a UNION ALL
                 SELECT a.id, b.name, a.at FROM a JOIN b ON b.id = a.b",
                "a only; changes of b",
            ),
            (
                POSTGRES,
                "SELECT c.id, u.name AS up, c.at AS _version FROM category c JOIN category u ON u.id = c.up",
                "category only; changes of category (u)",
            ),
            (
                POSTGRES,
                "SELECT id, EXISTS (SELECT 1 FROM sale WHERE sale.id = p.id) AS sold, at AS _version FROM p",
                "p only; changes of sale",
            ),
            (
                POSTGRES,
                "SELECT p.id, p.price, (SELECT max(at) FROM image WHERE product = p.id) AS _version FROM product p",
                "image only; changes of product",
            ),
            (SQLITE, "SELECT id, name, id AS _version FROM t", "no table; changes of t"),
            (SQLITE, "SELECT id, name, 'v' AS _version FROM t", "no table; changes of t"),
        ] {
            let expected = format!("its _version comes from {expected} are not seen");
            assert_eq!(said(grammar, sql), expected, "{sql}");
        }
    }

    #[test]
    fn other_rows_of_the_same_table_are_thought_of() {
        let ranked =
            "SELECT id, rank() OVER (ORDER BY sold) AS place, xmin::text AS _version FROM p";
        let newest = "SELECT id, count(*) AS n, max(at) AS _version FROM p GROUP BY id";
        assert!(said(POSTGRES, ranked).contains("a window function reads others"));
        assert!(said(POSTGRES, newest).contains("a deleted one is not seen"));
        for (grammar, covers) in [
            (POSTGRES, newest.replace("max(at)", "concat(count(*), '/', max(at))")),
            (SQLITE, newest.replace("max(at)", "max(at, id)")),
            (POSTGRES, format!("SELECT q.*, md5(q::text) AS _version FROM ({ranked}) q")),
        ] {
            assert_eq!(said(grammar, &covers), "", "{covers}");
        }
    }

    #[test]
    fn what_may_cover_everything_is_not_blamed() {
        let whole = format!(
            "SELECT q.*, md5(q::text) AS _version FROM (SELECT p.id, {IMAGES} AS images FROM product p) q"
        );
        let join = "FROM product p JOIN brand b ON b.id = p.brand_id";
        for (grammar, sql) in [
            (POSTGRES, whole.clone()),
            (POSTGRES, whole.replace("q::text", "to_json(q)::text")),
            (POSTGRES, whole.replace("q::text", "row(q.*)::text")),
            (MYSQL, whole.replace("q::text", "JSON_ARRAY(q.id, q.images)")),
            (POSTGRES, format!("SELECT p.id, b.name, concat(p.xmin, b.xmin) AS _version {join}")),
            (POSTGRES, format!("SELECT p.id, p.name, p.xmin::text AS _version {join}")),
            (POSTGRES, format!("SELECT p.id, b.name, version_of(p.id) AS _version {join}")),
            (POSTGRES, format!("SELECT p.id, b.name, (SELECT version_of(p.id)) AS _version {join}")),
            (POSTGRES, format!("SELECT p.id, b.name, updated_at AS _version {join}")),
            (POSTGRES, format!("SELECT b.id, p.name, p.at AS _version, b.code AS _code {join}")),
            (
                POSTGRES,
                format!(
                    "SELECT p.id, {IMAGES} AS images, p.at || coalesce((SELECT string_agg(x.at, '')
                     FROM image x WHERE x.product_id = p.id), '') AS _version FROM product p"
                ),
            ),
            (
                POSTGRES,
                "SELECT p.id, i.images, concat(p.xmin, i.images) AS _version FROM product p CROSS JOIN
                 LATERAL (SELECT json_agg(file) AS images FROM image WHERE product_id = p.id) i"
                    .to_owned(),
            ),
            (
                POSTGRES,
                "WITH RECURSIVE t AS (SELECT id, up FROM c UNION SELECT c.id, c.up FROM t JOIN c ON c.up = t.id)
                 SELECT id, up, md5(t::text) AS _version FROM t"
                    .to_owned(),
            ),
            (
                POSTGRES,
                "WITH t AS (SELECT id, max(at) AS at FROM image GROUP BY id) SELECT p.id, (SELECT count(*) FROM image i
                 WHERE i.id = p.id) AS n, concat(p.at, t.at) AS _version FROM product p JOIN t USING (id)"
                    .to_owned(),
            ),
            (POSTGRES, "SELECT id, e.value, e.value AS _version FROM t, json_each(t.doc) e".to_owned()),
            (POSTGRES, "SELECT id, name FROM t".to_owned()),
        ] {
            assert_eq!(said(grammar, &sql), "", "{sql}");
        }
    }
}
