//! Who may do what: every route, every kind of person, and what is refused changes
//! nothing.

use api::routes::Access;
use harness::accounts::{self, Account};
use harness::client::Ask;
use serde_json::json;

use crate::judge::{Expect, FORBIDDEN, NO_TOKEN, NOT_FOUND, Verdicts};
use crate::picture;
use crate::routes::{self, Described, Shape};
use crate::world::{Scene, World};

/// What the table says of somebody; `None` if the call is theirs to make. Nobody has no
/// name.
fn refusal(route: &Described, name: Option<&str>) -> Option<Expect> {
    let Some(name) = name else {
        return (route.access != Access::Anyone).then_some(NO_TOKEN);
    };
    let (allowed, refused) = match route.access {
        // "Concerns nobody else": somebody's object in the path is that person's alone.
        Access::Person if route.row.path.contains('{') => {
            return (name != "the owner").then_some(NOT_FOUND);
        }
        Access::Anyone | Access::Person => return None,
        Access::Owner => ("the owner", NOT_FOUND),
        Access::Named => ("the owner", FORBIDDEN),
        Access::Organizer => ("the organizer", FORBIDDEN),
        Access::Admin => ("an admin", FORBIDDEN),
    };
    (name != allowed && name != "an admin").then_some(refused)
}

#[tokio::test]
async fn refused_calls_change_nothing() {
    let mut world = World::new().await;
    let cast = world.cast.clone();
    let scene = world.scene(&cast).await;
    let before = picture::take(&mut world, &cast, &scene).await;
    before.assert_whole();
    let mut verdicts = Verdicts::default();
    for route in routes::all() {
        let nobody = (None, &cast.stranger);
        let everybody = cast.everybody().map(|(name, account)| (Some(name), account));
        for (name, account) in [nobody].into_iter().chain(everybody) {
            let Some(expect) = refusal(&route, name) else { continue };
            let mut ask = world.example(&route, &scene, account);
            if name.is_none() {
                ask = ask.without("authorization");
            }
            let what = format!("{} by {}", route.name(), name.unwrap_or("nobody"));
            let answer = world.ask(&ask).await;
            verdicts.judge(&what, &answer, expect);
        }
        let now = picture::take(&mut world, &cast, &scene).await;
        before.assert_same(&now, &format!("refused calls of {}", route.name()));
    }
    verdicts.finish(40);
    world.finish().await;
}

#[tokio::test]
async fn whoever_may_is_let() {
    let mut world = World::new().await;
    let mut verdicts = Verdicts::default();
    for route in routes::all() {
        let cast = world.cast.clone();
        let mut scene = world.scene(&cast).await;
        for (name, account) in cast.everybody() {
            if refusal(&route, Some(name)).is_some() {
                continue;
            }
            // Nothing has failed that its owner could have sent again.
            if name == "the owner" && route.row.path == "/notifications/{notice}/resend" {
                continue;
            }
            if !route.row.method.is_safe() {
                scene = world.scene(&cast).await;
            }
            let what = format!("{} by {name}", route.name());
            let_in(&mut world, &route, &scene, account, &what, &mut verdicts).await;
        }
    }
    verdicts.finish(60);
    world.finish().await;
}

/// The call is granted; with a session of its own if it ends or renews one.
async fn let_in(
    world: &mut World,
    route: &Described,
    scene: &Scene,
    account: &Account,
    what: &str,
    verdicts: &mut Verdicts,
) {
    let mut account = account.clone();
    if matches!(route.row.shape, Shape::Refresh | Shape::Logout) {
        accounts::log_in(&mut world.client, &mut account).await;
    }
    let ask = world.example(route, scene, &account);
    let answer = if route.row.stream {
        head_of(world, &ask).await
    } else {
        let answer = world.ask(&ask).await;
        let body = format!("{:?}", answer.body);
        (answer.status.as_u16(), body)
    };
    let (status, body) = answer;
    verdicts.check((200..300).contains(&status), || format!("{what}: {status} {body}"));
}

/// The status of an answer that never ends.
async fn head_of(world: &World, ask: &Ask) -> (u16, String) {
    let outcome = harness::raw::send(world.server.address(), ask.bytes()).await;
    let response = outcome.response.unwrap_or_else(|| panic!("no answer to {ask:?}"));
    (response.status.as_u16(), String::new())
}

/// What is said in a body gives no rights either: another's hold, a better role.
#[tokio::test]
async fn a_body_gives_no_rights() {
    let mut world = World::new().await;
    let cast = world.cast.clone();
    let scene = world.scene(&cast).await;
    let before = picture::take(&mut world, &cast, &scene).await;
    let mut verdicts = Verdicts::default();
    let hold = scene.hold.clone().expect("the server knows holds");
    for account in [&cast.stranger, &cast.attendee, &cast.organizer] {
        let ask = Ask::post("/bookings").token(&account.person.token);
        let answer = world.ask(&ask.json(&json!({ "hold_id": hold }))).await;
        verdicts.judge("another's hold", &answer, NOT_FOUND);
    }
    let token = &cast.stranger.person.token;
    for ask in [Ask::put("/users/me"), Ask::patch("/users/me")] {
        let ask = ask.token(token).json(&json!({ "role": "admin", "is_active": true }));
        // Refused or ignored: the picture shows the role.
        let status = world.ask(&ask).await.status.as_u16();
        verdicts.check(status < 500, || format!("{ask:?}: {status}"));
    }
    let now = picture::take(&mut world, &cast, &scene).await;
    before.assert_same(&now, "bodies that claim rights");
    verdicts.finish(5);
    world.finish().await;
}
