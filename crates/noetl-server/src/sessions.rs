//! Who is known: callers with the token, and web pages with the cookie of a session that the token began.

use std::sync::Arc;

use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, COOKIE};

use crate::store::{Store, StoreError};
use crate::vault::{VaultError, hash_of, new_secret, same_secret};

/// The name of the cookie.
pub(crate) const NAME: &str = "noetl_session";
/// How long a session lasts, in seconds.
const SECONDS: i64 = 7 * 24 * 60 * 60;

/// The token and the sessions of a server.
#[derive(Debug, Clone)]
pub(crate) struct Sessions {
    store: Store,
    /// None when callers need no token.
    token: Option<Arc<str>>,
}

/// What a request says of its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Caller {
    /// It has the token or a session, or needs none.
    Known,
    /// It says nothing.
    Anonymous,
    /// It has a token or a session that is not one of this server.
    Wrong,
}

/// Why a session did not begin.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SessionError {
    /// The token is another one.
    #[error("the token is wrong")]
    WrongToken,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The system has no random bytes.
    #[error(transparent)]
    Random(#[from] VaultError),
}

impl Sessions {
    pub(crate) fn new(store: Store, token: Option<Arc<str>>) -> Self {
        Self { store, token }
    }

    /// Whether callers need a token or a session.
    pub(crate) fn are_required(&self) -> bool {
        self.token.is_some()
    }

    /// Returns what a request's headers say of its caller.
    pub(crate) async fn caller(&self, headers: &HeaderMap) -> Result<Caller, StoreError> {
        let Some(token) = &self.token else {
            return Ok(Caller::Known);
        };
        let bearer = bearer_of(headers);
        if bearer.is_some_and(|given| same_secret(given, token)) {
            return Ok(Caller::Known);
        }
        let mut has_cookie = false;
        for cookie in cookies_of(headers) {
            has_cookie = true;
            let now = self.store.clock().now();
            let hashes = (hash_of(cookie), hash_of(token));
            if self.store.has_session(&hashes.0, &hashes.1, now).await? {
                return Ok(Caller::Known);
            }
        }
        Ok(if has_cookie || headers.contains_key(AUTHORIZATION) {
            Caller::Wrong
        } else {
            Caller::Anonymous
        })
    }

    /// Begins a session for a caller with the token, and returns its cookie; none when no token is needed.
    pub(crate) async fn begin(&self, given: &str) -> Result<Option<String>, SessionError> {
        let Some(token) = &self.token else {
            return Ok(None);
        };
        if !same_secret(given, token) {
            return Err(SessionError::WrongToken);
        }
        let value = new_secret()?.replace(['+', '/', '='], "_");
        let now = self.store.clock().now();
        let expires_at = now + SECONDS * 1000;
        self.store
            .insert_session(&hash_of(&value), &hash_of(token), now, expires_at)
            .await?;
        Ok(Some(cookie(&value, SECONDS)))
    }

    /// Ends the sessions of a request, and returns a cookie that removes theirs.
    pub(crate) async fn end(&self, headers: &HeaderMap) -> Result<String, StoreError> {
        for value in cookies_of(headers) {
            self.store.delete_session(&hash_of(value)).await?;
        }
        Ok(cookie("", 0))
    }
}

fn cookie(value: &str, seconds: i64) -> String {
    format!("{NAME}={value}; HttpOnly; SameSite=Strict; Path=/; Max-Age={seconds}")
}

fn bearer_of(headers: &HeaderMap) -> Option<&str> {
    let header = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, given) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| given.trim())
}

/// The values of this server's cookie. Those of other programs on the same host are not looked at.
fn cookies_of(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().strip_prefix(NAME)?.strip_prefix('='))
}
