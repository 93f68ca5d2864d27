//! `noetl query`: prints rows of the server's store.

use std::process::ExitCode;

use anyhow::anyhow;
use serde_json::{Value, json};

use crate::cli::client::RootArgs;
use crate::cli::store::{Format, QueryArgs};
use crate::client::Client;
use crate::output::{self, Screen, Table};

pub(super) fn run(args: &QueryArgs, root: &RootArgs) -> anyhow::Result<ExitCode> {
    let client = Client::open(root, &args.client)?;
    let mut request = json!({"query": args.sql});
    if let Some(schema) = &args.schema {
        request["schema"] = schema.as_str().into();
    }
    let answer = client.post("/api/postgres/execute", &request)?;
    let failed = answer["status"] == "error";
    if args.client.json || args.format == Format::Json {
        output::json(&answer)?;
        return Ok(if failed {
            ExitCode::FAILURE
        } else {
            ExitCode::SUCCESS
        });
    }
    if failed {
        return Err(anyhow!("{}", output::cell(&answer["error"])));
    }
    output::text(&rows(&answer, Screen::stdout()))?;
    Ok(ExitCode::SUCCESS)
}

/// Formats the rows of an answer as a table, and their number.
fn rows(answer: &Value, screen: Screen) -> String {
    let found = answer["result"].as_array().map_or(&[][..], Vec::as_slice);
    let columns = answer["columns"].as_array().map_or(&[][..], Vec::as_slice);
    let mut text = String::new();
    if !columns.is_empty() {
        let mut table = Table::new(columns.iter().map(output::cell));
        for row in found {
            let cells = row.as_array().map_or(&[][..], Vec::as_slice);
            table.row(cells.iter().map(sql_value));
        }
        text = table.text(screen);
    }
    text + &format!(
        "({} row{})\n",
        found.len(),
        if found.len() == 1 { "" } else { "s" }
    )
}

/// Formats a value like SQL tools do: `NULL` differs from an empty text.
fn sql_value(value: &Value) -> String {
    match value {
        Value::Null => "NULL".to_owned(),
        Value::String(text) => output::sanitize(text),
        other => output::cell(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::Colour;

    #[test]
    fn rows_are_counted_and_null_is_shown() {
        let screen = Screen {
            terminal: None,
            colour: Colour::Off,
        };
        let answer =
            json!({"status": "ok", "columns": ["a", "long"], "result": [[1, null], ["x", ""]]});
        assert_eq!(rows(&answer, screen), "a  long\n1  NULL\nx\n(2 rows)\n");
        assert_eq!(
            rows(
                &json!({"status": "ok", "columns": [], "result": []}),
                screen
            ),
            "(0 rows)\n"
        );
    }
}
