//! The files of a server's certificate, followed while it serves.

use std::path::PathBuf;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use ampoule::Timestamp;
use ampoule_command_line::shown_path;
use ampoule_server::{ClientCertificates, Tls, TlsIdentity, TlsSettings};
use ampoule_signing::{PermissionPolicy, read_private_text, read_trusted_text};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::error::Error;
use crate::settings::Settings;
use crate::tls_options::{ClientsAre, TlsOptions};

/// Time between two looks at the files.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The largest file of certificates. A chain has some KiB, and a list of issuers some hundred.
const MAX_CERTIFICATES: u64 = 512 << 10;

/// The largest file of a private key. One of RSA with 8,192 bits has 6 KiB.
const MAX_KEY: u64 = 16 << 10;

/// TLS of a server, which takes over what is written to its files. Dropping it ends the thread that looks at them.
#[derive(Debug)]
pub(crate) struct CertificateFiles {
    tls: Tls,
    _end: Sender<()>,
}

impl CertificateFiles {
    /// Reads the files and follows them from now on; `None` where the server is to have no TLS.
    pub(crate) fn open(options: &TlsOptions, settings: &Settings) -> Result<Option<Self>, Error> {
        let files = options
            .files()
            .map_err(|(key, words)| Error::Setting(words).at(settings.place(key)))?;
        let Some((certificate, key)) = files else {
            return Ok(None);
        };
        let pair = Pair {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
            permissions: settings.permissions.clone(),
        };
        let read = pair.read();
        let opened = read.and_then(|files| Ok((pair.identity(&files)?, files.digest)));
        let (identity, digest) =
            opened.map_err(|fault| fault.error.at(settings.place(fault.setting)))?;
        let until = identity.until();
        let tls = Tls::new(identity, tls_settings(options, settings)?)?;
        let mut follower = Follower {
            pair,
            tls: tls.clone(),
            served: digest,
            until,
            is_end_told: false,
            fault: None,
        };
        let (end, ended) = channel::<()>();
        let followed = thread::Builder::new()
            .name("ampoule-tls".to_owned())
            .spawn(move || {
                while let Err(RecvTimeoutError::Timeout) = ended.recv_timeout(LOOK_EVERY) {
                    follower.look();
                }
            });
        followed.map_err(|error| Error::Thread(error.to_string()))?;
        Ok(Some(Self { tls, _end: end }))
    }

    pub(crate) fn tls(&self) -> Tls {
        self.tls.clone()
    }
}

fn tls_settings(options: &TlsOptions, settings: &Settings) -> Result<TlsSettings, Error> {
    let clients = match &options.client_ca {
        None => None,
        Some(file) => {
            let issuers = read_trusted_text(
                settings.permissions.at(file),
                "the certificates of the clients' issuers",
                MAX_CERTIFICATES,
            );
            let is_required = options.client_certificates == Some(ClientsAre::Required);
            let clients = issuers
                .map_err(Error::from)
                .and_then(|issuers| Ok(ClientCertificates::from_pem(&issuers, is_required)?));
            let place = settings.place("server.tls.client-ca");
            Some(clients.map_err(|error| error.about_file(shown_path(file)).at(place))?)
        }
    };
    Ok(TlsSettings {
        min_version: options.min_version.unwrap_or_default(),
        clients,
    })
}

/// The files of a certificate and of its key.
struct Pair {
    certificate: PathBuf,
    key: PathBuf,
    permissions: PermissionPolicy,
}

/// Fault of one of the files, and the key of the setting that names it.
struct Fault {
    setting: &'static str,
    error: Box<Error>,
}

/// Texts of both files.
struct Files {
    certificate: Zeroizing<String>,
    key: Zeroizing<String>,
    /// Digest of both.
    digest: [u8; 32],
}

impl Pair {
    fn read(&self) -> Result<Files, Fault> {
        let certificate = self.permissions.at(&self.certificate);
        let certificate = read_trusted_text(certificate, "the certificate", MAX_CERTIFICATES)
            .map_err(|error| self.of_certificate(error.into()))?;
        let key = read_private_text(self.permissions.at(&self.key), "the private key", MAX_KEY)
            .map_err(|error| self.of_key(error.into()))?;
        let digest = Sha256::new()
            .chain_update(certificate.len().to_le_bytes())
            .chain_update(certificate.as_bytes())
            .chain_update(key.as_bytes())
            .finalize();
        Ok(Files {
            certificate,
            key,
            digest: digest.into(),
        })
    }

    fn identity(&self, files: &Files) -> Result<TlsIdentity, Fault> {
        let identity = TlsIdentity::from_pem(&files.certificate, &files.key, Timestamp::now());
        identity.map_err(|error| match error.code() {
            "tls.key" => self.of_key(error.into()),
            _ => self.of_certificate(error.into()),
        })
    }

    fn of_certificate(&self, error: Error) -> Fault {
        Fault {
            setting: "server.tls.certificate",
            error: Box::new(error.about_file(shown_path(&self.certificate))),
        }
    }

    fn of_key(&self, error: Error) -> Fault {
        Fault {
            setting: "server.tls.key",
            error: Box::new(error.about_file(shown_path(&self.key))),
        }
    }
}

/// Looks at the files, on a thread of its own.
struct Follower {
    pair: Pair,
    tls: Tls,
    /// Digest of the files that are served.
    served: [u8; 32],
    /// End of the time of the certificate that is served.
    until: Timestamp,
    is_end_told: bool,
    /// The fault of the last look, and true once it was told.
    fault: Option<(String, bool)>,
}

impl Follower {
    /// Serves what the files hold now. A pair that cannot be used changes nothing. Each of its faults is told once, at the
    /// second look that finds it: two files are not replaced at one moment.
    fn look(&mut self) {
        self.tell_end();
        match self.new_pair() {
            Ok(None) => self.fault = None,
            Ok(Some((identity, digest))) => {
                let until = identity.until();
                self.tls.replace(identity);
                self.served = digest;
                self.until = until;
                self.is_end_told = false;
                self.fault = None;
                tracing::info!(target: "ampoule::tls", %until, "a new certificate is served");
            }
            Err(Fault { error, .. }) => {
                let text = error.to_string();
                let known = self.fault.as_ref().filter(|(known, _)| *known == text);
                let (is_known, is_told) = (known.is_some(), known.is_some_and(|(_, told)| *told));
                if is_known && !is_told {
                    tracing::warn!(
                        target: "ampoule::tls",
                        code = error.code(), %error,
                        "the new certificate cannot be used; the one before is served still"
                    );
                }
                self.fault = Some((text, is_known));
            }
        }
    }

    /// Reads the files. Returns `None` where they are those that are served.
    fn new_pair(&self) -> Result<Option<(TlsIdentity, [u8; 32])>, Fault> {
        let files = self.pair.read()?;
        if files.digest == self.served {
            return Ok(None);
        }
        Ok(Some((self.pair.identity(&files)?, files.digest)))
    }

    /// Tells once that the time of the certificate is over.
    fn tell_end(&mut self) {
        if self.until < Timestamp::now() && !self.is_end_told {
            self.is_end_told = true;
            let until = self.until;
            tracing::warn!(
                target: "ampoule::tls",
                %until, "the time of the certificate that is served is over: clients refuse it"
            );
        }
    }
}
