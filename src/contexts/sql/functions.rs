//! Functions that a definition may call.

use std::ops::ControlFlow;

use sqlparser::ast::{Ident, ObjectName, ObjectNamePart};

use super::parse::{identifiers, lists};
use super::refusal::{SqlRefused, Step, refuse};
use crate::domain::place::Place;

/// Table functions that read only their arguments.
const TABLE_FUNCTIONS: &str = "generate_series generate_subscripts json_array_elements \
    json_array_elements_text json_each json_each_text json_object_keys json_to_record \
    json_to_recordset json_tree jsonb_array_elements jsonb_array_elements_text jsonb_each \
    jsonb_each_text jsonb_object_keys jsonb_path_query jsonb_to_record jsonb_to_recordset \
    regexp_matches regexp_split_to_table string_to_table unnest";

/// Functions that run SQL text, read files or tables by name, sleep, or change something.
const REFUSED_FUNCTIONS: &str = "benchmark connectby edit get_lock load_extension load_file loread \
    lowrite master_gtid_wait master_pos_wait nextval readfile release_all_locks release_lock \
    set_config setval sleep source_pos_wait sys_eval sys_exec ts_rewrite ts_stat \
    wait_for_executed_gtid_set writefile xpath_table";

/// Prefixes of such functions; `pg_` because nearly all of them act on the server.
const REFUSED_PREFIXES: &str = "crosstab cursor_to_xml database_to_xml dblink lo_ pg_ query_to_xml \
    schema_to_xml table_to_xml";

/// The `pg_` functions that only inspect their argument.
const HARMLESS_PG_FUNCTIONS: &str = "pg_column_size pg_size_bytes pg_size_pretty pg_typeof";

pub(super) fn check_table_function(name: &ObjectName) -> Step {
    let Some(parts) = identifiers(name) else {
        return refuse(SqlRefused::unreadable(format!("`{name}` is not a function name")));
    };
    let is_listed = |part: &Ident| lists(TABLE_FUNCTIONS, &part.value.to_ascii_lowercase());
    match parts[..] {
        [function] if is_listed(function) => ControlFlow::Continue(()),
        [schema, function] if schema.value == "pg_catalog" && is_listed(function) => {
            ControlFlow::Continue(())
        }
        _ => refuse(SqlRefused::TableFunction {
            place: Place::from(parts[0]),
            name: name.to_string(),
        }),
    }
}

/// In any schema, since extensions such as dblink may be installed anywhere.
pub(super) fn check_function(name: &ObjectName) -> Step {
    let Some(last) = name.0.last().and_then(ObjectNamePart::as_ident) else {
        return refuse(SqlRefused::unreadable(format!("`{name}` is not a function name")));
    };
    let bare = last.value.to_ascii_lowercase();
    let refused = lists(REFUSED_FUNCTIONS, &bare)
        || (REFUSED_PREFIXES.split_whitespace().any(|prefix| bare.starts_with(prefix))
            && !lists(HARMLESS_PG_FUNCTIONS, &bare));
    if refused {
        return refuse(SqlRefused::Function { place: Place::from(last), name: name.to_string() });
    }
    ControlFlow::Continue(())
}
