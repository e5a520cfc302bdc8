//! Requests and answers of the auth service.

use std::borrow::Cow;

use engine::UserId;
use serde::Serialize;

use crate::document::schemas::{
    ObjectBuilder, PartialSchema, Shape, ToSchema, anything, fields, formatted, line, or_null,
    secret, string,
};
use crate::fields::{Fields, FromFields};
use crate::identity::Role;
use crate::wire::{Id, Time};

/// Length of a user name, in characters.
pub const USERNAME_CHARS: std::ops::RangeInclusive<usize> = 3..=50;

/// Length of an e-mail address, in characters; what SMTP can carry.
pub const EMAIL_CHARS: std::ops::RangeInclusive<usize> = 3..=254;

/// Length of a full name, in characters.
pub const FULL_NAME_CHARS: std::ops::RangeInclusive<usize> = 1..=200;

/// Length of a password, in characters.
pub const PASSWORD_CHARS: std::ops::RangeInclusive<usize> = 8..=128;

/// Longest text that is compared with a password, in characters.
const CURRENT_PASSWORD_CHARS: usize = 1_000;

/// The longest part of an address before its `@`, in bytes.
const LOCAL_PART_BYTES: usize = 64;

/// The longest label of a domain, in bytes.
const LABEL_BYTES: usize = 63;

/// `POST /auth/register`.
#[derive(Clone, PartialEq, Eq)]
pub struct Register {
    /// The name to log in with.
    pub username: String,
    /// The address; logs in as well.
    pub email: String,
    /// The password, exactly as typed.
    pub password: String,
    /// The name to show.
    pub full_name: Option<String>,
}

impl FromFields for Register {
    fn from_fields(fields: &mut Fields) -> Self {
        let username = fields.string("username", USERNAME_CHARS);
        if USERNAME_CHARS.contains(&username.chars().count()) && !is_username(&username) {
            let detail = "must begin with a letter or digit and have only letters of the Latin \
                          alphabet, digits, dots, hyphens and underscores";
            fields.error("username", detail);
        }
        let email = fields.string("email", EMAIL_CHARS);
        if EMAIL_CHARS.contains(&email.chars().count()) && !is_email(&email) {
            fields.error("email", "must be an e-mail address");
        }
        let password = fields.secret("password", PASSWORD_CHARS);
        let full_name = fields.optional_string("full_name", FULL_NAME_CHARS);
        Self { username, email, password, full_name }
    }
}

impl PartialSchema for Register {
    fn schema() -> Shape {
        fields()
            .property("username", username())
            .property("email", email())
            .property("password", password())
            .property("full_name", or_null(full_name()))
            .required("username")
            .required("email")
            .required("password")
            .into()
    }
}

impl ToSchema for Register {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("NewAccount")
    }
}

fn username() -> ObjectBuilder {
    let says = "Letters of the Latin alphabet, digits, dots, hyphens and underscores.";
    string(&USERNAME_CHARS).pattern(Some("^[A-Za-z0-9][A-Za-z0-9._-]*$")).description(Some(says))
}

fn email() -> ObjectBuilder {
    formatted(string(&EMAIL_CHARS), "email").description(Some("Logs in as well."))
}

fn password() -> ObjectBuilder {
    let says = "Exactly as typed. Not the name, not the address, not one of the commonest.";
    secret(&PASSWORD_CHARS).description(Some(says))
}

fn full_name() -> ObjectBuilder {
    line(&FULL_NAME_CHARS).description(Some("The name to show."))
}

/// Whether this can be a user name, its length aside. It never has an `@`, so it is
/// never another person's address.
#[must_use]
pub fn is_username(text: &str) -> bool {
    text.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric)
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
}

/// Whether this has the form of an address. Whether somebody reads what is sent there
/// only a message can show.
fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else { return false };
    let plain = |c: char| c.is_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c);
    let local_fits = local.len() <= LOCAL_PART_BYTES
        && local.split('.').all(|atom| !atom.is_empty() && atom.chars().all(plain));
    let label_fits = |label: &str| {
        (1..=LABEL_BYTES).contains(&label.len())
            && label.chars().all(|c| c.is_alphanumeric() || c == '-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    local_fits && domain.contains('.') && domain.split('.').all(label_fits)
}

/// An account as its owner sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Profile {
    /// The account's id.
    pub id: Id,
    /// The name to log in with.
    pub username: String,
    /// The address.
    pub email: String,
    /// The name to show.
    #[schema(required)]
    pub full_name: Option<String>,
    /// What the account may do.
    pub role: Role,
    /// Whether it may log in.
    pub is_active: bool,
    /// When it was registered.
    pub created_at: Time,
}

impl Profile {
    /// Whose profile it is.
    #[must_use]
    pub fn user(&self) -> UserId {
        UserId::from(self.id)
    }
}

/// The answer of `GET /auth/validate`: the profile twice, as clients of the first
/// version read it either way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Validated {
    /// Always true: whoever is not valid gets a 401.
    pub valid: bool,
    /// The profile itself.
    #[serde(flatten)]
    pub profile: Profile,
    /// The profile once more.
    pub user: Profile,
}

/// The answer of `POST /auth/login`.
#[derive(Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Token {
    /// To be sent as `Authorization: Bearer …`.
    pub access_token: String,
    /// Always `bearer`.
    #[schema(value_type = String)]
    pub token_type: &'static str,
    /// For how many seconds it is good.
    pub expires_in: i64,
    /// Good once, for the next pair, by `POST /auth/refresh`.
    pub refresh_token: String,
}

/// Longest refresh token that is looked at, in characters.
const REFRESH_TOKEN_CHARS: std::ops::RangeInclusive<usize> = 1..=200;

/// `POST /auth/refresh`.
pub struct Refresh {
    /// The one that was given last.
    pub refresh_token: String,
}

impl FromFields for Refresh {
    fn from_fields(fields: &mut Fields) -> Self {
        Self { refresh_token: fields.secret("refresh_token", REFRESH_TOKEN_CHARS) }
    }
}

impl PartialSchema for Refresh {
    fn schema() -> Shape {
        fields().property("refresh_token", refresh_token()).required("refresh_token").into()
    }
}

impl ToSchema for Refresh {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("RefreshRequest")
    }
}

fn refresh_token() -> ObjectBuilder {
    secret(&REFRESH_TOKEN_CHARS).description(Some("The one that was given last. Good once."))
}

/// `POST /auth/logout`; its body may be left out.
#[derive(Default)]
pub struct Logout {
    /// The session's refresh token, instead of an access token that is over.
    pub refresh_token: Option<String>,
}

impl FromFields for Logout {
    fn from_fields(fields: &mut Fields) -> Self {
        let given = fields.has("refresh_token");
        let token = given.then(|| fields.secret("refresh_token", REFRESH_TOKEN_CHARS));
        Self { refresh_token: token }
    }
}

impl PartialSchema for Logout {
    fn schema() -> Shape {
        fields().property("refresh_token", refresh_token()).into()
    }
}

impl ToSchema for Logout {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("LogoutRequest")
    }
}

/// `PUT` and `PATCH /users/me`: what is not named stays as it is.
#[derive(Default)]
pub struct ProfileChange {
    /// Another address.
    pub email: Option<String>,
    /// Another name to show; `null` takes it away.
    pub full_name: Option<Option<String>>,
    /// Another password, exactly as typed.
    pub password: Option<String>,
    /// The password until now; needed for another one.
    pub current_password: Option<String>,
}

/// The fields of [`Profile`] that a change ignores: whoever gets, edits and puts the
/// profile sends them along.
pub const READ_ONLY_FIELDS: &[&str] = &["id", "username", "role", "is_active", "created_at"];

impl PartialSchema for ProfileChange {
    fn schema() -> Shape {
        let change = fields()
            .description(Some("What is not named stays as it is."))
            .property("email", email())
            .property("full_name", or_null(full_name()).description(Some("`null` takes it away.")))
            .property("password", password())
            .property(
                "current_password",
                secret(&(0..=CURRENT_PASSWORD_CHARS))
                    .description(Some("The one until now; needed for another one.")),
            );
        READ_ONLY_FIELDS
            .iter()
            .fold(change, |change, name| {
                change.property(*name, anything().description(Some("Means nothing here.")))
            })
            .into()
    }
}

impl ToSchema for ProfileChange {}

impl FromFields for ProfileChange {
    fn from_fields(fields: &mut Fields) -> Self {
        fields.ignore(READ_ONLY_FIELDS);
        fields.refuse_null(&["email", "password", "current_password"]);
        let email = fields.optional_string("email", EMAIL_CHARS);
        if let Some(email) = &email
            && EMAIL_CHARS.contains(&email.chars().count())
            && !is_email(email)
        {
            fields.error("email", "must be an e-mail address");
        }
        let full_name =
            fields.has("full_name").then(|| fields.optional_string("full_name", FULL_NAME_CHARS));
        let new = fields.has("password");
        let password = new.then(|| fields.secret("password", PASSWORD_CHARS));
        let current = fields.has("current_password");
        if new && !current {
            fields.error("current_password", "is missing: it is needed for another password");
        }
        // Whatever its length, it is just right or wrong.
        let bound = 0..=CURRENT_PASSWORD_CHARS;
        let current_password = current.then(|| fields.secret("current_password", bound));
        Self { email, full_name, password, current_password }
    }
}

/// The answer of `GET /users/check-username`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct UsernameCheck {
    /// Whether somebody has it.
    pub exists: bool,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn user_names_are_plain() {
        for good in ["bob", "alice.b", "user_1", "7-of-9", "A".repeat(50).as_str()] {
            assert!(is_username(good), "{good}");
        }
        for bad in ["", "_bob", "bob smith", "bob@example.org", "böb", "bob\n", "bob/.."] {
            assert!(!is_username(bad), "{bad}");
        }
    }

    #[test]
    fn addresses_have_their_form() {
        for good in ["a@b.co", "first.last+tag@mail.example.org", "o'neil@xn--bcher-kva.example"] {
            assert!(is_email(good), "{good}");
        }
        for bad in [
            "",
            "a",
            "@b.co",
            "a@",
            "a@b",
            "a@@b.co",
            "a b@c.de",
            ".a@b.co",
            "a..b@c.de",
            "a@b..co",
            "a@-b.co",
            "a@b-.co",
            "a@b.co\r\nbcc: x@y.zz",
            "<a@b.co>",
            "\"a\"@b.co",
        ] {
            assert!(!is_email(bad), "{bad}");
        }
        assert!(!is_email(&format!("{}@b.co", "a".repeat(65))));
    }

    #[test]
    fn all_mistakes_are_named_at_once() {
        let body = json!({
            "username": "a b", "email": "nowhere", "password": "short", "full_name": "", "admin": 1
        });
        let Err(problem) = Fields::read::<Register>(body) else { panic!("must be refused") };
        let fields: Vec<_> = problem.errors().iter().map(|error| &*error.field).collect();
        assert_eq!(fields, ["username", "email", "password", "full_name", "admin"]);
    }

    #[test]
    fn the_schemas_say_what_is_read() {
        use crate::document::probe::disagreements;

        let none = Vec::<String>::new();
        let account = json!({
            "username": "ada", "email": "ada@example.org", "password": "a long walk home",
            "full_name": "Ada Byron",
        });
        let found =
            disagreements::<Register>(&account, |body| Fields::read::<Register>(body).map(drop));
        assert_eq!(found, none);
        let change = json!({
            "email": "ada@example.org", "full_name": "Ada", "password": "a long walk home",
            "current_password": "another walk home", "id": 1,
        });
        let found = disagreements::<ProfileChange>(&change, |body| {
            Fields::read::<ProfileChange>(body).map(drop)
        });
        // It must be there because there is another password: a rule of two fields.
        assert_eq!(found, ["current_password: whether it must be there"]);
        let token = json!({"refresh_token": "abc"});
        let found =
            disagreements::<Refresh>(&token, |body| Fields::read::<Refresh>(body).map(drop));
        assert_eq!(found, none);
        let found = disagreements::<Logout>(&token, |body| Fields::read::<Logout>(body).map(drop));
        assert_eq!(found, none);
    }

    #[test]
    fn a_password_is_taken_as_typed() {
        let body = json!({"username": " bob ", "email": "b@c.de", "password": "  spaces  "});
        let Ok(register) = Fields::read::<Register>(body) else { panic!("must be read") };
        assert_eq!((&*register.username, &*register.password), ("bob", "  spaces  "));
    }
}
