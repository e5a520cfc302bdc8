//! What the processes of one installation know one another by.

use http::Request;

use super::client::Secret;
#[cfg(feature = "tls")]
use super::tls::Certificates;

/// What the processes of one installation know one another by. Cheap to clone.
#[derive(Clone, Debug)]
pub enum Trust {
    /// A secret that all of them show, over connections that anybody between them can read.
    Secret(Secret),
    /// Certificates of the same authority, over TLS; a secret besides, if there is one.
    #[cfg(feature = "tls")]
    Certificates(Certificates, Option<Secret>),
}

/// A request carries this in its extensions when the client of its connection has shown a
/// certificate of the installation's authority. Only the listener puts it there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Certified;

impl From<Secret> for Trust {
    fn from(secret: Secret) -> Self {
        Self::Secret(secret)
    }
}

impl Trust {
    /// Whether a request comes from a process of this installation: it shows all that is
    /// asked for. A router that asks for certificates therefore answers nobody on a listener
    /// that doesn't.
    #[must_use]
    pub fn admits<B>(&self, request: &Request<B>) -> bool {
        match self {
            Self::Secret(secret) => secret.is_shown(request.headers()),
            #[cfg(feature = "tls")]
            Self::Certificates(_, secret) => {
                let shown = |secret: &Secret| secret.is_shown(request.headers());
                let certified = request.extensions().get::<Certified>().is_some();
                certified && secret.as_ref().is_none_or(shown)
            }
        }
    }

    /// The secret that requests have to show.
    pub(super) const fn secret(&self) -> Option<&Secret> {
        match self {
            Self::Secret(secret) => Some(secret),
            #[cfg(feature = "tls")]
            Self::Certificates(_, secret) => secret.as_ref(),
        }
    }
}
