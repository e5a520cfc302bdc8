//! `/metrics`: what this process counts, for whoever may see it.

use std::net::IpAddr;
use std::sync::Arc;

use api::headers::Peer;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use futures_util::future::BoxFuture;
use http::header::{CONTENT_TYPE, ORIGIN};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::client::Networks;

/// Where the figures are.
pub const PATH: &str = "/metrics";

/// The format's name, as Prometheus reads it.
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

/// How headers begin that somebody who passes a request on for somebody else writes into it.
/// What begins likewise is one as well.
const PASSED_ON: [&str; 16] = [
    "cdn-loop",
    "cf-",
    "cloudfront-",
    "fastly-client-ip",
    "fly-client-ip",
    "forwarded",
    "true-client-ip",
    "via",
    "x-amzn-trace-id",
    "x-azure-",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-envoy-",
    "x-forwarded",
    "x-original-",
    "x-real-ip",
];

/// Where a browser writes how the page that asks and what it asks for belong together. Beside
/// `cross-site` there is `same-site`: any other server on this machine.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// What it writes there when a person asked, or a page of ours.
const OWN_SITES: [&str; 2] = ["none", "same-origin"];

/// The figures and who may see them. Cheap to clone.
#[derive(Clone)]
pub struct Figures {
    write: Arc<dyn Fn() -> BoxFuture<'static, String> + Send + Sync>,
    seen_from: Arc<Networks>,
}

impl Figures {
    /// Figures that are written by a function, for requests from these networks.
    pub fn new(
        write: impl Fn() -> BoxFuture<'static, String> + Send + Sync + 'static,
        seen_from: &[String],
    ) -> Self {
        Self { write: Arc::new(write), seen_from: Arc::new(Networks::new(seen_from)) }
    }

    /// Whether a request may see them, whose client is `client`: `None` if nobody knows, or if
    /// a proxy of ours says nothing of whom it speaks for.
    ///
    /// A proxy that nobody has declared stands on this machine, mostly: what it passes on comes
    /// from nobody knows where, and is not its own. One that writes nothing at all into what it
    /// passes on cannot be told from a reader on this machine.
    ///
    /// A page in a browser on this machine is from anywhere: it sees nothing of them either.
    #[must_use]
    pub fn may_see(&self, request: &Request, client: Option<IpAddr>) -> bool {
        let peer = request.extensions().get::<Peer>().map(|Peer(address)| *address);
        let (Some(client), Some(peer)) = (client, peer) else { return false };
        let by_a_stranger = peer == client && is_passed_on(request.headers());
        // To a proxy elsewhere its own machine is what it calls so, and not this one.
        let on_its_machine = is_loopback(client) && !is_loopback(peer);
        self.seen_from.contains(client)
            && !by_a_stranger
            && !on_its_machine
            && !is_of_a_page(request.headers())
    }

    /// Them.
    pub async fn answer(&self) -> Response {
        let mut response = Response::new(Body::from((self.write)().await));
        response.headers_mut().insert(CONTENT_TYPE, TEXT);
        response
    }
}

/// Whether somebody has passed a request on who says so in any way.
fn is_passed_on(headers: &HeaderMap) -> bool {
    let mut names = headers.keys().map(HeaderName::as_str);
    names.any(|name| PASSED_ON.iter().any(|beginning| name.starts_with(beginning)))
}

/// Whether a browser asks on behalf of a page of somebody else. Of a person who
/// types the address in it says so, and of a page of ours.
fn is_of_a_page(headers: &HeaderMap) -> bool {
    let site = headers.get(SEC_FETCH_SITE);
    headers.contains_key(ORIGIN)
        || site.is_some_and(|site| !OWN_SITES.iter().any(|own| site == own))
}

fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

#[cfg(test)]
mod tests {
    use crate::client::Proxies;

    use super::*;

    /// Whether this machine's networks may see what comes from a peer with these headers,
    /// where some proxies are declared.
    fn seen(trusted: &[&str], peer: &str, headers: &[(&str, &str)]) -> bool {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        let here: Vec<String> = owned(&["127.0.0.0/8", "::1"]);
        let figures = Figures::new(|| Box::pin(async { String::new() }), &here);
        let mut request = Request::new(Body::empty());
        for (name, value) in headers {
            let name = name.parse::<HeaderName>().unwrap();
            request.headers_mut().insert(name, HeaderValue::from_str(value).unwrap());
        }
        let (peer, trusted): (IpAddr, Vec<String>) = (peer.parse().unwrap(), owned(trusted));
        request.extensions_mut().insert(Peer(peer));
        let client = Proxies::new(&trusted).stranger(peer, request.headers());
        figures.may_see(&request, client)
    }

    #[test]
    fn this_machine_may_see_them_and_a_stranger_may_not() {
        for here in ["127.0.0.1", "127.0.0.2", "::1", "::ffff:127.0.0.1"] {
            assert!(seen(&[], here, &[("host", "x"), ("user-agent", "y")]), "{here}");
        }
        assert!(!seen(&[], "192.0.2.1", &[]));
        assert!(!seen(&[], "192.0.2.1", &[("x-forwarded-for", "127.0.0.1")]));
    }

    #[test]
    fn what_is_passed_on_in_any_way_is_not_this_machines() {
        for (name, value) in [
            ("forwarded", "for=203.0.113.9"),
            ("x-forwarded-for", "127.0.0.1"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "tickets.example.org"),
            ("x-forwarded-port", "443"),
            ("x-forwarded-server", "a"),
            ("x-real-ip", "203.0.113.9"),
            ("x-client-ip", "203.0.113.9"),
            ("x-original-host", "tickets.example.org"),
            ("true-client-ip", "203.0.113.9"),
            ("cf-connecting-ip", "203.0.113.9"),
            ("cf-ray", "230b030023ae2822-SJC"),
            ("cdn-loop", "cloudflare"),
            ("x-envoy-external-address", "203.0.113.9"),
            ("via", "1.1 a"),
        ] {
            assert!(!seen(&[], "127.0.0.1", &[(name, value)]), "{name}");
        }
    }

    #[test]
    fn a_page_in_a_browser_on_this_machine_is_not_this_machine() {
        let site = |site| seen(&[], "127.0.0.1", &[("sec-fetch-site", site)]);
        assert!(!site("cross-site") && !site("same-site") && !site("whatever is next"));
        assert!(site("none"), "a person");
        assert!(site("same-origin"), "a page of ours");
        for origin in ["https://a.example", "null"] {
            assert!(!seen(&[], "127.0.0.1", &[("origin", origin)]), "{origin}");
        }
    }

    #[test]
    fn a_proxy_of_ours_has_to_say_for_whom_it_speaks() {
        let for_whom =
            |trusted: &[&str], peer, whom| seen(trusted, peer, &[("x-forwarded-for", whom)]);
        let local = ["127.0.0.1"];
        assert!(!seen(&local, "127.0.0.1", &[]), "a word of nobody");
        assert!(!seen(&local, "127.0.0.1", &[("x-real-ip", "127.0.0.2")]), "not our header");
        assert!(!for_whom(&local, "127.0.0.1", "127.0.0.1"), "one proxy behind another");
        assert!(!for_whom(&local, "127.0.0.1", "\u{fc}"), "nobody who can be read");
        assert!(!for_whom(&local, "127.0.0.1", "203.0.113.9"));
        assert!(for_whom(&local, "127.0.0.1", "127.0.0.2"));
        assert!(seen(&local, "127.0.0.2", &[]), "somebody else on this machine");
        assert!(!for_whom(&["10.0.0.1"], "10.0.0.1", "127.0.0.1"), "another machine's own");
    }
}
