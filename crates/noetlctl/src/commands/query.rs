//! `noetl query`: rows of the server's store.

use std::process::ExitCode;

use anyhow::anyhow;
use serde_json::{Value, json};

use crate::cli::client::RootArgs;
use crate::cli::data::{Format, QueryArgs};
use crate::client::Client;
use crate::output::{self, Screen, Table};

pub(crate) fn run(args: &QueryArgs, root: &RootArgs) -> anyhow::Result<ExitCode> {
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
        return Err(anyhow!("{}", output::word(&answer["error"])));
    }
    output::text(&view(&answer, Screen::stdout()))?;
    Ok(ExitCode::SUCCESS)
}

fn view(answer: &Value, screen: Screen) -> String {
    let rows = answer["result"].as_array().map_or(&[][..], Vec::as_slice);
    let columns = answer["columns"].as_array().map_or(&[][..], Vec::as_slice);
    let mut text = String::new();
    if !columns.is_empty() {
        let mut table = Table::new(columns.iter().map(output::word));
        for row in rows {
            let cells = row.as_array().map_or(&[][..], Vec::as_slice);
            table.row(cells.iter().map(cell));
        }
        text = table.text(screen);
    }
    text + &format!(
        "({} row{})\n",
        rows.len(),
        if rows.len() == 1 { "" } else { "s" }
    )
}

/// A value as SQL people read it: `NULL` is told from an empty text.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => "NULL".to_owned(),
        Value::String(text) => output::clean(text),
        other => output::word(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::Colour;

    #[test]
    fn rows_are_counted_and_null_is_named() {
        let screen = Screen {
            terminal: None,
            colour: Colour::Off,
        };
        let answer =
            json!({"status": "ok", "columns": ["a", "long"], "result": [[1, null], ["x", ""]]});
        assert_eq!(view(&answer, screen), "a  long\n1  NULL\nx\n(2 rows)\n");
        assert_eq!(
            view(
                &json!({"status": "ok", "columns": [], "result": []}),
                screen
            ),
            "(0 rows)\n"
        );
    }
}
