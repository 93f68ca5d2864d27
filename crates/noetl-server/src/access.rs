//! Decides which requests may use the API.
//!
//! On a loopback address no token is needed, since only this machine reaches it. A web page of another site that
//! a browser on this machine shows is kept out: only loopback's own names are answered, and requests of another
//! origin cannot change anything. On other addresses a request needs the token, in a header or as the cookie
//! that the web page exchanged it for.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, COOKIE as COOKIE_HEADER, HOST, ORIGIN, RETRY_AFTER};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::error::ApiError;
use crate::vault::{same_secret, session_of};

/// The cookie of a session.
pub(crate) const COOKIE: &str = "noetl_session";
/// How many wrong tokens an address may send before it is locked out.
const WRONG_TOKENS: usize = 20;
/// How long an address is locked out.
const LOCK_OUT: Duration = Duration::from_secs(60);
/// How many requests are answered in one second, over all callers.
const RATE: u32 = 5_000;

/// The token, and the counts that limit requests.
#[derive(Debug)]
pub(crate) struct Gate {
    /// None when callers need no token.
    token: Option<Arc<str>>,
    loopback: bool,
    rate: Mutex<(Option<Instant>, u32)>,
    wrong: Mutex<std::collections::HashMap<IpAddr, (Instant, usize)>>,
}

impl Gate {
    pub(crate) fn new(address: SocketAddr, token: Option<Arc<str>>) -> Self {
        Self {
            token,
            loopback: address.ip().is_loopback(),
            rate: Mutex::new((None, 0)),
            wrong: Mutex::default(),
        }
    }

    /// Counts a request, and returns whether it is within this second's limit.
    fn count_request(&self) -> bool {
        let mut rate = self.rate.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if rate
            .0
            .is_none_or(|since| now.duration_since(since) >= Duration::from_secs(1))
        {
            *rate = (Some(now), 0);
        }
        rate.1 += 1;
        rate.1 <= RATE
    }

    fn is_locked_out(&self, peer: Option<IpAddr>) -> bool {
        let Some(peer) = peer else { return false };
        let mut wrong = self.wrong.lock().unwrap_or_else(PoisonError::into_inner);
        wrong.retain(|_, (since, _)| since.elapsed() < LOCK_OUT);
        wrong
            .get(&peer)
            .is_some_and(|(_, count)| *count >= WRONG_TOKENS)
    }

    fn count_wrong_token(&self, peer: Option<IpAddr>) {
        let Some(peer) = peer else { return };
        let mut wrong = self.wrong.lock().unwrap_or_else(PoisonError::into_inner);
        wrong.entry(peer).or_insert_with(|| (Instant::now(), 0)).1 += 1;
    }
}

/// Answers a request, or refuses it with the reason.
pub(crate) async fn guard(State(gate): State<Arc<Gate>>, request: Request, next: Next) -> Response {
    let peer = request
        .extensions()
        .get::<axum::extract::ConnectInfo<SocketAddr>>()
        .map(|info| info.0.ip());
    let signs_in = is_sign_in(&request);
    match admit(&gate, &request, peer) {
        Ok(()) => {
            let response = next.run(request).await;
            if signs_in && response.status() == StatusCode::UNAUTHORIZED {
                gate.count_wrong_token(peer);
            }
            response
        }
        Err(error) if error.status == StatusCode::TOO_MANY_REQUESTS => {
            ([(RETRY_AFTER, "1")], error).into_response()
        }
        Err(error) => error.into_response(),
    }
}

fn admit(gate: &Gate, request: &Request, peer: Option<IpAddr>) -> Result<(), ApiError> {
    let path = request.uri().path();
    let headers = request.headers();
    let host = host_of(request);
    if gate.loopback && !host.as_deref().is_some_and(is_loopback_name) {
        return Err(ApiError::new(
            StatusCode::MISDIRECTED_REQUEST,
            "this server answers only to localhost, 127.0.0.1 and [::1]",
        )
        .help("use one of these names, or start the server with --host and a token"));
    }
    if !gate.count_request() {
        return Err(ApiError::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too many requests within one second",
        ));
    }
    let changes = !matches!(
        *request.method(),
        Method::GET | Method::HEAD | Method::OPTIONS
    );
    if changes && !origin_fits(headers, host.as_deref()) {
        return Err(ApiError::new(
            StatusCode::FORBIDDEN,
            "requests of another origin cannot change anything on this server",
        ));
    }
    let Some(token) = &gate.token else {
        return Ok(());
    };
    if is_open(path) && !is_sign_in(request) {
        return Ok(());
    }
    if gate.is_locked_out(peer) {
        return Err(ApiError::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too many wrong tokens from this address",
        )
        .help("wait a minute"));
    }
    if is_sign_in(request) || carries(headers, token) {
        return Ok(());
    }
    if headers.contains_key(AUTHORIZATION) || headers.contains_key(COOKIE_HEADER) {
        gate.count_wrong_token(peer);
    }
    Err(
        ApiError::new(StatusCode::UNAUTHORIZED, "this server requires its token").help(
            "set NOETL_API_TOKEN to the token; the server prints the token's file when it starts",
        ),
    )
}

/// Whether a path needs no token: health, metrics, the page's files, and signing in.
fn is_open(path: &str) -> bool {
    !path.starts_with("/api/") && path != "/docs" || matches!(path, "/api/health" | "/api/session")
}

/// Whether a request signs in. It needs no token, and a wrong one in its body counts as well.
fn is_sign_in(request: &Request) -> bool {
    request.method() == Method::POST && request.uri().path() == "/api/session"
}

/// Whether a request has the token, in a header or as a session's cookie.
pub(crate) fn carries(headers: &HeaderMap, token: &str) -> bool {
    let bearer = headers
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    let bearer = bearer.and_then(|value| {
        value
            .strip_prefix("Bearer ")
            .or_else(|| value.strip_prefix("bearer "))
    });
    if bearer.is_some_and(|given| same_secret(given.trim(), token)) {
        return true;
    }
    let session = session_of(token);
    headers
        .get_all(COOKIE_HEADER)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().strip_prefix(COOKIE)?.strip_prefix('='))
        .any(|given| same_secret(given, &session))
}

fn host_of(request: &Request) -> Option<String> {
    let header = request
        .headers()
        .get(HOST)
        .and_then(|value| value.to_str().ok());
    header.or_else(|| request.uri().host()).map(str::to_owned)
}

fn is_loopback_name(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost")
        || name
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

/// Whether a request's origin is this server. Only browsers send an origin.
fn origin_fits(headers: &HeaderMap, host: Option<&str>) -> bool {
    let Some(origin) = headers.get(ORIGIN) else {
        return true;
    };
    let authority = origin
        .to_str()
        .ok()
        .and_then(|origin| origin.split_once("://"))
        .map(|(_, authority)| authority);
    authority.is_some()
        && authority.map(str::to_ascii_lowercase) == host.map(str::to_ascii_lowercase)
}
