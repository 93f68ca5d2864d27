//! Tests of the split into statements, and of results.

use serde_json::json;

use super::{Results, split, unique};

fn texts(script: &str) -> Vec<String> {
    split(script).into_iter().map(|one| one.text).collect()
}

#[test]
fn semicolons_in_strings_and_comments_do_not_end_a_statement() {
    let script = "select ';', \"a;b\", E'it\\';s' -- one; two\n, 'it''s;'; /* a /* b; */ c; */ select $x$;$x$, $1;;\n-- end;";
    assert_eq!(texts(script).len(), 2);
    assert_eq!(
        texts("select $$a;b$$; select $1 ; "),
        ["select $$a;b$$", "select $1"]
    );
    assert!(texts(" ;; -- nothing\n").is_empty());
    assert_eq!(texts("select 'open; ").len(), 1);
    assert_eq!(texts("select 'ü;ß'; select é").len(), 2);
}

#[test]
fn statements_are_queries_or_changes() {
    let kind = |sql: &str| {
        let statement = split(sql).remove(0);
        (statement.selects(), statement.changes())
    };
    assert_eq!(
        kind("select replace(a, b, c) from t for update"),
        (true, false)
    );
    assert_eq!(kind("with a as (select 1) select * from a"), (true, false));
    assert_eq!(
        kind("with a as (select 1) insert into t select * from a"),
        (false, true)
    );
    assert_eq!(kind("insert into t values (1) returning id"), (true, true));
    assert_eq!(kind("create table t (a int)"), (false, false));
}

#[test]
fn the_result_has_the_rows_of_the_last_query() {
    let mut results = Results::default();
    results.push_row(["id", "id", "id_2"], [json!(1), json!(2), json!(3)]);
    results.end_statement(1);
    results.end_statement(4);
    let json = results.into_json(&[]);
    assert_eq!(json["columns"], json!(["id", "id_2", "id_2_2"]));
    assert_eq!(json["rows"], json!([{"id": 1, "id_2": 2, "id_2_2": 3}]));
    assert_eq!(json["row_count"], 1);
    assert_eq!(
        json["command_1"],
        json!({"rows": [], "columns": [], "row_count": 4})
    );

    let mut results = Results::default();
    results.push_row(["a"], [json!(1)]);
    results.end_statement(1);
    results.end_statement(0);
    let json = results.into_json(&split("select 1 as a; select 2 as a where false"));
    assert_eq!(
        json["rows"],
        json!([]),
        "an empty last query is still the last"
    );

    let mut results = Results::default();
    results.end_statement(0);
    results.end_statement(3);
    assert_eq!(results.into_json(&[])["row_count"], 3);
}

#[test]
fn names_are_made_unique() {
    assert_eq!(unique(["a", "a", "b", "a"]), ["a", "a_2", "b", "a_3"]);
}
