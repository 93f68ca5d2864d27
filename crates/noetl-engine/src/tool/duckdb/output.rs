//! The output of the `duckdb` command: JSON for each result, without types and without ends.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::{Number, Value as Json};

use crate::tool::sql::{ResultSet, Results, Statement};

/// Printed after each statement, because some statements print nothing.
const MARK: &str = "noetl_statement_end";

/// A row with its columns as they were printed; two may have the same name.
struct Row(Vec<(String, Json)>);

impl<'de> Deserialize<'de> for Row {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Columns;
        impl<'de> Visitor<'de> for Columns {
            type Value = Row;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a row")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Row, A::Error> {
                let mut columns = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    columns.push(pair);
                }
                Ok(Row(columns))
            }
        }
        deserializer.deserialize_map(Columns)
    }
}

/// Returns the script to run: each query after a description of its columns, and a mark after each statement.
pub(super) fn script(statements: &[Statement]) -> String {
    let mut script = String::new();
    for statement in statements {
        if statement.describable() {
            script.push_str(&format!("DESCRIBE {}\n;\n", statement.text));
        }
        script.push_str(&format!("{}\n;\nSELECT 1 AS {MARK};\n", statement.text));
    }
    script
}

/// Returns the results of the statements from the output of their script.
pub(super) fn read(printed: &str, statements: &[Statement]) -> Results {
    let mark = format!("[{{\"{MARK}\":1}}]");
    let mut results = Results::default();
    for (block, statement) in printed.split(mark.as_str()).zip(statements) {
        results
            .sets
            .push(result_set(block.trim(), statement.describable()));
    }
    results
}

fn result_set(block: &str, described: bool) -> ResultSet {
    let Some(mut tables) = parse(block).or_else(|| parse(&without_nan(block))) else {
        // Query plans are printed as text.
        let mut set = ResultSet::new(["output"]);
        set.push_row([Json::from(block)]);
        return set;
    };
    let types = match tables.first().map(Vec::as_slice) {
        Some([first, ..]) if described && is_description(first) => {
            tables.remove(0).into_iter().filter_map(column).collect()
        }
        _ => Vec::new(),
    };
    let rows = tables.pop();
    let mut set = match rows.as_ref().and_then(|rows| rows.first()) {
        Some(row) => ResultSet::new(row.0.iter().map(|(name, _)| name.as_str())),
        None => ResultSet::new(
            types
                .iter()
                .map(|(name, _): &(String, String)| name.as_str()),
        ),
    };
    for row in rows.unwrap_or_default() {
        let values = row.0.into_iter().enumerate().map(|(index, (_, value))| {
            let kind = types.get(index).map_or("", |(_, kind)| kind.as_str());
            typed(value, kind)
        });
        set.push_row(values);
    }
    set
}

fn parse(block: &str) -> Option<Vec<Vec<Row>>> {
    serde_json::Deserializer::from_str(block)
        .into_iter()
        .collect::<Result<_, _>>()
        .ok()
}

fn is_description(row: &Row) -> bool {
    let names: Vec<&str> = row.0.iter().map(|(name, _)| name.as_str()).collect();
    names.starts_with(&["column_name", "column_type"])
}

fn column(row: Row) -> Option<(String, String)> {
    let mut values = row.0.into_iter().map(|(_, value)| value);
    match (values.next(), values.next()) {
        (Some(Json::String(name)), Some(Json::String(kind))) => Some((name, kind)),
        _ => None,
    }
}

/// Returns a value by its column's type: numbers of more than 64 bits are printed as text.
fn typed(value: Json, kind: &str) -> Json {
    let number = |text: &str| -> Option<Json> {
        if let Ok(number) = text.parse::<i64>() {
            return Some(Json::from(number));
        }
        kind.starts_with("DECIMAL")
            .then(|| text.parse().ok().and_then(Number::from_f64))
            .flatten()
            .map(Json::Number)
    };
    match &value {
        Json::String(text) if kind.starts_with("DECIMAL") || kind.ends_with("HUGEINT") => {
            number(text).unwrap_or(value)
        }
        _ => value,
    }
}

/// Returns the output with `null` for NaN and infinities, which DuckDB prints and JSON does not have.
fn without_nan(block: &str) -> String {
    let mut text = String::with_capacity(block.len());
    let mut rest = block;
    let (mut quoted, mut escaped) = (false, false);
    while let Some(first) = rest.chars().next() {
        let word = ["NaN", "-Infinity", "Infinity", "-NaN", "nan", "-inf", "inf"]
            .iter()
            .find(|word| !quoted && rest.starts_with(**word));
        if let Some(word) = word {
            text.push_str("null");
            rest = &rest[word.len()..];
            continue;
        }
        if escaped {
            escaped = false;
        } else if quoted && first == '\\' {
            escaped = true;
        } else if first == '"' {
            quoted = !quoted;
        }
        text.push(first);
        rest = &rest[first.len_utf8()..];
    }
    text
}
