//! Sinks to files.

use std::io;
use std::path::Path;

use serde_json::{Map, Value as Json, json};
use tokio::io::AsyncWriteExt as _;

use super::rows::{Mode, columns, mode, rows};
use crate::host::Host;
use crate::tool::call::Call;
use noetl_api::Failure;

/// The format of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Json,
    Lines,
    Csv,
    Text,
}

/// Writes `data` to the file that the field `path` names.
pub(super) async fn save(data: &Json, call: &Call<'_>, host: &dyn Host) -> Result<Json, Failure> {
    let name = call
        .first_text(&["path", "file", "filename"])
        .ok_or_else(|| call.missing("path"))?;
    let path = host.tool_environment().resolve(&name);
    let format = format(call, &path)?;
    let wrong = |error: io::Error| {
        Failure::new(
            "file",
            format!("cannot write the file `{}`: {error}", path.display()),
        )
    };
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    tokio::fs::create_dir_all(folder).await.map_err(wrong)?;
    let (bytes, count) = match mode(call, Mode::Replace)? {
        Mode::Upsert => {
            return Err(Failure::new("config", "a file has no keys to upsert by"));
        }
        Mode::Append if format == Format::Json => {
            return Err(
                Failure::new("config", "nothing can be appended to a JSON file")
                    .help("use the format `jsonl`"),
            );
        }
        Mode::Append => {
            let header = header(&path).await.map_err(wrong)?;
            let (text, count) = render(data, format, header.as_deref())?;
            append(&path, text.as_bytes()).await.map_err(wrong)?;
            (text.len(), count)
        }
        Mode::Replace => {
            let (text, count) = render(data, format, None)?;
            let bytes = text.len();
            let (to, folder) = (path.clone(), folder.to_owned());
            let writing = tokio::task::spawn_blocking(move || replace(&to, &folder, &text));
            let written = writing.await.map_err(io::Error::other);
            written.and_then(|written| written).map_err(wrong)?;
            (bytes, count)
        }
    };
    Ok(json!({"status": "ok", "target": "file", "path": name, "rows": count, "bytes": bytes}))
}

fn format(call: &Call<'_>, path: &Path) -> Result<Format, Failure> {
    let extension = path
        .extension()
        .map(|extension| extension.to_string_lossy().to_ascii_lowercase());
    let named = call.text("format").map(|name| name.to_ascii_lowercase());
    let from_name = |name: &str| match name {
        // JSON is valid YAML.
        "json" | "yaml" | "yml" => Some(Format::Json),
        "jsonl" | "ndjson" => Some(Format::Lines),
        "csv" => Some(Format::Csv),
        "text" | "txt" | "log" | "md" | "html" => Some(Format::Text),
        _ => None,
    };
    match named {
        Some(name) => from_name(&name).ok_or_else(|| {
            Failure::new("config", format!("a sink cannot write the format `{name}`"))
                .help("use json, jsonl, csv, text or yaml")
        }),
        None => Ok(extension
            .and_then(|extension| from_name(&extension))
            .unwrap_or(Format::Json)),
    }
}

/// Returns the text of `data` and its number of rows; `header` is that of the file to which it is appended.
fn render(data: &Json, format: Format, header: Option<&str>) -> Result<(String, usize), Failure> {
    let items = match data {
        Json::Array(items) => items.as_slice(),
        one => std::slice::from_ref(one),
    };
    let text = match format {
        Format::Json => format!("{data:#}\n"),
        Format::Lines => items.iter().map(|item| format!("{item}\n")).collect(),
        Format::Csv => csv(&rows(data)?, header)?,
        Format::Text => match data {
            Json::String(text) => text.clone(),
            Json::Array(items) => items.iter().map(|item| plain(item) + "\n").collect(),
            other => format!("{other:#}\n"),
        },
    };
    Ok((text, items.len()))
}

fn plain(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Returns rows as CSV by RFC 4180, with LF as line end; appended rows have the order of the file's header.
fn csv(rows: &[&Map<String, Json>], header: Option<&str>) -> Result<String, Failure> {
    let given = columns(rows);
    let mut text = String::new();
    let order: Vec<String> = match header {
        Some(header) => {
            let order = cells(header);
            if let Some(name) = given
                .iter()
                .find(|name| !order.iter().any(|known| known == *name))
            {
                return Err(Failure::new(
                    "config",
                    format!("the CSV file to append to has no column `{name}`"),
                ));
            }
            order
        }
        None => {
            let names: Vec<String> = given.iter().map(|name| cell(name)).collect();
            if !names.is_empty() {
                text.push_str(&names.join(","));
                text.push('\n');
            }
            given.into_iter().map(str::to_owned).collect()
        }
    };
    for row in rows {
        let cells: Vec<String> = order
            .iter()
            .map(|name| match row.get(name) {
                None | Some(Json::Null) => String::new(),
                Some(value) => cell(&plain(value)),
            })
            .collect();
        text.push_str(&cells.join(","));
        text.push('\n');
    }
    Ok(text)
}

fn cell(text: &str) -> String {
    let plain = !text.contains([',', '"', '\n', '\r']) && text.trim() == text;
    if plain {
        return text.to_owned();
    }
    format!("\"{}\"", text.replace('"', "\"\""))
}

/// Returns the cells of one CSV line.
fn cells(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut characters = line.chars().peekable();
    let mut quoted = false;
    while let Some(c) = characters.next() {
        match c {
            '"' if quoted && characters.peek() == Some(&'"') => {
                characters.next();
                if let Some(field) = fields.last_mut() {
                    field.push('"');
                }
            }
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            c => {
                if let Some(field) = fields.last_mut() {
                    field.push(c);
                }
            }
        }
    }
    fields
}

/// Returns the first line of the file at `path`; none when the file does not exist or is empty.
async fn header(path: &Path) -> io::Result<Option<String>> {
    use tokio::io::AsyncBufReadExt as _;
    let file = match tokio::fs::File::open(path).await {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    tokio::io::BufReader::new(file).lines().next_line().await
}

async fn append(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = tokio::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .await?;
    file.write_all(bytes).await?;
    file.flush().await
}

/// Replaces the file in one step, so that readers never see a part of it.
fn replace(path: &Path, folder: &Path, text: &str) -> io::Result<()> {
    use std::io::Write as _;
    let mut builder = tempfile::Builder::new();
    builder.prefix(".noetl-");
    // Temporary files can be read by their owner only; this one is to have the usual mode.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.tempfile_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}
