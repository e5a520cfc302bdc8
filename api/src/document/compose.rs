//! Chapters and the table of routes → the document.

use std::collections::{BTreeMap, BTreeSet};

use http::Method;
use utoipa::ToSchema;
use utoipa::openapi::extensions::Extensions;
use utoipa::openapi::path::{
    HttpMethod, Operation as Written, OperationBuilder, ParameterBuilder, ParameterIn, PathItem,
};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{
    Components, ContentBuilder, Header, HeaderBuilder, Info, OpenApi, OpenApiBuilder, PathsBuilder,
    Ref, RefOr, Required, Response, ResponseBuilder,
};

use super::schemas::{Shape, any_text, problem_of, string};
use super::{Chapter, Operation};
use crate::headers::KEY_CHARS;
use crate::problem::{ErrorCode, PROBLEM_JSON, Problem};
use crate::routes::{Access, Route};

/// The one way to say who one is.
const BEARER: &str = "bearer";

/// The headers that several answers have: name, what they say, an example.
const HEADERS: [(&str, &str, &str); 10] = [
    ("X-Request-Id", "Identifies the request in logs. Sent along, it is taken over.", "3f0c"),
    (
        "RateLimit-Policy",
        "What one address or person may ask for: requests at once, and seconds until all of \
         them are back. Missing when limits are off.",
        "\"user\";q=500;w=10",
    ),
    (
        "RateLimit",
        "What is left of it, and in how many seconds all is back. Missing when limits are off.",
        "\"user\";r=499;t=1",
    ),
    ("Retry-After", "In so many seconds another try makes sense.", "1"),
    ("WWW-Authenticate", "How to say who one is.", "Bearer"),
    ("Idempotency-Key", "The key of this write; made here if none was sent.", "a-key-of-mine"),
    ("Idempotency-Replayed", "`true` if this repeats an earlier answer.", "true"),
    ("ETag", "The version, for `If-Match`.", "\"1\""),
    ("Link", "The next page, if there is one.", "</events?cursor=AbC>; rel=\"next\""),
    (
        "Availability-As-Of",
        "As of when the live counts are, when booking could not be asked.",
        "2030-05-01T10:00:00.000Z",
    ),
];

/// Those that are there whenever they are listed.
const ALWAYS: [&str; 4] = ["X-Request-Id", "Idempotency-Key", "ETag", "WWW-Authenticate"];

/// What the chapters and the table do not have in common, a sentence each.
#[must_use]
pub fn differences(routes: &[Route], chapters: &[Chapter]) -> Vec<String> {
    let named = |method: &Method, path: &str| format!("{method} {path}");
    let table: BTreeSet<_> = routes.iter().map(|route| named(&route.method, route.path)).collect();
    let described: Vec<_> = operations(chapters).map(|one| named(&one.method, one.path)).collect();
    let unique: BTreeSet<_> = described.iter().cloned().collect();
    let mut found: Vec<String> = Vec::new();
    found.extend(table.difference(&unique).map(|route| format!("{route} is not described")));
    found.extend(unique.difference(&table).map(|route| format!("{route} is not a route")));
    if unique.len() < described.len() {
        found.push("a route is described twice".to_owned());
    }
    let ids: BTreeSet<_> = operations(chapters).map(|one| one.id).collect();
    if ids.len() < described.len() {
        found.push("two operations have the same id".to_owned());
    }
    found
}

fn operations(chapters: &[Chapter]) -> impl Iterator<Item = &Operation> {
    chapters.iter().flat_map(|chapter| &chapter.operations)
}

/// The document of these routes. A route without a description is left out; that there is
/// none such [`differences`] tells.
#[must_use]
pub fn compose(info: Info, routes: &[Route], chapters: &[Chapter]) -> OpenApi {
    let mut refusals = BTreeMap::new();
    let mut paths = PathsBuilder::new();
    for route in routes {
        let found = chapters.iter().find_map(|chapter| {
            let of = |one: &&Operation| one.method == route.method && one.path == route.path;
            Some((chapter, chapter.operations.iter().find(of)?))
        });
        if let Some((chapter, operation)) = found
            && let Some(method) = method(&route.method)
        {
            let written = written(chapter.tag, route.access, operation, &mut refusals);
            paths = paths.path(route.path, PathItem::new(method, written));
        }
    }
    let tags = chapters
        .iter()
        .map(|chapter| TagBuilder::new().name(chapter.tag).description(Some(chapter.says)).build());
    OpenApiBuilder::new()
        .info(info)
        .paths(paths)
        .components(Some(components(chapters, refusals)))
        .tags(Some(tags))
        .build()
}

const fn method(method: &Method) -> Option<HttpMethod> {
    Some(match *method {
        Method::GET => HttpMethod::Get,
        Method::POST => HttpMethod::Post,
        Method::PUT => HttpMethod::Put,
        Method::PATCH => HttpMethod::Patch,
        Method::DELETE => HttpMethod::Delete,
        _ => return None,
    })
}

fn components(chapters: &[Chapter], refusals: BTreeMap<String, Response>) -> Components {
    let mut components = Components::new();
    components
        .schemas
        .insert(Problem::name().into_owned(), <Problem as utoipa::PartialSchema>::schema());
    let mut schemas: Vec<(String, Shape)> = Vec::new();
    Problem::schemas(&mut schemas);
    schemas.extend(chapters.iter().flat_map(|chapter| chapter.schemas.clone()));
    components.schemas.extend(schemas);
    components.responses.extend(refusals.into_iter().map(|(name, one)| (name, RefOr::T(one))));
    let headers = HEADERS.map(|(name, says, example)| {
        (name.to_owned(), header(says, example, ALWAYS.contains(&name)))
    });
    components.headers.extend(headers.map(|(name, header)| (name, RefOr::T(header))));
    for parameter in [key_parameter(), if_match_parameter()] {
        components.parameters.insert(parameter.name.clone(), RefOr::T(parameter));
    }
    let mut bearer = Http::new(HttpAuthScheme::Bearer);
    bearer.bearer_format = Some("JWT".to_owned());
    bearer.description = Some("The `access_token` of `POST /auth/login`.".to_owned());
    components.add_security_scheme(BEARER, SecurityScheme::Http(bearer));
    components
}

/// That something is always there: `utoipa` has no word for it in headers.
fn required() -> Extensions {
    [("required", true)].into_iter().collect()
}

fn header(says: &str, example: &str, always: bool) -> Header {
    let any = any_text().examples([example]);
    let mut header = HeaderBuilder::new().schema(Some(any)).description(Some(says)).build();
    if always {
        header.extensions = Some(required());
    }
    header
}

fn key_parameter() -> utoipa::openapi::path::Parameter {
    let says = "1 to 255 visible ASCII characters. The same key and body get the first success \
                again, byte for byte, for at least a day.";
    ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(says))
        .schema(Some(string(&(1..=KEY_CHARS)).pattern(Some("^[!-~]+$"))))
        .build()
}

fn if_match_parameter() -> utoipa::openapi::path::Parameter {
    let says = "Only if the version is still this one: an `ETag` that was answered, or `*`.";
    ParameterBuilder::new()
        .name("If-Match")
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(says))
        .schema(Some(any_text().examples(["\"1\"", "*"])))
        .build()
}

/// One operation as the document has it.
fn written(
    tag: &str,
    access: Access,
    one: &Operation,
    refusals: &mut BTreeMap<String, Response>,
) -> Written {
    let mut operation = OperationBuilder::new()
        .tag(tag)
        .operation_id(Some(one.id))
        .summary(Some(one.summary))
        .description(description(access, one))
        .parameters(Some(one.parameters.clone()))
        .request_body(one.body.clone());
    let header_parameters = [(one.keyed, "Idempotency-Key"), (one.if_match, "If-Match")];
    for (_, name) in header_parameters.into_iter().filter(|(wanted, _)| *wanted) {
        operation = operation.parameter_ref(Ref::new(format!("#/components/parameters/{name}")));
    }
    if access != Access::Anyone {
        operation = operation.security(SecurityRequirement::new(BEARER, [] as [&str; 0]));
    }
    for (status, answer) in &one.answers {
        let mut answer = ResponseBuilder::from(answer.clone());
        for name in headers_of_success(one) {
            answer = answer.header_ref(name, header_ref(name));
        }
        operation = operation.response(status.to_string(), answer);
    }
    for (status, codes) in by_status(access, one) {
        let names: Vec<&str> = codes.iter().map(|code| code.as_str()).collect();
        let name = format!("{status}.{}", names.join("."));
        refusals.entry(name.clone()).or_insert_with(|| refusal(status, &codes));
        operation = operation.response(status.to_string(), Ref::from_response_name(name));
    }
    operation.build()
}

fn description(access: Access, one: &Operation) -> Option<String> {
    let who = match access {
        Access::Anyone | Access::Person => None,
        Access::Owner => Some("For its owner and administrators; to others it is not there."),
        Access::Named => Some("For the person that the path names and administrators."),
        Access::Admin => Some("For administrators."),
        Access::Organizer => Some("For the event's organizer and administrators."),
    };
    let parts: Vec<&str> = one.says.into_iter().chain(who).collect();
    (!parts.is_empty()).then(|| parts.join(" "))
}

fn header_ref(name: &str) -> Ref {
    Ref::new(format!("#/components/headers/{name}"))
}

fn headers_of_success(one: &Operation) -> Vec<&'static str> {
    let mut names = vec!["X-Request-Id"];
    if !one.own {
        names.extend(["RateLimit-Policy", "RateLimit"]);
    }
    if one.keyed {
        names.extend(["Idempotency-Key", "Idempotency-Replayed"]);
    }
    names
}

/// The codes that an operation may answer, by their status.
fn by_status(access: Access, one: &Operation) -> BTreeMap<u16, Vec<ErrorCode>> {
    use ErrorCode as Code;

    let mut codes: Vec<Code> = one.codes.clone();
    if !one.own {
        codes.extend([Code::InvalidHeader, Code::TooManyRequests, Code::Overloaded]);
        codes.extend([Code::Unavailable, Code::Timeout, Code::Internal]);
        if one.method != Method::GET {
            codes.push(Code::OutcomeUnknown);
        }
    }
    match access {
        Access::Anyone => {}
        Access::Person => codes.push(Code::Unauthorized),
        Access::Owner => codes.extend([Code::Unauthorized, Code::NotFound]),
        Access::Admin => codes.extend([Code::Unauthorized, Code::Forbidden]),
        Access::Named | Access::Organizer => {
            codes.extend([Code::Unauthorized, Code::Forbidden, Code::NotFound]);
        }
    }
    let has = |place| one.parameters.iter().any(|parameter| parameter.parameter_in == place);
    if has(ParameterIn::Path) {
        codes.push(Code::NotFound);
    }
    if has(ParameterIn::Query) {
        codes.extend([Code::InvalidQuery, Code::ValidationFailed]);
    }
    if one.body.is_some() {
        codes.extend([Code::InvalidJson, Code::BadRequest, Code::ValidationFailed]);
        codes.extend([Code::PayloadTooLarge, Code::UnsupportedMediaType, Code::RequestTimeout]);
    }
    if one.keyed {
        codes.extend([Code::KeyReused, Code::TooManyKeys, Code::ProjectionBehind]);
    }
    if one.if_match {
        codes.push(Code::PreconditionFailed);
    }
    let mut by_status: BTreeMap<u16, Vec<Code>> = BTreeMap::new();
    // In the order of the table of codes, each once.
    for code in Code::ALL.iter().filter(|code| codes.contains(code)) {
        by_status.entry(code.status().as_u16()).or_default().push(*code);
    }
    by_status
}

/// What is answered instead of what was wanted.
fn refusal(status: u16, codes: &[ErrorCode]) -> Response {
    let lines: Vec<String> =
        codes.iter().map(|code| format!("`{}`: {}", code.as_str(), code.title())).collect();
    let content = ContentBuilder::new().schema(Some(problem_of(codes))).build();
    let mut response = ResponseBuilder::new()
        .description(format!("{}.", lines.join(". ")))
        .content(PROBLEM_JSON, content)
        .header_ref("X-Request-Id", header_ref("X-Request-Id"));
    if matches!(status, 429 | 503) {
        response = response.header_ref("Retry-After", header_ref("Retry-After"));
    }
    if status == 401 {
        response = response.header_ref("WWW-Authenticate", header_ref("WWW-Authenticate"));
    }
    response.build()
}
