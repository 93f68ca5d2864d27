//! Errors of PostgreSQL.

use std::error::Error as _;

use serde_json::Value as Json;
use sqlx::postgres::PgDatabaseError;

use noetl_api::Failure;

/// Returns the failure that the server or the connection reports for `script`.
pub(in crate::tool) fn failure(error: &sqlx::Error, script: &str) -> Failure {
    let sqlx::Error::Database(database) = error else {
        return Failure::retryable("connection", connection_message(error));
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
        retryable: is_retryable(error.code()),
        help: error.hint().map(str::to_owned),
        ..Failure::new("sql", message)
    }
}

/// Whether an SQLSTATE is one after which a call may succeed later: a conflict between transactions, a
/// server that starts, stops or is full, a lost connection.
pub(super) fn is_retryable(code: &str) -> bool {
    code.starts_with("08") || ["40001", "40P01", "53300", "57P01", "57P03"].contains(&code)
}

/// Returns the error with its causes, which some of sqlx's messages lack.
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
