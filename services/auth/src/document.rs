//! What the routes of this service say of themselves.

use api::ErrorCode::{InvalidCredentials, Taken, Unauthorized, ValidationFailed};
use api::auth::{
    Logout, Profile, ProfileChange, Refresh, Register, Token, USERNAME_CHARS, UsernameCheck,
    Validated,
};
use api::document::schemas::{
    ObjectBuilder, PartialSchema, Shape, ToSchema, any_object, any_text, at, detail, formatted,
    string,
};
use api::document::{Chapter, Operation};
use api::identity::Role;
use http::Method;
use serde_json::{Value, json};

/// The chapters of this service.
#[must_use]
pub fn chapters() -> Vec<Chapter> {
    vec![sessions(), people()]
}

fn sessions() -> Chapter {
    Chapter::new("Accounts", "Register, log in, stay logged in, log out.")
        .schema::<Register>()
        .schema::<LoginForm>()
        .schema::<LoginParts>()
        .schema::<Login>()
        .schema::<Refresh>()
        .schema::<Logout>()
        .schema::<Token>()
        .schema::<Validated>()
        .with(
            Operation::new(Method::POST, "/auth/register", "register", "Make an account")
                .takes(at::<Register>(), register_example())
                .answers(201, "The new account.", at::<Profile>())
                .leads_to("checkUsername", &[("username", "$response.body#/username")])
                .refuses(&[Taken]),
        )
        .with(log_in())
        .with(
            Operation::new(Method::POST, "/auth/refresh", "refreshToken", "Stay logged in")
                .says(
                    "Gives the next pair of tokens. Each refresh token works once; one that comes \
                     back ends its session.",
                )
                .takes(at::<Refresh>(), json!({"refresh_token": "a-token-that-was-given"}))
                .answers(200, "The next pair.", at::<Token>())
                .refuses(&[Unauthorized]),
        )
        .with(
            Operation::new(Method::POST, "/auth/logout", "logOut", "Log out")
                .says(
                    "Ends the session of the access token, or that of a refresh token in the \
                     body, or both.",
                )
                .takes(at::<Logout>(), json!({}))
                .or_nothing()
                .answers(200, "The session is over.", detail()),
        )
        .with(
            Operation::new(Method::GET, "/auth/validate", "validateToken", "Check a token")
                .answers(200, "The token is good; whose it is.", at::<Validated>()),
        )
}

fn log_in() -> Operation {
    let example = json!({"username": "ada", "password": "a long walk home"});
    let form = "application/x-www-form-urlencoded";
    Operation::new(Method::POST, "/auth/login", "logIn", "Log in")
        .says("Form, multipart or JSON. The e-mail address serves as user name too.")
        .takes_as(form, at::<LoginForm>(), example.clone())
        .takes_as("multipart/form-data", at::<LoginParts>(), example.clone())
        .takes_as("application/json", at::<Login>(), example)
        .answers(200, "An access token, and a refresh token for the next.", at::<Token>())
        .leads_to_with("refreshToken", json!({"refresh_token": "$response.body#/refresh_token"}))
        .refuses(&[InvalidCredentials])
}

fn people() -> Chapter {
    let change = |method, id, summary| {
        Operation::new(method, "/users/me", id, summary)
            .says("What is not named stays as it is; what cannot be changed means nothing here.")
            .takes(at::<ProfileChange>(), json!({"full_name": "Ada Byron"}))
            .answers(200, "The account as it is now.", at::<Profile>())
            .refuses(&[Taken])
    };
    Chapter::new("People", "One's own account.")
        .schema::<Profile>()
        .schema::<ProfileChange>()
        .schema::<Role>()
        .schema::<UsernameCheck>()
        .with(Operation::new(Method::GET, "/users/me", "getProfile", "One's own account").answers(
            200,
            "The account.",
            at::<Profile>(),
        ))
        .with(change(Method::PUT, "putProfile", "Change one's own account (PUT)"))
        .with(change(Method::PATCH, "changeProfile", "Change one's own account"))
        .with(
            Operation::new(
                Method::GET,
                "/users/check-username",
                "checkUsername",
                "Whether a user name is taken",
            )
            .query(
                "username",
                "The name.",
                string(&USERNAME_CHARS).pattern(Some("^[A-Za-z0-9][A-Za-z0-9._-]*$")),
            )
            .needed()
            .answers(200, "Whether somebody has it.", at::<UsernameCheck>())
            .refuses(&[ValidationFailed]),
        )
}

fn register_example() -> Value {
    json!({
        "username": "ada",
        "email": "ada@example.org",
        "password": "a long walk home",
        "full_name": "Ada Byron",
    })
}

/// The same two fields, by three names: generated clients tell by the type which media type
/// is meant.
struct LoginForm;
struct LoginParts;
struct Login;

macro_rules! credentials {
    ($($name:ident),+) => {$(
        impl PartialSchema for $name {
            fn schema() -> Shape {
                credentials().into()
            }
        }

        impl ToSchema for $name {}
    )+};
}

credentials!(LoginForm, LoginParts, Login);

fn credentials() -> ObjectBuilder {
    any_object()
        .description(Some("Other fields mean nothing: clients of OAuth 2 send some along."))
        .property(
            "username",
            any_text().min_length(Some(1)).description(Some("The name, or the address.")),
        )
        .property("password", formatted(any_text().min_length(Some(1)), "password"))
        .required("username")
        .required("password")
}
