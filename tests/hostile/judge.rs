//! What a refusal must look like.

use harness::client::Response;

/// What must be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Expect {
    pub(crate) status: u16,
    pub(crate) code: &'static str,
    /// The field that is listed as wrong.
    pub(crate) field: Option<&'static str>,
    /// Whether others are listed too.
    others: bool,
}

impl Expect {
    /// A status with its code.
    pub(crate) const fn problem(status: u16, code: &'static str) -> Self {
        Self { status, code, field: None, others: false }
    }

    /// 422 for this field and no other.
    pub(crate) const fn field(field: &'static str) -> Self {
        Self { status: 422, code: "validation_failed", field: Some(field), others: false }
    }

    /// 422 for this field, perhaps among others.
    pub(crate) const fn among(field: &'static str) -> Self {
        Self { others: true, ..Self::field(field) }
    }
}

pub(crate) const NOT_JSON: Expect = Expect::problem(400, "invalid_json");
pub(crate) const BAD_QUERY: Expect = Expect::problem(400, "invalid_query");
pub(crate) const BAD_HEADER: Expect = Expect::problem(400, "invalid_header");
pub(crate) const NO_TOKEN: Expect = Expect::problem(401, "unauthorized");
pub(crate) const FORBIDDEN: Expect = Expect::problem(403, "forbidden");
pub(crate) const NOT_FOUND: Expect = Expect::problem(404, "not_found");
pub(crate) const TOO_LARGE: Expect = Expect::problem(413, "payload_too_large");
pub(crate) const WRONG_TYPE: Expect = Expect::problem(415, "unsupported_media_type");
pub(crate) const INVALID: Expect = Expect::problem(422, "validation_failed");

/// What is wrong with an answer that should be this refusal; `None` if nothing is.
pub(crate) fn wrong(answer: &Response, expect: Expect) -> Option<String> {
    let body = answer.json();
    let text = |name: &str| body[name].as_str().unwrap_or_default();
    let Expect { status, code, field, others } = expect;
    let mut wrong = Vec::new();
    if answer.status.as_u16() != status {
        wrong.push(format!("status {} and not {status}", answer.status.as_u16()));
    }
    if answer.header("content-type") != "application/problem+json" {
        wrong.push(format!("content type {:?}", answer.header("content-type")));
    }
    if text("code") != code {
        wrong.push(format!("code {:?} and not {code}", text("code")));
    }
    if body["status"] != answer.status.as_u16() || !body["retryable"].is_boolean() {
        wrong.push("status or retryable is missing in the body".to_owned());
    }
    if text("title").is_empty() || text("type").is_empty() || !text("detail").ends_with('.') {
        wrong.push("title, type or detail is not a sentence".to_owned());
    }
    if answer.header("x-request-id").is_empty() {
        wrong.push("no request id".to_owned());
    }
    if status == 401 && code == "unauthorized" && answer.header("www-authenticate") != "Bearer" {
        wrong.push("no WWW-Authenticate".to_owned());
    }
    if let Some(field) = field {
        let errors = body["errors"].as_array().cloned().unwrap_or_default();
        let named: Vec<&str> = errors.iter().filter_map(|e| e["field"].as_str()).collect();
        let told = errors.iter().all(|e| e["detail"].as_str().is_some_and(|d| !d.is_empty()));
        let alone = named.iter().all(|name| *name == field);
        if !told || !named.contains(&field) || !(alone || others) {
            wrong.push(format!("errors of {named:?} and not of {field}"));
        }
    }
    if wrong.is_empty() {
        return None;
    }
    let body = String::from_utf8_lossy(&answer.body);
    let shown: String = body.chars().take(400).collect();
    Some(format!("{}: {shown}", wrong.join(", ")))
}

/// All that was wrong in one test, so that one run shows it all.
#[derive(Default)]
pub(crate) struct Verdicts {
    judged: usize,
    wrong: Vec<String>,
}

impl Verdicts {
    /// Judges an answer; `what` names the call and what was bad about it.
    pub(crate) fn judge(&mut self, what: &str, answer: &Response, expect: Expect) {
        self.judged += 1;
        if let Some(wrong) = wrong(answer, expect) {
            self.wrong.push(format!("{what}: {wrong}"));
        }
    }

    /// Notes something else that is wrong.
    pub(crate) fn check(&mut self, right: bool, what: impl FnOnce() -> String) {
        self.judged += 1;
        if !right {
            self.wrong.push(what());
        }
    }

    /// # Panics
    /// When something was wrong, or too little was judged to prove anything.
    #[track_caller]
    pub(crate) fn finish(&self, at_least: usize) {
        let (judged, wrong) = (self.judged, self.wrong.len());
        assert!(self.wrong.is_empty(), "{wrong} of {judged}:\n{}", self.wrong.join("\n"));
        assert!(judged >= at_least, "only {judged} were judged, not {at_least}");
    }
}
