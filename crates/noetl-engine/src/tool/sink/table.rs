//! Sinks to tables: rows are inserted in one transaction.

use serde_json::{Map, Value as Json, json};
use sqlx::{AssertSqlSafe, Connection as _};

use super::rows::{Mode, columns, mode, rows};
use crate::host::Host;
use crate::tool::call::Call;
use crate::tool::postgres::{connect, error};
use crate::tool::{duckdb, sqlite};
use noetl_api::Failure;

/// The values for DuckDB are part of the statement's text, which must not grow without bound.
const ROWS_PER_STATEMENT: usize = 500;

/// The parts of the statements; names are quoted.
struct Plan {
    table: String,
    columns: Vec<String>,
    mode: Mode,
    /// `ON CONFLICT …`, or nothing.
    conflict: String,
}

/// Saves `data` to the table that the field `table` names.
pub(super) async fn save(
    target: &str,
    data: &Json,
    call: &Call<'_>,
    host: &dyn Host,
) -> Result<Json, Failure> {
    let table = call.text("table").ok_or_else(|| call.missing("table"))?;
    let mode = mode(call, Mode::Append)?;
    let keys = keys(call, mode)?;
    let rows = last_row_of_each_key(rows(data)?, &keys)?;
    let names = columns(&rows);
    if let Some(key) = keys.iter().find(|key| !names.contains(&key.as_str()))
        && !rows.is_empty()
    {
        return Err(Failure::new(
            "config",
            format!("the rows to save have no column `{key}`, which `key` names"),
        ));
    }
    if names.is_empty() && !rows.is_empty() {
        return Err(Failure::new("config", "the row to save has no columns"));
    }
    let parts: Vec<&str> = table.split('.').collect();
    let plan = Plan {
        table: quote_all(&parts)?.join("."),
        columns: quote_all(&names)?,
        mode,
        conflict: conflict(mode, &keys, &names)?,
    };
    if !rows.is_empty() || mode == Mode::Replace {
        match target {
            "postgres" => into_postgres(&plan, &rows, call, host).await?,
            "sqlite" => into_sqlite(&plan, &names, &rows, call, host).await?,
            _ => into_duckdb(&plan, &names, &rows, call, host).await?,
        }
    }
    Ok(json!({"status": "ok", "target": target, "table": table, "rows": rows.len()}))
}

/// Returns the columns whose values identify a row.
fn keys(call: &Call<'_>, mode: Mode) -> Result<Vec<String>, Failure> {
    if mode != Mode::Upsert {
        return Ok(Vec::new());
    }
    let given = match call.config.get("key").or_else(|| call.config.get("keys")) {
        Some(Json::String(key)) => Some(vec![key.clone()]),
        Some(Json::Array(keys)) => keys
            .iter()
            .map(|key| key.as_str().map(str::to_owned))
            .collect(),
        _ => None,
    };
    given.filter(|keys| !keys.is_empty()).ok_or_else(|| {
        Failure::new(
            "config",
            "an upsert needs the field `key`: the columns of the table's primary key",
        )
    })
}

/// Returns the last row of each key: databases refuse to update a row twice in one statement.
fn last_row_of_each_key<'a>(
    rows: Vec<&'a Map<String, Json>>,
    keys: &[String],
) -> Result<Vec<&'a Map<String, Json>>, Failure> {
    if keys.is_empty() {
        return Ok(rows);
    }
    let mut seen = std::collections::HashSet::new();
    let mut kept: Vec<_> = rows
        .into_iter()
        .rev()
        .filter(|row| {
            let key: Vec<_> = keys.iter().map(|key| row.get(key)).collect();
            seen.insert(format!("{key:?}"))
        })
        .collect();
    kept.reverse();
    Ok(kept)
}

/// Returns a name in quotes; fails when it has characters that would need an escape.
fn quote(name: &str) -> Result<String, Failure> {
    let valid = |c: char| c.is_alphanumeric() || matches!(c, '_' | '$' | '-' | ' ');
    if name.trim().is_empty() || name.len() > 128 || !name.chars().all(valid) {
        return Err(Failure::new(
            "config",
            format!("`{name}` cannot be the name of a table or column here"),
        )
        .help("use letters, digits and underscores"));
    }
    Ok(format!("\"{name}\""))
}

fn quote_all(names: &[&str]) -> Result<Vec<String>, Failure> {
    names.iter().map(|name| quote(name)).collect()
}

fn conflict(mode: Mode, keys: &[String], names: &[&str]) -> Result<String, Failure> {
    if mode != Mode::Upsert {
        return Ok(String::new());
    }
    let quoted: Result<Vec<_>, _> = keys.iter().map(|key| quote(key)).collect();
    let others: Vec<String> = names
        .iter()
        .filter(|name| !keys.iter().any(|key| key == *name))
        .map(|name| quote(name).map(|name| format!("{name} = excluded.{name}")))
        .collect::<Result<_, _>>()?;
    let action = if others.is_empty() {
        "NOTHING".to_owned()
    } else {
        format!("UPDATE SET {}", others.join(", "))
    };
    Ok(format!(" ON CONFLICT ({}) DO {action}", quoted?.join(", ")))
}

impl Plan {
    fn delete(&self) -> String {
        // TRUNCATE would show an empty table to readers, and needs a separate privilege.
        format!("DELETE FROM {}", self.table)
    }

    /// Returns the `INSERT` of the rows of `source`.
    fn insert(&self, source: &str) -> String {
        format!(
            "INSERT INTO {} ({}) {source}{}",
            self.table,
            self.columns.join(", "),
            self.conflict
        )
    }
}

/// Sends the rows as JSON; the server gives each value its column's type.
async fn into_postgres(
    plan: &Plan,
    rows: &[&Map<String, Json>],
    call: &Call<'_>,
    host: &dyn Host,
) -> Result<(), Failure> {
    let mut connection = connect::open(call, host).await?;
    let source = format!(
        "SELECT {} FROM json_populate_recordset(NULL::{}, $1::json)",
        plan.columns.join(", "),
        plan.table
    );
    let insert = plan.insert(&source);
    let outcome = async {
        let mut transaction = connection.begin().await?;
        if plan.mode == Mode::Replace {
            // Safe to assert, as below: names are checked and quoted, values are bound.
            let delete = sqlx::raw_sql(AssertSqlSafe(plan.delete()));
            delete.execute(&mut *transaction).await?;
        }
        if !rows.is_empty() {
            let rows =
                serde_json::to_string(rows).map_err(|error| sqlx::Error::Encode(error.into()))?;
            let statement = sqlx::query(AssertSqlSafe(insert.clone())).bind(rows);
            statement.execute(&mut *transaction).await?;
        }
        transaction.commit().await
    };
    let outcome = outcome.await;
    connect::close(connection).await;
    outcome.map_err(|error| error::failure(&error, &insert))
}

async fn into_sqlite(
    plan: &Plan,
    names: &[&str],
    rows: &[&Map<String, Json>],
    call: &Call<'_>,
    host: &dyn Host,
) -> Result<(), Failure> {
    let mut database = sqlite::open(call, host).await?;
    let marks = vec!["?"; names.len()].join(", ");
    let insert = plan.insert(&format!("VALUES ({marks})"));
    let outcome = async {
        let mut transaction = database.connection.begin().await?;
        if plan.mode == Mode::Replace {
            // Safe to assert, as below: names are checked and quoted, values are bound.
            let delete = sqlx::raw_sql(AssertSqlSafe(plan.delete()));
            delete.execute(&mut *transaction).await?;
        }
        for row in rows {
            let values = names
                .iter()
                .map(|name| row.get(*name).unwrap_or(&Json::Null));
            let statement = sqlx::query(AssertSqlSafe(insert.clone()));
            let statement = values.fold(statement, sqlite::bind);
            statement.execute(&mut *transaction).await?;
        }
        transaction.commit().await
    };
    let outcome = outcome.await;
    database.close().await;
    outcome.map_err(|error| sqlite::failure(&error))
}

async fn into_duckdb(
    plan: &Plan,
    names: &[&str],
    rows: &[&Map<String, Json>],
    call: &Call<'_>,
    host: &dyn Host,
) -> Result<(), Failure> {
    let mut script = "BEGIN".to_owned();
    if plan.mode == Mode::Replace {
        script.push_str(&format!(";\n{}", plan.delete()));
    }
    for batch in rows.chunks(ROWS_PER_STATEMENT) {
        let tuples: Vec<String> = batch
            .iter()
            .map(|row| {
                let values: Vec<String> =
                    names.iter().map(|name| literal(row.get(*name))).collect();
                format!("({})", values.join(", "))
            })
            .collect();
        let insert = plan.insert(&format!("VALUES {}", tuples.join(",\n")));
        script.push_str(&format!(";\n{insert}"));
    }
    script.push_str(";\nCOMMIT");
    if script.contains('\0') {
        return Err(Failure::new(
            "config",
            "DuckDB takes no text with zero bytes, and the data has one",
        ));
    }
    duckdb::execute(&script, call, host).await.map(drop)
}

/// Returns a value as a literal. DuckDB's strings have one escape, the doubled quote, and take the type of
/// their column.
fn literal(value: Option<&Json>) -> String {
    match value {
        None | Some(Json::Null) => "NULL".to_owned(),
        Some(Json::Bool(flag)) => flag.to_string(),
        Some(Json::Number(number)) => number.to_string(),
        Some(Json::String(text)) => format!("'{}'", text.replace('\'', "''")),
        Some(nested) => format!("'{}'", nested.to_string().replace('\'', "''")),
    }
}
