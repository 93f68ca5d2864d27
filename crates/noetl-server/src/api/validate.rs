//! `/api/catalog/validate`: the problems of a playbook that is not registered.

use axum::Json;
use noetl_api::ErrorBody;
use noetl_api::catalog::{ValidateRequest, Validation};
use noetl_engine::{Playbook, Problems};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::Body;
use super::graph::graph_of;
use super::state::AppState;

/// The route of validation.
pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(validate))
}

/// Get all problems of a playbook
#[utoipa::path(post, path = "/api/catalog/validate", tag = "catalog", request_body = ValidateRequest,
    responses((status = 200, body = Validation), (status = "4XX", body = ErrorBody)))]
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
