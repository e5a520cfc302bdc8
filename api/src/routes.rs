//! Routes with who may call them: the router and its table are made by the same lines,
//! so there is no route that the table does not know.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::handler::Handler;
use axum::routing::{MethodFilter, on};
use http::Method;

use crate::problem::{no_such_method, no_such_path};

/// Who may call a route. What the routes themselves check, said once, so that it can be
/// compared with what they do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    /// Everybody, without a token.
    Anyone,
    /// Whoever has a good token; it concerns nobody else.
    Person,
    /// The owner of the object in the path, or an admin. To everybody else it is not
    /// there: 404.
    Owner,
    /// The person that the path names, or an admin; everybody else gets 403.
    Named,
    /// The organizer of the event in path or body, or an admin; everybody else gets 403.
    Organizer,
    /// Admins; everybody else gets 403.
    Admin,
}

/// One method of one path.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Route {
    /// Its method.
    pub method: Method,
    /// Its path, variable parts in braces, as the router has it.
    pub path: &'static str,
    /// Who may call it.
    pub access: Access,
}

/// The methods that figures and traces tell apart; the last stands for all others, as anybody
/// can make up new ones.
pub const METHODS: [&str; 8] =
    ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "other"];

/// The place of a method in [`METHODS`].
#[must_use]
pub fn place_of(method: &Method) -> usize {
    let place = METHODS.iter().position(|known| *known == method.as_str());
    place.unwrap_or(METHODS.len() - 1)
}

/// A router in the making, and the table of what is in it.
pub struct Routes<S> {
    router: Router<S>,
    table: Vec<Route>,
}

impl<S: Clone + Send + Sync + 'static> Routes<S> {
    /// None yet.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "a default router would say nothing")]
    pub fn new() -> Self {
        Self { router: Router::new(), table: Vec::new() }
    }

    /// Add a GET route, which answers HEAD as well.
    #[must_use]
    pub fn get<H: Handler<T, S>, T: 'static>(
        self,
        path: &'static str,
        access: Access,
        handler: H,
    ) -> Self {
        self.add(Method::GET, MethodFilter::GET, path, access, handler)
    }

    /// Add a POST route.
    #[must_use]
    pub fn post<H: Handler<T, S>, T: 'static>(
        self,
        path: &'static str,
        access: Access,
        handler: H,
    ) -> Self {
        self.add(Method::POST, MethodFilter::POST, path, access, handler)
    }

    /// Add a PUT route.
    #[must_use]
    pub fn put<H: Handler<T, S>, T: 'static>(
        self,
        path: &'static str,
        access: Access,
        handler: H,
    ) -> Self {
        self.add(Method::PUT, MethodFilter::PUT, path, access, handler)
    }

    /// Add a PATCH route.
    #[must_use]
    pub fn patch<H: Handler<T, S>, T: 'static>(
        self,
        path: &'static str,
        access: Access,
        handler: H,
    ) -> Self {
        self.add(Method::PATCH, MethodFilter::PATCH, path, access, handler)
    }

    /// Add a DELETE route.
    #[must_use]
    pub fn delete<H: Handler<T, S>, T: 'static>(
        self,
        path: &'static str,
        access: Access,
        handler: H,
    ) -> Self {
        self.add(Method::DELETE, MethodFilter::DELETE, path, access, handler)
    }

    fn add<H: Handler<T, S>, T: 'static>(
        mut self,
        method: Method,
        filter: MethodFilter,
        path: &'static str,
        access: Access,
        handler: H,
    ) -> Self {
        self.router = self.router.route(path, on(filter, handler));
        self.table.push(Route { method, path, access });
        self
    }

    /// Every route there is.
    #[must_use]
    pub fn table(self) -> Vec<Route> {
        self.table
    }

    /// The router: with Problems where there is no such path or method, and bodies of at
    /// most `body_bytes`.
    pub fn into_router(self, body_bytes: usize, state: S) -> Router {
        self.router
            .fallback(no_such_path)
            .method_not_allowed_fallback(no_such_method)
            .layer(DefaultBodyLimit::max(body_bytes))
            .with_state(state)
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use http::{Request, StatusCode};
    use tower::ServiceExt;

    use super::*;

    fn routes() -> Routes<()> {
        Routes::new().get("/things/{id}", Access::Anyone, async || "read").delete(
            "/things/{id}",
            Access::Owner,
            async || "gone",
        )
    }

    #[tokio::test]
    async fn the_table_is_what_the_router_has() {
        let router = routes().into_router(10, ());
        for Route { method, path, .. } in routes().table() {
            let request = Request::builder().method(&method).uri(path.replace("{id}", "1"));
            let answer = router.clone().oneshot(request.body(Body::empty()).unwrap()).await;
            assert_eq!(answer.unwrap().status(), StatusCode::OK, "{method} {path}");
        }
        let request = Request::post("/things/1").body(Body::empty()).unwrap();
        let answer = router.oneshot(request).await.unwrap();
        assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED);
    }
}
