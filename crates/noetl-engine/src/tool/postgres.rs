//! The `postgres` tool: SQL for a PostgreSQL server.

pub(super) mod connect;

use std::error::Error as _;

use futures_util::TryStreamExt as _;
use serde_json::{Number, Value as Json};
use sqlx::postgres::{PgConnection, PgDatabaseError, PgRow};
use sqlx::{
    AssertSqlSafe, Column as _, Connection as _, Either, Executor as _, Row as _, SqlSafeStr as _,
    TypeInfo as _, ValueRef as _,
};

use super::sql::{self, Results};
use super::{Call, Failure, Host};

/// The prepared statement of a call with parameters.
const PREPARED: &str = "noetl_statement";

/// Runs the SQL of `call` as one script, which is one transaction unless it has its own.
pub(super) async fn run(call: &Call<'_>, host: &dyn Host) -> Result<Json, Failure> {
    let script = sql::script(call)?;
    let statements = sql::split(&script);
    let parameters = sql::parameters(call, &statements)?;
    let script = match parameters {
        Some(values) => with_parameters(&statements[0].text, values)?,
        // What is run is what was looked at.
        None if is_read_only(call) && statements.len() == 1 => statements[0].text.clone(),
        None => script,
    };
    let mut connection = connect::open(call, host).await?;
    let outcome = match prepare_session(call, &statements, &mut connection).await {
        Ok(()) => fetch(script, &mut connection).await,
        Err(failure) => Err(failure),
    };
    close(connection).await;
    let mut results = outcome?;
    if parameters.is_some() {
        results.sets.drain(..1);
    }
    Ok(results.into_json(&statements))
}

fn is_read_only(call: &Call<'_>) -> bool {
    call.config.get("read_only") == Some(&Json::Bool(true))
}

/// Sets what a call asks of its session: where names are looked for, and that nothing may change.
async fn prepare_session(
    call: &Call<'_>,
    statements: &[sql::Statement],
    connection: &mut PgConnection,
) -> Result<(), Failure> {
    let wrong = |error: sqlx::Error| failure(&error, "");
    if let Some(schema) = call.text("search_path") {
        let schema = schema.replace('"', "\"\"");
        let path = format!("SET search_path TO \"{schema}\", public");
        fetch(path, connection).await?;
    }
    if !is_read_only(call) {
        return Ok(());
    }
    let [statement] = statements else {
        return Err(Failure::new("config", "a read-only call has one statement"));
    };
    // The server itself says whether it is one: what counts as a statement is for it to know, and a
    // second one could leave the transaction.
    connection
        .prepare(AssertSqlSafe(statement.text.clone()).into_sql_str())
        .await
        .map_err(wrong)?;
    // Once a transaction has read, nothing in it can make it write.
    fetch("BEGIN READ ONLY; SELECT 1".to_owned(), connection).await?;
    Ok(())
}

/// Ends a connection in good order; what it had to do is done, so a failure to say so does not matter.
pub(super) async fn close(connection: PgConnection) {
    connection.close().await.ok();
}

/// The server splits the script itself, and gives every value as text.
async fn fetch(script: String, connection: &mut PgConnection) -> Result<Results, Failure> {
    let mut results = Results::default();
    let copy = script.clone();
    // Safe to assert: the SQL is the playbook's own, and whoever runs it chose to.
    let mut stream = sqlx::raw_sql(AssertSqlSafe(script)).fetch_many(connection);
    while let Some(part) = stream
        .try_next()
        .await
        .map_err(|error| failure(&error, &copy))?
    {
        match part {
            Either::Left(end) => results.done(end.rows_affected()),
            Either::Right(row) => {
                let columns = row.columns().iter().map(sqlx::Column::name);
                let values = (0..row.len())
                    .map(|index| value(&row, index))
                    .collect::<Result<Vec<_>, _>>()
                    .map_err(|error| failure(&error, &copy))?;
                results.row(columns, values);
            }
        }
    }
    Ok(results)
}

fn value(row: &PgRow, index: usize) -> Result<Json, sqlx::Error> {
    let raw = row.try_get_raw(index)?;
    if raw.is_null() {
        return Ok(Json::Null);
    }
    let text = raw.as_str().map_err(|source| sqlx::Error::ColumnDecode {
        index: row.column(index).name().to_owned(),
        source,
    })?;
    Ok(match raw.type_info().name() {
        "BOOL" => Json::Bool(text == "t"),
        "INT2" | "INT4" | "INT8" | "OID" | "NUMERIC" => number(text),
        "FLOAT4" | "FLOAT8" => float(text),
        "JSON" | "JSONB" => serde_json::from_str(text).unwrap_or_else(|_| Json::from(text)),
        _ => Json::from(text),
    })
}

/// A whole number that is too large for JSON's readers stays text, so that no digit is lost.
fn number(text: &str) -> Json {
    if text.contains('.') || !text.ends_with(|c: char| c.is_ascii_digit()) {
        return float(text);
    }
    text.parse::<i64>()
        .map(Json::from)
        .or_else(|_| text.parse::<u64>().map(Json::from))
        .unwrap_or_else(|_| Json::from(text))
}

/// JSON has no NaN and no infinity.
fn float(text: &str) -> Json {
    text.parse()
        .ok()
        .and_then(Number::from_f64)
        .map_or(Json::Null, Json::Number)
}

/// The server infers the parameters' types, as it does for literals, and still splits code from data.
fn with_parameters(statement: &str, values: &[Json]) -> Result<String, Failure> {
    let mut types = Vec::with_capacity(values.len());
    let mut literals = Vec::with_capacity(values.len());
    for value in values {
        let (kind, literal) = match value {
            Json::Null => ("unknown", "NULL".to_owned()),
            Json::Bool(flag) => ("boolean", flag.to_string()),
            // As the server reads literals: dates, for one, can only be added to an `integer`.
            Json::Number(number) if is_small(number) => ("integer", quoted(&number.to_string())),
            Json::Number(number) if number.is_i64() => ("bigint", quoted(&number.to_string())),
            Json::Number(number) if number.is_u64() => ("numeric", quoted(&number.to_string())),
            Json::Number(number) => ("double precision", quoted(&number.to_string())),
            Json::String(text) => ("unknown", quoted(text)),
            nested => ("unknown", quoted(&nested.to_string())),
        };
        if literal.contains('\0') {
            return Err(Failure::new(
                "config",
                "PostgreSQL has no text with zero bytes, and one of `params` has one",
            ));
        }
        types.push(kind);
        literals.push(literal);
    }
    Ok(format!(
        "PREPARE {PREPARED} ({}) AS {statement}\n; EXECUTE {PREPARED} ({})",
        types.join(", "),
        literals.join(", ")
    ))
}

fn is_small(number: &Number) -> bool {
    number
        .as_i64()
        .is_some_and(|number| i32::try_from(number).is_ok())
}

/// The escape form means the same whatever `standard_conforming_strings` says.
fn quoted(text: &str) -> String {
    format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

/// What the server or the connection says went wrong with `script`.
pub(super) fn failure(error: &sqlx::Error, script: &str) -> Failure {
    let sqlx::Error::Database(database) = error else {
        return Failure::passing("connection", connection_message(error));
    };
    let Some(error) = database.try_downcast_ref::<PgDatabaseError>() else {
        return Failure::new("sql", database.message());
    };
    let mut message = error.message().to_owned();
    if let Some(detail) = error.detail() {
        message.push_str(&format!(" ({detail})"));
    }
    if let Some(sqlx::postgres::PgErrorPosition::Original(position)) = error.position() {
        let line = script.chars().take(position).filter(|c| *c == '\n').count() + 1;
        message.push_str(&format!(" (line {line} of the SQL)"));
    }
    Failure {
        code: Some(Json::from(error.code())),
        retryable: is_passing(error.code()),
        help: error.hint().map(str::to_owned),
        ..Failure::new("sql", message)
    }
}

/// Conflicts between transactions, a server that starts, stops or is full, and lost connections.
pub(super) fn is_passing(code: &str) -> bool {
    code.starts_with("08") || ["40001", "40P01", "53300", "57P01", "57P03"].contains(&code)
}

/// The error with what caused it: sqlx leaves the latter out of some messages.
pub(super) fn connection_message(error: &sqlx::Error) -> String {
    let mut message = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let text = inner.to_string();
        if !message.contains(&text) {
            message.push_str(&format!(": {text}"));
        }
        cause = inner.source();
    }
    message
}

#[cfg(test)]
mod tests;
