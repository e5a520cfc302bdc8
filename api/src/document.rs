//! What the routes of a face say of themselves, and how an OpenAPI 3.1 document is made of
//! it. Answers have schemas derived from their types; readers say theirs beside the code
//! that reads, with the same bounds; who may call a route is in the table of routes.
//!
//! ```text
//! schemas   schemas in few words
//! compose   chapters and the table of routes → the document
//! probe     whether a reader and its schema agree; for tests
//! ```

mod compose;
pub mod probe;
pub mod schemas;

use http::Method;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::{RequestBody, RequestBodyBuilder};
use utoipa::openapi::{
    ContentBuilder, HeaderBuilder, Ref, Required, Response, ResponseBuilder, link::LinkBuilder,
};

pub use compose::{compose, differences};
use schemas::Shape;
pub use utoipa::openapi::{Info, OpenApi};

use crate::problem::ErrorCode;

/// What a document is about; `says` is Markdown.
#[must_use]
pub fn info(title: &str, version: &str, says: &str) -> Info {
    let mut info = Info::new(title, version);
    info.description = Some(says.to_owned());
    info
}

/// Operations about one thing, with the schemas that they need.
#[derive(Clone)]
pub struct Chapter {
    tag: &'static str,
    says: &'static str,
    operations: Vec<Operation>,
    schemas: Vec<(String, Shape)>,
}

/// One method of one path, described. Who may call it and what follows from that is in the
/// table of routes.
#[derive(Clone)]
pub struct Operation {
    method: Method,
    path: &'static str,
    id: &'static str,
    summary: &'static str,
    says: Option<&'static str>,
    parameters: Vec<Parameter>,
    body: Option<RequestBody>,
    answers: Vec<(u16, Response)>,
    codes: Vec<ErrorCode>,
    keyed: bool,
    if_match: bool,
    /// Answered by the gateway itself, before its limits.
    own: bool,
}

impl Chapter {
    /// A chapter without operations.
    #[must_use]
    pub fn new(tag: &'static str, says: &'static str) -> Self {
        Self { tag, says, operations: Vec::new(), schemas: Vec::new() }
    }

    /// With the schema of a type, and those that it needs.
    #[must_use]
    pub fn schema<T: ToSchema>(mut self) -> Self {
        self.schemas.push((T::name().into_owned(), T::schema()));
        T::schemas(&mut self.schemas);
        self
    }

    /// With an operation.
    #[must_use]
    pub fn with(mut self, operation: Operation) -> Self {
        self.operations.push(operation);
        self
    }
}

impl Operation {
    /// An operation that answers nothing yet. The id is a verb and a noun, unique in the
    /// whole document: clients name their functions by it.
    #[must_use]
    pub fn new(
        method: Method,
        path: &'static str,
        id: &'static str,
        summary: &'static str,
    ) -> Self {
        Self {
            method,
            path,
            id,
            summary,
            says: None,
            parameters: Vec::new(),
            body: None,
            answers: Vec::new(),
            codes: Vec::new(),
            keyed: false,
            if_match: false,
            own: false,
        }
    }

    /// A sentence or two on what is special about it.
    #[must_use]
    pub fn says(mut self, says: &'static str) -> Self {
        self.says = Some(says);
        self
    }

    /// With a part of the path that varies.
    #[must_use]
    pub fn path(self, name: &str, says: &str, schema: impl Into<Shape>) -> Self {
        self.parameter(name, ParameterIn::Path, says, schema)
    }

    /// With a parameter of the query, which may be left out.
    #[must_use]
    pub fn query(self, name: &str, says: &str, schema: impl Into<Shape>) -> Self {
        self.parameter(name, ParameterIn::Query, says, schema)
    }

    /// The parameter added last must be there.
    #[must_use]
    pub fn needed(mut self) -> Self {
        if let Some(last) = self.parameters.last_mut() {
            last.required = Required::True;
            last.extensions = None;
        }
        self
    }

    fn parameter(
        mut self,
        name: &str,
        place: ParameterIn,
        says: &str,
        schema: impl Into<Shape>,
    ) -> Self {
        let required = if place == ParameterIn::Path { Required::True } else { Required::False };
        let parameter = ParameterBuilder::new()
            .name(name)
            .parameter_in(place)
            .required(required)
            .description(Some(says))
            .schema(Some(schema));
        let mut parameter = parameter.build();
        if parameter.parameter_in == ParameterIn::Query {
            // An empty one is a missing one. `utoipa` has no word for it.
            parameter.extensions = Some([("allowEmptyValue", true)].into_iter().collect());
        }
        self.parameters.push(parameter);
        self
    }

    /// It takes an `Idempotency-Key`.
    #[must_use]
    pub fn keyed(mut self) -> Self {
        self.keyed = true;
        self
    }

    /// It looks at `If-Match`.
    #[must_use]
    pub fn if_match(mut self) -> Self {
        self.if_match = true;
        self
    }

    /// The gateway answers it itself, whatever the load.
    #[must_use]
    pub fn own(mut self) -> Self {
        self.own = true;
        self
    }

    /// It takes a JSON body, like the example.
    #[must_use]
    pub fn takes(self, schema: impl Into<Shape>, example: Value) -> Self {
        self.takes_as("application/json", schema, example)
    }

    /// It takes a body of this type (too).
    #[must_use]
    pub fn takes_as(mut self, media: &str, schema: impl Into<Shape>, example: Value) -> Self {
        let content = ContentBuilder::new().schema(Some(schema)).example(Some(example)).build();
        let body = self.body.take().map_or_else(RequestBodyBuilder::new, RequestBodyBuilder::from);
        let body = body.required(Some(Required::True)).content(media, content);
        self.body = Some(body.build());
        self
    }

    /// The body may be left out.
    #[must_use]
    pub fn or_nothing(mut self) -> Self {
        if let Some(body) = &mut self.body {
            body.required = Some(Required::False);
        }
        self
    }

    /// It answers JSON with this status.
    #[must_use]
    pub fn answers(self, status: u16, says: &str, schema: impl Into<Shape>) -> Self {
        self.answers_as(status, says, "application/json", schema)
    }

    /// It answers with this status and type.
    #[must_use]
    pub fn answers_as(
        mut self,
        status: u16,
        says: &str,
        media: &str,
        schema: impl Into<Shape>,
    ) -> Self {
        let content = ContentBuilder::new().schema(Some(schema)).build();
        let same = self.answers.iter().position(|(other, _)| *other == status);
        let response = match same {
            Some(index) => ResponseBuilder::from(self.answers.remove(index).1),
            None => ResponseBuilder::new().description(says),
        };
        self.answers.push((status, response.content(media, content).build()));
        self
    }

    /// It answers with this status and no body.
    #[must_use]
    pub fn answers_nothing(mut self, status: u16, says: &str) -> Self {
        self.answers.push((status, Response::new(says)));
        self
    }

    /// The answer added last has this header.
    #[must_use]
    pub fn header(mut self, name: &str, says: &str, schema: impl Into<Shape>) -> Self {
        if let Some((_, last)) = self.answers.last_mut() {
            let header = HeaderBuilder::new().schema(Some(schema)).description(Some(says));
            last.headers.insert(name.to_owned(), header.build().into());
        }
        self
    }

    /// The answer added last has this one of the document's headers.
    fn header_at(mut self, name: &str, place: &str) -> Self {
        if let Some((_, last)) = self.answers.last_mut() {
            let place = Ref::new(format!("#/components/headers/{place}"));
            last.headers.insert(name.to_owned(), utoipa::openapi::RefOr::Ref(place));
        }
        self
    }

    /// The answer added last has the version as `ETag`.
    #[must_use]
    pub fn etag(self) -> Self {
        self.header_at("ETag", "ETag")
    }

    /// The answer added last has a link to the next page, if there is one.
    #[must_use]
    pub fn pages(self) -> Self {
        self.header_at("Link", "Link")
    }

    /// The counts of the answer added last may be of an earlier moment.
    #[must_use]
    pub fn counts(self) -> Self {
        self.header_at("Availability-As-Of", "Availability-As-Of")
    }

    /// What can be done with the answer added last: another operation, with parameters out
    /// of it.
    #[must_use]
    pub fn leads_to(self, id: &str, parameters: &[(&str, &str)]) -> Self {
        self.linked(id, parameters, None)
    }

    /// Likewise, with a body.
    #[must_use]
    pub fn leads_to_with(self, id: &str, body: Value) -> Self {
        self.linked(id, &[], Some(body))
    }

    fn linked(mut self, id: &str, parameters: &[(&str, &str)], body: Option<Value>) -> Self {
        if let Some((_, last)) = self.answers.last_mut() {
            let link = LinkBuilder::new().operation_id(id).request_body(body);
            let link = parameters
                .iter()
                .fold(link, |link, (name, value)| link.parameter(*name, Value::from(*value)));
            last.links.insert(id.to_owned(), link.build().into());
        }
        self
    }

    /// It refuses by these codes, beside those that follow from who may call it, from its
    /// parameters, body and key.
    #[must_use]
    pub fn refuses(mut self, codes: &[ErrorCode]) -> Self {
        self.codes.extend_from_slice(codes);
        self
    }
}
