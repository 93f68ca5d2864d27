//! `/api/catalog`: playbooks in, playbooks out.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use noetl_engine::Playbook;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

use super::error::{ApiError, Body, ErrorBody, OptionalBody, Path, ProblemBody, Query};
use super::graph::Graph;
use super::names::{Id, Version, VersionSchema};
use super::{Server, credentials};
use crate::clock;
use crate::runs::RunError;
use crate::store::{CatalogEntry, CatalogFilter};

/// A document for the catalog.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct Registration {
    /// YAML text, or base64 of it.
    content: String,
    /// `Playbook` or `Credential`; found from the document when it is missing.
    resource_type: Option<String>,
}

/// What was registered.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Registered {
    status: &'static str,
    message: String,
    path: String,
    version: i64,
    catalog_id: String,
    kind: String,
    warnings: Vec<ProblemBody>,
}

/// An entry of the catalog.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Entry {
    catalog_id: String,
    path: String,
    name: String,
    version: i64,
    kind: String,
    description: Option<String>,
    /// The YAML text.
    content: Option<String>,
    layout: Option<Map<String, Value>>,
    /// The document as JSON.
    payload: Option<Map<String, Value>>,
    meta: Map<String, Value>,
    created_at: String,
}

/// Entries, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Entries {
    entries: Vec<Entry>,
}

/// Which entries.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub(crate) struct ListRequest {
    resource_type: Option<String>,
    path: Option<String>,
    /// Part of a path, name or description.
    q: Option<String>,
    /// Only the latest version of each path.
    latest: Option<bool>,
    /// False leaves the texts out.
    content: Option<bool>,
}

/// Which entry.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct ResourceRequest {
    #[schema(value_type = Option<String>)]
    catalog_id: Option<Id>,
    path: Option<String>,
    #[schema(value_type = Option<VersionSchema>)]
    version: Option<Version>,
}

/// An entry by its path.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct EntryQuery {
    path: String,
    version: Option<i64>,
}

/// How many entries are gone.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Deleted {
    status: &'static str,
    deleted: u64,
}

impl Entry {
    fn new(entry: CatalogEntry, content: bool) -> Self {
        let payload = content
            .then(|| Playbook::document(&entry.content))
            .flatten();
        Self {
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
}

/// The text of a registration, which may be base64.
fn text_of(content: &str) -> String {
    let compact: String = content.split_whitespace().collect();
    // YAML has a colon, base64 has none.
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
#[utoipa::path(post, path = "/api/catalog/register", tag = "catalog", request_body = Registration,
    responses((status = 200, body = Registered), (status = "4XX", body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(crate) async fn register(
    State(server): State<Server>,
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
            status: "success",
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
    let problems = playbook.problems(&Map::new());
    let entry = server
        .runs
        .store
        .register(CatalogEntry {
            catalog_id: server.runs.ids.next(),
            path: playbook.path.clone(),
            version: 0,
            kind: "Playbook".to_owned(),
            name: playbook.name.clone(),
            description: playbook.description.clone(),
            content: text,
            created_at: 0,
        })
        .await?;
    Ok(Json(Registered {
        status: "success",
        message: format!(
            "Resource '{}' version '{}' registered.",
            entry.path, entry.version
        ),
        path: entry.path,
        version: entry.version,
        catalog_id: entry.catalog_id.to_string(),
        kind: entry.kind,
        warnings: problems.0.iter().map(ProblemBody::from).collect(),
    }))
}

/// List entries, newest first
#[utoipa::path(post, path = "/api/catalog/list", tag = "catalog", request_body = Option<ListRequest>,
    responses((status = 200, body = Entries), (status = "4XX", body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(crate) async fn list(
    State(server): State<Server>,
    OptionalBody(request): OptionalBody<ListRequest>,
) -> Result<Json<Entries>, ApiError> {
    entries(&server, request).await
}

/// List entries of a kind, newest first
#[utoipa::path(get, path = "/api/catalog/list/{kind}", tag = "catalog", params(("kind" = String, Path)),
    responses((status = 200, body = Entries), (status = "4XX", body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(crate) async fn list_kind(
    State(server): State<Server>,
    Path(kind): Path<String>,
) -> Result<Json<Entries>, ApiError> {
    let request = ListRequest {
        resource_type: Some(kind),
        ..ListRequest::default()
    };
    entries(&server, request).await
}

async fn entries(server: &Server, request: ListRequest) -> Result<Json<Entries>, ApiError> {
    let filter = CatalogFilter {
        kind: request.resource_type,
        path: request.path,
        text: request.q,
        latest: request.latest.unwrap_or(false),
    };
    let content = request.content.unwrap_or(true);
    let entries = server.runs.store.catalog(&filter).await?;
    Ok(Json(Entries {
        entries: entries
            .into_iter()
            .map(|entry| Entry::new(entry, content))
            .collect(),
    }))
}

pub(crate) fn missing() -> ApiError {
    ApiError::not_found("Catalog entry not found")
        .help("`noetl catalog list` shows those that are there")
}

/// Get an entry by id, or by path and version
#[utoipa::path(post, path = "/api/catalog/resource", tag = "catalog", request_body = ResourceRequest,
    responses((status = 200, body = Entry), (status = "4XX", body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(crate) async fn resource(
    State(server): State<Server>,
    Body(request): Body<ResourceRequest>,
) -> Result<Json<Entry>, ApiError> {
    let entry = find(
        &server,
        request.catalog_id.as_ref(),
        request.path.as_deref(),
        request.version.as_ref(),
    )
    .await?;
    Ok(Json(Entry::new(entry, true)))
}

/// The entry that a request names.
pub(crate) async fn find(
    server: &Server,
    catalog_id: Option<&Id>,
    path: Option<&str>,
    version: Option<&Version>,
) -> Result<CatalogEntry, ApiError> {
    let found = match (catalog_id, path) {
        (Some(catalog_id), _) => {
            server
                .runs
                .store
                .entry_by_id(catalog_id.parse("catalog entry")?)
                .await?
        }
        (None, Some(path)) => {
            let version = version.map(Version::number).transpose()?.flatten();
            server.runs.store.entry(path, version).await?
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
#[utoipa::path(get, path = "/api/catalog/get/{path}", tag = "catalog", params(("path" = String, Path)),
    responses((status = 200, body = Entry), (status = "4XX", body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(crate) async fn get_path(
    State(server): State<Server>,
    Path(path): Path<String>,
) -> Result<Json<Entry>, ApiError> {
    let entry = server
        .runs
        .store
        .entry(&path, None)
        .await?
        .ok_or_else(missing)?;
    Ok(Json(Entry::new(entry, true)))
}

/// Get the flow of a playbook as nodes and edges
#[utoipa::path(get, path = "/api/catalog/graph", tag = "catalog", params(EntryQuery),
    responses((status = 200, body = Graph), (status = "4XX", body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(crate) async fn graph(
    State(server): State<Server>,
    Query(query): Query<EntryQuery>,
) -> Result<Json<Graph>, ApiError> {
    let entry = server
        .runs
        .store
        .entry(&query.path, query.version)
        .await?
        .ok_or_else(missing)?;
    Ok(Json(Graph::of(&*server.runs.playbook(&entry)?)))
}

/// Delete a version of a path, or all of them
#[utoipa::path(delete, path = "/api/catalog/entry", tag = "catalog", params(EntryQuery),
    responses((status = 200, body = Deleted), (status = "4XX", body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(crate) async fn delete(
    State(server): State<Server>,
    Query(query): Query<EntryQuery>,
) -> Result<Json<Deleted>, ApiError> {
    match server
        .runs
        .store
        .delete_entry(&query.path, query.version)
        .await?
    {
        Some(0) => Err(missing()),
        Some(deleted) => Ok(Json(Deleted {
            status: "deleted",
            deleted,
        })),
        None => Err(ApiError::new(
            StatusCode::CONFLICT,
            format!("an execution of `{}` is under way", query.path),
        )
        .help("cancel it first, or wait until it has ended")),
    }
}
