//! Decides which requests may use the API.
//!
//! Without a token, a server on a loopback address answers everybody, since only this machine reaches it. A web page of
//! another site that a browser on this machine shows is kept out: only loopback's own names are answered, and requests
//! of another origin cannot change anything. With a token, a request needs it, in a header or as the cookie of a
//! session. A caller with the token is never refused for what others do.

mod limits;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::{HOST, ORIGIN, RETRY_AFTER};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use self::limits::Limits;
use crate::error::ApiError;
use crate::sessions::{Caller, Sessions};

/// What decides about requests.
#[derive(Debug)]
pub(crate) struct Gate {
    sessions: Sessions,
    loopback: bool,
    /// Names besides loopback's own that are answered on a loopback address.
    allowed_hosts: Vec<String>,
    limits: Limits,
}

impl Gate {
    pub(crate) fn new(address: SocketAddr, allowed_hosts: Vec<String>, sessions: Sessions) -> Self {
        Self {
            sessions,
            loopback: address.ip().is_loopback(),
            allowed_hosts,
            limits: Limits::default(),
        }
    }
}

/// Why a request is refused.
enum Refusal {
    Because(ApiError),
    /// It comes too early; it may come again after this time.
    TooEarly(Duration, ApiError),
}

impl From<ApiError> for Refusal {
    fn from(error: ApiError) -> Self {
        Self::Because(error)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Self::Because(error) => error.into_response(),
            Self::TooEarly(wait, error) => {
                let seconds = wait.as_secs().max(1).to_string();
                ([(RETRY_AFTER, seconds)], error).into_response()
            }
        }
    }
}

/// Answers a request, or refuses it with the reason.
pub(crate) async fn guard(State(gate): State<Arc<Gate>>, request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    let peer = peer.map(|info| info.0.ip());
    let signs_in = is_sign_in(&request);
    if let Err(error) = check_names(&gate, &request) {
        return error.into_response();
    }
    let caller = match gate.sessions.caller(request.headers()).await {
        Ok(caller) => caller,
        Err(error) => return ApiError::from(error).into_response(),
    };
    if let Err(refusal) = admit(&gate, request.uri().path(), caller, peer) {
        return refusal.into_response();
    }
    let response = next.run(request).await;
    if signs_in && response.status() == StatusCode::UNAUTHORIZED {
        return wrong_token(&gate, peer).map_or_else(IntoResponse::into_response, |()| response);
    }
    response
}

/// Refuses requests that a web page of another site makes a browser send.
fn check_names(gate: &Gate, request: &Request) -> Result<(), ApiError> {
    let host = host_of(request);
    let is_answered = |host: &str| {
        let mut allowed = gate.allowed_hosts.iter();
        is_loopback_name(host) || allowed.any(|allowed| is_named(host, allowed))
    };
    if gate.loopback && !host.as_deref().is_some_and(is_answered) {
        let error = ApiError::new(
            StatusCode::MISDIRECTED_REQUEST,
            "this server answers only to localhost, 127.0.0.1 and [::1]",
        );
        return Err(error.help(
            "use one of these names; for a proxy on this machine, name its hosts in NOETL_ALLOWED_HOSTS when the server \
             starts, or its address with --public-url",
        ));
    }
    let changes = !matches!(
        *request.method(),
        Method::GET | Method::HEAD | Method::OPTIONS
    );
    if changes && !origin_fits(request.headers(), host.as_deref()) {
        return Err(ApiError::new(
            StatusCode::FORBIDDEN,
            "requests of another origin cannot change anything on this server",
        ));
    }
    Ok(())
}

/// Refuses callers that need a token and have none, and those that send too much.
fn admit(gate: &Gate, path: &str, caller: Caller, peer: Option<IpAddr>) -> Result<(), Refusal> {
    let is_required = gate.sessions.are_required();
    if is_required && caller == Caller::Known {
        return Ok(());
    }
    if !gate.limits.count_request(peer) {
        let error = ApiError::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too many requests within one second",
        );
        return Err(Refusal::TooEarly(Duration::from_secs(1), error));
    }
    if !is_required || is_open(path) {
        return Ok(());
    }
    if caller == Caller::Wrong {
        wrong_token(gate, peer)?;
    }
    Err(
        ApiError::new(StatusCode::UNAUTHORIZED, "this server requires its token")
            .help(
                "set NOETL_API_TOKEN to the token; the server prints the token's file when it starts",
            )
            .into(),
    )
}

/// Counts a wrong token. Fails when it comes too early after others.
fn wrong_token(gate: &Gate, peer: Option<IpAddr>) -> Result<(), Refusal> {
    gate.limits.count_failure(peer).map_err(|wait| {
        let error = ApiError::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too many wrong tokens from this address",
        );
        let help = format!(
            "wait for {} seconds, or use the right token",
            wait.as_secs().max(1)
        );
        Refusal::TooEarly(wait, error.help(help))
    })
}

/// Whether a path needs no token: health, metrics, the page's files, and signing in.
fn is_open(path: &str) -> bool {
    !path.starts_with("/api/") || matches!(path, "/api/health" | "/api/session")
}

/// Whether a request signs in. It needs no token, and a wrong one in its body counts as well.
fn is_sign_in(request: &Request) -> bool {
    request.method() == Method::POST && request.uri().path() == "/api/session"
}

fn host_of(request: &Request) -> Option<String> {
    let header = request
        .headers()
        .get(HOST)
        .and_then(|value| value.to_str().ok());
    header.or_else(|| request.uri().host()).map(str::to_owned)
}

/// Returns a host without its port and without brackets.
fn name_of(host: &str) -> &str {
    match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    }
}

/// Whether a host is the allowed one, which may have a port.
fn is_named(host: &str, allowed: &str) -> bool {
    allowed.eq_ignore_ascii_case(host) || allowed.eq_ignore_ascii_case(name_of(host))
}

fn is_loopback_name(host: &str) -> bool {
    let name = name_of(host);
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
