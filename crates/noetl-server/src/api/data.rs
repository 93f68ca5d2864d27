//! SQL, the store's tables, variables and templates.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use noetl_api::data::{
    DatabaseState, QueryAnswer, QueryRequest, RenderRequest, Rendered, Variable, VariableKind,
    Variables, VariablesRequest,
};
use noetl_api::{AnswerStatus, ErrorBody};
use serde_json::{Map, Value};

use super::extract::{Body, Path};
use super::rows::find_execution;
use super::state::AppState;
use crate::error::ApiError;
use crate::store::{Storage, TABLES};

/// The routes of SQL, the store's tables, variables and templates.
pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/api/postgres/execute", post(query))
        .route("/api/db/init", post(init))
        .route("/api/db/validate", get(validate_store))
        .route(
            "/api/vars/{execution_id}",
            get(variables).post(set_variables),
        )
        .route(
            "/api/vars/{execution_id}/{name}",
            get(variable).delete(delete_variable),
        )
        .route("/api/context/render", post(render))
}

/// Run SQL
#[cfg_attr(feature = "openapi", utoipa::path(post, path = "/api/postgres/execute", tag = "data", request_body = QueryRequest,
    responses((status = 200, body = QueryAnswer), ApiError)))]
pub(crate) async fn query(
    State(server): State<AppState>,
    Body(request): Body<QueryRequest>,
) -> Result<Json<QueryAnswer>, ApiError> {
    let query = match (request.query, request.query_base64) {
        (Some(query), _) => query,
        (None, Some(text)) => STANDARD
            .decode(text)
            .ok()
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .ok_or_else(|| ApiError::invalid("query_base64 is not text in base64"))?,
        (None, None) => return Err(ApiError::invalid("the request has no query")),
    };
    let (postgres, config) = connection(
        &server,
        &query,
        request.schema,
        request.credential,
        request.parameters,
    );
    let answer = server.sql.run(postgres, &config).await;
    Ok(Json(match answer {
        Err(failure) => QueryAnswer {
            status: AnswerStatus::Error,
            columns: Vec::new(),
            result: Vec::new(),
            error: Some(failure.message),
        },
        Ok(result) => {
            let list = |key: &str| {
                result
                    .get(key)
                    .and_then(Value::as_array)
                    .cloned()
                    .unwrap_or_default()
            };
            let columns: Vec<String> = list("columns")
                .iter()
                .filter_map(|name| name.as_str().map(str::to_owned))
                .collect();
            let row = |row: &Value| {
                columns
                    .iter()
                    .map(|name| row.get(name).cloned().unwrap_or_default())
                    .collect()
            };
            QueryAnswer {
                status: AnswerStatus::Ok,
                result: list("rows").iter().map(row).collect(),
                columns,
                error: None,
            }
        }
    }))
}

/// Returns whether a query is for PostgreSQL, and the fields of the `postgres` or `sqlite` tool that runs it.
fn connection(
    server: &AppState,
    query: &str,
    schema: Option<String>,
    credential: Option<String>,
    parameters: Option<Vec<Value>>,
) -> (bool, Map<String, Value>) {
    let mut config = Map::new();
    let schema = schema.filter(|schema| !schema.is_empty());
    let postgres = match (&credential, server.store.storage()) {
        (Some(credential), _) => {
            config.insert("auth".to_owned(), credential.clone().into());
            if let Some(schema) = schema {
                config.insert("search_path".to_owned(), schema.into());
            }
            true
        }
        (None, Storage::Postgres { url, schema: own }) => {
            config.insert("url".to_owned(), url.clone().into());
            let schema = schema.unwrap_or_else(|| own.clone());
            config.insert("search_path".to_owned(), schema.into());
            config.insert("read_only".to_owned(), true.into());
            true
        }
        (None, Storage::Sqlite(path)) => {
            let path = Value::from(path.to_string_lossy());
            config.insert("database".to_owned(), path.clone());
            config.insert("read_only".to_owned(), true.into());
            // `noetl.execution` names the same table as on PostgreSQL.
            let attached = Map::from_iter([("noetl".to_owned(), path)]);
            config.insert("attach".to_owned(), attached.into());
            false
        }
    };
    if let Some(parameters) = parameters.filter(|parameters| !parameters.is_empty()) {
        config.insert("params".to_owned(), Value::Array(parameters));
    }
    config.insert("query".to_owned(), query.into());
    (postgres, config)
}

async fn state(server: &AppState, message: &str) -> DatabaseState {
    let missing = server.store.missing_tables().await;
    DatabaseState {
        status: if missing.is_empty() {
            AnswerStatus::Ok
        } else {
            AnswerStatus::Error
        },
        message: if missing.is_empty() {
            message.to_owned()
        } else {
            format!("tables are missing: {}", missing.join(", "))
        },
        valid: missing.is_empty(),
        tables: TABLES
            .into_iter()
            .filter(|table| !missing.contains(table))
            .map(str::to_owned)
            .collect(),
        missing: missing.into_iter().map(str::to_owned).collect(),
    }
}

/// Create missing tables of the store
#[cfg_attr(feature = "openapi", utoipa::path(post, path = "/api/db/init", tag = "data",
    responses((status = 200, body = DatabaseState), ApiError)))]
pub(crate) async fn init(State(server): State<AppState>) -> Result<Json<DatabaseState>, ApiError> {
    server.store.complete_schema().await?;
    Ok(Json(state(&server, "the schema is complete").await))
}

/// Check that the store has all tables
#[cfg_attr(feature = "openapi", utoipa::path(get, path = "/api/db/validate", tag = "data",
    responses((status = 200, body = DatabaseState), ApiError)))]
pub(crate) async fn validate_store(
    State(server): State<AppState>,
) -> Result<Json<DatabaseState>, ApiError> {
    Ok(Json(state(&server, "the schema is complete").await))
}

async fn variables_of(
    server: &AppState,
    execution_id: String,
) -> Result<Json<Variables>, ApiError> {
    let row = find_execution(&server.store, &execution_id).await?;
    let (variables, _) = server.executions.variables(row.execution_id).await?;
    Ok(Json(listed(execution_id, variables)))
}

fn listed(execution_id: String, variables: Map<String, Value>) -> Variables {
    let variables: BTreeMap<_, _> = variables
        .into_iter()
        .map(|(name, value)| {
            (
                name,
                Variable {
                    value,
                    kind: VariableKind::UserDefined,
                    source_step: None,
                },
            )
        })
        .collect();
    Variables {
        execution_id,
        count: variables.len(),
        variables,
    }
}

/// Get the variables of an execution; those of more than 256 KiB are named, not included
#[cfg_attr(feature = "openapi", utoipa::path(get, path = "/api/vars/{execution_id}", tag = "data", params(("execution_id" = String, Path)),
    responses((status = 200, body = Variables), ApiError)))]
pub(crate) async fn variables(
    State(server): State<AppState>,
    Path(execution_id): Path<String>,
) -> Result<Json<Variables>, ApiError> {
    variables_of(&server, execution_id).await
}

/// Get one variable of an execution
#[cfg_attr(feature = "openapi", utoipa::path(get, path = "/api/vars/{execution_id}/{name}", tag = "data", params(("execution_id" = String, Path), ("name" = String, Path)),
    responses((status = 200, body = Variables), ApiError)))]
pub(crate) async fn variable(
    State(server): State<AppState>,
    Path((execution_id, name)): Path<(String, String)>,
) -> Result<Json<Variables>, ApiError> {
    let row = find_execution(&server.store, &execution_id).await?;
    let value = server.executions.variable(row.execution_id, &name).await?;
    let value = value.ok_or_else(|| {
        ApiError::not_found(format!("execution {execution_id} has no variable `{name}`"))
    })?;
    let variables = Map::from_iter([(name, value)]);
    Ok(Json(listed(execution_id, variables)))
}

/// Set variables of a running execution
#[cfg_attr(feature = "openapi", utoipa::path(post, path = "/api/vars/{execution_id}", tag = "data", request_body = VariablesRequest, params(("execution_id" = String, Path)),
    responses((status = 200, body = Variables), ApiError)))]
pub(crate) async fn set_variables(
    State(server): State<AppState>,
    Path(execution_id): Path<String>,
    Body(request): Body<VariablesRequest>,
) -> Result<Json<Variables>, ApiError> {
    let row = find_execution(&server.store, &execution_id).await?;
    server
        .executions
        .set_variables(row.execution_id, &request.variables)
        .await?;
    variables_of(&server, execution_id).await
}

/// Set a variable of a running execution to null
#[cfg_attr(feature = "openapi", utoipa::path(delete, path = "/api/vars/{execution_id}/{name}", tag = "data", params(("execution_id" = String, Path), ("name" = String, Path)),
    responses((status = 200, body = Variables), ApiError)))]
pub(crate) async fn delete_variable(
    State(server): State<AppState>,
    Path((execution_id, name)): Path<(String, String)>,
) -> Result<Json<Variables>, ApiError> {
    let row = find_execution(&server.store, &execution_id).await?;
    let nothing = Map::from_iter([(name, Value::Null)]);
    server
        .executions
        .set_variables(row.execution_id, &nothing)
        .await?;
    variables_of(&server, execution_id).await
}

/// Evaluate a template
#[cfg_attr(feature = "openapi", utoipa::path(post, path = "/api/context/render", tag = "data", request_body = RenderRequest,
    responses((status = 200, body = Rendered), ApiError)))]
pub(crate) async fn render(Body(request): Body<RenderRequest>) -> Result<Json<Rendered>, ApiError> {
    let rendered = tokio::task::spawn_blocking(move || {
        noetl_engine::render(&request.template, &request.context)
    })
    .await;
    let rendered = rendered.map_err(|_| {
        ApiError::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "the template cannot be evaluated",
        )
    })?;
    match rendered {
        Ok(result) => Ok(Json(Rendered { result })),
        Err(failure) => Err(ApiError {
            body: ErrorBody {
                help: failure.help,
                ..ApiError::invalid(failure.message).body
            },
            status: StatusCode::UNPROCESSABLE_ENTITY,
        }),
    }
}
