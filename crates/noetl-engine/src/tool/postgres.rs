//! The `postgres` tool: SQL for a PostgreSQL server.

mod array;
pub(super) mod connect;
pub(super) mod error;

use futures_util::TryStreamExt as _;
use serde_json::{Number, Value as Json};
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{
    AssertSqlSafe, Column as _, Either, Executor as _, Row as _, SqlSafeStr as _, TypeInfo as _,
    ValueRef as _,
};

use self::error::failure;
use super::call::Call;
use super::sql::{self, Results};
use crate::host::Host;
use noetl_api::Failure;

/// The prepared statement of a call with parameters.
const PREPARED: &str = "noetl_statement";

/// Runs the SQL of `call` as one script, which is one transaction unless it has its own.
pub(super) async fn run(call: &Call<'_>, host: &dyn Host) -> Result<Json, Failure> {
    let script = sql::script(call, host).await?;
    let statements = sql::split(&script);
    let parameters = sql::parameters(call, &statements)?;
    let script = match parameters {
        Some(values) => with_parameters(&statements[0].text, values)?,
        // Exactly the statement that is checked below.
        None if is_read_only(call) && statements.len() == 1 => statements[0].text.clone(),
        None => script,
    };
    let mut connection = connect::open(call, host).await?;
    let outcome = match prepare_session(call, &statements, &mut connection).await {
        Ok(()) => fetch(script, &mut connection).await,
        Err(failure) => Err(failure),
    };
    connect::close(connection).await;
    let mut results = outcome?;
    if parameters.is_some() {
        results.sets.drain(..1);
    }
    Ok(results.into_json(&statements))
}

fn is_read_only(call: &Call<'_>) -> bool {
    call.config.get("read_only") == Some(&Json::Bool(true))
}

/// Sets up the session that a call asks for: its search path, and read-only access.
async fn prepare_session(
    call: &Call<'_>,
    statements: &[sql::Statement],
    connection: &mut PgConnection,
) -> Result<(), Failure> {
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
    // The server checks that it is one statement: a second one could end the transaction.
    connection
        .prepare(AssertSqlSafe(statement.text.clone()).into_sql_str())
        .await
        .map_err(|error| failure(&error, ""))?;
    // A transaction that has read can no longer be made writable.
    fetch("BEGIN READ ONLY; SELECT 1".to_owned(), connection).await?;
    Ok(())
}

/// Runs a script, which the server splits into statements; every value comes as text.
async fn fetch(script: String, connection: &mut PgConnection) -> Result<Results, Failure> {
    let mut results = Results::default();
    let copy = script.clone();
    // Safe to assert: the SQL is the playbook's own, and is run on purpose.
    let mut stream = sqlx::raw_sql(AssertSqlSafe(script)).fetch_many(connection);
    while let Some(part) = stream
        .try_next()
        .await
        .map_err(|error| failure(&error, &copy))?
    {
        match part {
            Either::Left(end) => results.end_statement(end.rows_affected()),
            Either::Right(row) => {
                let columns = row.columns().iter().map(sqlx::Column::name);
                let values = (0..row.len())
                    .map(|index| value(&row, index))
                    .collect::<Result<Vec<_>, _>>()
                    .map_err(|error| failure(&error, &copy))?;
                results.push_row(columns, values);
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
    let type_info = raw.type_info();
    let name = type_info.name();
    Ok(match name.strip_suffix("[]") {
        Some(element) => array::parse(text, |text| scalar(text, element)),
        None => scalar(text, name),
    })
}

/// Returns a value of the type `name` from its text.
fn scalar(text: &str, name: &str) -> Json {
    match name {
        "BOOL" => Json::Bool(text == "t"),
        "INT2" | "INT4" | "INT8" | "OID" => number(text),
        "NUMERIC" => numeric(text),
        "FLOAT4" | "FLOAT8" => float(text),
        "JSON" | "JSONB" => serde_json::from_str(text).unwrap_or_else(|_| Json::from(text)),
        _ => Json::from(text),
    }
}

/// Returns a whole number; one of more than 64 bits stays text, so that no digit is lost.
fn number(text: &str) -> Json {
    text.parse::<i64>()
        .map(Json::from)
        .or_else(|_| text.parse::<u64>().map(Json::from))
        .unwrap_or_else(|_| Json::from(text))
}

/// Returns a decimal as a number when a number keeps all its digits, else as text.
fn numeric(text: &str) -> Json {
    /// What every double keeps.
    const DIGITS: usize = 15;
    if !text.contains('.') {
        return match number(text) {
            // NaN and infinity.
            Json::String(_) if !text.ends_with(|c: char| c.is_ascii_digit()) => Json::Null,
            number => number,
        };
    }
    let digits = text
        .trim_end_matches('0')
        .bytes()
        .filter(u8::is_ascii_digit);
    let significant = digits.skip_while(|digit| *digit == b'0').count();
    match significant <= DIGITS {
        true => float(text),
        false => Json::from(text),
    }
}

/// Returns a float; NaN and infinity are null, since JSON does not have them.
fn float(text: &str) -> Json {
    text.parse()
        .ok()
        .and_then(Number::from_f64)
        .map_or(Json::Null, Json::Number)
}

/// Returns the script that runs a statement with parameters. PREPARE lets the server infer the types of
/// parameters as of literals.
fn with_parameters(statement: &str, values: &[Json]) -> Result<String, Failure> {
    let mut types = Vec::with_capacity(values.len());
    let mut literals = Vec::with_capacity(values.len());
    for value in values {
        let (kind, literal) = match value {
            Json::Null => ("unknown", "NULL".to_owned()),
            Json::Bool(flag) => ("boolean", flag.to_string()),
            // The type that literals have: only an `integer` can be added to a date.
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

/// Returns a literal in the escape form, whose meaning does not depend on `standard_conforming_strings`.
fn quoted(text: &str) -> String {
    format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

#[cfg(test)]
mod tests;
