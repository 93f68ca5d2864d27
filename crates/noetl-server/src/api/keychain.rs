//! `/api/keychain`: secrets of one playbook, which may expire.
//!
//! They are credentials of a type of their own, which lists of credentials leave out.

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use noetl_api::catalog::DeleteStatus;
use noetl_api::credential::{
    CredentialDeleted, KeychainItem, KeychainList, KeychainRequest, KeychainStatus,
};
use serde::{Deserialize, Serialize};

use super::extract::{Body, Path, check_name, parse_id};
use super::state::AppState;
use crate::clock;
use crate::credentials::{KEYCHAIN, NewCredential};
use crate::error::ApiError;
use crate::store::CredentialRow;

/// The routes of keychains.
pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/api/keychain/catalog/{catalog_id}", get(list_secrets))
        .route(
            "/api/keychain/{catalog_id}/{name}",
            get(get_secret).post(put).delete(delete_secret),
        )
}

/// The metadata of a secret.
#[derive(Debug, Serialize, Deserialize)]
struct Meta {
    expires_at: Option<i64>,
    cache_type: String,
}

fn key(catalog_id: i64, name: &str) -> String {
    format!("{KEYCHAIN}/{catalog_id}/{name}")
}

fn missing(name: &str) -> ApiError {
    ApiError::not_found(format!("the keychain has no `{name}`, or it has expired"))
}

fn item(row: &CredentialRow) -> Option<KeychainItem> {
    let meta: Meta = serde_json::from_str(&row.meta).ok()?;
    if meta.expires_at.is_some_and(|end| end <= clock::now_ms()) {
        return None;
    }
    let mut parts = row.name.splitn(3, '/').skip(1);
    Some(KeychainItem {
        status: KeychainStatus::Success,
        catalog_id: parts.next()?.to_owned(),
        keychain_name: parts.next()?.to_owned(),
        cache_type: meta.cache_type,
        expires_at: meta.expires_at.map(clock::rfc3339),
        data: None,
    })
}

/// Store a secret of a playbook
#[cfg_attr(feature = "openapi", utoipa::path(post, path = "/api/keychain/{catalog_id}/{name}", tag = "credentials", request_body = KeychainRequest,
    params(("catalog_id" = String, Path), ("name" = String, Path)),
    responses((status = 200, body = KeychainItem), ApiError)))]
pub(crate) async fn put(
    State(server): State<AppState>,
    Path((catalog_id, name)): Path<(String, String)>,
    Body(request): Body<KeychainRequest>,
) -> Result<Json<KeychainItem>, ApiError> {
    check_name("secret's name", &name)?;
    let catalog_id = parse_id(&catalog_id, "catalog entry")?;
    let meta = Meta {
        expires_at: request
            .ttl_seconds
            .map(|seconds| clock::now_ms() + i64::from(seconds) * 1000),
        cache_type: request.cache_type.unwrap_or_else(|| "secret".to_owned()),
    };
    let row = server
        .credentials
        .put(NewCredential {
            name: key(catalog_id, &name),
            kind: KEYCHAIN.to_owned(),
            data: request.data,
            meta: serde_json::to_string(&meta).unwrap_or_default(),
            tags: "[]".to_owned(),
            description: None,
        })
        .await?;
    Ok(Json(item(&row).ok_or_else(|| missing(&name))?))
}

/// Get a secret of a playbook, with its data
#[cfg_attr(feature = "openapi", utoipa::path(get, path = "/api/keychain/{catalog_id}/{name}", tag = "credentials",
    params(("catalog_id" = String, Path), ("name" = String, Path)),
    responses((status = 200, body = KeychainItem), ApiError)))]
pub(crate) async fn get_secret(
    State(server): State<AppState>,
    Path((catalog_id, name)): Path<(String, String)>,
) -> Result<Json<KeychainItem>, ApiError> {
    let full = key(parse_id(&catalog_id, "catalog entry")?, &name);
    let row = server
        .store
        .credential(&full)
        .await?
        .ok_or_else(|| missing(&name))?;
    let mut item = item(&row).ok_or_else(|| missing(&name))?;
    let credential = server.credentials.get(&full).await?;
    item.data = credential.map(|credential| credential.data);
    Ok(Json(item))
}

/// Delete a secret of a playbook
#[cfg_attr(feature = "openapi", utoipa::path(delete, path = "/api/keychain/{catalog_id}/{name}", tag = "credentials",
    params(("catalog_id" = String, Path), ("name" = String, Path)),
    responses((status = 200, body = CredentialDeleted), ApiError)))]
pub(crate) async fn delete_secret(
    State(server): State<AppState>,
    Path((catalog_id, name)): Path<(String, String)>,
) -> Result<Json<CredentialDeleted>, ApiError> {
    let full = key(parse_id(&catalog_id, "catalog entry")?, &name);
    let row = server
        .store
        .credential(&full)
        .await?
        .ok_or_else(|| missing(&name))?;
    server.store.delete_credential(row.id).await?;
    Ok(Json(CredentialDeleted {
        status: DeleteStatus::Deleted,
        name,
    }))
}

/// List the secrets of a playbook
#[cfg_attr(feature = "openapi", utoipa::path(get, path = "/api/keychain/catalog/{catalog_id}", tag = "credentials", params(("catalog_id" = String, Path)),
    responses((status = 200, body = KeychainList), ApiError)))]
pub(crate) async fn list_secrets(
    State(server): State<AppState>,
    Path(catalog_id): Path<String>,
) -> Result<Json<KeychainList>, ApiError> {
    let prefix = key(parse_id(&catalog_id, "catalog entry")?, "");
    let rows = server.store.credentials(Some(KEYCHAIN), None).await?;
    let entries: Vec<_> = rows
        .iter()
        .filter(|row| row.name.starts_with(&prefix))
        .filter_map(item)
        .collect();
    Ok(Json(KeychainList {
        catalog_id,
        count: entries.len(),
        entries,
    }))
}
