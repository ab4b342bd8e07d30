//! What every type of the real databases becomes, and which values cost their row.

use std::fmt::Write as _;

use crate::support::lab::{Lab, counts, errors, own, strategy};
use crate::support::servers::Dialect;
use crate::support::shop::DIALECTS;

/// A column: its type, its hint (empty: none), and each value as SQL with the JSON that it is to
/// give or a part of the error that it is to fail with.
type Column<'a> = (&'a str, &'a str, &'a [(&'a str, Result<&'a str, &'a str>)]);

/// Warms a table per column, all in one run, and compares every key and every error.
#[track_caller]
fn assert_values(lab: &Lab, set_up: &str, columns: &[Column<'_>]) {
    let mut script = format!("{set_up};\n");
    let mut strategies = String::new();
    for (t, (sql_type, hint, values)) in columns.iter().enumerate() {
        let _ = writeln!(script, "CREATE TABLE t{t} (k integer, v {sql_type});");
        for (k, (sql, _)) in values.iter().enumerate() {
            let _ = writeln!(script, "INSERT INTO t{t} VALUES ({k}, {sql});");
        }
        strategies += &strategy(
            &format!("t{t}"),
            "object",
            &format!("t{t}:{{_k}}"),
            &format!("SELECT k AS _k, v FROM t{t}"),
        );
        if !hint.is_empty() {
            let _ = writeln!(strategies, "types = {{ v = \"{hint}\" }}");
        }
    }
    lab.database.sql(&script);
    let tables: Vec<String> = (0..columns.len()).map(|t| format!("t{t}")).collect();
    let tables: Vec<&str> = tables.iter().map(String::as_str).collect();
    let run = lab.warm(&own(&tables, &strategies));
    let report = run.json();

    let mut wrong = String::new();
    for (t, (sql_type, hint, values)) in columns.iter().enumerate() {
        let part = run.strategy(&format!("own/t{t}"));
        let fine = values.iter().filter(|(_, expected)| expected.is_ok());
        let (total, fine) = (values.len() as u64, fine.count() as u64);
        if counts(&part) != [fine, 0, total - fine, 0] {
            let _ = writeln!(wrong, "{sql_type}: counted {part}");
        }
        let errors = errors(&part);
        let keys: Vec<String> = (0..values.len()).map(|k| format!("t{t}:{k}")).collect();
        for ((key, got), (sql, expected)) in keys.iter().zip(lab.get_all(&keys)).zip(*values) {
            let error = errors.iter().find(|e| e.starts_with(&format!("{key}: ")));
            let met = match expected {
                Ok(json) => got == format!("{{\"v\":{json}}}") && error.is_none(),
                Err(part) => {
                    let names_column = |e: &String| e.contains("column `v`: ") && e.contains(part);
                    got.is_empty() && error.is_some_and(names_column)
                }
            };
            if !met {
                let _ = writeln!(
                    wrong,
                    "{sql_type} {hint} {sql}\n  promised {expected:?}\n  got {got} {error:?}"
                );
            }
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}\n{}", run.stderr);
    let failed = report["totals"]["failed"].as_u64();
    run.expect(if failed == Some(0) { 0 } else { 3 });
}

const INFINITE: Result<&str, &str> = Err("infinity");
const NOT_UTF8: Result<&str, &str> = Err("invalid UTF-8 at byte");
const NO_FORM: Result<&str, &str> = Err("type hint, base64 or string or json");
const ZERO_DATE: Result<&str, &str> = Err("zero date");
const NO_DATE: Result<&str, &str> = Err("cannot be read as date YYYY-MM-DD");
const NO_TIME_OF_DAY: Result<&str, &str> = Err("outside the day");

#[test]
fn postgres_numbers_keep_their_digits() {
    assert_values(
        &Lab::empty(Dialect::Postgres),
        "",
        &[
            ("boolean", "", &[("true", Ok("true")), ("false", Ok("false")), ("NULL", Ok("null"))]),
            ("smallint", "", &[("-32768", Ok("-32768")), ("32767", Ok("32767"))]),
            ("integer", "", &[("-2147483648", Ok("-2147483648")), ("NULL", Ok("null"))]),
            (
                "bigint",
                "",
                &[
                    ("9223372036854775807", Ok("9223372036854775807")),
                    ("-9223372036854775808", Ok("-9223372036854775808")),
                ],
            ),
            ("oid", "", &[("4294967295", Ok("4294967295"))]),
            (
                "real",
                "",
                &[
                    ("0.1", Ok("0.1")),
                    ("16777216", Ok("16777216.0")),
                    ("'NaN'", INFINITE),
                    ("'-Infinity'", INFINITE),
                ],
            ),
            (
                "double precision",
                "",
                &[
                    ("0.1", Ok("0.1")),
                    ("1", Ok("1.0")),
                    ("'-0'", Ok("-0.0")),
                    ("1e300", Ok("1e+300")),
                    ("5e-324", Ok("5e-324")),
                    ("0.30000000000000004", Ok("0.30000000000000004")),
                    ("'NaN'", INFINITE),
                    ("'Infinity'", INFINITE),
                    ("NULL", Ok("null")),
                ],
            ),
            (
                "numeric(10,2)",
                "",
                &[
                    ("19.9", Ok("19.90")),
                    ("20", Ok("20.00")),
                    ("-0.01", Ok("-0.01")),
                    ("0", Ok("0.00")),
                    ("99999999.99", Ok("99999999.99")),
                    ("'NaN'", INFINITE),
                ],
            ),
            (
                "numeric",
                "",
                &[
                    (
                        "12345678901234567890123456789012345678",
                        Ok("12345678901234567890123456789012345678"),
                    ),
                    (
                        "-98765432109876543210987654321098765432.1234567890",
                        Ok("-98765432109876543210987654321098765432.1234567890"),
                    ),
                    (
                        "0.00000000000000000000000000000000000001",
                        Ok("0.00000000000000000000000000000000000001"),
                    ),
                    ("1e20", Ok("100000000000000000000")),
                    ("1.5000", Ok("1.5000")),
                    ("10000", Ok("10000")),
                    ("10000.0001", Ok("10000.0001")),
                    ("100000000.00000001", Ok("100000000.00000001")),
                    ("-0.5", Ok("-0.5")),
                    ("0.000", Ok("0.000")),
                    ("'NaN'", INFINITE),
                    ("'Infinity'", INFINITE),
                    ("'-Infinity'", INFINITE),
                    ("NULL", Ok("null")),
                ],
            ),
            ("numeric(5,-2)", "", &[("12345", Ok("12300"))]),
            ("smallint", "bool", &[("1", Ok("true")), ("0", Ok("false")), ("2", Err("as bool"))]),
            (
                "text",
                "number",
                &[
                    ("'12.50'", Ok("12.50")),
                    ("'-1e5'", Ok("-1e5")),
                    ("'007'", Err("not a JSON number")),
                    ("'NaN'", INFINITE),
                    ("''", Err("not a JSON number")),
                    ("NULL", Ok("null")),
                ],
            ),
            ("bigint", "string", &[("9007199254740993", Ok("\"9007199254740993\""))]),
        ],
    );
}

#[test]
fn postgres_texts_documents_and_arrays_come_whole() {
    let lab = Lab::empty(Dialect::Postgres);
    let deep = "[".repeat(200) + &"]".repeat(200);
    let deep_sql = format!("'{deep}'");
    assert_values(
        &lab,
        "CREATE TYPE mood AS ENUM ('so so', 'läuft');
         CREATE DOMAIN price AS numeric(10,2) CHECK (VALUE >= 0);
         CREATE DOMAIN prices AS price[]",
        &[
            (
                "text",
                "",
                &[
                    ("''", Ok(r#""""#)),
                    ("'null'", Ok(r#""null""#)),
                    ("'a\"b''c\\d/'", Ok(r#""a\"b'c\\d/""#)),
                    ("E'\\x01\\t\\n\\r\\x1b\\x7f'", Ok("\"\\u0001\\t\\n\\r\\u001b\x7f\"")),
                    ("'日本語 🎉 e\u{301}'", Ok("\"日本語 🎉 e\u{301}\"")),
                    ("U&'\\2028\\FEFF\\202E'", Ok("\"\u{2028}\u{feff}\u{202e}\"")),
                    ("'{\"a\": 1}'", Ok(r#""{\"a\": 1}""#)),
                    ("NULL", Ok("null")),
                ],
            ),
            ("varchar(5)", "", &[("'a  '", Ok(r#""a  ""#))]),
            ("char(5)", "", &[("'ab'", Ok(r#""ab   ""#))]),
            ("name", "", &[("'products'", Ok(r#""products""#))]),
            ("\"char\"", "", &[("'x'", Ok(r#""x""#)), ("'\\377'", NOT_UTF8)]),
            ("xml", "", &[("'<a b=\"é\"/>'", Ok(r#""<a b=\"é\"/>""#))]),
            (
                "uuid",
                "",
                &[(
                    "'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'",
                    Ok(r#""a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11""#),
                )],
            ),
            ("mood", "", &[("'läuft'", Ok(r#""läuft""#)), ("NULL", Ok("null"))]),
            ("price", "", &[("3", Ok("3.00")), ("NULL", Ok("null"))]),
            ("prices", "", &[("'{1,2.5}'", Ok("[1.00,2.50]"))]),
            (
                "json",
                "",
                &[
                    (
                        "' {\"b\" : [1, 2.50, 1e400],\n\t\"a b\":\" x  y \\\" \"} '",
                        Ok(r#"{"b":[1,2.50,1e400],"a b":" x  y \" "}"#),
                    ),
                    ("'12345678901234567890.123456789'", Ok("12345678901234567890.123456789")),
                    ("'{\"a\":1,\"a\":2}'", Ok(r#"{"a":1,"a":2}"#)),
                    ("'\"\\ud83c\\udf89 é\"'", Ok(r#""\ud83c\udf89 é""#)),
                    ("'null'", Ok("null")),
                    ("NULL", Ok("null")),
                ],
            ),
            (
                "jsonb",
                "",
                &[
                    (
                        "'{\"b\": {\"c\": [true, null, \"ü\"]}, \"n\": 0.10000000000000000001}'",
                        Ok(r#"{"b":{"c":[true,null,"ü"]},"n":0.10000000000000000001}"#),
                    ),
                    ("'[]'", Ok("[]")),
                    (&deep_sql, Ok(&deep)),
                ],
            ),
            (
                "text",
                "json",
                &[
                    ("'[1, null]'", Ok("[1,null]")),
                    ("'{'", Err("invalid JSON")),
                    ("''", Err("invalid JSON")),
                    ("'1 2'", Err("invalid JSON")),
                ],
            ),
            ("bytea", "", &[("'\\xff00'", NO_FORM), ("NULL", Ok("null"))]),
            ("bytea", "base64", &[("'\\xff00'", Ok(r#""/wA=""#)), ("''", Ok(r#""""#))]),
            ("bytea", "string", &[("'\\xc3a9'", Ok(r#""é""#)), ("'\\xc3'", NOT_UTF8)]),
            ("bytea", "json", &[("'[1, 2]'", Ok("[1,2]")), ("'\\xff'", NOT_UTF8)]),
            (
                "integer[]",
                "",
                &[
                    ("'{1,NULL,-3}'", Ok("[1,null,-3]")),
                    ("'{}'", Ok("[]")),
                    ("'{{1,2},{3,4},{5,6}}'", Ok("[[1,2],[3,4],[5,6]]")),
                    ("'{{{1},{2}},{{3},{4}}}'", Ok("[[[1],[2]],[[3],[4]]]")),
                    ("'[5:6]={7,8}'", Ok("[7,8]")),
                    ("NULL", Ok("null")),
                ],
            ),
            (
                "text[]",
                "",
                &[(
                    "ARRAY['a,b', 'c\"d', '', NULL, 'NULL', '{}', '日本']",
                    Ok(r#"["a,b","c\"d","",null,"NULL","{}","日本"]"#),
                )],
            ),
            (
                "numeric[]",
                "",
                &[
                    ("'{1.50,12345678901234567890.1}'", Ok("[1.50,12345678901234567890.1]")),
                    ("'{1,NaN}'", INFINITE),
                ],
            ),
            (
                "timestamptz[]",
                "",
                &[("'{2026-01-01 00:00+02}'", Ok(r#"["2025-12-31T22:00:00+00:00"]"#))],
            ),
            ("mood[]", "", &[("'{läuft,\"so so\"}'", Ok(r#"["läuft","so so"]"#))]),
            ("jsonb[]", "", &[("ARRAY['{\"a\": 1}'::jsonb]", Ok(r#"[{"a":1}]"#))]),
            // A hint is about the elements, except that an array is JSON already.
            ("bytea[]", "", &[("ARRAY['\\xff'::bytea]", NO_FORM)]),
            ("bytea[]", "base64", &[("ARRAY['\\xff00'::bytea, NULL]", Ok(r#"["/wA=",null]"#))]),
            ("bigint[]", "string", &[("'{1,2}'", Ok(r#"["1","2"]"#))]),
            ("text[]", "json", &[("'{a,b}'", Ok(r#"["a","b"]"#))]),
        ],
    );
}

#[test]
fn postgres_times_are_iso_8601() {
    assert_values(
        &Lab::empty(Dialect::Postgres),
        "SET TimeZone = 'America/New_York'",
        &[
            (
                "date",
                "",
                &[
                    ("'2024-02-29'", Ok(r#""2024-02-29""#)),
                    ("'0001-01-01'", Ok(r#""0001-01-01""#)),
                    ("'9999-12-31'", Ok(r#""9999-12-31""#)),
                    ("'10000-01-01'", Err("year 10000")),
                    ("'0044-03-15 BC'", Err("year -43")),
                    ("'infinity'", INFINITE),
                    ("'-infinity'", INFINITE),
                    ("NULL", Ok("null")),
                ],
            ),
            (
                "time",
                "",
                &[
                    ("'00:00'", Ok(r#""00:00:00""#)),
                    ("'23:59:59.999999'", Ok(r#""23:59:59.999999""#)),
                    ("'24:00:00'", Ok(r#""24:00:00""#)),
                ],
            ),
            (
                "timetz",
                "",
                &[
                    ("'01:30:00+02'", Ok(r#""23:30:00+00:00""#)),
                    ("'12:00:00.5-05:30'", Ok(r#""17:30:00.500000+00:00""#)),
                    ("'24:00:00+00'", Ok(r#""24:00:00+00:00""#)),
                    ("'24:00:00+02'", Ok(r#""22:00:00+00:00""#)),
                    ("'00:00:00+02'", Ok(r#""22:00:00+00:00""#)),
                ],
            ),
            (
                "timestamp",
                "",
                &[
                    ("'2026-01-02 03:04:05'", Ok(r#""2026-01-02T03:04:05""#)),
                    ("'2026-01-02 03:04:05.6'", Ok(r#""2026-01-02T03:04:05.600000""#)),
                    ("'1969-12-31 23:59:59.999999'", Ok(r#""1969-12-31T23:59:59.999999""#)),
                    ("'infinity'", INFINITE),
                    ("'-infinity'", INFINITE),
                    ("'0044-03-15 BC'", Err("year -43")),
                    ("'10000-01-01'", Err("year 10000")),
                ],
            ),
            (
                "timestamptz",
                "",
                &[
                    ("'2026-01-02 03:04:05+02:30'", Ok(r#""2026-01-02T00:34:05+00:00""#)),
                    ("'2026-07-01 00:00:00'", Ok(r#""2026-07-01T04:00:00+00:00""#)),
                    ("'infinity'", INFINITE),
                    ("'9999-12-31 23:00:00-05'", Err("year 10000")),
                ],
            ),
            ("timestamp", "string", &[("'2026-01-02 03:04:05'", Ok(r#""2026-01-02T03:04:05""#))]),
        ],
    );
}

#[test]
fn mariadb_numbers_keep_their_digits() {
    assert_values(
        &Lab::empty(Dialect::MySql),
        "",
        &[
            (
                "boolean",
                "",
                &[
                    ("true", Ok("1")),
                    ("false", Ok("0")),
                    ("7", Ok("7")),
                    ("-128", Ok("-128")),
                    ("NULL", Ok("null")),
                ],
            ),
            ("tinyint(1)", "bool", &[("1", Ok("true")), ("0", Ok("false")), ("2", Err("as bool"))]),
            ("tinyint(1)", "string", &[("1", Ok(r#""1""#))]),
            ("tinyint(1) unsigned", "", &[("200", Ok("200")), ("1", Ok("1")), ("255", Ok("255"))]),
            ("tinyint", "", &[("-128", Ok("-128")), ("1", Ok("1"))]),
            ("tinyint unsigned", "", &[("255", Ok("255"))]),
            ("smallint", "", &[("-32768", Ok("-32768"))]),
            ("smallint unsigned", "", &[("65535", Ok("65535"))]),
            ("mediumint", "", &[("-8388608", Ok("-8388608")), ("8388607", Ok("8388607"))]),
            ("mediumint unsigned", "", &[("16777215", Ok("16777215"))]),
            ("int", "", &[("-2147483648", Ok("-2147483648"))]),
            ("int unsigned", "", &[("4294967295", Ok("4294967295"))]),
            ("int(8) unsigned zerofill", "", &[("42", Ok("42"))]),
            ("bigint", "", &[("-9223372036854775808", Ok("-9223372036854775808"))]),
            ("bigint unsigned", "", &[("18446744073709551615", Ok("18446744073709551615"))]),
            (
                "decimal(65,30)",
                "",
                &[
                    (
                        "12345678901234567890123456789012345.123456789012345678901234567890",
                        Ok("12345678901234567890123456789012345.123456789012345678901234567890"),
                    ),
                    ("-0.000000000000000000000000000001", Ok("-0.000000000000000000000000000001")),
                    ("0", Ok("0.000000000000000000000000000000")),
                ],
            ),
            ("decimal(10,2)", "", &[("19.9", Ok("19.90")), ("-0.01", Ok("-0.01"))]),
            ("decimal(6,2) zerofill", "", &[("1.5", Ok("1.50"))]),
            ("float", "", &[("0.1", Ok("0.1")), ("16777216", Ok("16777216.0"))]),
            ("double", "", &[("0.1", Ok("0.1")), ("1e300", Ok("1e+300")), ("1", Ok("1.0"))]),
            ("bit(1)", "", &[("1", Ok("1")), ("0", Ok("0"))]),
            ("bit(1)", "string", &[("1", Ok(r#""1""#))]),
            ("bit(64)", "", &[("18446744073709551615", Ok("18446744073709551615"))]),
            ("bit(1)", "bool", &[("1", Ok("true")), ("0", Ok("false")), ("NULL", Ok("null"))]),
            ("bit(12)", "base64", &[("1025", Ok(r#""BAE=""#))]),
            ("year", "", &[("2026", Ok("2026")), ("0", Ok("0"))]),
        ],
    );
}

#[test]
fn mariadb_texts_and_bytes_come_whole() {
    assert_values(
        &Lab::empty(Dialect::MySql),
        "SET NAMES utf8mb4",
        &[
            (
                "varchar(200) CHARACTER SET utf8mb4",
                "",
                &[
                    ("''", Ok(r#""""#)),
                    ("'a\"b''c\\\\d'", Ok(r#""a\"b'c\\d""#)),
                    ("CONCAT('a', CHAR(0, 1, 27 USING utf8mb4))", Ok(r#""a\u0000\u0001\u001b""#)),
                    ("'日本語 🎉'", Ok(r#""日本語 🎉""#)),
                    ("NULL", Ok("null")),
                ],
            ),
            (
                "varchar(50) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
                "",
                &[("'Ümläut'", Ok(r#""Ümläut""#))],
            ),
            ("char(4) CHARACTER SET latin1 COLLATE latin1_bin", "", &[("'é€'", Ok(r#""é€""#))]),
            ("text CHARACTER SET latin1", "", &[("'naïve'", Ok(r#""naïve""#))]),
            ("text CHARACTER SET ucs2", "", &[("'日'", Ok(r#""日""#))]),
            ("tinytext", "", &[("'x'", Ok(r#""x""#))]),
            ("mediumtext COLLATE utf8mb4_bin", "", &[("'x'", Ok(r#""x""#))]),
            ("longtext COLLATE utf8mb4_bin", "", &[("'x'", Ok(r#""x""#))]),
            ("enum('so so','läuft')", "", &[("'läuft'", Ok(r#""läuft""#))]),
            ("enum('a') CHARACTER SET utf8mb4 COLLATE utf8mb4_bin", "", &[("'a'", Ok(r#""a""#))]),
            ("set('a','b','c')", "", &[("'a,c'", Ok(r#""a,c""#)), ("''", Ok(r#""""#))]),
            ("binary(3)", "", &[("'ab'", NO_FORM)]),
            ("binary(3)", "base64", &[("'ab'", Ok(r#""YWIA""#))]),
            ("varbinary(9)", "", &[("'ab'", NO_FORM), ("NULL", Ok("null"))]),
            ("varbinary(9)", "string", &[("X'C3A9'", Ok(r#""é""#)), ("X'C3'", NOT_UTF8)]),
            ("tinyblob", "base64", &[("X'FF00'", Ok(r#""/wA=""#))]),
            ("blob", "", &[("X'00'", NO_FORM)]),
            ("blob", "json", &[("'{ \"a\": [1.50] }'", Ok(r#"{"a":[1.50]}"#))]),
            ("longblob", "base64", &[("''", Ok(r#""""#))]),
            // MariaDB's JSON is a LONGTEXT, and the server says which one is.
            ("json", "", &[("'{\"a\": 1}'", Ok(r#"{"a":1}"#))]),
            ("json", "string", &[("'{\"a\": 1}'", Ok(r#""{\"a\": 1}""#))]),
            ("longtext", "", &[("'{\"a\": 1}'", Ok(r#""{\"a\": 1}""#))]),
            (
                "json",
                "json",
                &[
                    (
                        "'{\"n\": 12345678901234567890.10, \"ü\": [ ]}'",
                        Ok(r#"{"n":12345678901234567890.10,"ü":[]}"#),
                    ),
                    ("NULL", Ok("null")),
                ],
            ),
            (
                "uuid",
                "",
                &[(
                    "'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'",
                    Ok(r#""a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11""#),
                )],
            ),
            ("inet6", "", &[("'::1'", Ok(r#""::1""#))]),
        ],
    );
}

#[test]
fn mariadb_times_are_iso_8601_and_zero_dates_fail() {
    assert_values(
        &Lab::empty(Dialect::MySql),
        "SET sql_mode = ''; SET time_zone = '+02:00'",
        &[
            (
                "date",
                "",
                &[
                    ("'2024-02-29'", Ok(r#""2024-02-29""#)),
                    ("'9999-12-31'", Ok(r#""9999-12-31""#)),
                    ("'0000-00-00'", ZERO_DATE),
                    ("'2024-00-15'", ZERO_DATE),
                    ("'2024-01-00'", ZERO_DATE),
                    ("NULL", Ok("null")),
                ],
            ),
            (
                "datetime(6)",
                "",
                &[
                    ("'2026-01-02 00:00:00'", Ok(r#""2026-01-02T00:00:00""#)),
                    ("'2026-01-02 03:04:05.6'", Ok(r#""2026-01-02T03:04:05.600000""#)),
                    ("'0000-00-00 00:00:00'", ZERO_DATE),
                    ("'2024-00-15 10:00:00'", ZERO_DATE),
                    ("NULL", Ok("null")),
                ],
            ),
            ("datetime", "", &[("'2026-01-02 03:04:05'", Ok(r#""2026-01-02T03:04:05""#))]),
            (
                "timestamp(6) NULL",
                "",
                &[
                    ("'2026-01-02 01:00:00.000001'", Ok(r#""2026-01-01T23:00:00.000001+00:00""#)),
                    ("'0000-00-00 00:00:00'", ZERO_DATE),
                    ("NULL", Ok("null")),
                ],
            ),
            (
                "time(6)",
                "",
                &[
                    ("'00:00:00'", Ok(r#""00:00:00""#)),
                    ("'23:59:59.5'", Ok(r#""23:59:59.500000""#)),
                    ("'-00:00:01'", NO_TIME_OF_DAY),
                    ("'24:00:01'", NO_TIME_OF_DAY),
                    ("'838:59:59'", NO_TIME_OF_DAY),
                    ("NULL", Ok("null")),
                ],
            ),
        ],
    );
}

#[test]
fn sqlite_values_mean_what_their_column_declares() {
    assert_values(
        &Lab::empty(Dialect::Sqlite),
        "",
        &[
            (
                "",
                "",
                &[
                    ("42", Ok("42")),
                    ("-9223372036854775808", Ok("-9223372036854775808")),
                    ("0.1", Ok("0.1")),
                    ("1.0", Ok("1.0")),
                    ("9e999", INFINITE),
                    ("-9e999", INFINITE),
                    ("'text'", Ok(r#""text""#)),
                    ("x'ff00'", NO_FORM),
                    ("NULL", Ok("null")),
                ],
            ),
            (
                "TEXT",
                "",
                &[
                    ("''", Ok(r#""""#)),
                    ("'a\"b''c\\d'", Ok(r#""a\"b'c\\d""#)),
                    ("'a' || char(0) || 'b' || char(27)", Ok(r#""a\u0000b\u001b""#)),
                    ("'日本語 🎉'", Ok(r#""日本語 🎉""#)),
                    ("CAST(x'ff' AS TEXT)", NOT_UTF8),
                    ("CAST(x'61c3' AS TEXT)", NOT_UTF8),
                    ("x'61'", NO_FORM),
                ],
            ),
            ("VARCHAR(5)", "", &[("123", Ok(r#""123""#))]),
            (
                "INTEGER",
                "",
                &[
                    ("9223372036854775807", Ok("9223372036854775807")),
                    ("'7'", Ok("7")),
                    ("'seven'", Err("as number")),
                    ("1.5", Ok("1.5")),
                ],
            ),
            ("REAL", "", &[("1", Ok("1.0")), ("1e300", Ok("1e+300"))]),
            (
                "NUMERIC(10,2)",
                "",
                &[
                    ("20", Ok("20.00")),
                    ("19.9", Ok("19.90")),
                    ("-0.01", Ok("-0.01")),
                    ("0.125", Ok("0.125")),
                    ("1e20", Ok("100000000000000000000.00")),
                    ("9e999", INFINITE),
                    ("'n/a'", Err("as number")),
                    ("NULL", Ok("null")),
                ],
            ),
            ("NUMERIC", "", &[("20", Ok("20")), ("1.50", Ok("1.5"))]),
            ("DECIMAL(10, 3)", "", &[("1.5", Ok("1.500"))]),
            (
                "BOOLEAN",
                "",
                &[
                    ("1", Ok("true")),
                    ("false", Ok("false")),
                    ("2", Err("as bool")),
                    ("'yes'", Err("as bool")),
                    ("NULL", Ok("null")),
                ],
            ),
            ("INTEGER", "bool", &[("1", Ok("true")), ("2", Err("as bool"))]),
            (
                "DATE",
                "",
                &[
                    ("'2024-02-29'", Ok(r#""2024-02-29""#)),
                    ("'2023-02-29'", NO_DATE),
                    ("'2026-01-01 10:00:00'", NO_DATE),
                    ("'2026-1-1'", NO_DATE),
                    ("'tomorrow'", NO_DATE),
                    ("''", NO_DATE),
                    ("19782", NO_DATE),
                ],
            ),
            ("DATE", "string", &[("'tomorrow'", Ok(r#""tomorrow""#))]),
            (
                "TIME",
                "",
                &[
                    ("'03:04'", Ok(r#""03:04:00""#)),
                    ("'24:00'", Ok(r#""24:00:00""#)),
                    ("'24:01'", Err("as time")),
                    ("'25:00'", Err("as time")),
                    ("'-01:00'", Err("as time")),
                    ("'noon'", Err("as time")),
                ],
            ),
            (
                "DATETIME",
                "",
                &[
                    ("'2026-01-02'", Ok(r#""2026-01-02T00:00:00""#)),
                    ("'03.05.2026 10:00'", Err("as date and time")),
                    ("'2026-02-31 10:00:00'", Err("as date and time")),
                    ("x'00'", Err("as date and time")),
                ],
            ),
            (
                "MONEY",
                "",
                &[
                    ("1.5", Ok("1.5")),
                    ("'2'", Ok("2")),
                    ("'x'", Err("as number")),
                    ("x'00'", Err("as number")),
                ],
            ),
            ("MONEY", "string", &[("'x'", Ok(r#""x""#)), ("2", Ok(r#""2""#))]),
            ("STRING", "", &[("'abc'", Err("as number"))]),
            (
                "TIMESTAMP",
                "",
                &[
                    ("'2026-01-02 03:04:05'", Ok(r#""2026-01-02T03:04:05""#)),
                    ("'2026-01-02T03:04:05.6'", Ok(r#""2026-01-02T03:04:05.600000""#)),
                    ("1767323045", Err("as date")),
                    ("'yesterday'", Err("as date")),
                ],
            ),
            (
                "TIMESTAMP WITH TIME ZONE",
                "",
                &[
                    ("'2026-01-02 03:04:05'", Ok(r#""2026-01-02T03:04:05+00:00""#)),
                    ("'2026-01-02 01:00:00+02:00'", Ok(r#""2026-01-01T23:00:00+00:00""#)),
                ],
            ),
            (
                "JSON",
                "",
                &[
                    ("'{ \"a\": [1.50, null] }'", Ok(r#"{"a":[1.50,null]}"#)),
                    ("'{'", Err("invalid JSON")),
                ],
            ),
            ("BLOB", "", &[("x'ff00'", NO_FORM)]),
            ("BLOB", "base64", &[("x'ff00'", Ok(r#""/wA=""#)), ("x''", Ok(r#""""#))]),
            ("BLOB", "string", &[("x'c3a9'", Ok(r#""é""#)), ("x'c3'", NOT_UTF8)]),
            ("BLOB", "json", &[("x'5b5d'", Ok("[]"))]),
            (
                "UUID",
                "",
                &[
                    (
                        "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'",
                        Ok(r#""a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11""#),
                    ),
                    ("'12345678901234567890123456789012'", Err("as text")),
                ],
            ),
        ],
    );
}

#[test]
fn citext_is_text_and_its_keys_do_not_mix() {
    // Supabase and Heroku have extensions in a schema that is not in the search path.
    for schema in ["public", "extensions"] {
        let lab = Lab::empty(Dialect::Postgres);
        let known = "SELECT count(*) FROM pg_available_extensions WHERE name = 'citext'";
        if lab.database.query(known) != "1" {
            return;
        }
        lab.database.sql(&format!(
            "CREATE SCHEMA IF NOT EXISTS {schema}; CREATE EXTENSION citext SCHEMA {schema};
             CREATE TABLE t (k {schema}.citext, n int);
             INSERT INTO t VALUES ('A', 1), ('a', 2), ('A', 3), ('a', 4)"
        ));
        let lists = strategy("lists", "list", "L:{_k}", "SELECT k AS _k, k, n FROM t");
        let objects = strategy("objects", "object", "O:{n}", "SELECT k, n FROM t");
        lab.warm(&own(&["t"], &(lists + "order_by = \"n\"\n" + &objects))).expect(0);
        assert_eq!(lab.get("L:A"), r#"[{"k":"A","n":1},{"k":"A","n":3}]"#);
        assert_eq!(lab.get("L:a"), r#"[{"k":"a","n":2},{"k":"a","n":4}]"#);
        assert_eq!(lab.get("O:3"), r#"{"k":"A","n":3}"#);
    }
}

/// Each type in a strategy of its own: all of them are named at once, and nothing is written.
#[test]
fn a_type_that_nobody_can_encode_is_a_definition_error() {
    let postgres: &[(&str, &str)] = &[
        ("CAST('1 day' AS interval)", "interval"),
        ("CAST('(1,2)' AS point)", "point"),
        ("CAST('1.00' AS money)", "money"),
        ("CAST('::1' AS inet)", "inet"),
        ("CAST('[1,2)' AS int4range)", "int4range"),
        ("B'101'", "bit"),
        ("ROW(1, 'a')::pair", "pair"),
        ("ARRAY[CAST('1 day' AS interval)]", "interval"),
        ("to_tsvector('simple', 'a')", "tsvector"),
        ("CAST('a' AS tsquery)", "tsquery"),
        ("CAST('10.0.0.0/8' AS cidr)", "cidr"),
        ("CAST('08:00:2b:01:02:03' AS macaddr)", "macaddr"),
        ("CAST('101' AS bit varying)", "varbit"),
        ("CAST('(0,0),(1,1)' AS box)", "box"),
        ("CAST('0/0' AS pg_lsn)", "pg_lsn"),
        ("CAST('1 day' AS age)", "interval"),
    ];
    let mysql: &[(&str, &str)] = &[
        ("POINT(1, 2)", "geometry"),
        ("LINESTRING(POINT(0, 0), POINT(1, 1))", "geometry"),
        ("GEOMETRYCOLLECTION(POINT(1, 2))", "geometry"),
    ];
    for (dialect, set_up, cases, cast) in [
        (
            Dialect::Postgres,
            "CREATE TYPE pair AS (a int, b text); CREATE DOMAIN age AS interval",
            postgres,
            "CAST(odd AS text)",
        ),
        (Dialect::MySql, "SELECT 1", mysql, "CAST(odd AS CHAR)"),
    ] {
        let lab = Lab::empty(dialect);
        lab.database.sql(set_up);
        let mut strategies = strategy("fine", "object", "fine:{k}", "SELECT 1 AS k");
        for (i, (sql, _)) in cases.iter().enumerate() {
            let sql = format!("SELECT 1 AS k, {sql} AS odd");
            strategies += &strategy(&format!("s{i}"), "object", &format!("s{i}:{{k}}"), &sql);
        }
        let definitions = own(&["t"], &strategies);
        let run = lab.with(&definitions, "warmup context own --strict").run();
        let run = run.expect(4);
        for (i, (_, name)) in cases.iter().enumerate() {
            let line = run.stderr.lines().find(|l| l.contains(&format!("own/s{i}: ")));
            let line = line.unwrap_or_else(|| panic!("s{i} is not named in\n{}", run.stderr));
            assert!(
                line.contains("column `odd` has the type") && line.contains(name),
                "{name}: {line}"
            );
        }
        assert!(run.stderr.contains(cast), "{}", run.stderr);
        assert!(!run.stderr.contains("own/fine"), "{}", run.stderr);
        assert!(lab.keys().is_empty());
    }
}

#[test]
fn a_column_name_that_stands_twice_is_a_definition_error() {
    for dialect in DIALECTS {
        let lab = Lab::empty(dialect);
        lab.database.sql("CREATE TABLE a (id int, x int); CREATE TABLE b (id int, y int)");
        for sql in [
            "SELECT 1 AS id, 2 AS id",
            "SELECT * FROM a JOIN b ON a.id = b.id",
            "SELECT 1 AS k, 2 AS id, 3 AS x, 4 AS id",
        ] {
            let twice = own(&["a", "b"], &strategy("twice", "object", "T:{id}", sql));
            let run = lab.warm(&twice).expect(4);
            let says = run.stderr.contains("own/twice") && run.stderr.contains("id");
            assert!(says, "{dialect:?} {sql}: {}", run.stderr);
        }
        assert!(lab.keys().is_empty());
    }
}

/// A row that fails costs itself: the rows around it are warmed, and the counts say so.
#[test]
fn a_bad_row_fails_alone() {
    for dialect in DIALECTS {
        let lab = Lab::empty(dialect);
        let text = match dialect {
            Dialect::Postgres => "text COLLATE \"C\"",
            Dialect::MySql => "varchar(40) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
            Dialect::Sqlite => "TEXT",
        };
        lab.database.sql(&format!(
            "CREATE TABLE t (n int, k {text}, v {text});
             INSERT INTO t VALUES (1, 'a', '1'), (2, NULL, '2'), (3, 'b', 'three'), (4, '', '4'),
                 (5, 'a', '5'), (6, 'ключ 🎉', '6'), (7, 'a b', '7'), (8, 'A', NULL), (9, 'a ', '9')"
        ));
        let object = strategy("rows", "object", "R:{k}", "SELECT n AS _n, k, v FROM t")
            + "order_by = \"_n\"\ntypes = { v = \"number\" }\n";
        let run = lab.warm(&own(&["t"], &object)).expect(3);
        let part = run.strategy("own/rows");
        assert_eq!(counts(&part), [5, 0, 4, 0], "{dialect:?}");
        assert_eq!(
            errors(&part),
            [
                "row 2: key column `k` is NULL",
                "R:b: column `v`: is not a JSON number",
                "row 4: key column `k` is empty",
                "R:a: another row has this key too; the key's columns must tell rows apart",
            ],
            "{dialect:?}"
        );
        assert_eq!(lab.keys(), ["R:A", "R:a", "R:a ", "R:a b", "R:ключ 🎉"]);
        assert_eq!(lab.get("R:a"), r#"{"k":"a","v":1}"#);
        assert_eq!(lab.get("R:A"), r#"{"k":"A","v":null}"#);
        let totals = run.json()["totals"].clone();
        assert_eq!(counts(&totals), [5, 0, 4, 0]);
        assert_eq!(run.json()["outcome"], "incomplete");
    }
}

#[test]
fn a_long_text_arrives_whole() {
    for dialect in DIALECTS {
        let lab = Lab::empty(dialect);
        // Characters of one to four bytes, and ones that JSON escapes, 1 MB of them.
        let piece = "aé日🎉\"\\";
        let copies = 1_000_000 / piece.len() + 1;
        let (table, repeat) = match dialect {
            Dialect::Postgres => {
                ("CREATE TABLE t (v text)", format!("repeat('{piece}', {copies})"))
            }
            Dialect::MySql => (
                "SET NAMES utf8mb4; SET sql_mode = 'NO_BACKSLASH_ESCAPES';
                 CREATE TABLE t (v longtext CHARACTER SET utf8mb4)",
                format!("repeat('{piece}', {copies})"),
            ),
            Dialect::Sqlite => (
                "CREATE TABLE t (v TEXT)",
                format!("replace(hex(zeroblob({copies})), '00', '{piece}')"),
            ),
        };
        lab.database.sql(&format!("{table}; INSERT INTO t VALUES ({repeat})"));
        let text = strategy("texts", "text", "long", "SELECT v FROM t");
        let object = strategy("objects", "object", "object", "SELECT v FROM t");
        lab.warm(&own(&["t"], &(text + &object))).expect(0);
        let expected = piece.repeat(copies);
        assert!(lab.get("long") == expected, "{dialect:?}: the text differs");
        let object: serde_json::Value = serde_json::from_str(&lab.get("object")).expect("JSON");
        assert!(object["v"] == expected.as_str(), "{dialect:?}: the object differs");
    }
}

/// Key columns of every type: a run makes these keys, and each can be asked for by name again.
#[test]
fn keys_of_every_type_are_made_and_found_again() {
    let uuid = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11";
    let uuid_sql = format!("'{uuid}'");
    let postgres: &[(&str, &str, &str)] = &[
        ("smallint", "-5", "-5"),
        ("integer", "7", "7"),
        ("bigint", "9223372036854775807", "9223372036854775807"),
        ("oid", "4294967295", "4294967295"),
        ("numeric(10,2)", "10.5", "10.50"),
        ("uuid", &uuid_sql, uuid),
        ("date", "'2026-01-31'", "2026-01-31"),
        ("timestamp", "'2026-01-31 10:00'", "2026-01-31T10:00:00"),
        ("timestamptz", "'2026-01-31 10:00+00'", "2026-01-31T10:00:00+00:00"),
        ("boolean", "true", "true"),
        ("text", "'Ключ:1 \"x\"'", "Ключ:1 \"x\""),
        ("varchar(9)", "'v'", "v"),
        ("char(5)", "'abc'", "abc  "),
        ("\"char\"", "'x'", "x"),
        ("name", "'n'", "n"),
        ("mood", "'so so'", "so so"),
        ("\"Mixed Case\"", "'a'", "a"),
        ("price", "3", "3.00"),
    ];
    let mysql: &[(&str, &str, &str)] = &[
        ("tinyint", "-5", "-5"),
        ("boolean", "true", "1"),
        ("tinyint(1) unsigned", "200", "200"),
        ("bit(3)", "5", "5"),
        ("smallint unsigned", "65535", "65535"),
        ("int unsigned", "4294967295", "4294967295"),
        ("bigint", "-9223372036854775808", "-9223372036854775808"),
        ("bigint unsigned", "18446744073709551615", "18446744073709551615"),
        ("decimal(20,2)", "123456789012345678.10", "123456789012345678.10"),
        ("date", "'2026-01-31'", "2026-01-31"),
        ("datetime", "'2026-01-31 10:00'", "2026-01-31T10:00:00"),
        ("year", "2026", "2026"),
        ("varchar(20) CHARACTER SET utf8mb4", "'Ключ:1'", "Ключ:1"),
        ("varchar(20) CHARACTER SET latin1", "'é'", "é"),
        ("char(36)", &uuid_sql, uuid),
        ("enum('so so')", "'so so'", "so so"),
    ];
    let sqlite: &[(&str, &str, &str)] = &[
        ("INTEGER", "7", "7"),
        ("BIGINT", "9223372036854775807", "9223372036854775807"),
        ("", "7", "7"),
        ("", "'7'", "7"),
        ("NUMERIC(10,2)", "10.5", "10.50"),
        ("BOOLEAN", "1", "true"),
        ("TEXT", "'Ключ:1'", "Ключ:1"),
        ("UUID", &uuid_sql, uuid),
        ("DATE", "'2026-01-31'", "2026-01-31"),
    ];
    let types = "CREATE TYPE mood AS ENUM ('so so'); CREATE TYPE \"Mixed Case\" AS ENUM ('a');
                 CREATE DOMAIN price AS numeric(10,2);";
    for (dialect, set_up, cases) in [
        (Dialect::Postgres, types, postgres),
        (Dialect::MySql, "SET NAMES utf8mb4;", mysql),
        (Dialect::Sqlite, "", sqlite),
    ] {
        let lab = Lab::empty(dialect);
        let (mut script, mut strategies) = (set_up.to_owned(), String::new());
        for (t, (sql_type, sql, _)) in cases.iter().enumerate() {
            let _ = writeln!(script, "CREATE TABLE t{t} (k {sql_type}, v int);");
            let _ = writeln!(script, "INSERT INTO t{t} VALUES ({sql}, {t});");
            let sql = format!("SELECT k, v FROM t{t}");
            strategies += &strategy(&format!("t{t}"), "object", &format!("t{t}:{{k}}"), &sql);
            // Two columns, asked for in another way than one.
            let sql = format!("SELECT k, v AS _v FROM t{t}");
            strategies += &strategy(&format!("p{t}"), "text", &format!("p{t}:{{_v}}:{{k}}"), &sql);
        }
        lab.database.sql(&script);
        let tables: Vec<String> = (0..cases.len()).map(|t| format!("t{t}")).collect();
        let tables: Vec<&str> = tables.iter().map(String::as_str).collect();
        let definitions = own(&tables, &strategies);
        lab.warm(&definitions).expect(0);
        let mut expected = Vec::new();
        for (t, (_, _, key)) in cases.iter().enumerate() {
            expected.push(format!("t{t}:{key}"));
            expected.push(format!("p{t}:{t}:{key}"));
        }
        expected.sort();
        assert_eq!(lab.keys(), expected, "{dialect:?}");
        let values = lab.get_all(&expected);

        lab.redis.cli(&["FLUSHALL"]);
        let keys: Vec<&str> = expected.iter().map(String::as_str).collect();
        let run = lab.warm_keys(&definitions, &keys);
        let missing: Vec<&String> = expected.iter().filter(|k| !lab.keys().contains(k)).collect();
        assert!(missing.is_empty(), "{dialect:?}: not found again: {missing:?}\n{}", run.stdout);
        run.expect(0);
        assert_eq!(lab.get_all(&expected), values);
    }
}

#[test]
fn a_key_of_several_columns_needs_all_of_them() {
    for dialect in DIALECTS {
        let lab = Lab::empty(dialect);
        lab.database.sql(
            "CREATE TABLE t (a varchar(9), b int, v int);
             INSERT INTO t VALUES ('x', 1, 10), ('x', 2, 20), ('y', 1, 30), ('y', NULL, 40),
                 (NULL, 1, 50), ('x', 1, 60)",
        );
        let pairs = strategy("pairs", "text", "P:{_a}:{_b}", "SELECT a AS _a, b AS _b, v FROM t")
            + "order_by = \"v\"";
        let run = lab.warm(&own(&["t"], &pairs)).expect(3);
        let part = run.strategy("own/pairs");
        assert_eq!(counts(&part), [3, 0, 3, 0]);
        assert_eq!(
            errors(&part),
            [
                "row 4: key column `_b` is NULL",
                "row 5: key column `_a` is NULL",
                "P:x:1: another row has this key too; the key's columns must tell rows apart",
            ]
        );
        let keys = ["P:x:1", "P:x:2", "P:y:1"];
        assert_eq!(lab.keys(), keys);
        assert_eq!(keys.map(|key| lab.get(key)), ["10", "20", "30"]);
    }
}

/// The rows of one key together and in order, also where the database's collation takes some keys
/// for the same.
#[test]
fn a_list_has_the_rows_of_its_key_in_order() {
    for dialect in DIALECTS {
        let lab = Lab::empty(dialect);
        let text = match dialect {
            Dialect::Postgres => {
                lab.database.sql(
                    "CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level2',
                                             deterministic = false)",
                );
                "text COLLATE loose"
            }
            Dialect::MySql => "varchar(9) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci",
            Dialect::Sqlite => "TEXT COLLATE NOCASE",
        };
        lab.database.sql(&format!(
            "CREATE TABLE t (k {text}, n int, v varchar(9));
             INSERT INTO t VALUES ('a', 3, 'c'), ('A', 1, 'x'), ('b', 1, 'y'), ('a', 1, 'a'),
                 ('A', 2, 'z'), ('a', 2, NULL), ('bad', 1, '1'), ('bad', 2, 'w'), (NULL, 1, 'v')"
        ));
        let lists = strategy("lists", "list", "L:{_k}", "SELECT k AS _k, n, v FROM t")
            + "order_by = \"n DESC\"";
        let all = strategy("one", "list", "one", "SELECT n, v FROM t WHERE k = 'b'");
        // A list without one of its rows would be a wrong list.
        let strict = strategy(
            "strict",
            "list",
            "S:{_k}",
            "SELECT k AS _k, v FROM t WHERE k IN ('b', 'bad')",
        ) + "types = { v = \"json\" }\norder_by = \"v\"";
        let definitions = own(&["t"], &(lists + &all + &strict));
        let run = lab.warm(&definitions).expect(3);
        let listed = |lab: &Lab| ["L:A", "L:a", "L:b", "one"].map(|key| lab.get(key));
        let expected = [
            r#"[{"n":2,"v":"z"},{"n":1,"v":"x"}]"#,
            r#"[{"n":3,"v":"c"},{"n":2,"v":null},{"n":1,"v":"a"}]"#,
            r#"[{"n":1,"v":"y"}]"#,
            r#"[{"n":1,"v":"y"}]"#,
        ];
        assert_eq!(listed(&lab), expected, "{dialect:?}");
        assert_eq!(counts(&run.strategy("own/lists")), [4, 0, 1, 0], "{dialect:?}");
        let strict = run.strategy("own/strict");
        assert_eq!(counts(&strict), [0, 0, 2, 0], "{dialect:?}");
        let errors = errors(&strict);
        assert!(
            errors.iter().any(|e| e.starts_with("S:bad: column `v`: invalid JSON")),
            "{errors:?}"
        );
        assert_eq!(lab.keys(), ["L:A", "L:a", "L:b", "L:bad", "one"]);

        lab.redis.cli(&["FLUSHALL"]);
        lab.warm_keys(&definitions, &["L:A", "L:a", "L:b", "one"]).expect(0);
        assert_eq!(listed(&lab), expected, "{dialect:?}, by name");
    }
}

#[test]
fn a_hash_has_a_field_for_each_column_that_is_not_null() {
    for dialect in DIALECTS {
        let lab = Lab::empty(dialect);
        let (boolean, numeric) = match dialect {
            Dialect::Sqlite => ("BOOLEAN", "NUMERIC(10,2)"),
            _ => ("boolean", "decimal(10,2)"),
        };
        lab.database.sql(&format!(
            "CREATE TABLE t (id int, name varchar(20), price {numeric}, on_sale {boolean}, day date);
             INSERT INTO t VALUES (1, 'say \"hi\"', 19.9, true, '2026-01-31'), (2, '', NULL, false, NULL),
                 (3, NULL, NULL, NULL, NULL)"
        ));
        let hash = |columns: &str| {
            let sql = format!("SELECT id AS _id, {columns} FROM t");
            // To MariaDB a boolean is a number.
            let types = match columns.contains("on_sale") {
                true => "types = { on_sale = \"bool\" }\n",
                false => "",
            };
            let hash = strategy("h", "hash", "H:{_id}", &sql) + types;
            own(&["t"], &(hash + "ttl = \"100s\""))
        };
        let fields = |key: &str| {
            let pairs = lab.redis.cli(&["HGETALL", key]);
            let mut pairs: Vec<&str> = pairs.split('\n').collect();
            // An empty value at the end is lost with the newline after it.
            pairs.resize(pairs.len().next_multiple_of(2), "");
            let mut fields: Vec<String> = pairs.chunks(2).map(|pair| pair.join("=")).collect();
            fields.sort();
            fields.join(" ")
        };
        let run = lab.warm(&hash("name, price, on_sale, day")).expect(0);
        // A row of NULLs alone has no field, and Redis knows no empty hash.
        assert_eq!(counts(&run.strategy("own/h")), [2, 1, 0, 0]);
        assert_eq!(
            fields("H:1"),
            "day=2026-01-31 name=say \"hi\" on_sale=true price=19.90",
            "{dialect:?}"
        );
        assert_eq!(fields("H:2"), "name= on_sale=false");
        let ttl: u64 = lab.redis.cli(&["PTTL", "H:1"]).parse().expect("a time to live");
        assert!((80_000..=100_000).contains(&ttl), "{ttl}");

        // only-missing leaves what is there, and writes what is not.
        lab.redis.cli(&["DEL", "H:2"]);
        let run = lab
            .with(&hash("name"), "warmup context own -o json --mode only-missing")
            .run()
            .expect(0);
        assert_eq!(counts(&run.strategy("own/h")), [1, 2, 0, 0]);
        assert!(fields("H:1").contains("price=19.90"));
        assert_eq!(fields("H:2"), "name=");
        let ttl: u64 = lab.redis.cli(&["PTTL", "H:2"]).parse().expect("a time to live");
        assert!((80_000..=100_000).contains(&ttl), "{ttl}");

        // A refresh replaces the hash as a whole: no field of yesterday stays.
        lab.redis.cli(&["HSET", "H:1", "stale", "1"]);
        lab.warm(&hash("name, day")).expect(0);
        assert_eq!(fields("H:1"), "day=2026-01-31 name=say \"hi\"");
    }
}

#[test]
fn a_text_is_its_column_and_null_is_skipped() {
    for dialect in DIALECTS {
        let lab = Lab::empty(dialect);
        lab.database.sql(
            "CREATE TABLE t (id int, v varchar(20));
             INSERT INTO t VALUES (1, 'a \"b\"'), (2, NULL), (3, ''), (4, 'null')",
        );
        let text = strategy("t", "text", "T:{_id}", "SELECT id AS _id, v FROM t");
        let text = own(&["t"], &text);
        let run = lab.warm(&text).expect(0);
        assert_eq!(counts(&run.strategy("own/t")), [3, 1, 0, 0]);
        assert_eq!(lab.keys(), ["T:1", "T:3", "T:4"]);
        assert_eq!(["T:1", "T:3", "T:4"].map(|k| lab.get(k)), ["a \"b\"", "", "null"]);

        lab.redis.cli(&["SET", "T:1", "mine"]);
        let run = lab.with(&text, "warmup context own -o json --mode only-missing").run().expect(0);
        assert_eq!(counts(&run.strategy("own/t")), [0, 4, 0, 0]);
        assert_eq!(lab.get("T:1"), "mine");
    }
}
