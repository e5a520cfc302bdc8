//! What is answered to whoever opens the address in a browser: a start page, and the API's
//! document to read and to try out. Each page is one file without anything from elsewhere,
//! so it works offline, and its policy lets in nothing but its own two parts, by their
//! digests.

use axum::body::{Body, Bytes};
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::header::{
    ACCEPT, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use sha2::{Digest, Sha256};

/// What this is.
pub(crate) const START: &str = "/";

/// The document, as JSON.
pub(crate) const DOCUMENT: &str = "/openapi.json";

/// The document, to read.
pub(crate) const DOCS: &str = "/docs";

/// The paths that are answered here.
pub(crate) const PATHS: [&str; 3] = [START, DOCUMENT, DOCS];

/// To be asked each time, and answered with 304 as long as nothing has changed.
const REVALIDATE: HeaderValue = HeaderValue::from_static("no-cache");

const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// For programs that ask for what is here.
const INDEX: &str = "{\"name\":\"EventFlow\",\"document\":\"/openapi.json\",\"docs\":\"/docs\",\
                     \"events\":\"/events\",\"health\":\"/health\",\"ready\":\"/readyz\"}";

/// Something that does not change while the process runs.
#[derive(Clone)]
struct Fixed {
    kind: HeaderValue,
    bytes: Bytes,
    etag: HeaderValue,
    policy: Option<HeaderValue>,
}

/// The pages. Made once.
pub(crate) struct Pages {
    start: Fixed,
    index: Fixed,
    docs: Fixed,
    document: Option<Fixed>,
}

impl Pages {
    /// The pages that there always are.
    pub(crate) fn new() -> Self {
        let style = include_str!("pages/style.css");
        Self {
            start: Fixed::page(
                include_str!("pages/start.html"),
                style,
                include_str!("pages/start.js"),
            ),
            index: Fixed::new(JSON, Bytes::from_static(INDEX.as_bytes()), None),
            docs: Fixed::page(
                include_str!("pages/docs.html"),
                style,
                include_str!("pages/docs.js"),
            ),
            document: None,
        }
    }

    /// With a document.
    pub(crate) fn set_document(&mut self, document: Bytes) {
        self.document = Some(Fixed::new(JSON, document, None));
    }

    /// The answer for one of [`PATHS`]; `None` for every other path.
    pub(crate) fn answer(&self, path: &str, headers: &HeaderMap) -> Option<Response> {
        let fixed = match path {
            START if wants_json(headers) => &self.index,
            START => &self.start,
            DOCS => &self.docs,
            DOCUMENT => self.document.as_ref()?,
            _ => return None,
        };
        let mut response = fixed.answer(headers);
        if path == START {
            response.headers_mut().insert(VARY, HeaderValue::from_static("accept"));
        }
        Some(response)
    }
}

impl Fixed {
    fn new(kind: HeaderValue, bytes: Bytes, policy: Option<HeaderValue>) -> Self {
        let digest = URL_SAFE_NO_PAD.encode(&Sha256::digest(&bytes)[..12]);
        let etag = HeaderValue::from_str(&format!("\"{digest}\"")).expect("letters and digits");
        Self { kind, bytes, etag, policy }
    }

    /// A page with its style and its script in it, and a policy that lets in just these.
    fn page(frame: &str, style: &str, script: &str) -> Self {
        let html = frame.replace("/*STYLE*/", style).replace("/*SCRIPT*/", script);
        let digest = |text: &str| STANDARD.encode(Sha256::digest(text.as_bytes()));
        let policy = format!(
            "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; \
             connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; \
             frame-ancestors 'none'",
            digest(style),
            digest(script),
        );
        let policy = HeaderValue::from_str(&policy).expect("visible ASCII");
        Self::new(HTML, Bytes::from(html), Some(policy))
    }

    fn answer(&self, headers: &HeaderMap) -> Response {
        let mut response = if self.is_known(headers) {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            response
        } else {
            let mut response = Response::new(Body::from(self.bytes.clone()));
            response.headers_mut().insert(CONTENT_TYPE, self.kind.clone());
            response
        };
        let mut put = |name: HeaderName, value: HeaderValue| {
            response.headers_mut().insert(name, value);
        };
        put(ETAG, self.etag.clone());
        put(CACHE_CONTROL, REVALIDATE);
        if let Some(policy) = &self.policy {
            put(CONTENT_SECURITY_POLICY, policy.clone());
        }
        response
    }

    /// Whether the client has it already.
    fn is_known(&self, headers: &HeaderMap) -> bool {
        let ours = self.etag.as_bytes();
        headers.get_all(IF_NONE_MATCH).iter().any(|value| {
            let mut tags = value.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
            tags.any(|tag| tag == b"*" || tag == ours || tag.strip_prefix(b"W/") == Some(ours))
        })
    }
}

/// Whether a program asks and not a browser. A browser asks for HTML by name; who asks for
/// anything gets the page too.
fn wants_json(headers: &HeaderMap) -> bool {
    let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or("");
    let names = |wanted: &str| accept.split(',').any(|part| essence(part) == wanted);
    names("application/json") && !names("text/html")
}

fn essence(part: &str) -> &str {
    part.split(';').next().unwrap_or("").trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(path: &str, headers: &[(HeaderName, &str)]) -> Response {
        let mut pages = Pages::new();
        pages.set_document(Bytes::from_static(b"{}"));
        let headers = headers
            .iter()
            .map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap()))
            .collect();
        pages.answer(path, &headers).unwrap()
    }

    fn header(response: &Response, name: HeaderName) -> &str {
        response.headers()[name].to_str().unwrap()
    }

    #[test]
    fn a_page_lets_in_nothing_but_its_own_parts() {
        for path in [START, DOCS] {
            let response = ask(path, &[]);
            let policy = header(&response, CONTENT_SECURITY_POLICY).to_owned();
            assert!(policy.starts_with("default-src 'none'; "), "{policy}");
            assert!(!policy.contains("unsafe"), "{policy}");
            assert_eq!(header(&response, CONTENT_TYPE), "text/html; charset=utf-8");
        }
    }

    #[test]
    fn pages_are_whole_and_name_no_other_place() {
        let pages = Pages::new();
        for page in [&pages.start, &pages.docs] {
            let html = std::str::from_utf8(&page.bytes).unwrap();
            for left_over in ["/*STYLE*/", "/*SCRIPT*/"] {
                assert!(!html.contains(left_over), "{left_over}");
            }
            for elsewhere in ["src=", "http://", "https://", " style=\"", " onclick=", "innerHTML"]
            {
                assert!(!html.contains(elsewhere), "{elsewhere}");
            }
            assert!(html.len() < 128 * 1024, "{}", html.len());
        }
    }

    #[test]
    fn who_has_it_already_is_told_so() {
        for path in PATHS {
            let first = ask(path, &[]);
            let etag = header(&first, ETAG).to_owned();
            for tags in [etag.clone(), format!("W/{etag}"), format!("\"x\", {etag}"), "*".into()] {
                let again = ask(path, &[(IF_NONE_MATCH, &tags)]);
                assert_eq!(again.status(), StatusCode::NOT_MODIFIED, "{path} {tags}");
                assert_eq!(header(&again, ETAG), etag);
            }
            assert_eq!(ask(path, &[(IF_NONE_MATCH, "\"x\"")]).status(), StatusCode::OK);
        }
    }

    #[test]
    fn programs_get_an_index_and_browsers_a_page() {
        let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
        for (accept, kind) in [
            (browser, "text/html; charset=utf-8"),
            ("*/*", "text/html; charset=utf-8"),
            ("application/json", "application/json"),
            ("application/json;q=0.9, */*;q=0.1", "application/json"),
            ("application/json, text/html", "text/html; charset=utf-8"),
        ] {
            let response = ask(START, &[(ACCEPT, accept)]);
            assert_eq!(header(&response, CONTENT_TYPE), kind, "{accept}");
            assert_eq!(header(&response, VARY), "accept");
        }
    }

    #[test]
    fn without_a_document_there_is_none() {
        assert!(Pages::new().answer(DOCUMENT, &HeaderMap::new()).is_none());
        assert!(Pages::new().answer("/events", &HeaderMap::new()).is_none());
    }
}
