//! Connections: how many there may be, and how long one may take to send a request.
//!
//! A caller that opens connections and sends nothing, or half a request, must not shut others out. Connections are
//! limited in all and per address; a reserve beyond the limits answers health and metrics alone, so that a server that
//! is full is not taken for one that is dead.

mod limits;

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, Response};
use axum::response::IntoResponse as _;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};

use self::limits::{Admission, Share};
pub(crate) use self::limits::{Connections, Limits};
use crate::error::ApiError;

/// How long a request's head may take, and how long a connection may be idle between two requests.
const HEAD: Duration = Duration::from_secs(10);
/// The same for a connection of the reserve.
const RESERVE_HEAD: Duration = Duration::from_secs(2);
/// How long to wait when the system has no descriptor for a connection.
const NO_DESCRIPTOR: Duration = Duration::from_millis(50);
/// How long open requests may take once the server is told to stop.
const GRACE: Duration = Duration::from_millis(500);

/// Answers requests until `stop` completes, then gives open ones half a second.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    connections: Arc<Connections>,
    stop: impl Future<Output = ()>,
) {
    let graceful = GracefulShutdown::new();
    let mut stop = std::pin::pin!(stop);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stop => break,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                pause_after(&error).await;
                continue;
            }
        };
        // Without room in the reserve, it is closed.
        let Some(admission) = connections.admit(peer.ip()) else {
            continue;
        };
        let connection = connection(stream, peer, router.clone(), &admission);
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%peer, %error, "a connection failed");
            }
            drop(admission);
        });
    }
    drop(listener);
    tokio::select! {
        () = graceful.shutdown() => {}
        () = tokio::time::sleep(GRACE) => {}
    }
}

/// Waits when accepting fails for the lack of something that other connections give back.
async fn pause_after(error: &io::Error) {
    let is_of_connection = matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
    );
    if !is_of_connection {
        tracing::error!(%error, "cannot accept a connection");
        tokio::time::sleep(NO_DESCRIPTOR).await;
    }
}

fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    admission: &Admission,
) -> http1::Connection<TokioIo<TcpStream>, Answers> {
    let share = admission.share();
    let head = match share {
        Share::All => HEAD,
        Share::Reserve => RESERVE_HEAD,
    };
    let answers = Answers {
        router: TowerToHyperService::new(router),
        peer,
        share,
    };
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head)
        .keep_alive(share == Share::All)
        .serve_connection(TokioIo::new(stream), answers)
}

/// Answers the requests of one connection.
struct Answers {
    router: TowerToHyperService<Router>,
    peer: SocketAddr,
    share: Share,
}

type Answer = Result<Response<Body>, Infallible>;

impl Service<Request<Incoming>> for Answers {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = std::pin::Pin<Box<dyn Future<Output = Answer> + Send>>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        let path = request.uri().path();
        let is_answered = matches!(path, "/health" | "/api/health" | "/metrics");
        if self.share == Share::Reserve && !is_answered {
            let error = ApiError::unavailable("the server has no room for more connections")
                .help("try again in a moment");
            return Box::pin(std::future::ready(Ok(error.into_response())));
        }
        request.extensions_mut().insert(ConnectInfo(self.peer));
        Box::pin(self.router.call(request.map(Body::new)))
    }
}
