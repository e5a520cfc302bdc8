//! Templates, for administrators.

use api::extract::json_response;
use api::notification::{TemplateBody, TemplateChange};
use api::{Caller, ErrorCode, Json, Path, Problem};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use storage::notices::{NoticeKind, StoredTemplate};

use super::one::only_admins;
use crate::error::of_storage;
use crate::service::Service;
use crate::template::Templates;

fn body_of(template: StoredTemplate, overridden: bool) -> TemplateBody {
    TemplateBody {
        kind: template.kind.as_str().to_owned(),
        subject: template.subject,
        text: template.text,
        html: template.html,
        overridden,
    }
}

/// The template of a kind as it is used, with those that were set.
fn used(kind: NoticeKind, set: &[StoredTemplate]) -> TemplateBody {
    match set.iter().find(|template| template.kind == kind) {
        Some(template) => body_of(template.clone(), true),
        None => body_of(Templates::source(kind), false),
    }
}

async fn stored(service: &Service) -> Result<Vec<StoredTemplate>, Problem> {
    service.shared().store().templates().await.map_err(of_storage)
}

fn kind_of(text: &str) -> Result<NoticeKind, Problem> {
    NoticeKind::parse(text).ok_or_else(|| Problem::not_found("kind of notification"))
}

/// `GET /notifications/templates`.
pub(super) async fn list(
    State(service): State<Service>,
    caller: Caller,
) -> Result<Response, Problem> {
    only_admins(&caller)?;
    let set = stored(&service).await?;
    let all: Vec<TemplateBody> = NoticeKind::ALL.iter().map(|kind| used(*kind, &set)).collect();
    Ok(json_response(StatusCode::OK, &all))
}

/// `GET /notifications/templates/{kind}`.
pub(super) async fn read(
    State(service): State<Service>,
    caller: Caller,
    Path(kind): Path<String>,
) -> Result<Response, Problem> {
    only_admins(&caller)?;
    let kind = kind_of(&kind)?;
    Ok(json_response(StatusCode::OK, &used(kind, &stored(&service).await?)))
}

/// `PUT /notifications/templates/{kind}`.
pub(super) async fn set(
    State(service): State<Service>,
    caller: Caller,
    Path(kind): Path<String>,
    Json(change): Json<TemplateChange>,
) -> Result<Response, Problem> {
    only_admins(&caller)?;
    let kind = kind_of(&kind)?;
    let TemplateChange { subject, text, html } = change;
    let template = StoredTemplate { kind, subject, text, html };
    let templates = &service.shared().templates;
    templates.try_out(&template).map_err(|wrong| {
        Problem::new(ErrorCode::ValidationFailed, "The template cannot be used.")
            .field(wrong.part, wrong.why)
    })?;
    let _one_at_a_time = service.shared().changing.lock().await;
    // Durable first: what is used is what will be used after a restart.
    service.shared().store().set_template(template.clone()).await.map_err(of_storage)?;
    if let Err(wrong) = templates.set(&template) {
        return Err(Problem::internal(&wrong.why));
    }
    Ok(json_response(StatusCode::OK, &body_of(template, true)))
}

/// `DELETE /notifications/templates/{kind}`: the built-in one is used again.
pub(super) async fn unset(
    State(service): State<Service>,
    caller: Caller,
    Path(kind): Path<String>,
) -> Result<Response, Problem> {
    only_admins(&caller)?;
    let kind = kind_of(&kind)?;
    let _one_at_a_time = service.shared().changing.lock().await;
    service.shared().store().remove_template(kind).await.map_err(of_storage)?;
    service.shared().templates.unset(kind);
    Ok(json_response(StatusCode::OK, &body_of(Templates::source(kind), false)))
}
