//! The check of tokens.

use std::sync::Arc;

use engine::{Timestamp, UserId};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use sha2::{Digest, Sha256};

use super::cache::{Cache, TokenDigest};
use super::ended::EndedSessions;
use super::key::key_id;
use super::{
    AUDIENCE, CACHED_TOKENS, Caller, Claims, ISSUER, LEEWAY_SECONDS, TOKEN_BYTES, TOKEN_SECONDS,
    TOKEN_TYPE, refused,
};
use crate::clock::Clock;
use crate::problem::Problem;

/// Checks tokens against public keys and remembers the good ones.
pub struct Verifier {
    keys: Vec<(String, DecodingKey)>,
    validation: Validation,
    clock: Arc<dyn Clock>,
    cache: Cache,
    ended: EndedSessions,
}

impl Verifier {
    /// A verifier that takes tokens signed by one of these Ed25519 keys.
    #[must_use]
    pub fn new(public_keys: &[[u8; 32]], clock: Arc<dyn Clock>) -> Self {
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[AUDIENCE]);
        validation.set_required_spec_claims(&["exp", "nbf", "iss", "aud", "sub"]);
        // Both are checked here, by the clock that is handed in.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        let keys =
            public_keys.iter().map(|key| (key_id(key), DecodingKey::from_ed_der(key))).collect();
        let ended = EndedSessions::default();
        Self { keys, validation, clock, cache: Cache::new(CACHED_TOKENS), ended }
    }

    /// Who sent this token.
    ///
    /// # Errors
    /// 401 if it is not one of ours, or not good now.
    pub fn verify(&self, token: &str) -> Result<Caller, Problem> {
        self.living(self.signed(token)?)
    }

    /// Whether a token is good but for its session, which was ended.
    #[must_use]
    pub fn is_ended(&self, token: &str) -> bool {
        // Nothing is looked up while no session was.
        !self.ended.is_empty()
            && self.signed(token).is_ok_and(|caller| self.ended.contains(caller.session))
    }

    /// Who sent this token, whether the session goes on or not.
    fn signed(&self, token: &str) -> Result<Caller, Problem> {
        if token.len() > TOKEN_BYTES {
            return Err(refused("is too long"));
        }
        let now = self.clock.now();
        let digest = TokenDigest(Sha256::digest(token.as_bytes()).into());
        if let Some(caller) = self.cache.get(&digest, now) {
            return Ok(caller);
        }
        let claims = self.check_signature(token)?;
        let ends_at = check_times(&claims, now)?;
        let caller = Caller {
            user: UserId::from(claims.sub),
            role: claims.role,
            username: Arc::from(claims.username),
            session: claims.sid,
        };
        self.cache.insert(digest, caller.clone(), ends_at, now);
        Ok(caller)
    }

    /// The sessions whose tokens are refused, however good they are otherwise.
    #[must_use]
    pub const fn ended_sessions(&self) -> &EndedSessions {
        &self.ended
    }

    fn living(&self, caller: Caller) -> Result<Caller, Problem> {
        if self.ended.contains(caller.session) {
            return Err(refused(super::ENDED));
        }
        Ok(caller)
    }

    fn check_signature(&self, token: &str) -> Result<Claims, Problem> {
        let header = jsonwebtoken::decode_header(token).map_err(|_| refused("cannot be read"))?;
        if header.alg != Algorithm::EdDSA || header.typ.as_deref() != Some(TOKEN_TYPE) {
            return Err(refused("is of a kind that is not accepted"));
        }
        let kid = header.kid.as_deref().unwrap_or("");
        let (_, key) = self
            .keys
            .iter()
            .find(|(id, _)| id == kid)
            .ok_or_else(|| refused("was signed by an unknown key"))?;
        jsonwebtoken::decode::<Claims>(token, key, &self.validation)
            .map(|data| data.claims)
            .map_err(|_| refused("is not valid"))
    }
}

/// Whether a token is good now; returns its end.
fn check_times(claims: &Claims, now: Timestamp) -> Result<Timestamp, Problem> {
    let seconds = now.millis().div_euclid(1_000);
    let life = claims.exp.checked_sub(claims.iat);
    if life.is_none_or(|life| life > TOKEN_SECONDS) {
        return Err(refused("lives longer than is allowed"));
    }
    let begins = claims.nbf.max(claims.iat).saturating_sub(LEEWAY_SECONDS);
    if seconds < begins {
        return Err(refused("is not valid yet"));
    }
    if seconds >= claims.exp {
        return Err(refused("has expired"));
    }
    Ok(Timestamp::from_millis(claims.exp.saturating_mul(1_000)))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use jsonwebtoken::{EncodingKey, Header};
    use serde_json::{Value, json};

    use super::super::{Role, TokenIssuer, generate_signing_key_pem};
    use super::*;
    use crate::wire::Id;

    struct Hand(AtomicI64);

    impl Clock for Hand {
        fn now(&self) -> Timestamp {
            Timestamp::from_millis(self.0.load(Ordering::Relaxed))
        }
    }

    const START: i64 = 1_763_900_000_000;

    fn bench() -> (TokenIssuer, Verifier, Arc<Hand>) {
        let issuer = TokenIssuer::from_pem(&generate_signing_key_pem([7; 32])).unwrap();
        let clock = Arc::new(Hand(AtomicI64::new(START)));
        let verifier = Verifier::new(&[issuer.public_key()], clock.clone());
        (issuer, verifier, clock)
    }

    fn claims() -> Value {
        let s = START / 1_000;
        json!({
            "sub": Id([3; 16]), "username": "ada", "role": "attendee", "iat": s, "nbf": s,
            "exp": s + 600, "iss": ISSUER, "aud": AUDIENCE, "jti": Id([4; 16]),
            "sid": Id([5; 16]),
        })
    }

    fn sign(header: &Header, claims: &Value) -> String {
        let pem = generate_signing_key_pem([7; 32]);
        let key = EncodingKey::from_ed_pem(pem.as_bytes()).unwrap();
        jsonwebtoken::encode(header, claims, &key).unwrap()
    }

    fn our_header(issuer: &TokenIssuer) -> Header {
        let mut header = Header::new(Algorithm::EdDSA);
        header.typ = Some(TOKEN_TYPE.to_owned());
        header.kid = Some(key_id(&issuer.public_key()));
        header
    }

    #[test]
    fn an_issued_token_is_good_for_ten_minutes() {
        let (issuer, verifier, clock) = bench();
        let user = UserId([9; 16]);
        let (token, seconds) = issuer.issue(user, "ada", Role::Admin, clock.now()).unwrap();
        assert_eq!(seconds, 600);
        for _ in 0..2 {
            let caller = verifier.verify(&token).unwrap();
            assert_eq!(caller.user, user);
            assert_eq!(&*caller.username, "ada");
            assert!(caller.principal().admin);
        }
        clock.0.store(START + 599_999, Ordering::Relaxed);
        verifier.verify(&token).unwrap();
        clock.0.store(START + 600_000, Ordering::Relaxed);
        assert_eq!(verifier.verify(&token).unwrap_err().code().status(), 401);
        clock.0.store(START - 6_000, Ordering::Relaxed);
        let fresh = Verifier::new(&[issuer.public_key()], clock);
        assert!(fresh.verify(&token).unwrap_err().detail().contains("yet"));
    }

    #[test]
    fn two_tokens_of_one_moment_differ() {
        let (issuer, _, clock) = bench();
        let issue = || issuer.issue(UserId([9; 16]), "ada", Role::Attendee, clock.now()).unwrap().0;
        assert_ne!(issue(), issue());
    }

    #[test]
    fn a_token_signed_by_hand_with_the_documented_claims_is_good() {
        let (issuer, verifier, _) = bench();
        let caller = verifier.verify(&sign(&our_header(&issuer), &claims())).unwrap();
        assert_eq!(caller.user, UserId([3; 16]));
        assert!(!caller.principal().admin);
    }

    #[test]
    fn every_required_claim_is_required_and_checked() {
        let (issuer, verifier, _) = bench();
        let header = our_header(&issuer);
        for name in ["sub", "username", "role", "iat", "nbf", "exp", "iss", "aud", "jti"] {
            let mut wrong = claims();
            wrong.as_object_mut().unwrap().remove(name);
            assert!(verifier.verify(&sign(&header, &wrong)).is_err(), "without {name}");
        }
        let s = START / 1_000;
        for (name, value) in [
            ("iss", json!("somebody")),
            ("aud", json!("elsewhere")),
            ("aud", json!(["eventflow", "elsewhere"])),
            ("sub", json!("me")),
            ("role", json!("emperor")),
            ("nbf", json!(s + 60)),
            ("exp", json!(s)),
            ("exp", json!(s + 601)),
            ("exp", json!(i64::MAX)),
            ("iat", json!(i64::MIN)),
        ] {
            let mut wrong = claims();
            wrong[name] = value.clone();
            assert!(verifier.verify(&sign(&header, &wrong)).is_err(), "{name} = {value}");
        }
    }

    #[test]
    fn only_our_algorithm_type_and_key_are_accepted() {
        let (issuer, verifier, _) = bench();
        let good = sign(&our_header(&issuer), &claims());
        verifier.verify(&good).unwrap();

        let mut header = our_header(&issuer);
        header.typ = Some("JWT".to_owned());
        assert!(verifier.verify(&sign(&header, &claims())).is_err(), "typ");
        let mut header = our_header(&issuer);
        header.kid = None;
        assert!(verifier.verify(&sign(&header, &claims())).is_err(), "no kid");

        // The public key as the secret of another algorithm, and no signature at all.
        let mut header = our_header(&issuer);
        header.alg = Algorithm::HS256;
        let secret = EncodingKey::from_secret(&issuer.public_key());
        let forged = jsonwebtoken::encode(&header, &claims(), &secret).unwrap();
        assert!(verifier.verify(&forged).is_err(), "HS256");
        let kid = key_id(&issuer.public_key());
        let none = json!({"alg": "none", "typ": TOKEN_TYPE, "kid": kid}).to_string();
        let parts: Vec<_> = good.split('.').collect();
        let unsigned = format!("{}.{}.", URL_SAFE_NO_PAD.encode(none), parts[1]);
        assert!(verifier.verify(&unsigned).is_err(), "none");

        // Another's key under our key's name, and a body that was tampered with.
        let pem = generate_signing_key_pem([8; 32]);
        let other = EncodingKey::from_ed_pem(pem.as_bytes()).unwrap();
        let forged = jsonwebtoken::encode(&our_header(&issuer), &claims(), &other).unwrap();
        assert!(verifier.verify(&forged).is_err(), "other key");
        let mut admin = claims();
        admin["role"] = json!("admin");
        let body = URL_SAFE_NO_PAD.encode(admin.to_string());
        let tampered = format!("{}.{body}.{}", parts[0], parts[2]);
        assert!(verifier.verify(&tampered).is_err(), "tampered");

        for junk in ["", ".", "..", "a.b.c", &"x".repeat(TOKEN_BYTES + 1)] {
            assert!(verifier.verify(junk).is_err());
        }
    }

    #[test]
    fn a_token_of_an_ended_session_is_refused_also_when_it_was_seen_before() {
        let (issuer, verifier, _) = bench();
        let token = sign(&our_header(&issuer), &claims());
        assert!(verifier.verify(&token).is_ok());
        verifier.ended_sessions().add(Id([6; 16]), Timestamp::from_millis(START));
        assert!(verifier.verify(&token).is_ok(), "another session");
        verifier.ended_sessions().add(Id([5; 16]), Timestamp::from_millis(START));
        assert_eq!(verifier.verify(&token).unwrap_err().code().status(), 401);
        let mut newer = claims();
        newer["jti"] = json!(Id([7; 16]));
        let newer = sign(&our_header(&issuer), &newer);
        assert_eq!(verifier.verify(&newer).unwrap_err().code().status(), 401);
    }
}
