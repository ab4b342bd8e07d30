//! Names as SQL and TOML write them.

use crate::application::ports::Dialect;

/// Words that PostgreSQL, MySQL, MariaDB, SQLite or the reader of definitions takes for something else
/// than a name.
const RESERVED: &str = "abort accessible action add after all alter always analyse analyze and any array as \
    asc asensitive asof asymmetric attach authorization autoincrement before begin between bigint binary \
    blob both by call cascade case cast change char character check collate collation column commit \
    concurrently condition conflict connect constraint continue convert create cross cube cume_dist current \
    current_catalog current_date current_role current_schema current_time current_timestamp current_user \
    cursor database databases day_hour day_microsecond day_minute day_second dec decimal declare default \
    deferrable deferred delayed delete dense_rank desc describe detach deterministic distinct distinctrow \
    div do double drop dual each else elseif empty enclosed end escape escaped every except exclude exclusive \
    exists exit explain extract fail false fetch filter final first_value float float4 float8 following for \
    force foreign freeze from full fulltext function general generated get glob global grant group grouping \
    groups having high_priority hour_microsecond hour_minute hour_second if ignore ignore_server_ids ilike \
    immediate in index indexed infile initially inner inout insensitive insert instead int int1 int2 int3 \
    int4 int8 integer intersect interval into io_after_gtids io_before_gtids is isnull iterate join \
    json_table key keys kill lag last_value lateral lead leading leave left like limit linear lines load \
    local localtime localtimestamp lock long longblob longtext loop low_priority manual map master_bind \
    master_heartbeat_period master_ssl_verify_server_cert match materialized maxvalue mediumblob mediumint \
    mediumtext middleint minus minute_microsecond minute_second mod modifies natural no no_write_to_binlog \
    not nothing notnull nth_value ntile null nulls numeric of off offset offsets on only open optimize \
    optimizer_costs option optionally or order others out outer outfile over overlaps parallel parse_vcol_expr \
    partition percent_rank pivot placing plan portion position pragma preceding precision prewhere primary \
    prior procedure purge qualify query raise range rank read read_write reads real recursive \
    ref_system_id references regexp reindex release rename repeat replace require resignal restrict return \
    returning revoke right rlike rollback row row_number rownum rows sample savepoint schema schemas \
    second_microsecond select semi sensitive separator session_user set settings show signal similar \
    slow smallint some spatial specific sql sql_big_result sql_calc_found_rows sql_small_result \
    sqlexception sqlstate sqlwarning ssl start starting stats_auto_recalc stats_persistent \
    stats_sample_pages stored straight_join struct symmetric sysdate system system_user table tablesample \
    temp temporary terminated then ties time timestamp tinyblob tinyint tinytext to top trailing transaction \
    trigger trim true try_cast unbounded undo union unique unlock unpivot unsigned until update usage use user using utc_date \
    utc_time utc_timestamp vacuum values varbinary varchar varcharacter variadic varying vector verbose view \
    virtual when where while window with within without write xor year_month zerofill";

/// A name in SQL, with quotes where it needs them.
pub(super) fn quoted(dialect: Dialect, name: &str) -> String {
    let folds = dialect.grammar().is_case_sensitive;
    let is_letter = |c: char| {
        c == '_'
            || if folds {
                c.is_ascii_lowercase()
            } else {
                c.is_ascii_alphabetic()
            }
    };
    let is_part = |c: char| is_letter(c) || c.is_ascii_digit();
    let is_plain = name.starts_with(is_letter) && name.chars().all(is_part);
    let lower = name.to_ascii_lowercase();
    match is_plain && !RESERVED.split_whitespace().any(|word| word == lower) {
        true => name.to_owned(),
        false => dialect.quote(name),
    }
}

/// A text in TOML, on one line.
pub(super) fn toml_text(text: &str) -> String {
    let is_literal = text.contains('"') && !text.contains(|c: char| c == '\'' || c.is_control());
    if is_literal {
        return format!("'{text}'");
    }
    let escaped = text.chars().map(|c| match c {
        '"' => "\\\"".to_owned(),
        '\\' => "\\\\".to_owned(),
        c if c.is_control() => format!("\\u{:04X}", u32::from(c)),
        c => c.to_string(),
    });
    format!("\"{}\"", escaped.collect::<String>())
}

/// A text of several lines in TOML.
pub(super) fn toml_lines(text: &str) -> String {
    let is_plain = text.chars().all(|c| c == '\n' || !c.is_control());
    let is_basic = !text.contains('\\') && !text.contains("\"\"\"") && !text.ends_with('"');
    match is_plain {
        true if is_basic => format!("\"\"\"\n{text}\"\"\""),
        true if !text.contains("'''") && !text.ends_with('\'') => format!("'''\n{text}'''"),
        _ => toml_text(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::infrastructure::source::dialects::{MYSQL, POSTGRES, SQLITE};

    #[test]
    fn names_are_quoted_where_they_must_be() {
        for (dialect, name, expected) in [
            (POSTGRES, "product_id", "product_id"),
            (POSTGRES, "ProductId", "\"ProductId\""),
            (MYSQL, "ProductId", "ProductId"),
            (SQLITE, "ProductId", "ProductId"),
            (MYSQL, "key", "`key`"),
            (MYSQL, "Order", "`Order`"),
            (SQLITE, "order items", "\"order items\""),
            (POSTGRES, "a\"b", "\"a\"\"b\""),
            (POSTGRES, "2nd", "\"2nd\""),
            (MYSQL, "größe", "`größe`"),
            (POSTGRES, "", "\"\""),
        ] {
            assert_eq!(quoted(dialect, name), expected);
        }
    }

    #[test]
    fn every_text_comes_back_from_toml() {
        for text in [
            "SELECT a\nFROM t",
            "FROM \"T\"",
            "a\\b\n\"\"\"",
            "'''\n\"",
            "tab\there",
            "del\u{7f}",
            "x'\n\"",
        ] {
            for written in [toml_lines(text), toml_text(text)] {
                let file: toml::Table = toml::from_str(&format!("x = {written}")).expect("TOML");
                assert_eq!(file["x"].as_str(), Some(text), "{written}");
            }
        }
    }
}
