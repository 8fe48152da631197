//! Which certificates are trusted: the system's, those that the owner put beside a registry's name, or any.

use crate::error::{DialError, Error};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, InvalidMessage, RootCertStore, SignatureScheme,
};
use std::path::Path;
use std::sync::Arc;

/// As Docker has it: `<host>/*.crt` in one of them are roots for that registry.
const FOLDERS: [&str; 2] = ["/etc/sampan/certs.d", "/etc/docker/certs.d"];

/// How to speak TLS with the registry `domain`. Reads files.
pub(crate) fn config(domain: &str, careless: bool) -> Result<ClientConfig, Error> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone());
    let builder = builder.with_safe_default_protocol_versions();
    let builder =
        builder.map_err(|e| Error::Certificates { folder: String::new(), reason: e.to_string() })?;
    let config = if careless {
        builder.dangerous().with_custom_certificate_verifier(Arc::new(Any(provider)))
    } else {
        builder.with_root_certificates(roots(domain)?)
    };
    Ok(config.with_no_client_auth())
}

fn roots(domain: &str) -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
    // What is damaged there or missing is not trusted, and no more than that.
    let system = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(system.certs);
    for folder in FOLDERS.map(|folder| Path::new(folder).join(domain)) {
        add_folder(&mut roots, &folder)?;
    }
    Ok(roots)
}

fn add_folder(roots: &mut RootCertStore, folder: &Path) -> Result<(), Error> {
    let failed = |reason: String| Error::Certificates { folder: folder.display().to_string(), reason };
    let Ok(entries) = std::fs::read_dir(folder) else { return Ok(()) };
    let paths = entries.flatten().map(|entry| entry.path());
    for path in paths.filter(|path| path.extension().is_some_and(|extension| extension == "crt")) {
        let found = rustls_native_certs::load_certs_from_paths(Some(&path), None);
        if let Some(error) = found.errors.first() {
            return Err(failed(error.to_string()));
        }
        for certificate in found.certs {
            roots.add(certificate).map_err(|error| failed(error.to_string()))?;
        }
    }
    Ok(())
}

/// Takes any certificate: for registries whose owner says that they are insecure.
#[derive(Debug)]
struct Any(Arc<CryptoProvider>);

impl ServerCertVerifier for Any {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// A failed handshake in Go's words.
pub(crate) fn handshake_error(error: &rustls::Error) -> DialError {
    use rustls::Error as Tls;
    let untrusted = |why: &str| DialError::Tls(format!("tls: failed to verify certificate: x509: {why}"));
    match error {
        Tls::InvalidMessage(InvalidMessage::InvalidContentType) => {
            DialError::Tls("http: server gave HTTP response to HTTPS client".into())
        }
        Tls::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature) => {
            untrusted("certificate signed by unknown authority")
        }
        Tls::InvalidCertificate(
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. },
        ) => untrusted("certificate has expired or is not yet valid"),
        Tls::InvalidCertificate(CertificateError::NotValidForName) => {
            untrusted("certificate is not valid for the host")
        }
        Tls::InvalidCertificate(other) => untrusted(&other.to_string()),
        other => DialError::Tls(format!("tls: {other}")),
    }
}
