//! `/api/credentials`: storing, listing, reading, testing and deleting credentials.

use axum::extract::State;
use axum::routing::{get, post};
use axum::{Json, Router};
use noetl_api::catalog::DeleteStatus;
use noetl_api::credential::{
    CredentialDeleted, CredentialFilter, CredentialItem, CredentialList, CredentialQuery,
    CredentialRequest, CredentialTest,
};
use serde_json::{Map, Value};

use super::extract::{Body, Path, Query, check_name};
use super::state::AppState;
use crate::clock;
use crate::credentials::{KEYCHAIN, NewCredential};
use crate::error::ApiError;
use crate::store::CredentialRow;

/// The routes of credentials.
pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/api/credentials", get(list_credentials).post(create))
        .route(
            "/api/credentials/{name}",
            get(get_credential).delete(delete_credential),
        )
        .route("/api/credentials/{name}/test", post(test))
}

/// Returns a credential as answers show it, without its data.
fn item(row: CredentialRow) -> CredentialItem {
    CredentialItem {
        id: row.id.to_string(),
        name: row.name,
        kind: row.kind,
        meta: serde_json::from_str(&row.meta).unwrap_or_default(),
        tags: serde_json::from_str(&row.tags).unwrap_or_default(),
        description: row.description,
        created_at: clock::rfc3339(row.created_at),
        updated_at: clock::rfc3339(row.updated_at),
        data: None,
    }
}

async fn keep(server: &AppState, request: CredentialRequest) -> Result<CredentialItem, ApiError> {
    if request.name.trim().is_empty() || request.name.len() > 200 {
        return Err(ApiError::invalid(
            "a credential's name has from 1 to 200 characters",
        ));
    }
    check_name("credential's name", &request.name)?;
    let credential = NewCredential {
        name: request.name,
        kind: request.kind,
        data: request.data,
        meta: Value::Object(request.meta.unwrap_or_default()).to_string(),
        tags: Value::from(request.tags.unwrap_or_default()).to_string(),
        description: request.description,
    };
    Ok(item(server.credentials.put(credential).await?))
}

/// Stores a credential that was registered as a document.
pub(super) async fn store(
    server: &AppState,
    document: Map<String, Value>,
) -> Result<CredentialItem, ApiError> {
    let mut document = document;
    if document.contains_key("type") {
        document.shift_remove("kind");
    }
    if let Some(Value::Object(metadata)) = document.shift_remove("metadata") {
        for (key, value) in metadata {
            document.entry(key).or_insert(value);
        }
    }
    let request: CredentialRequest =
        serde_json::from_value(Value::Object(document)).map_err(|error| {
            ApiError::invalid(format!("this is not a credential: {error}"))
                .help("it needs name, type and data")
        })?;
    keep(server, request).await
}

async fn find(server: &AppState, name: &str) -> Result<CredentialRow, ApiError> {
    let row = server.store.credential(name).await?;
    row.ok_or_else(|| {
        ApiError::not_found(format!("there is no credential `{name}`"))
            .help("`noetl list Credential` shows those that are there")
    })
}

/// Store a credential, or replace the one of its name
#[cfg_attr(feature = "openapi", utoipa::path(post, path = "/api/credentials", tag = "credentials", request_body = CredentialRequest,
    responses((status = 200, body = CredentialItem), ApiError)))]
pub(crate) async fn create(
    State(server): State<AppState>,
    Body(request): Body<CredentialRequest>,
) -> Result<Json<CredentialItem>, ApiError> {
    Ok(Json(keep(&server, request).await?))
}

/// List credentials without their data
#[cfg_attr(feature = "openapi", utoipa::path(get, path = "/api/credentials", tag = "credentials", params(CredentialFilter),
    responses((status = 200, body = CredentialList), ApiError)))]
pub(crate) async fn list_credentials(
    State(server): State<AppState>,
    Query(filter): Query<CredentialFilter>,
) -> Result<Json<CredentialList>, ApiError> {
    let rows = server
        .store
        .credentials(filter.kind.as_deref(), filter.q.as_deref())
        .await?;
    Ok(Json(CredentialList {
        // Secrets of keychains have their own list.
        items: rows
            .into_iter()
            .filter(|row| row.kind != KEYCHAIN)
            .map(item)
            .collect(),
        filter,
    }))
}

/// Get a credential by name or id
#[cfg_attr(feature = "openapi", utoipa::path(get, path = "/api/credentials/{name}", tag = "credentials", params(("name" = String, Path), CredentialQuery),
    responses((status = 200, body = CredentialItem), ApiError)))]
pub(crate) async fn get_credential(
    State(server): State<AppState>,
    Path(name): Path<String>,
    Query(query): Query<CredentialQuery>,
) -> Result<Json<CredentialItem>, ApiError> {
    let row = find(&server, &name).await?;
    let name = row.name.clone();
    let mut item = item(row);
    if query.include_data.unwrap_or(false) {
        let credential = server.credentials.get(&name).await?;
        item.data = credential.map(|credential| credential.data);
    }
    Ok(Json(item))
}

/// Delete a credential
#[cfg_attr(feature = "openapi", utoipa::path(delete, path = "/api/credentials/{name}", tag = "credentials", params(("name" = String, Path)),
    responses((status = 200, body = CredentialDeleted), ApiError)))]
pub(crate) async fn delete_credential(
    State(server): State<AppState>,
    Path(name): Path<String>,
) -> Result<Json<CredentialDeleted>, ApiError> {
    let row = find(&server, &name).await?;
    server.store.delete_credential(row.id).await?;
    Ok(Json(CredentialDeleted {
        status: DeleteStatus::Deleted,
        name: row.name,
    }))
}

/// Test whether a credential can be read and, for PostgreSQL, whether the database accepts it
#[cfg_attr(feature = "openapi", utoipa::path(post, path = "/api/credentials/{name}/test", tag = "credentials", params(("name" = String, Path)),
    responses((status = 200, body = CredentialTest), ApiError)))]
pub(crate) async fn test(
    State(server): State<AppState>,
    Path(name): Path<String>,
) -> Result<Json<CredentialTest>, ApiError> {
    let row = find(&server, &name).await?;
    if let Err(error) = server.credentials.get(&row.name).await {
        let message = error.to_string();
        return Ok(Json(CredentialTest { ok: false, message }));
    }
    if row.kind != "postgres" {
        let message = format!(
            "it can be read; whether a service accepts a `{}` credential is not tested",
            row.kind
        );
        return Ok(Json(CredentialTest { ok: true, message }));
    }
    let answer = server.sql.test_postgres(&row.name).await;
    Ok(Json(match answer {
        Ok(()) => CredentialTest {
            ok: true,
            message: "the database accepted it".to_owned(),
        },
        Err(failure) => CredentialTest {
            ok: false,
            message: failure.message,
        },
    }))
}
