//! The signing key, made on first start and kept, and what is derived from it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use api::Entropy;
use api::identity::{TokenIssuer, generate_signing_key_pem};
use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::DecodePrivateKey;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// The key's file in the data folder.
pub const KEY_FILE: &str = "signing-key.pem";

/// What the ticket secret is derived for; another use would have another text.
const TICKET_USE: &[u8] = b"eventflow ticket secret 1";

/// Why there is no signing key. Each is a sentence for whoever started the program.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// The file cannot be read.
    #[error("the signing key {} cannot be read: {reason}", file.display())]
    Unreadable {
        /// Which file.
        file: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// The file cannot be written.
    #[error("the signing key {} cannot be written: {reason}", file.display())]
    Unwritable {
        /// Which file.
        file: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// The file has something else in it.
    #[error("{} is not an Ed25519 private key in PKCS#8 PEM form", file.display())]
    NotAKey {
        /// Which file.
        file: PathBuf,
    },
}

/// The secrets of an installation.
pub struct Keys {
    /// Signs tokens.
    pub issuer: TokenIssuer,
    /// What ticket codes are computed with.
    pub ticket_secret: [u8; 32],
}

impl Keys {
    /// The configured key, or the one in the data folder, which is made if it is missing.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or not be made.
    pub fn load(
        configured: Option<&Path>,
        data: &Path,
        entropy: &dyn Entropy,
    ) -> Result<Self, KeyFileError> {
        let file = configured.map_or_else(|| data.join(KEY_FILE), Path::to_owned);
        let pem = match fs::read_to_string(&file) {
            Ok(pem) => pem,
            Err(error) if error.kind() == io::ErrorKind::NotFound && configured.is_none() => {
                make(data, &file, entropy).map_err(|error| KeyFileError::Unwritable {
                    file: file.clone(),
                    reason: error.to_string(),
                })?
            }
            // Not text, so not PEM either.
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                return Err(KeyFileError::NotAKey { file });
            }
            Err(error) => {
                return Err(KeyFileError::Unreadable { file, reason: error.to_string() });
            }
        };
        Self::from_pem(&pem).ok_or(KeyFileError::NotAKey { file })
    }

    fn from_pem(pem: &str) -> Option<Self> {
        let issuer = TokenIssuer::from_pem(pem).ok()?;
        let key = SigningKey::from_pkcs8_pem(pem).ok()?;
        // Derived and not stored: one file to keep, and whoever has the tickets' secret
        // still cannot sign tokens.
        let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).ok()?;
        mac.update(TICKET_USE);
        Some(Self { issuer, ticket_secret: mac.finalize().into_bytes().into() })
    }
}

/// Make a key and its file. A crash leaves the whole file or none: it is written and
/// synced under another name first. The folder's lock is held, so nobody else does the
/// same meanwhile.
fn make(data: &Path, file: &Path, entropy: &dyn Entropy) -> io::Result<String> {
    let mut seed = [0; 32];
    entropy.fill(&mut seed);
    let pem = generate_signing_key_pem(seed);
    let unfinished = data.join(format!("{KEY_FILE}.new"));
    // What a crash left is removed first: an existing file would keep its own mode.
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut writer = private(&unfinished)?;
    writer.write_all(pem.as_bytes())?;
    writer.sync_all()?;
    fs::rename(&unfinished, file)?;
    File::open(data)?.sync_all()?;
    tracing::info!(file = %file.display(), "made a signing key");
    Ok(pem)
}

/// A new file that only its owner may read.
fn private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemEntropy;

    fn load(data: &Path) -> Result<Keys, KeyFileError> {
        Keys::load(None, data, &SystemEntropy)
    }

    #[test]
    fn a_key_is_made_once_and_kept() {
        let data = tempfile::tempdir().unwrap();
        let first = load(data.path()).unwrap();
        let again = load(data.path()).unwrap();
        assert_eq!(first.issuer.public_key(), again.issuer.public_key());
        assert_eq!(first.ticket_secret, again.ticket_secret);
        let elsewhere = tempfile::tempdir().unwrap();
        let other = load(elsewhere.path()).unwrap();
        assert_ne!(first.issuer.public_key(), other.issuer.public_key());
        assert_ne!(first.ticket_secret, other.ticket_secret);
    }

    #[cfg(unix)]
    #[test]
    fn only_its_owner_may_read_it_whatever_a_crash_left() {
        use std::os::unix::fs::PermissionsExt;
        let data = tempfile::tempdir().unwrap();
        let left = data.path().join(format!("{KEY_FILE}.new"));
        fs::write(&left, "half a ke").unwrap();
        fs::set_permissions(&left, fs::Permissions::from_mode(0o644)).unwrap();
        load(data.path()).unwrap();
        let mode = fs::metadata(data.path().join(KEY_FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(!left.exists());
    }

    #[test]
    fn a_configured_key_is_used_and_never_made() {
        let data = tempfile::tempdir().unwrap();
        let own = data.path().join("own.pem");
        assert!(matches!(
            Keys::load(Some(&own), data.path(), &SystemEntropy),
            Err(KeyFileError::Unreadable { .. })
        ));
        fs::write(&own, generate_signing_key_pem([7; 32])).unwrap();
        let keys = Keys::load(Some(&own), data.path(), &SystemEntropy).unwrap();
        let same = TokenIssuer::from_pem(&generate_signing_key_pem([7; 32])).unwrap();
        assert_eq!(keys.issuer.public_key(), same.public_key());
        assert!(!data.path().join(KEY_FILE).exists());
    }

    #[test]
    fn a_file_with_something_else_in_it_is_refused_and_left_alone() {
        let data = tempfile::tempdir().unwrap();
        let file = data.path().join(KEY_FILE);
        for content in [&b"not a key"[..], b"", b"\xff\xfe"] {
            fs::write(&file, content).unwrap();
            assert!(matches!(load(data.path()), Err(KeyFileError::NotAKey { .. })));
            assert_eq!(fs::read(&file).unwrap(), content);
        }
    }
}
