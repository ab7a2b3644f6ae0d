//! The table of paths, and what applies to all of them.

use std::net::IpAddr;
use std::sync::Arc;

use hyper::body::{Body, Incoming};
use hyper::header::{ACCEPT, ALLOW, CACHE_CONTROL, HOST, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use hyper::{Method, Request, StatusCode};

use super::budget::Share;
use super::page::Part;
use super::reply::{Reply, text};
use super::site::{Counts, Site};
use super::state::PageCache;
use super::{health, metrics, page, state};
use crate::control::BoxFuture;

/// One path.
struct Route {
    path: &'static str,
    /// Responds to a GET.
    respond: fn(Asked) -> BoxFuture<'static, Reply>,
}

/// A GET of a path.
struct Asked {
    /// What the response is made of.
    site: Arc<Site>,
    /// What all who look at the page share.
    page: Arc<PageCache>,
    /// The header `Accept`.
    accept: Option<String>,
    /// The URL's query without its question mark.
    query: Option<String>,
}

/// All paths. To add one, add an entry; HEAD, other methods and headers are dealt with for all of them.
static ROUTES: &[Route] = &[
    Route { path: "/", respond: |_| Box::pin(async { page::part(Part::Page) }) },
    Route { path: "/page.js", respond: |_| Box::pin(async { page::part(Part::Script) }) },
    Route { path: "/page.css", respond: |_| Box::pin(async { page::part(Part::Style) }) },
    Route { path: "/icon.svg", respond: |_| Box::pin(async { page::part(Part::Icon) }) },
    Route {
        path: "/state.json",
        respond: |asked| Box::pin(async move { state::state(&asked.site, &asked.page).await }),
    },
    Route {
        path: "/explain.json",
        respond: |asked| {
            Box::pin(async move { state::explain(&asked.site, &asked.page, asked.query.as_deref()).await })
        },
    },
    Route {
        path: "/metrics",
        respond: |asked| {
            Box::pin(async move { metrics::metrics(&asked.site, asked.accept.as_deref()).await })
        },
    },
    Route { path: "/healthz", respond: |asked| Box::pin(async move { health::alive(&asked.site).await }) },
    Route { path: "/readyz", respond: |asked| Box::pin(async move { health::ready(&asked.site).await }) },
];

/// Who asks.
#[derive(Clone)]
pub(super) struct Client {
    /// What it asks.
    pub(super) site: Arc<Site>,
    /// What all who look at the page share.
    pub(super) page: Arc<PageCache>,
    /// Whether it came over the loopback interface.
    pub(super) is_loopback: bool,
    /// The memory of its response.
    pub(super) share: Arc<Share>,
}

/// The response to a request. hyper leaves out the body of one to HEAD.
pub(super) async fn respond(request: &Request<Incoming>, client: &Client) -> Reply {
    Counts::add(&client.site.counts.requests);
    let host = request.headers().get(HOST).map(HeaderValue::as_bytes);
    let mut reply = match ROUTES.iter().find(|route| route.path == request.uri().path()) {
        _ if client.is_loopback && !host.is_none_or(is_local) => {
            text(StatusCode::MISDIRECTED_REQUEST, "Ask for this machine by localhost or by its address.\n")
        }
        None => text(StatusCode::NOT_FOUND, &format!("There are: {}\n", paths())),
        Some(route) if matches!(*request.method(), Method::GET | Method::HEAD) => {
            let accept = request.headers().get(ACCEPT).and_then(|accept| accept.to_str().ok());
            let (site, page) = (Arc::clone(&client.site), Arc::clone(&client.page));
            let (accept, query) = (accept.map(str::to_owned), request.uri().query().map(str::to_owned));
            (route.respond)(Asked { site, page, accept, query }).await
        }
        Some(_) => {
            let mut reply = text(StatusCode::METHOD_NOT_ALLOWED, "Nothing can be changed here.\n");
            reply.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            reply
        }
    };
    let octets = reply.body().size_hint().exact().and_then(|octets| usize::try_from(octets).ok());
    if !octets.is_some_and(|octets| client.share.hold(octets)) {
        Counts::add(&client.site.counts.refused);
        reply = text(StatusCode::SERVICE_UNAVAILABLE, "Too many clients are slow to read; try again.\n");
    }
    let headers = reply.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    reply
}

fn paths() -> String {
    ROUTES.iter().map(|route| route.path).collect::<Vec<_>>().join(" ")
}

/// Whether a browser that asks for this host was not led here by a name of somebody else, whose pages could read the
/// responses then (DNS rebinding): it is an address, or localhost.
fn is_local(host: &[u8]) -> bool {
    let Ok(host) = std::str::from_utf8(host) else { return false };
    let is_port = |text: &str| text.bytes().all(|octet| octet.is_ascii_digit());
    let name = match host.rsplit_once(':') {
        Some((name, port)) if is_port(port) && !name.ends_with(':') => name,
        _ => host,
    };
    let inner = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    inner.is_empty() || inner.eq_ignore_ascii_case("localhost") || inner.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_of_somebody_elses_name_reads_nothing() {
        for host in ["localhost", "LocalHost:9477", "127.0.0.1:9477", "127.0.0.1", "[::1]:9477", "[::1]", ""]
        {
            assert!(is_local(host.as_bytes()), "{host}");
        }
        for host in ["evil.example", "evil.example:9477", "127.0.0.1.evil.example:9477", "localhost.evil:1"] {
            assert!(!is_local(host.as_bytes()), "{host}");
        }
        assert!(!is_local(b"\xff\xfe"));
    }
}
