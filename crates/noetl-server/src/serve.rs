//! The server: binds its listener, answers requests, and stops in order.

#[cfg(test)]
mod fuzz;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use socket2::{Domain, Socket, Type};
use tokio::net::{TcpListener, lookup_host};

use crate::access::{self, Gate};
use crate::api::{self, About, AppState};
use crate::clock;
use crate::connections::{self, Connections, Limits};
use crate::sessions::Sessions;
use crate::sql::Sql;
use crate::start::{Config, Ready, StartError};
use crate::ui::{self, UiSource};

/// NoETL's port; it is also in the build stamp and in the image's configuration.
pub const DEFAULT_PORT: u16 = 8082;

/// Why the server could not start listening.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// The host is not an address, and its name cannot be resolved.
    #[error("cannot resolve host `{host}`")]
    Host {
        /// The host as given.
        host: String,
        /// The resolver's error.
        source: io::Error,
    },
    /// Another program listens there.
    #[error("port {} is already in use on {}", address.port(), address.ip())]
    InUse {
        /// The address that is taken.
        address: SocketAddr,
    },
    /// The operating system refused the address.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address that was asked for.
        address: SocketAddr,
        /// The system's error.
        source: io::Error,
    },
    /// The server could not be prepared.
    #[error(transparent)]
    Start(#[from] StartError),
}

/// A server that listens but does not answer yet.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    router: Router,
    connections: Arc<Connections>,
    ready: Ready,
}

impl Server {
    /// Resolves the host, binds the port and prepares the server.
    ///
    /// # Errors
    /// Fails when the host cannot be resolved, the port cannot be bound, or the store cannot be used.
    pub async fn bind(config: Config) -> Result<Self, BindError> {
        let listener = listen(&config.host, config.port).await?;
        let address = listener.local_addr().map_err(|source| BindError::Host {
            host: config.host.clone(),
            source,
        })?;
        let ready = Ready::new(&config, address).await?;
        let about = About {
            build: config.build,
            name: config.name,
            data_dir: config.store.data_dir,
            started_at: clock::now_ms(),
        };
        let connections = Connections::new(Limits::of_descriptors(config.descriptors));
        let sessions = Sessions::new(ready.store.clone(), ready.token.clone());
        let state = AppState {
            store: ready.store.clone(),
            ids: Arc::clone(&ready.ids),
            executions: Arc::clone(&ready.executions),
            credentials: ready.credentials.clone(),
            sql: Arc::new(Sql::new(ready.credentials.clone(), config.tools)),
            about: Arc::new(about),
            sessions: sessions.clone(),
            readiness: Arc::default(),
            connections: Arc::clone(&connections),
            requests: Arc::default(),
        };
        let gate = Arc::new(Gate::new(address, config.allowed_hosts, sessions));
        Ok(Self {
            listener,
            address,
            router: router(config.ui, state, gate),
            connections,
            ready,
        })
    }

    /// The file of the token that callers need, when the server made the token.
    pub fn token_file(&self) -> Option<&Path> {
        self.ready.token_file.as_deref()
    }

    /// The address in use; when port 0 was asked for, with the port that was taken.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers requests until `stop` completes, then gives open ones half a second.
    pub async fn run(mut self, stop: impl Future<Output = ()> + Send + 'static) {
        self.ready.begin();
        connections::serve(self.listener, self.router, self.connections, stop).await;
        self.ready.end().await;
    }
}

/// Listens on the first address of `host` that works, IPv4 before IPv6: `localhost` may be ::1 first
/// on a machine whose clients try 127.0.0.1 alone.
async fn listen(host: &str, port: u16) -> Result<TcpListener, BindError> {
    let unresolved = |source| BindError::Host {
        host: host.to_owned(),
        source,
    };
    let name = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    let name = name.unwrap_or(host);
    let mut addresses: Vec<_> = lookup_host((name, port))
        .await
        .map_err(unresolved)?
        .collect();
    addresses.sort_by_key(SocketAddr::is_ipv6);
    let mut failure = unresolved(io::Error::from(io::ErrorKind::NotFound));
    for address in addresses {
        match bind_to(address).await {
            Ok(listener) => return Ok(listener),
            // The next address may be free, but some clients would then reach the other program.
            Err(source) if source.kind() == io::ErrorKind::AddrInUse => {
                return Err(BindError::InUse { address });
            }
            Err(source) => failure = BindError::Listen { address, source },
        }
    }
    Err(failure)
}

/// Binds an address. `::` accepts both families, or IPv4 alone where the system has no IPv6.
async fn bind_to(address: SocketAddr) -> io::Result<TcpListener> {
    if address.ip() != IpAddr::V6(Ipv6Addr::UNSPECIFIED) {
        return TcpListener::bind(address).await;
    }
    match bind_both(address) {
        Err(error) if error.kind() != io::ErrorKind::AddrInUse => {
            tracing::warn!(%error, "this system has no IPv6; listening on IPv4 alone");
            TcpListener::bind((Ipv4Addr::UNSPECIFIED, address.port())).await
        }
        bound => bound,
    }
}

/// Binds `::` for both families, whatever the default of the system is.
fn bind_both(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::IPV6, Type::STREAM, None)?;
    socket.set_only_v6(false)?;
    // As tokio does: after a restart, the port is free at once.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(1024)?;
    socket.set_nonblocking(true)?;
    TcpListener::from_std(socket.into())
}

fn router(ui: UiSource, state: AppState, gate: Arc<Gate>) -> Router {
    let requests = Arc::clone(&state.requests);
    api::router(state)
        .merge(ui::router(ui))
        .layer(middleware::from_fn_with_state(gate, access::guard))
        .layer(middleware::from_fn_with_state(requests, log_request))
}

/// One line for each request, under `NOETL_DEBUG`.
async fn log_request(
    State(requests): State<Arc<AtomicU64>>,
    request: Request,
    next: Next,
) -> Response {
    requests.fetch_add(1, Ordering::Relaxed);
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    // A change is completed even when its caller disconnects, since workers and receivers must be notified of
    // what was committed. A request for work ends with its worker, which would not get the commands.
    let response = if method == Method::GET || path == "/api/commands/claim" {
        next.run(request).await
    } else {
        let answer = tokio::spawn(next.run(request)).await;
        answer.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
    };
    tracing::debug!(%method, path, status = response.status().as_u16());
    response
}
