//! The `playbook` tool: runs another playbook.

use serde_json::{Map, Value as Json, json};

use super::call::Call;
use crate::host::{Host, SubPlaybook};
use noetl_api::Failure;

/// Has the host run the playbook of `call`, and returns its result, or that of its step `result_step`. With
/// `return_result: false` the result is only that it has completed.
pub(super) async fn run(call: &Call<'_>, host: &dyn Host) -> Result<Json, Failure> {
    let path = call.text("path").ok_or_else(|| call.missing("path"))?;
    let mut payload = Map::new();
    for name in ["workload", "payload"] {
        if let Some(Json::Object(given)) = call.config.get(name) {
            payload.extend(given.clone());
        }
    }
    payload.extend(call.args.clone());
    let result = host
        .playbook(SubPlaybook {
            path,
            version: call.config.get("version").and_then(Json::as_i64),
            payload,
            return_step: call.first_text(&["result_step", "return_step"]),
            caller: call.place.file.clone(),
            key: call.key.to_owned(),
        })
        .await?;
    Ok(match call.config.get("return_result") {
        Some(Json::Bool(false)) => json!({"status": "completed"}),
        _ => result,
    })
}
