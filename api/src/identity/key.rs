//! The signing key and the issue of tokens.

use std::sync::atomic::{AtomicU64, Ordering};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey, EncodePrivateKey, KeypairBytes};
use engine::{Timestamp, UserId};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use sha2::{Digest, Sha256};

use super::{AUDIENCE, Claims, ISSUER, Role, TOKEN_SECONDS, TOKEN_TYPE};
use crate::wire::Id;

/// A signing key that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// It is not an Ed25519 private key in PKCS#8 PEM form.
    #[error("the signing key is not an Ed25519 private key in PKCS#8 PEM form")]
    NotEd25519,
    /// The token could not be signed.
    #[error("the token could not be signed: {0}")]
    Signing(String),
}

/// Issues tokens.
pub struct TokenIssuer {
    key: EncodingKey,
    header: Header,
    public: [u8; 32],
    issued: AtomicU64,
}

impl TokenIssuer {
    /// From an Ed25519 private key in PKCS#8 PEM form.
    ///
    /// # Errors
    /// When it is not one.
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        let signing = SigningKey::from_pkcs8_pem(pem).map_err(|_| KeyError::NotEd25519)?;
        // Encoded anew without the public half: which of the two forms of PKCS#8 was
        // read makes no difference to the signer then.
        let pair = KeypairBytes { secret_key: signing.to_bytes(), public_key: None };
        let der = pair.to_pkcs8_der().map_err(|_| KeyError::NotEd25519)?;
        let key = EncodingKey::from_ed_der(der.as_bytes());
        let public = signing.verifying_key().to_bytes();
        let mut header = Header::new(Algorithm::EdDSA);
        header.typ = Some(TOKEN_TYPE.to_owned());
        header.kid = Some(key_id(&public));
        Ok(Self { key, header, public, issued: AtomicU64::new(0) })
    }

    /// The public half, for [`super::Verifier::new`].
    #[must_use]
    pub const fn public_key(&self) -> [u8; 32] {
        self.public
    }

    /// A token for an account that belongs to no session that anybody could end, and for
    /// how many seconds it is good.
    ///
    /// # Errors
    /// When the claims cannot be encoded or signed.
    pub fn issue(
        &self,
        user: UserId,
        username: &str,
        role: Role,
        now: Timestamp,
    ) -> Result<(String, i64), KeyError> {
        let id = self.next_token_id(user, now);
        self.issue_in(id, user, username, role, now)
    }

    /// A token of a session for an account, and for how many seconds it is good.
    ///
    /// # Errors
    /// When the claims cannot be encoded or signed.
    pub fn issue_in(
        &self,
        session: Id,
        user: UserId,
        username: &str,
        role: Role,
        now: Timestamp,
    ) -> Result<(String, i64), KeyError> {
        let seconds = now.millis().div_euclid(1_000);
        let claims = Claims {
            sub: Id::from(user),
            username: username.to_owned(),
            role,
            iat: seconds,
            nbf: seconds,
            exp: seconds.saturating_add(TOKEN_SECONDS),
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            sid: session,
            jti: self.next_token_id(user, now),
        };
        let token = jsonwebtoken::encode(&self.header, &claims, &self.key)
            .map_err(|error| KeyError::Signing(error.to_string()))?;
        Ok((token, TOKEN_SECONDS))
    }

    /// An id that no other token has: the same account can be issued two in the same
    /// millisecond, hence the count. Nobody has to find it unguessable.
    fn next_token_id(&self, user: UserId, now: Timestamp) -> Id {
        let count = self.issued.fetch_add(1, Ordering::Relaxed);
        let mut hash = Sha256::new();
        hash.update(user.bytes());
        hash.update(now.millis().to_be_bytes());
        hash.update(count.to_be_bytes());
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&hash.finalize()[..16]);
        Id(uuid::Builder::from_custom_bytes(bytes).into_uuid().into_bytes())
    }
}

/// A new signing key in PKCS#8 PEM form; `seed` must come from a good source of
/// randomness and be used for nothing else.
#[must_use]
pub fn generate_signing_key_pem(seed: [u8; 32]) -> String {
    let pair = KeypairBytes { secret_key: seed, public_key: None };
    let pem = pair
        .to_pkcs8_pem(LineEnding::LF)
        .expect("32 bytes of an Ed25519 key always fit its PKCS#8 form");
    pem.to_string()
}

/// The name by which a token's header refers to a public key: its digest, so that it
/// is the same wherever it is computed.
#[must_use]
pub fn key_id(public: &[u8; 32]) -> String {
    URL_SAFE_NO_PAD.encode(&Sha256::digest(public)[..12])
}
