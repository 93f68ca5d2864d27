//! `/api/catalog`: registering, listing, reading and deleting playbooks.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use noetl_api::catalog::{
    CatalogDeleted, CatalogEntries, CatalogEntry, CatalogEntryQuery, CatalogListRequest,
    CatalogResourceRequest, CatalogRun, CatalogRuns, CatalogRunsQuery, DeleteStatus,
    RegisterStatus, Registered, Registration,
};
use noetl_api::graph::Graph;
use noetl_api::{Id, Version};
use noetl_engine::Playbook;
use serde_json::{Map, Value};

use super::credentials;
use super::extract::{Body, OptionalBody, Path, Query, check_name, parse_id};
use super::graph::graph_of;
use super::state::AppState;
use crate::clock;
use crate::error::ApiError;
use crate::executions::RunError;
use crate::store::{self, CatalogFilter};

/// The routes of the catalog.
pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/api/catalog/register", post(register))
        .route("/api/catalog/list", post(list_entries))
        .route("/api/catalog/list/{kind}", get(list_kind))
        .route("/api/catalog/resource", post(resource))
        .route("/api/catalog/get/{path}", get(get_path))
        .route("/api/catalog/graph", get(playbook_graph))
        .route("/api/catalog/runs", get(runs))
        .route("/api/catalog/entry", delete(delete_entry))
}

/// Returns an entry as answers show it, with its text unless that is empty.
fn item(entry: store::CatalogEntry) -> CatalogEntry {
    let content = !entry.content.is_empty();
    let payload = content
        .then(|| Playbook::document(&entry.content))
        .flatten();
    CatalogEntry {
        catalog_id: entry.catalog_id.to_string(),
        path: entry.path,
        name: entry.name,
        version: entry.version,
        kind: entry.kind,
        description: entry.description,
        content: content.then_some(entry.content),
        layout: None,
        payload,
        meta: Map::new(),
        created_at: clock::rfc3339(entry.created_at),
    }
}

/// Returns the text of a registration, which may be in base64.
fn text_of(content: &str) -> String {
    let compact: String = content.split_whitespace().collect();
    // A playbook in YAML contains a colon, which base64 does not.
    if content.contains(':') {
        return content.to_owned();
    }
    STANDARD
        .decode(compact)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .unwrap_or_else(|| content.to_owned())
}

/// Register a playbook's next version, or a credential
#[cfg_attr(feature = "openapi", utoipa::path(post, path = "/api/catalog/register", tag = "catalog", request_body = Registration,
    responses((status = 200, body = Registered), ApiError)))]
pub(crate) async fn register(
    State(server): State<AppState>,
    Body(request): Body<Registration>,
) -> Result<Json<Registered>, ApiError> {
    let text = text_of(&request.content);
    let document = Playbook::document(&text);
    let kind = document
        .as_ref()
        .and_then(|document| document.get("kind"))
        .and_then(Value::as_str);
    let wanted = request
        .resource_type
        .as_deref()
        .or(kind)
        .unwrap_or("Playbook");
    if wanted.eq_ignore_ascii_case("credential") {
        let document =
            document.ok_or_else(|| ApiError::invalid("the credential is neither JSON nor YAML"))?;
        let stored = credentials::store(&server, document).await?;
        return Ok(Json(Registered {
            status: RegisterStatus::Success,
            message: format!("Credential '{}' registered.", stored.name),
            path: stored.name,
            version: 1,
            catalog_id: stored.id,
            kind: "Credential".to_owned(),
            warnings: Vec::new(),
        }));
    }
    if !wanted.eq_ignore_ascii_case("playbook") {
        return Err(ApiError::invalid(format!(
            "resource_type `{wanted}` is neither Playbook nor Credential"
        )));
    }
    let name = document.as_ref().and_then(|document| {
        let metadata = document.get("metadata")?;
        metadata
            .get("path")
            .or_else(|| metadata.get("name"))?
            .as_str()
            .map(str::to_owned)
    });
    let file = name.as_deref().unwrap_or("playbook");
    let all = |_| RunError::Invalid(Playbook::validate(file, &text, &Map::new()));
    let playbook = Playbook::parse(file, &text).map_err(all)?;
    check_names(&playbook)?;
    let problems = playbook.problems(&Map::new());
    let entry = store::CatalogEntry {
        catalog_id: server.ids.next(),
        path: playbook.path.clone(),
        version: 0,
        kind: "Playbook".to_owned(),
        name: playbook.name.clone(),
        description: playbook.description.clone(),
        content: text,
        created_at: 0,
    };
    let registered = server.store.register(entry, request.base_version).await?;
    let entry = registered.map_err(|latest| clash(&playbook.path, latest))?;
    Ok(Json(Registered {
        status: RegisterStatus::Success,
        message: format!(
            "Resource '{}' version '{}' registered.",
            entry.path, entry.version
        ),
        path: entry.path,
        version: entry.version,
        catalog_id: entry.catalog_id.to_string(),
        kind: entry.kind,
        warnings: problems.0,
    }))
}

/// The error of a registration that comes from another version than the latest.
fn clash(path: &str, latest: i64) -> ApiError {
    let detail = match latest {
        0 => format!("`{path}` has no version any more"),
        latest => format!("the latest version of `{path}` is {latest}"),
    };
    ApiError::new(StatusCode::CONFLICT, detail).help(
        "compare your text with the latest version, and register it with that as `base_version`",
    )
}

fn check_names(playbook: &Playbook) -> Result<(), ApiError> {
    check_name("playbook's path", &playbook.path)?;
    check_name("playbook's name", &playbook.name)?;
    let mut steps = playbook.steps.iter();
    steps.try_for_each(|step| check_name("step's name", &step.name))
}

/// List entries, newest first
#[cfg_attr(feature = "openapi", utoipa::path(post, path = "/api/catalog/list", tag = "catalog", request_body = Option<CatalogListRequest>,
    responses((status = 200, body = CatalogEntries), ApiError)))]
pub(crate) async fn list_entries(
    State(server): State<AppState>,
    OptionalBody(request): OptionalBody<CatalogListRequest>,
) -> Result<Json<CatalogEntries>, ApiError> {
    entries(&server, request).await
}

/// List entries of a kind, newest first
#[cfg_attr(feature = "openapi", utoipa::path(get, path = "/api/catalog/list/{kind}", tag = "catalog", params(("kind" = String, Path)),
    responses((status = 200, body = CatalogEntries), ApiError)))]
pub(crate) async fn list_kind(
    State(server): State<AppState>,
    Path(kind): Path<String>,
) -> Result<Json<CatalogEntries>, ApiError> {
    let request = CatalogListRequest {
        resource_type: Some(kind),
        ..CatalogListRequest::default()
    };
    entries(&server, request).await
}

async fn entries(
    server: &AppState,
    request: CatalogListRequest,
) -> Result<Json<CatalogEntries>, ApiError> {
    let filter = CatalogFilter {
        kind: request.resource_type,
        path: request.path,
        text: request.q,
        latest: request.latest.unwrap_or(false),
        content: request.content.unwrap_or(true),
    };
    let entries = server.store.catalog(&filter).await?;
    Ok(Json(CatalogEntries {
        entries: entries.into_iter().map(item).collect(),
    }))
}

pub(crate) fn missing() -> ApiError {
    ApiError::not_found("Catalog entry not found")
        .help("`noetl catalog list` shows those that are there")
}

/// Get an entry by id, or by path and version
#[cfg_attr(feature = "openapi", utoipa::path(post, path = "/api/catalog/resource", tag = "catalog", request_body = CatalogResourceRequest,
    responses((status = 200, body = CatalogEntry), ApiError)))]
pub(crate) async fn resource(
    State(server): State<AppState>,
    Body(request): Body<CatalogResourceRequest>,
) -> Result<Json<CatalogEntry>, ApiError> {
    let entry = find(
        &server,
        request.catalog_id.as_ref(),
        request.path.as_deref(),
        request.version.as_ref(),
    )
    .await?;
    Ok(Json(item(entry)))
}

/// Returns the entry that a request names, by id or by path and version.
pub(crate) async fn find(
    server: &AppState,
    catalog_id: Option<&Id>,
    path: Option<&str>,
    version: Option<&Version>,
) -> Result<store::CatalogEntry, ApiError> {
    let found = match (catalog_id, path) {
        (Some(catalog_id), _) => {
            server
                .store
                .entry_by_id(parse_id(&catalog_id, "catalog entry")?)
                .await?
        }
        (None, Some(path)) => {
            let version = version
                .map(Version::number)
                .transpose()
                .map_err(|error| ApiError::invalid(error.to_string()))?
                .flatten();
            server.store.entry(path, version).await?
        }
        (None, None) => {
            return Err(ApiError::invalid(
                "the request names neither `path` nor `catalog_id`",
            ));
        }
    };
    found.ok_or_else(missing)
}

/// Get the latest version of a path
#[cfg_attr(feature = "openapi", utoipa::path(get, path = "/api/catalog/get/{path}", tag = "catalog", params(("path" = String, Path)),
    responses((status = 200, body = CatalogEntry), ApiError)))]
pub(crate) async fn get_path(
    State(server): State<AppState>,
    Path(path): Path<String>,
) -> Result<Json<CatalogEntry>, ApiError> {
    let entry = server.store.entry(&path, None).await?.ok_or_else(missing)?;
    Ok(Json(item(entry)))
}

/// Get the graph of a playbook
#[cfg_attr(feature = "openapi", utoipa::path(get, path = "/api/catalog/graph", tag = "catalog", params(CatalogEntryQuery),
    responses((status = 200, body = Graph), ApiError)))]
pub(crate) async fn playbook_graph(
    State(server): State<AppState>,
    Query(query): Query<CatalogEntryQuery>,
) -> Result<Json<Graph>, ApiError> {
    let entry = server
        .store
        .entry(&query.path, query.version)
        .await?
        .ok_or_else(missing)?;
    Ok(Json(graph_of(&*server.executions.playbook(&entry)?)))
}

/// Delete a version of a path, or all of them
#[cfg_attr(feature = "openapi", utoipa::path(delete, path = "/api/catalog/entry", tag = "catalog", params(CatalogEntryQuery),
    responses((status = 200, body = CatalogDeleted), ApiError)))]
pub(crate) async fn delete_entry(
    State(server): State<AppState>,
    Query(query): Query<CatalogEntryQuery>,
) -> Result<Json<CatalogDeleted>, ApiError> {
    match server
        .store
        .delete_entry(&query.path, query.version)
        .await?
    {
        Some(0) => Err(missing()),
        Some(deleted) => Ok(Json(CatalogDeleted {
            status: DeleteStatus::Deleted,
            deleted,
        })),
        None => Err(ApiError::new(
            StatusCode::CONFLICT,
            format!("an execution of `{}` is running", query.path),
        )
        .help("cancel it, or wait until it has ended")),
    }
}

/// List the newest executions of each playbook
#[cfg_attr(feature = "openapi", utoipa::path(get, path = "/api/catalog/runs", tag = "catalog", params(CatalogRunsQuery),
    responses((status = 200, body = CatalogRuns), ApiError)))]
pub(crate) async fn runs(
    State(server): State<AppState>,
    Query(query): Query<CatalogRunsQuery>,
) -> Result<Json<CatalogRuns>, ApiError> {
    let limit = query.limit.unwrap_or(5).clamp(1, 20);
    let mut runs = BTreeMap::<String, Vec<CatalogRun>>::new();
    for row in server.store.newest_of_each(limit).await? {
        let took = |end| clock::seconds_between(row.start_time, end);
        runs.entry(row.path).or_default().push(CatalogRun {
            execution_id: row.execution_id.to_string(),
            status: row.status,
            start_time: clock::rfc3339(row.start_time),
            duration_seconds: row.end_time.map(took),
        });
    }
    Ok(Json(CatalogRuns { runs }))
}
