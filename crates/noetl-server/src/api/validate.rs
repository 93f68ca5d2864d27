//! `/api/catalog/validate`: everything that is wrong with a text, while it is written.

use axum::Json;
use noetl_engine::{Playbook, Problems};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::error::{Body, ErrorBody, ProblemBody};
use super::graph::Graph;

/// A text to be checked.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct ValidateRequest {
    /// YAML text.
    content: String,
    /// Values that will be given when it runs.
    #[serde(default)]
    payload: Map<String, Value>,
}

/// What is wrong with a text.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Validation {
    valid: bool,
    problems: Vec<ProblemBody>,
    name: Option<String>,
    path: Option<String>,
    workload: Option<Map<String, Value>>,
    graph: Option<Graph>,
}

/// Say everything that is wrong with a playbook
#[utoipa::path(post, path = "/api/catalog/validate", tag = "catalog", request_body = ValidateRequest,
    responses((status = 200, body = Validation), (status = "4XX", body = ErrorBody)))]
pub(crate) async fn validate(Body(request): Body<ValidateRequest>) -> Json<Validation> {
    let answer = |problems: &Problems| Validation {
        valid: !problems.any_error(),
        problems: problems.0.iter().map(ProblemBody::from).collect(),
        name: None,
        path: None,
        workload: None,
        graph: None,
    };
    Json(match Playbook::parse("playbook", &request.content) {
        Err(_) => answer(&Playbook::validate(
            "playbook",
            &request.content,
            &request.payload,
        )),
        Ok(playbook) => Validation {
            name: Some(playbook.name.clone()),
            path: Some(playbook.path.clone()),
            workload: Some(playbook.workload.clone()),
            graph: Some(Graph::of(&playbook)),
            ..answer(&playbook.problems(&request.payload))
        },
    })
}
