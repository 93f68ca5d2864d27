//! `script: {uri, source: {type}}`: code that is not in the playbook itself.

use serde_json::{Map, Value as Json};

use super::call::Call;
use super::http;
use crate::host::Host;
use crate::playbook::ToolKind;
use noetl_api::Failure;

/// Code, and where it comes from.
#[derive(Debug)]
pub(super) struct Script {
    /// The text.
    pub code: String,
    /// The file or URL that it was read from; none for code that the playbook holds.
    pub origin: Option<String>,
    /// The folder of the file that it was read from.
    pub folder: Option<String>,
}

/// Reads the script of a call; none when the call has no field `script`.
///
/// # Errors
/// A failure of kind `config` for a source that is not `file`, `inline`, `http` or `https`, and for a file that cannot
/// be read; the failure of the request for a URL.
pub(super) async fn read(call: &Call<'_>, host: &dyn Host) -> Result<Option<Script>, Failure> {
    let script = match call.config.get("script") {
        None | Some(Json::Null) => return Ok(None),
        Some(Json::Object(script)) => script,
        Some(_) => {
            let kind = call.kind.name();
            let message =
                format!("the field `script` of a {kind} tool must be a mapping with `uri`");
            return Err(Failure::new("config", message)
                .help("write `script: {uri: FILE, source: {type: file}}`"));
        }
    };
    let source = script.get("source").and_then(Json::as_object);
    let setting = |name: &str| source.and_then(|source| source.get(name)?.as_str());
    let kind = setting("type").unwrap_or("file");
    let inline = setting("code").or_else(|| script.get("content")?.as_str());
    if let ("inline", Some(code)) = (kind, inline) {
        return Ok(Some(Script {
            code: code.to_owned(),
            origin: None,
            folder: None,
        }));
    }
    let uri = script
        .get("uri")
        .and_then(Json::as_str)
        .ok_or_else(|| Failure::new("config", "the field `script` needs `uri`"))?;
    match kind {
        "file" => read_file(uri, host).await.map(Some),
        "http" | "https" => {
            let url = match setting("endpoint") {
                Some(endpoint) if !uri.contains("://") => {
                    format!("{}/{uri}", endpoint.trim_end_matches('/'))
                }
                _ => uri.to_owned(),
            };
            download(url, source, call, host).await.map(Some)
        }
        _ => Err(Failure::new(
            "config",
            format!("scripts from the source `{kind}` cannot be run"),
        )
        .help("put the script beside the playbook and use the source `file`")),
    }
}

async fn read_file(uri: &str, host: &dyn Host) -> Result<Script, Failure> {
    let path = host
        .tool_environment()
        .resolve(uri.strip_prefix("file://").unwrap_or(uri));
    let code = tokio::fs::read_to_string(&path).await.map_err(|error| {
        let message = format!("cannot read the script `{}`: {error}", path.display());
        Failure::new("config", message)
    })?;
    let folder = path.parent();
    Ok(Script {
        code,
        origin: Some(path.to_string_lossy().into_owned()),
        folder: folder.map(|folder| folder.to_string_lossy().into_owned()),
    })
}

/// Requests a script with the fields of its source, as the `http` tool does.
async fn download(
    url: String,
    source: Option<&Map<String, Json>>,
    call: &Call<'_>,
    host: &dyn Host,
) -> Result<Script, Failure> {
    let mut config = source.cloned().unwrap_or_default();
    for name in ["type", "endpoint", "timeout"] {
        config.shift_remove(name);
    }
    config.insert("url".to_owned(), url.clone().into());
    let request = Call {
        kind: ToolKind::Http,
        config: &config,
        ..call.clone()
    };
    let response = http::run(&request, host).await?;
    let Some(Json::String(code)) = response.get("data") else {
        let message = format!("the response of {url} is JSON, and a script was expected");
        return Err(Failure::new("config", message));
    };
    Ok(Script {
        code: code.clone(),
        origin: Some(url),
        folder: None,
    })
}
