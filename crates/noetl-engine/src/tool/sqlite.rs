//! The `sqlite` tool: SQL for an SQLite file.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::TryStreamExt as _;
use serde_json::{Number, Value as Json};
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteConnectOptions, SqliteConnection, SqliteRow};
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, Decode, Either, Row as _, Sqlite,
    TypeInfo as _, ValueRef as _,
};

use super::call::Call;
use super::sql::{self, Results};
use crate::host::Host;
use noetl_api::Failure;

/// How long a statement waits for another writer of the file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// SQLite asks after so many steps of its virtual machine whether the call was dropped.
const PROGRESS_STEPS: i32 = 1000;

/// A connection whose statement ends when it is dropped.
pub(super) struct Database {
    pub(super) connection: SqliteConnection,
    /// The connection's thread stops its statement when this is dropped.
    _stop_guard: Arc<()>,
}

/// Runs the SQL of `call`, each statement in a transaction of its own unless the SQL has one.
pub(super) async fn run(call: &Call<'_>, host: &dyn Host) -> Result<Json, Failure> {
    let script = sql::script(call, host).await?;
    let statements = sql::split(&script);
    let parameters = sql::parameters(call, &statements)?;
    let mut database = open(call, host).await?;
    let outcome = fetch(script, parameters, &mut database.connection).await;
    database.close().await;
    let mut results = outcome.map_err(|error| failure(&error))?;
    if results.sets.len() == statements.len() {
        for (set, statement) in results.sets.iter_mut().zip(&statements) {
            // For other statements SQLite reports the count of the last change.
            if !statement.changes() {
                set.affected = 0;
            }
        }
    }
    Ok(results.into_json(&statements))
}

/// Opens the file that the fields of `call` name.
pub(super) async fn open(call: &Call<'_>, host: &dyn Host) -> Result<Database, Failure> {
    let name = call
        .first_text(&["database", "db", "path"])
        .ok_or_else(|| call.missing("database").help("name a file, or `:memory:`"))?;
    let options = SqliteConnectOptions::new();
    let options = if name == ":memory:" {
        options.in_memory(true)
    } else {
        let path = host
            .tool_environment()
            .resolve(name.strip_prefix("sqlite://").unwrap_or(&name));
        if let Some(parent) = path.parent() {
            tokio::fs::create_dir_all(parent).await.map_err(|error| {
                Failure::new(
                    "config",
                    format!("cannot create the folder `{}`: {error}", parent.display()),
                )
            })?;
        }
        let read_only = call.config.get("read_only") == Some(&Json::Bool(true));
        options
            .filename(path)
            .create_if_missing(!read_only)
            .read_only(read_only)
    };
    let options = options
        .busy_timeout(BUSY_TIMEOUT)
        // Statements may hold secrets, which must not be logged.
        .disable_statement_logging();
    let attached = call.config.get("attach").and_then(Json::as_object);
    let opened = connect(&options, attached).await;
    opened.map_err(|error| {
        let failure = failure(&error);
        Failure {
            message: format!(
                "cannot open the SQLite database `{name}`: {}",
                failure.message
            ),
            ..failure
        }
    })
}

async fn connect(
    options: &SqliteConnectOptions,
    attached: Option<&serde_json::Map<String, Json>>,
) -> Result<Database, sqlx::Error> {
    let mut connection = options.connect().await?;
    for (name, path) in attached.into_iter().flatten() {
        sqlx::query("ATTACH DATABASE $1 AS $2")
            .bind(path.as_str().unwrap_or_default())
            .bind(name)
            .execute(&mut connection)
            .await?;
    }
    let stop_guard = Arc::new(());
    let watched = Arc::downgrade(&stop_guard);
    let mut handle = connection.lock_handle().await?;
    handle.set_progress_handler(PROGRESS_STEPS, move || watched.strong_count() > 0);
    drop(handle);
    Ok(Database {
        connection,
        _stop_guard: stop_guard,
    })
}

impl Database {
    /// Closes the connection; its work is done, so a failure to close it does not matter.
    pub(super) async fn close(self) {
        self.connection.close().await.ok();
    }
}

async fn fetch(
    script: String,
    parameters: Option<&[Json]>,
    connection: &mut SqliteConnection,
) -> Result<Results, sqlx::Error> {
    let mut results = Results::default();
    // Safe to assert: the SQL is the playbook's own, and is run on purpose.
    let sql = AssertSqlSafe(script);
    let mut stream = match parameters {
        None => sqlx::raw_sql(sql).fetch_many(connection),
        #[expect(deprecated, reason = "no other stream tells where a statement ends")]
        Some(values) => values
            .iter()
            .fold(sqlx::query(sql), bind)
            .fetch_many(connection),
    };
    while let Some(part) = stream.try_next().await? {
        match part {
            Either::Left(end) => results.end_statement(end.rows_affected()),
            Either::Right(row) => {
                let columns = row.columns().iter().map(sqlx::Column::name);
                let values = (0..row.len())
                    .map(|index| value(&row, index))
                    .collect::<Result<Vec<_>, _>>()?;
                results.push_row(columns, values);
            }
        }
    }
    Ok(results)
}

/// Binds a value by its JSON type; lists and objects as their text.
pub(super) fn bind<'q>(
    query: Query<'q, Sqlite, SqliteArguments>,
    value: &Json,
) -> Query<'q, Sqlite, SqliteArguments> {
    match value {
        Json::Null => query.bind(None::<String>),
        Json::Bool(flag) => query.bind(*flag),
        Json::Number(number) => match number.as_i64() {
            Some(number) => query.bind(number),
            None => query.bind(number.as_f64()),
        },
        Json::String(text) => query.bind(text.clone()),
        nested => query.bind(nested.to_string()),
    }
}

/// Returns a value by its own type: the type of an SQLite column does not bind its values.
fn value(row: &SqliteRow, index: usize) -> Result<Json, sqlx::Error> {
    let raw = row.try_get_raw(index)?;
    if raw.is_null() {
        return Ok(Json::Null);
    }
    let kind = raw.type_info().name().to_owned();
    let wrong = |source| sqlx::Error::ColumnDecode {
        index: index.to_string(),
        source,
    };
    Ok(match kind.as_str() {
        "INTEGER" => Json::from(<i64 as Decode<Sqlite>>::decode(raw).map_err(wrong)?),
        "REAL" => Number::from_f64(<f64 as Decode<Sqlite>>::decode(raw).map_err(wrong)?)
            .map_or(Json::Null, Json::Number),
        "BLOB" => {
            let bytes = <Vec<u8> as Decode<Sqlite>>::decode(raw).map_err(wrong)?;
            Json::from(STANDARD.encode(bytes))
        }
        _ => {
            let bytes = <Vec<u8> as Decode<Sqlite>>::decode(raw).map_err(wrong)?;
            Json::from(String::from_utf8_lossy(&bytes).into_owned())
        }
    })
}

/// Returns the failure that SQLite reports.
pub(super) fn failure(error: &sqlx::Error) -> Failure {
    let sqlx::Error::Database(database) = error else {
        return Failure::new("sql", error.to_string());
    };
    let code = database.code().unwrap_or_default();
    // Busy or locked, in the lower byte: another writer has not finished yet.
    let primary = code.parse::<i64>().unwrap_or(0) & 0xff;
    Failure {
        retryable: primary == 5 || primary == 6,
        code: Some(Json::from(code.as_ref())),
        ..Failure::new("sql", database.message())
    }
}

#[cfg(test)]
mod tests;
