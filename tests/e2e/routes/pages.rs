//! `/`, `/openapi.json`, `/docs`: what is told of the API by the running server itself.

use harness::client::Ask;

use crate::stage::{Stage, granted};

#[tokio::test]
async fn the_document_is_the_one_of_this_program() {
    let mut stage = Stage::new().await;
    let told = granted(stage.ask(Ask::get("/openapi.json")).await, 200);
    let made: serde_json::Value =
        serde_json::from_str(&eventflow::document::openapi_json()).unwrap();
    assert_eq!(told, made);
}

#[tokio::test]
async fn pages_are_for_browsers_and_the_index_for_programs() {
    let mut stage = Stage::new().await;
    for path in ["/", "/docs"] {
        let page = stage.ask(Ask::get(path)).await;
        assert_eq!(page.status.as_u16(), 200, "{path}");
        assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    }
    let asked = Ask::get("/").header("accept", "application/json");
    let index = granted(stage.ask(asked).await, 200);
    for name in ["document", "docs", "events", "health", "ready"] {
        let path = index[name].as_str().unwrap();
        assert_eq!(stage.ask(Ask::get(path)).await.status.as_u16(), 200, "{path}");
    }
}
