//! From a URL to a connection: names by hickory (the C library of a static program must not be asked), proxies by the
//! environment.

use crate::error::DialError;
use hickory_resolver::TokioResolver;
use http::{HeaderValue, Uri};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use hyper_util::rt::TokioIo;
use std::error::Error as StdError;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::TcpStream;
use tower_service::Service;

/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// Connects to hosts, or to the proxy that the environment names for them.
#[derive(Clone)]
pub(crate) struct Dialer {
    tcp: HttpConnector<Names>,
    proxies: Arc<Matcher>,
}

impl Dialer {
    /// With the proxies of `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`.
    pub(crate) fn new() -> Self {
        Self::with(Matcher::from_env())
    }

    /// With these proxies.
    pub(crate) fn with(proxies: Matcher) -> Self {
        let mut tcp = HttpConnector::new_with_resolver(Names);
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
        Self { tcp, proxies: Arc::new(proxies) }
    }

    /// What a proxy of plain HTTP wants to be shown with each request.
    pub(crate) fn proxy_authorization(&self, uri: &Uri) -> Option<HeaderValue> {
        let plain = uri.scheme_str() == Some("http");
        plain.then(|| self.proxy(uri)?.basic_auth().cloned()).flatten()
    }

    /// What is on this machine is never asked for through a proxy.
    fn proxy(&self, uri: &Uri) -> Option<Intercept> {
        let host = uri.host()?.trim_matches(['[', ']']);
        let loopback = host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
        if loopback || host == "localhost" { None } else { self.proxies.intercept(uri) }
    }

    async fn dial(mut self, uri: Uri) -> Result<Dialed, DialError> {
        let Some(proxy) = self.proxy(&uri) else {
            let io = self.tcp.call(uri.clone()).await.map_err(|e| tcp_error(&uri, &e))?;
            return Ok(Dialed { io, proxied: false });
        };
        let address = proxy.uri().clone();
        if address.scheme_str() != Some("http") {
            return Err(DialError::ProxyScheme { proxy: address.to_string() });
        }
        if uri.scheme_str() == Some("http") {
            let io = self.tcp.call(address.clone()).await.map_err(|e| tcp_error(&address, &e))?;
            return Ok(Dialed { io, proxied: true });
        }
        let mut tunnel = Tunnel::new(address.clone(), self.tcp);
        if let Some(authorization) = proxy.basic_auth() {
            tunnel = tunnel.with_auth(authorization.clone());
        }
        let refused = |e: &dyn StdError| DialError::Proxy { proxy: address.to_string(), reason: chain(e) };
        let io = tunnel.call(uri).await.map_err(|e| refused(&e))?;
        Ok(Dialed { io, proxied: false })
    }
}

impl Service<Uri> for Dialer {
    type Response = Dialed;
    type Error = DialError;
    type Future = Pin<Box<dyn Future<Output = Result<Dialed, DialError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), DialError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        Box::pin(self.clone().dial(uri))
    }
}

/// Names to addresses. The system's files are read each time: a laptop moves, and nothing is kept meanwhile.
#[derive(Clone)]
struct Names;

impl Service<Name> for Names {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        Box::pin(async move { look_up(name.as_str()).await })
    }
}

async fn look_up(name: &str) -> io::Result<std::vec::IntoIter<SocketAddr>> {
    let resolver =
        TokioResolver::builder_tokio().and_then(|builder| builder.build()).map_err(io::Error::other)?;
    let found = resolver.lookup_ip(name).await.map_err(|error| {
        let unknown = error.is_nx_domain() || error.is_no_records_found();
        if unknown {
            io::Error::new(io::ErrorKind::NotFound, "no such host")
        } else {
            io::Error::other(error)
        }
    })?;
    let addresses: Vec<SocketAddr> = found.iter().map(|address| SocketAddr::new(address, 0)).collect();
    Ok(addresses.into_iter())
}

/// A connection, and whether it ends at a proxy that wants whole URLs.
pub(crate) struct Dialed {
    io: TokioIo<TcpStream>,
    proxied: bool,
}

impl Connection for Dialed {
    fn connected(&self) -> Connected {
        self.io.connected().proxy(self.proxied)
    }
}

impl Read for Dialed {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buffer)
    }
}

impl Write for Dialed {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

/// What the connector says, in Go's words.
fn tcp_error(uri: &Uri, error: &(dyn StdError + 'static)) -> DialError {
    let host = uri.host().unwrap_or_default().to_owned();
    let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("https") { 443 } else { 80 });
    let address = format!("{host}:{port}");
    let cause = causes(error).find_map(|e| e.downcast_ref::<io::Error>());
    match cause {
        Some(cause) if error.to_string().contains("dns") => {
            DialError::Lookup { host, reason: cause.to_string() }
        }
        Some(cause) if cause.kind() == io::ErrorKind::TimedOut => DialError::Timeout { address },
        Some(cause) => DialError::Tcp { address, reason: os_text(cause) },
        None => DialError::Other(chain(error)),
    }
}

/// A system error in the words of strerror(3), in lower case as Go has it.
fn os_text(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_lowercase()
}

/// An error and its causes, also those that an I/O error holds: its `source` is only that one's source.
pub(crate) fn causes<'e>(
    error: &'e (dyn StdError + 'static),
) -> impl Iterator<Item = &'e (dyn StdError + 'static)> {
    let mut next = Some(error);
    std::iter::from_fn(move || {
        let current = next?;
        let held = current.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = held.map(|held| held as &(dyn StdError + 'static)).or_else(|| current.source());
        Some(current)
    })
}

/// An error with all its causes.
pub(crate) fn chain(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text += &format!(": {error}");
        cause = error.source();
    }
    text
}
