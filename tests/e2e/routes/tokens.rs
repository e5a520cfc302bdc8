//! Who may come in: every route that needs a token, with every token that is not good.

use engine::Timestamp;
use harness::client::Ask;
use harness::people::{People, now};
use hyper::Method;

use crate::stage::{Stage, new_id, problem};

/// `{"alg":"none","typ":"at+jwt"}`
const UNSIGNED_HEADER: &str = "eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0";

/// An hour, in milliseconds.
const HOUR: i64 = 3_600_000;

/// Every route that needs a token; `{}` stands for an id.
const ROUTES: [(Method, &str); 16] = [
    (Method::GET, "/auth/validate"),
    (Method::GET, "/users/me"),
    (Method::POST, "/events"),
    (Method::PUT, "/events/{}"),
    (Method::PATCH, "/events/{}"),
    (Method::DELETE, "/events/{}"),
    (Method::GET, "/events/{}/bookings"),
    (Method::POST, "/bookings"),
    (Method::GET, "/bookings"),
    (Method::GET, "/bookings/{}"),
    (Method::DELETE, "/bookings/{}"),
    (Method::GET, "/bookings/user/me"),
    (Method::GET, "/bookings/user/{}"),
    (Method::GET, "/users/me/bookings"),
    (Method::GET, "/users/{}/bookings"),
    (Method::GET, "/bookings/event/{}"),
];

fn asks() -> impl Iterator<Item = Ask> {
    let id = new_id().to_string();
    ROUTES.into_iter().map(move |(method, path)| {
        let ask = Ask::new(method.clone(), path.replace("{}", &id));
        if method == Method::GET { ask } else { ask.body("application/json", "{}") }
    })
}

#[tokio::test]
async fn no_token_no_answer() {
    let mut stage = Stage::new().await;
    for ask in asks() {
        let shown = format!("{ask:?}");
        let answer = stage.ask(ask).await;
        assert_eq!(answer.header("www-authenticate"), "Bearer", "{shown}");
        problem(answer, 401, "unauthorized");
    }
}

#[tokio::test]
async fn bad_tokens_are_refused_everywhere() {
    let mut stage = Stage::new().await;
    let good = stage.person();
    let parts: Vec<&str> = good.token.split('.').collect();
    let [header, claims, signature] = parts[..] else { panic!("not a JWT: {}", good.token) };
    let other = stage.person();
    let other_claims = other.token.split('.').nth(1).unwrap_or_default();
    let foreign = People::with_key(&api::identity::generate_signing_key_pem([7; 32]));
    let early = Timestamp::from_millis(now().millis() - HOUR);
    let late = Timestamp::from_millis(now().millis() + HOUR);
    let bad = [
        ("nonsense", "nonsense".to_owned()),
        ("expired", stage.people().attendee_of(good.id, early).token.to_string()),
        ("from the future", stage.people().attendee_of(good.id, late).token.to_string()),
        ("signed by another", foreign.attendee(good.id).token.to_string()),
        ("unsigned", format!("{UNSIGNED_HEADER}.{claims}.")),
        ("called unsigned", format!("{UNSIGNED_HEADER}.{claims}.{signature}")),
        ("without its signature", format!("{header}.{claims}.")),
        ("another's claims", format!("{header}.{other_claims}.{signature}")),
        ("too long", format!("{}{}", good.token, "A".repeat(5_000))),
    ];
    for ask in asks() {
        for (what, token) in &bad {
            let answer = stage.ask(ask.clone().token(token)).await;
            assert_eq!(answer.status, 401, "{what}: {ask:?}");
            problem(answer, 401, "unauthorized");
        }
    }
}

#[tokio::test]
async fn only_bearer_is_spoken() {
    let mut stage = Stage::new().await;
    let person = stage.person();
    for value in [person.token.to_string(), format!("Basic {}", person.token), "Bearer".to_owned()]
    {
        let ask = Ask::get("/bookings").header("authorization", &value);
        problem(stage.ask(ask).await, 401, "unauthorized");
    }
    let ask = Ask::get("/bookings").header("authorization", &format!("bearer {}", person.token));
    assert_eq!(stage.ask(ask).await.status, 200);
}
