//! Analyses the SQL text of a definition.

pub mod changes;
pub mod clock;
pub mod columns;
pub mod coverage;
pub mod documents;
pub mod driving_table;
mod functions;
mod key_rows;
mod lexer;
pub mod ownership;
pub mod owns;
pub mod parameters;
pub mod parse;
pub mod purity;
pub(super) mod refusal;
pub mod relations;
mod scope;
mod spelling;
mod walk;
pub mod with;

#[cfg(test)]
mod tests {
    use super::refusal::MAX_SQL_BYTES;
    use super::{
        changes, clock, columns, coverage, documents, driving_table, ownership, owns, relations,
        with,
    };
    use crate::infrastructure::source::grammars::{MYSQL, POSTGRES, SQLITE};

    /// Chains as long as SQL may be. Their trees are as deep, and nothing but the stack limits them.
    #[test]
    fn every_analysis_follows_a_long_chain_to_its_end() {
        const END: &str = " AS v, changed AS _version FROM orders";
        let mut owned = owns::Owns::default();
        owned.add(vec!["users".to_owned()]);
        for (grammar, start, piece, end) in [
            (POSTGRES, "SELECT id, 1", "+1", END),
            (POSTGRES, "SELECT id, 'a'", "||'a'", END),
            (MYSQL, "SELECT id, a", " REGEXP a", END),
            (SQLITE, "SELECT id, a", " IS NOT NULL", END),
            (MYSQL, "SELECT id, COALESCE(doc, '[]') AS doc, 1", "+1", END),
            (SQLITE, "SELECT id, COALESCE(doc, '[]') AS doc, a", " LIKE a", END),
            (POSTGRES, "SELECT id, a", "::int", END),
            (POSTGRES, "SELECT id, a::int", "[]", END),
            (POSTGRES, "WITH w AS (SELECT id FROM orders WHERE 1", " AND 1", ") SELECT id FROM w"),
            (MYSQL, "SELECT id FROM orders WHERE 1", " OR 1", ""),
            (POSTGRES, "SELECT id FROM orders", " UNION SELECT 1", ""),
        ] {
            let times = (MAX_SQL_BYTES - start.len() - end.len()) / piece.len();
            let sql = format!("{start}{}{end}", piece.repeat(times));
            let refused = ownership::check(&sql, grammar, &owned).err();
            let why = refused.map_or_else(String::new, |why| why.to_string());
            assert!(why.contains("table `orders`"), "{grammar:?}: {piece}: {why}");
            assert!(!relations::relations(&sql, grammar).is_empty(), "{grammar:?}: {piece}");
            let written = documents::without_literals(&sql, grammar);
            assert_eq!(written.is_some(), start.contains("COALESCE"), "{grammar:?}: {piece}");
            let _ = (changes::tracking(&sql, grammar, &["id"]), clock::clock_use(&sql, grammar));
            let _ = (columns::columns(&sql, grammar), coverage::uncovered(&sql, grammar, &["id"]));
            let _ = (documents::columns(&sql, grammar), with::leading_with(&sql, grammar));
            let _ = driving_table::driving_table(&sql, grammar);
        }
    }
}
