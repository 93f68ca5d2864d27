//! `noetl query`: prints rows of the server's store.

use std::process::ExitCode;

use anyhow::anyhow;
use noetl_api::AnswerStatus;
use noetl_api::data::{QueryAnswer, QueryRequest};
use serde_json::Value;

use crate::cli::client::RootArgs;
use crate::cli::store::{Format, QueryArgs};
use crate::client::Client;
use crate::output::{self, Screen, Table};

pub(super) fn run(args: &QueryArgs, root: &RootArgs) -> anyhow::Result<ExitCode> {
    let client = Client::open(root, &args.client)?;
    let request = QueryRequest {
        query: Some(args.sql.clone()),
        schema: args.schema.clone(),
        ..QueryRequest::default()
    };
    let answer: QueryAnswer = client.post("/api/postgres/execute", &request)?;
    let failed = answer.status == AnswerStatus::Error;
    if args.client.json || args.format == Format::Json {
        output::json(&answer)?;
        return Ok(if failed {
            ExitCode::FAILURE
        } else {
            ExitCode::SUCCESS
        });
    }
    if failed {
        return Err(anyhow!("{}", output::cell(answer.error.as_deref())));
    }
    output::text(&rows(&answer, Screen::stdout()))?;
    Ok(ExitCode::SUCCESS)
}

/// Formats the rows of an answer as a table, and their number.
fn rows(answer: &QueryAnswer, screen: Screen) -> String {
    let mut text = String::new();
    if !answer.columns.is_empty() {
        let columns = answer.columns.iter();
        let mut table = Table::new(columns.map(|name| output::cell(name.as_str())));
        for row in &answer.result {
            table.row(row.iter().map(sql_value));
        }
        text = table.text(screen);
    }
    let count = answer.result.len();
    text + &format!("({count} row{})\n", if count == 1 { "" } else { "s" })
}

/// Formats a value like SQL tools do: `NULL` differs from an empty text.
fn sql_value(value: &Value) -> String {
    match value {
        Value::Null => "NULL".to_owned(),
        Value::String(text) => output::sanitize(text),
        other => output::value(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::Colour;
    use serde_json::json;

    #[test]
    fn rows_are_counted_and_null_is_shown() {
        let screen = Screen {
            terminal: None,
            colour: Colour::Off,
        };
        let mut answer = QueryAnswer {
            status: AnswerStatus::Ok,
            columns: vec!["a".to_owned(), "long".to_owned()],
            result: vec![vec![json!(1), json!(null)], vec![json!("x"), json!("")]],
            error: None,
        };
        assert_eq!(rows(&answer, screen), "a  long\n1  NULL\nx\n(2 rows)\n");
        answer.columns.clear();
        answer.result.clear();
        assert_eq!(rows(&answer, screen), "(0 rows)\n");
    }
}
