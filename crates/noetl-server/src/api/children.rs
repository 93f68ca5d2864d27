//! `/api/worker/playbook`: sub-playbooks that a worker's command calls.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::Server;
use super::error::{ApiError, Body, ErrorBody};
use super::names::Id;

/// A sub-playbook that a worker's command calls.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct ChildRequest {
    #[schema(value_type = String)]
    execution_id: Id,
    path: String,
    version: Option<i64>,
    #[serde(default)]
    payload: Map<String, Value>,
    return_step: Option<String>,
    /// The playbook that calls, for paths beside it.
    caller: String,
    /// Names the call for ever.
    #[schema(min_length = 1)]
    key: String,
}

/// How a sub-playbook ended.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ChildAnswer {
    /// RUNNING: ask again.
    status: String,
    result: Value,
    /// The failure of the call.
    error: Option<Map<String, Value>>,
}

/// Run a sub-playbook for a worker, and wait a while for its end
#[utoipa::path(post, path = "/api/worker/playbook", tag = "workers", request_body = ChildRequest,
    responses((status = 200, body = ChildAnswer), (status = "4XX", body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(crate) async fn playbook(
    State(server): State<Server>,
    Body(request): Body<ChildRequest>,
) -> Result<Json<ChildAnswer>, ApiError> {
    let parent = request.execution_id.parse("execution")?;
    if request.key.is_empty() {
        return Err(ApiError::invalid("key is missing"));
    }
    let call = noetl_engine::SubPlaybook {
        path: request.path,
        version: request.version,
        payload: request.payload,
        return_step: request.return_step,
        caller: request.caller,
        key: request.key,
    };
    let ended = async {
        let child = server.runs.start_child(parent, call.clone()).await?;
        match tokio::time::timeout(Duration::from_secs(25), server.runs.wait(child)).await {
            Err(_) => Ok(None),
            Ok(status) => server
                .runs
                .child_result(child, call.return_step.as_deref(), status)
                .await
                .map(Some),
        }
    };
    Ok(Json(match ended.await {
        Ok(None) => ChildAnswer {
            status: "RUNNING".to_owned(),
            result: Value::Null,
            error: None,
        },
        Ok(Some(result)) => ChildAnswer {
            status: "COMPLETED".to_owned(),
            result,
            error: None,
        },
        Err(failure) => ChildAnswer {
            status: "FAILED".to_owned(),
            result: Value::Null,
            error: serde_json::to_value(failure)
                .ok()
                .and_then(|value| value.as_object().cloned()),
        },
    }))
}
