//! `/health`, `/livez`, `/readyz`, and what is not there.

use harness::client::Ask;
use harness::eventually::eventually;
use serde_json::Value;

use crate::stage::{Stage, problem};

/// What is said when all is well. A part that was slow to answer once is asked again within a
/// second.
async fn well(stage: &mut Stage, path: &str) -> Value {
    eventually(path, async || {
        let answer = stage.ask(Ask::get(path)).await;
        (answer.status == 200 && answer.json()["status"] == "ok").then(|| answer.json())
    })
    .await
}

#[tokio::test]
async fn a_running_server_is_healthy_and_ready() {
    let mut stage = Stage::new().await;
    for path in ["/health", "/livez", "/readyz"] {
        let body = well(&mut stage, path).await;
        assert_eq!(body["status"], "ok", "{path}");
    }
}

#[tokio::test]
async fn every_part_is_told_of_and_each_by_itself() {
    let mut stage = Stage::new().await;
    let body = well(&mut stage, "/readyz").await;
    assert_eq!(body["parts"]["gateway"], "ok");
    for part in ["auth", "catalog", "booking", "notification"] {
        assert_eq!(body["parts"][part], "ok", "{body}");
        let alone = well(&mut stage, &format!("/health/{part}")).await;
        assert_eq!(alone["status"], "ok", "{part}");
    }
    problem(stage.ask(Ask::get("/health/nothing")).await, 404, "not_found");
    problem(stage.ask(Ask::post("/health/auth")).await, 405, "method_not_allowed");
}

#[tokio::test]
async fn figures_are_told_on_this_machine() {
    let mut stage = Stage::new().await;
    let answer = stage.ask(Ask::get("/metrics")).await;
    assert_eq!(answer.status, 200);
    assert!(answer.header("content-type").starts_with("text/plain; version=0.0.4"));
    let text = String::from_utf8(answer.body.to_vec()).unwrap();
    assert!(text.contains("\neventflow_build_info{version="), "{text}");
    problem(stage.ask(Ask::post("/metrics")).await, 405, "method_not_allowed");
}

#[tokio::test]
async fn what_is_not_there_is_a_problem_too() {
    let mut stage = Stage::new().await;
    let internal = "/internal/events/0198c0de-0000-7000-8000-0123456789ab/open";
    for path in ["/no/such/path", "/event", "/Events", internal] {
        problem(stage.ask(Ask::get(path)).await, 404, "not_found");
    }
    problem(stage.ask(Ask::post(internal)).await, 404, "not_found");
}

#[tokio::test]
async fn every_answer_has_a_request_id() {
    let mut stage = Stage::new().await;
    let one = stage.ask(Ask::get("/health")).await.header("x-request-id").to_owned();
    let two = stage.ask(Ask::get("/no/such/path")).await.header("x-request-id").to_owned();
    assert!(!one.is_empty() && !two.is_empty() && one != two, "{one:?} {two:?}");
}
