//! The OpenAPI document of everything that is reachable from outside: composed here, because
//! only this crate knows all services; told by the gateway, and by `eventflow openapi`.

use api::document::{Chapter, compose, info};

/// What holds for every call, for readers of the document.
const SAYS: &str = "Find events, create them, book a place, wait for one when it is full.

**Errors** are `application/problem+json` (RFC 9457) with a stable `code`, a `detail` that says \
what to do, and `retryable`. **Ids** are UUIDs of version 7. **Times** are ISO 8601, answered in \
UTC; **money** is a JSON number with at most two decimals. **Lists** are bare arrays; the next \
page is in `Link`. **Writes** to bookings, holds and events take an `Idempotency-Key`: whoever is \
told `outcome_unknown` repeats with the same key. Fields of a body that nobody knows are refused; \
parameters of a query that nobody knows mean nothing.

Log in with `POST /auth/login` and send `Authorization: Bearer …`.";

/// The chapters of all services, in the order in which somebody needs them.
#[must_use]
pub fn chapters() -> Vec<Chapter> {
    let services = [auth::document::chapters(), catalog::document::chapters()];
    let last = [notification::document::chapters(), gateway::document::chapters()];
    let services = services.into_iter().chain([booking::document::chapters()]);
    services.chain(last).flatten().collect()
}

/// The document, as JSON for people to read, always in the same order.
#[must_use]
pub fn openapi_json() -> String {
    let info = info("EventFlow", env!("CARGO_PKG_VERSION"), SAYS);
    let document = compose(info, &crate::routes(), &chapters());
    // Only maps with other keys than texts cannot be written, and there are none.
    let mut json = document.to_pretty_json().unwrap_or_default();
    json.push('\n');
    json
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;

    fn document() -> Value {
        serde_json::from_str(&openapi_json()).unwrap()
    }

    #[test]
    fn the_document_has_just_the_routes_that_there_are() {
        let found = api::document::differences(&crate::routes(), &chapters());
        assert_eq!(found, Vec::<String>::new());
    }

    #[test]
    fn whatever_is_named_is_there_and_nothing_else() {
        let document = document();
        let mut named = BTreeSet::new();
        references(&document, &mut named);
        for name in &named {
            let place = name.strip_prefix('#').unwrap();
            assert!(document.pointer(place).is_some(), "{name} is not there");
        }
        for kind in ["schemas", "responses", "headers", "parameters"] {
            for name in document["components"][kind].as_object().unwrap().keys() {
                let place = format!("#/components/{kind}/{name}");
                assert!(named.contains(&place), "nobody needs {place}");
            }
        }
    }

    fn references(value: &Value, named: &mut BTreeSet<String>) {
        match value {
            Value::Object(fields) => {
                named.extend(fields.get("$ref").and_then(Value::as_str).map(str::to_owned));
                fields.values().for_each(|value| references(value, named));
            }
            Value::Array(values) => values.iter().for_each(|value| references(value, named)),
            _ => {}
        }
    }

    #[test]
    fn every_link_leads_to_an_operation() {
        let document = document();
        let operations: Vec<&Value> = document["paths"]
            .as_object()
            .unwrap()
            .values()
            .flat_map(|path| path.as_object().unwrap().values())
            .collect();
        let id = |operation: &Value| operation["operationId"].as_str().unwrap().to_owned();
        let ids: BTreeSet<_> = operations.iter().map(|operation| id(operation)).collect();
        let mut links = 0;
        for operation in operations {
            for response in operation["responses"].as_object().unwrap().values() {
                for link in response["links"].as_object().into_iter().flat_map(|all| all.values()) {
                    let target = link["operationId"].as_str().unwrap();
                    assert!(ids.contains(target), "{} leads to {target}", id(operation));
                    links += 1;
                }
            }
        }
        assert!(links > 20, "{links}");
    }
}
