//! An authority that signs whatever a test needs.

use api::upstream::Certificates;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair,
};

/// The host of every address in these tests.
pub(crate) const HOST: &str = "127.0.0.1";

/// Signs certificates.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// The texts of the three files.
pub(crate) struct Papers {
    pub(crate) authority: String,
    pub(crate) own: String,
    pub(crate) key: String,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    /// What a process of this host has.
    pub(crate) fn papers(&self, host: &str) -> Papers {
        let mut params = CertificateParams::new([host.to_owned()]).unwrap();
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(&params)
    }

    pub(crate) fn sign(&self, params: &CertificateParams) -> Papers {
        let key = KeyPair::generate().unwrap();
        let own = params.signed_by(&key, &self.0).unwrap().pem();
        Papers { authority: self.pem(), own, key: key.serialize_pem() }
    }
}

impl Papers {
    pub(crate) fn read(&self) -> Certificates {
        let Self { authority, own, key } = self;
        Certificates::parse(authority.as_bytes(), own.as_bytes(), key.as_bytes()).unwrap()
    }

    /// The same, believing this authority.
    pub(crate) fn believing(mut self, authority: &str) -> Self {
        authority.clone_into(&mut self.authority);
        self
    }
}
