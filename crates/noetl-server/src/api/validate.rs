//! `/api/catalog/validate`: the problems of a playbook that is not registered.

use axum::routing::post;
use axum::{Json, Router};
#[cfg(feature = "openapi")]
use noetl_api::ErrorBody;
use noetl_api::catalog::{ValidateRequest, Validation};
use noetl_engine::{Playbook, Problems};

use super::extract::Body;
use super::graph::graph_of;
use super::state::AppState;

/// The route of validation.
pub(super) fn routes() -> Router<AppState> {
    Router::new().route("/api/catalog/validate", post(validate))
}

/// Get all problems of a playbook
#[cfg_attr(feature = "openapi", utoipa::path(post, path = "/api/catalog/validate", tag = "catalog", request_body = ValidateRequest,
    responses((status = 200, body = Validation), (status = "4XX", body = ErrorBody))))]
pub(crate) async fn validate(Body(request): Body<ValidateRequest>) -> Json<Validation> {
    let answer = |problems: Problems| Validation {
        valid: !problems.any_error(),
        problems: problems.0,
        name: None,
        path: None,
        workload: None,
        graph: None,
    };
    Json(match Playbook::parse("playbook", &request.content) {
        Err(_) => answer(Playbook::validate(
            "playbook",
            &request.content,
            &request.payload,
        )),
        Ok(playbook) => Validation {
            name: Some(playbook.name.clone()),
            path: Some(playbook.path.clone()),
            workload: Some(playbook.workload.clone()),
            graph: Some(graph_of(&playbook)),
            ..answer(playbook.problems(&request.payload))
        },
    })
}
