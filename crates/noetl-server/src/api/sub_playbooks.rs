//! `/api/worker/playbook`: sub-playbooks that the commands of workers call.

use std::time::Duration;

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use noetl_api::ExecutionStatus;
use noetl_api::worker::{SubPlaybookAnswer, SubPlaybookRequest};
use serde_json::Value;

use super::extract::{Body, parse_id};
use super::state::AppState;
use crate::error::ApiError;

/// How long a request waits for the end of a sub-playbook.
const WAIT: Duration = Duration::from_secs(25);

/// The route of sub-playbooks.
pub(super) fn routes() -> Router<AppState> {
    Router::new().route("/api/worker/playbook", post(playbook))
}

/// Start a sub-playbook, or find it by its key, and wait a while for its end
#[cfg_attr(feature = "openapi", utoipa::path(post, path = "/api/worker/playbook", tag = "workers", request_body = SubPlaybookRequest,
    responses((status = 200, body = SubPlaybookAnswer), ApiError)))]
pub(crate) async fn playbook(
    State(server): State<AppState>,
    Body(request): Body<SubPlaybookRequest>,
) -> Result<Json<SubPlaybookAnswer>, ApiError> {
    let parent = parse_id(&request.execution_id, "execution")?;
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
        let child = server.executions.start_child(parent, &call).await?;
        let end = server.executions.wait_for_end(child);
        match tokio::time::timeout(WAIT, end).await {
            Err(_) => Ok(None),
            Ok(status) => server
                .executions
                .child_result(child, call.return_step.as_deref(), status?)
                .await
                .map(Some),
        }
    };
    Ok(Json(match ended.await {
        Ok(None) => SubPlaybookAnswer {
            status: ExecutionStatus::Running,
            result: Value::Null,
            error: None,
        },
        Ok(Some(result)) => SubPlaybookAnswer {
            status: ExecutionStatus::Completed,
            result,
            error: None,
        },
        Err(failure) => SubPlaybookAnswer {
            status: ExecutionStatus::Failed,
            result: Value::Null,
            error: Some(failure),
        },
    }))
}
