//! `--admin`: health, metrics and state over HTTP.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_io::Async;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use pleach_smol::Handle;
use smol::Executor;
use smol_hyper::rt::{FuturesIo, SmolTimer};

use super::error::{Exit, Failure};
use super::metrics::{self, Observed};

/// Connections at once; more are closed unanswered.
const CONNECTIONS_MAX: usize = 32;
/// For the headers of a request.
const HEADER_TIMEOUT: Duration = Duration::from_secs(5);
/// For all that happens on a connection.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(60);
/// The event loop is healthy if it turns within this time.
const HEALTHY_WITHIN: Duration = Duration::from_secs(5);

/// An open admin listener.
#[derive(Debug)]
pub(crate) struct Admin {
    listener: Async<TcpListener>,
    local: SocketAddr,
}

/// Opens the listener at `address`: HOST:PORT, or a port, which is opened on loopback.
pub(crate) fn bind(address: &str) -> Result<Admin, Failure> {
    let failed = |why: String| {
        Failure::new(Exit::Failed, "admin-address", format!("cannot serve --admin on {address}: {why}"))
            .hint("give HOST:PORT, or a port of loopback; port 0 takes a free one")
    };
    let found = match address.trim_start_matches(':').parse() {
        Ok(port) => vec![SocketAddr::from((Ipv4Addr::LOCALHOST, port))],
        Err(_) => address.to_socket_addrs().map_err(|error| failed(error.to_string()))?.collect(),
    };
    let listener = TcpListener::bind(found.as_slice()).and_then(Async::new);
    let listener = listener.map_err(|error| failed(error.to_string()))?;
    let local = listener.get_ref().local_addr().map_err(|error| failed(error.to_string()))?;
    if !local.ip().is_loopback() {
        tracing::warn!(%local, "the admin pages are open to the network");
    }
    Ok(Admin { listener, local })
}

impl Admin {
    pub(crate) const fn local(&self) -> SocketAddr {
        self.local
    }

    /// Answers requests about the machine behind `handle` until the process ends.
    pub(crate) async fn serve<N: Observed>(self, handle: Handle<N>, executor: Arc<Executor<'static>>) {
        let open = Arc::new(AtomicUsize::new(0));
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) if open.load(Ordering::Relaxed) < CONNECTIONS_MAX => {
                    open.fetch_add(1, Ordering::Relaxed);
                    let (handle, open) = (handle.clone(), Arc::clone(&open));
                    executor
                        .spawn(async move {
                            smol::future::or(connection(stream, handle), async {
                                async_io::Timer::after(CONNECTION_TIMEOUT).await;
                            })
                            .await;
                            open.fetch_sub(1, Ordering::Relaxed);
                        })
                        .detach();
                }
                Ok(_) => {}
                Err(error) => {
                    tracing::debug!(%error, "admin: cannot accept");
                    async_io::Timer::after(Duration::from_millis(100)).await;
                }
            }
        }
    }
}

async fn connection<N: Observed>(stream: Async<TcpStream>, handle: Handle<N>) {
    let service = service_fn(|request| answer(request, handle.clone()));
    let served = http1::Builder::new()
        .timer(SmolTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .serve_connection(FuturesIo::new(stream), service)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "admin: connection failed");
    }
}

async fn answer<N: Observed>(
    request: Request<Incoming>,
    handle: Handle<N>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    if request.method() != Method::GET {
        let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "only GET\n".into());
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET"));
        return Ok(response);
    }
    let page = async {
        match request.uri().path() {
            "/healthz" => handle.inspect(|_| ()).await.ok().map(|()| text(StatusCode::OK, "ok\n".into())),
            "/metrics" => handle.inspect(metrics::render).await.ok().map(metrics_page),
            path => match N::PAGES.iter().find(|known| **known == path) {
                Some(path) => {
                    let body = handle.inspect(|view| view.machine.page(path)).await.ok()?;
                    Some(page(StatusCode::OK, "application/json", body.to_string()))
                }
                None => Some(text(StatusCode::NOT_FOUND, table_of_contents(N::PAGES))),
            },
        }
    };
    let late = async {
        async_io::Timer::after(HEALTHY_WITHIN).await;
        None
    };
    let unhealthy = || text(StatusCode::SERVICE_UNAVAILABLE, "the event loop does not turn\n".into());
    Ok(smol::future::or(page, late).await.unwrap_or_else(unhealthy))
}

fn table_of_contents(pages: &[&str]) -> String {
    let known = ["/healthz", "/metrics"];
    let paths = known.iter().chain(pages).map(|path| format!("{path}\n"));
    format!("there are:\n{}", paths.collect::<String>())
}

fn metrics_page(body: String) -> Response<Full<Bytes>> {
    page(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", body)
}

fn text(status: StatusCode, body: String) -> Response<Full<Bytes>> {
    page(status, "text/plain; charset=utf-8", body)
}

fn page(status: StatusCode, kind: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
