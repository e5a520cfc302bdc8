//! Every route that needs a token, with every token that is not good.

use std::fs;

use api::identity::{AUDIENCE, ISSUER, TOKEN_SECONDS, TOKEN_TYPE, TokenIssuer, key_id};
use api::routes::Access;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use harness::client::Ask;
use harness::people::{People, now};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::judge::{NO_TOKEN, Verdicts};
use crate::picture;
use crate::routes;
use crate::world::World;

/// Headers by which some gateways tell who somebody is. They must mean nothing here.
const FORGED: [(&str, &str); 5] = [
    ("x-user-id", "owner"),
    ("x-forwarded-user", "admin"),
    ("x-role", "admin"),
    ("eventflow-user", "admin"),
    ("cookie", "access_token=owner; session=owner"),
];

/// Signs tokens as the server does, and as it never would.
struct Forger {
    pem: String,
    public: [u8; 32],
    user: Uuid,
    /// The owner's session.
    session: Value,
}

impl Forger {
    fn header(&self) -> Header {
        let mut header = Header::new(Algorithm::EdDSA);
        header.typ = Some(TOKEN_TYPE.to_owned());
        header.kid = Some(key_id(&self.public));
        header
    }

    fn claims(&self) -> Value {
        let seconds = now().millis() / 1_000;
        json!({
            "sub": self.user.to_string(), "username": "owner", "role": "attendee", "iat": seconds,
            "nbf": seconds, "exp": seconds + TOKEN_SECONDS, "iss": ISSUER, "aud": AUDIENCE,
            "jti": Uuid::nil().to_string(), "sid": self.session,
        })
    }

    fn sign(&self, header: &Header, claims: &Value) -> String {
        let key = EncodingKey::from_ed_pem(self.pem.as_bytes()).unwrap();
        jsonwebtoken::encode(header, claims, &key).unwrap()
    }

    /// The right token but for one claim.
    fn with_claim(&self, name: &str, value: Value) -> String {
        let mut claims = self.claims();
        claims[name] = value;
        self.sign(&self.header(), &claims)
    }

    fn without_claim(&self, name: &str) -> String {
        let mut claims = self.claims();
        claims.as_object_mut().unwrap().remove(name);
        self.sign(&self.header(), &claims)
    }

    fn with_header(&self, change: impl FnOnce(&mut Header)) -> String {
        let mut header = self.header();
        change(&mut header);
        self.sign(&header, &self.claims())
    }

    /// Signed with what everybody may know, as if it were a secret.
    fn symmetric(&self, algorithm: Algorithm, secret: &[u8]) -> String {
        let mut header = self.header();
        header.alg = algorithm;
        let key = EncodingKey::from_secret(secret);
        jsonwebtoken::encode(&header, &self.claims(), &key).unwrap()
    }

    /// A header written by hand before a body and a signature that are right.
    fn with_raw_header(&self, header: &Value) -> String {
        let good = self.sign(&self.header(), &self.claims());
        let rest = good.split_once('.').unwrap().1;
        format!("{}.{rest}", URL_SAFE_NO_PAD.encode(header.to_string()))
    }

    fn bad(&self) -> Vec<(&'static str, String)> {
        let seconds = now().millis() / 1_000;
        let good = self.sign(&self.header(), &self.claims());
        let parts: Vec<&str> = good.split('.').collect();
        let [header, claims, signature] = parts[..] else { panic!("not a JWT: {good}") };
        let mut admin = self.claims();
        admin["role"] = json!("admin");
        let admin = URL_SAFE_NO_PAD.encode(admin.to_string());
        let kid = key_id(&self.public);
        let none = json!({ "alg": "none", "typ": TOKEN_TYPE, "kid": kid });
        let other = People::with_key(&api::identity::generate_signing_key_pem([7; 32]));
        let jwk = json!({ "kty": "OKP", "crv": "Ed25519",
                          "x": URL_SAFE_NO_PAD.encode(self.public) });
        let traversal = "../../../../dev/null".to_owned();
        vec![
            ("empty", String::new()),
            ("nonsense", "nonsense".to_owned()),
            ("dots", "..".to_owned()),
            ("without its signature", format!("{header}.{claims}.")),
            ("two parts", format!("{header}.{claims}")),
            ("four parts", format!("{good}.{signature}")),
            ("padded", format!("{good}=")),
            ("another role", format!("{header}.{admin}.{signature}")),
            ("alg none", self.with_raw_header(&none)),
            ("alg none, no signature", {
                format!("{}.{claims}.", URL_SAFE_NO_PAD.encode(none.to_string()))
            }),
            ("HS256 by the public key", self.symmetric(Algorithm::HS256, &self.public)),
            ("HS512 by the public key", self.symmetric(Algorithm::HS512, &self.public)),
            ("HS256 by the key's name", self.symmetric(Algorithm::HS256, kid.as_bytes())),
            ("HS256 by the key as PEM", self.symmetric(Algorithm::HS256, self.pem.as_bytes())),
            ("a key of its own", other.attendee(self.user).token.to_string()),
            (
                "a key that it names",
                self.with_raw_header(&json!({
                    "alg": "EdDSA", "typ": TOKEN_TYPE, "kid": "mine", "jwk": jwk,
                })),
            ),
            ("no kid", self.with_header(|header| header.kid = None)),
            ("unknown kid", self.with_header(|header| header.kid = Some("other".to_owned()))),
            ("kid a path", self.with_header(|header| header.kid = Some(traversal))),
            ("typ JWT", self.with_header(|header| header.typ = Some("JWT".to_owned()))),
            ("expired", self.with_claim("exp", json!(seconds - 1))),
            ("of last year", {
                let mut claims = self.claims();
                for name in ["iat", "nbf", "exp"] {
                    claims[name] = json!(claims[name].as_i64().unwrap() - 31_536_000);
                }
                self.sign(&self.header(), &claims)
            }),
            ("not yet good", self.with_claim("nbf", json!(seconds + 3_600))),
            ("too long a life", self.with_claim("exp", json!(seconds + 86_400))),
            ("endless", self.with_claim("exp", json!(i64::MAX))),
            ("another audience", self.with_claim("aud", json!("elsewhere"))),
            ("another issuer", self.with_claim("iss", json!("somebody"))),
            ("unknown role", self.with_claim("role", json!("emperor"))),
            ("no person", self.with_claim("sub", json!("me"))),
            ("no exp", self.without_claim("exp")),
            ("no sub", self.without_claim("sub")),
            ("no aud", self.without_claim("aud")),
            ("no session", self.without_claim("sid")),
            ("huge", format!("{good}{}", "A".repeat(20_000))),
        ]
    }
}

/// A forger with the server's own key.
fn forger(world: &World) -> Forger {
    let pem = fs::read_to_string(world.home.data().join("signing-key.pem")).unwrap();
    let public = TokenIssuer::from_pem(&pem).unwrap().public_key();
    let owner = &world.cast.owner.person;
    let claims = URL_SAFE_NO_PAD.decode(owner.token.split('.').nth(1).unwrap()).unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    Forger { pem, public, user: owner.id, session: claims["sid"].clone() }
}

/// A token of the owner's that was good until the owner logged out.
async fn ended(world: &mut World) -> String {
    let mut account = world.cast.owner.clone();
    harness::accounts::log_in(&mut world.client, &mut account).await;
    let logout = Ask::post("/auth/logout").token(&account.person.token);
    let answer = world.ask(&logout).await;
    assert_eq!(answer.status, 200, "{:?}", answer.body);
    account.person.token.to_string()
}

#[tokio::test]
async fn bad_tokens_open_nothing() {
    let mut world = World::new().await;
    let cast = world.cast.clone();
    let scene = world.scene(&cast).await;
    let before = picture::take(&mut world, &cast, &scene).await;
    before.assert_whole();
    let forger = forger(&world);
    // What is bad below is bad for its one difference from this.
    let good = Ask::get("/bookings");
    let good = good.token(&forger.sign(&forger.header(), &forger.claims()));
    assert_eq!(world.ask(&good).await.status, 200);
    let mut verdicts = Verdicts::default();
    let mut all = forger.bad();
    all.push(("of a session that was ended", ended(&mut world).await));
    for route in routes::all() {
        if route.access == Access::Anyone {
            continue;
        }
        let example = world.example(&route, &scene, &cast.owner);
        for (what, token) in &all {
            let answer = world.ask(&example.clone().token(token)).await;
            verdicts.judge(&format!("{} with a token: {what}", route.name()), &answer, NO_TOKEN);
        }
        let bare = example.without("authorization");
        for (name, value) in FORGED {
            let answer = world.ask(&bare.clone().header(name, value)).await;
            verdicts.judge(&format!("{} with {name}", route.name()), &answer, NO_TOKEN);
        }
        let basic = STANDARD.encode(format!("owner:{}", crate::world::PASSWORD));
        for value in [format!("Basic {basic}"), "Bearer".to_owned(), "Bearer ".to_owned()] {
            let answer = world.ask(&bare.clone().header("authorization", &value)).await;
            verdicts.judge(&format!("{} with {value:?}", route.name()), &answer, NO_TOKEN);
        }
        let now = picture::take(&mut world, &cast, &scene).await;
        before.assert_same(&now, &format!("bad tokens for {}", route.name()));
    }
    verdicts.finish(400);
    world.finish().await;
}
