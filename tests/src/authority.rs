//! Certificates for tests, made by the program `openssl`.

use std::path::{Path, PathBuf};
use std::process::Command;

use ampoule_signing::Timestamp;
use tempfile::TempDir;

/// An issuer of certificates, whose folder is removed when this is dropped.
pub struct Authority {
    folder: TempDir,
}

/// The files of a certificate and of its private key.
#[derive(Clone, Debug)]
pub struct Issued {
    /// The certificate, in PEM.
    pub certificate: PathBuf,
    /// Its private key, in PEM, of mode 0600.
    pub key: PathBuf,
}

impl Authority {
    /// Makes an issuer.
    ///
    /// # Panics
    ///
    /// If `openssl` fails.
    #[must_use]
    pub fn new() -> Self {
        let authority = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        authority.openssl(&[
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "30",
            "-subj",
            "/CN=an issuer of a test",
            "-keyout",
            "ca.key",
            "-out",
            "ca.pem",
            "-addext",
            "basicConstraints=critical,CA:TRUE",
        ]);
        authority
    }

    /// Returns the file of the issuer's own certificate.
    #[must_use]
    pub fn certificate(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// Issues a certificate to `localhost`, the loopback addresses and `models.example`, the server's name in the samples,
    /// in files of this name.
    ///
    /// # Panics
    ///
    /// If `openssl` fails.
    #[must_use]
    pub fn server(&self, name: &str) -> Issued {
        self.issue(
            name,
            "/CN=localhost",
            "serverAuth",
            &["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
        )
    }

    /// As [`Authority::server`], with a key of RSA.
    ///
    /// # Panics
    ///
    /// If `openssl` fails.
    #[must_use]
    pub fn rsa_server(&self, name: &str) -> Issued {
        self.issue(
            name,
            "/CN=localhost",
            "serverAuth",
            &["-newkey", "rsa:2048"],
        )
    }

    /// Issues a certificate to a client with this subject, written as `/O=Acme/CN=batch`.
    ///
    /// # Panics
    ///
    /// If `openssl` fails.
    #[must_use]
    pub fn client(&self, name: &str, subject: &str) -> Issued {
        self.issue(
            name,
            subject,
            "clientAuth",
            &["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
        )
    }

    /// Makes a certificate that its own key has signed, and whose time ended a day before it began.
    ///
    /// # Panics
    ///
    /// If `openssl` fails.
    #[must_use]
    pub fn expired(&self, name: &str) -> Issued {
        let issued = self.files(name);
        let request = self.folder.path().join(format!("{name}.csr"));
        let (key, request) = (text(&issued.key), text(&request));
        self.ask(&issued, "/CN=localhost", request);
        let certificate = text(&issued.certificate);
        self.openssl(&[
            "x509",
            "-req",
            "-in",
            request,
            "-signkey",
            key,
            "-days",
            "-1",
            "-out",
            certificate,
        ]);
        issued
    }

    /// Issues a certificate to a server or a client with this subject, whose time ends then.
    ///
    /// # Panics
    ///
    /// If `openssl` fails.
    #[must_use]
    pub fn until(&self, name: &str, subject: &str, end: Timestamp) -> Issued {
        let issued = self.files(name);
        let file = |ending: &str| self.folder.path().join(format!("{name}.{ending}"));
        let (request, settings, index) = (file("csr"), file("cnf"), file("index"));
        std::fs::write(&index, "").unwrap();
        let lines = format!(
            "[ca]\ndefault_ca = own\n[own]\ndatabase = {}\nnew_certs_dir = {}\nrand_serial = yes\ndefault_md = \
             sha256\npolicy = any\nx509_extensions = facts\n[any]\ncommonName = supplied\norganizationName = \
             optional\n[facts]\nbasicConstraints = critical,CA:FALSE\nsubjectAltName = DNS:localhost\n\
             extendedKeyUsage = serverAuth,clientAuth\n",
            index.display(),
            self.folder.path().display(),
        );
        std::fs::write(&settings, lines).unwrap();
        self.ask(&issued, subject, text(&request));
        let end = Timestamp::from_second(end.as_second()).unwrap();
        let end = end.to_string().replace(['-', ':', 'T'], "");
        self.openssl(&[
            "ca",
            "-config",
            text(&settings),
            "-batch",
            "-notext",
            "-preserveDN",
            "-cert",
            "ca.pem",
            "-keyfile",
            "ca.key",
            "-enddate",
            &end,
            "-in",
            text(&request),
            "-out",
            text(&issued.certificate),
        ]);
        issued
    }

    /// Makes a key, and a request for its certificate.
    fn ask(&self, issued: &Issued, subject: &str, request: &str) {
        self.openssl(&[
            "req",
            "-new",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-subj",
            subject,
            "-keyout",
            text(&issued.key),
            "-out",
            request,
        ]);
    }

    fn issue(&self, name: &str, subject: &str, purpose: &str, key: &[&str]) -> Issued {
        let issued = self.files(name);
        let purpose = format!("extendedKeyUsage={purpose}");
        let mut arguments = vec!["req", "-x509"];
        arguments.extend(key);
        arguments.extend([
            "-nodes",
            "-days",
            "30",
            "-CA",
            "ca.pem",
            "-CAkey",
            "ca.key",
            "-subj",
            subject,
            "-keyout",
            text(&issued.key),
            "-out",
            text(&issued.certificate),
            "-addext",
            "basicConstraints=critical,CA:FALSE",
            "-addext",
            "subjectAltName=DNS:localhost,DNS:models.example,IP:127.0.0.1,IP:::1",
            "-addext",
            &purpose,
        ]);
        self.openssl(&arguments);
        issued
    }

    fn files(&self, name: &str) -> Issued {
        Issued {
            certificate: self.folder.path().join(format!("{name}.pem")),
            key: self.folder.path().join(format!("{name}.key")),
        }
    }

    fn openssl(&self, arguments: &[&str]) {
        let output = Command::new("openssl")
            .args(arguments)
            .current_dir(self.folder.path())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "openssl {arguments:?}: {said}");
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

impl Issued {
    /// Returns the arguments of `ampoule serve` for this certificate.
    #[must_use]
    pub fn arguments(&self) -> [&str; 4] {
        [
            "--tls-certificate",
            text(&self.certificate),
            "--tls-key",
            text(&self.key),
        ]
    }

    /// Puts these files in the place of others, one after the other.
    ///
    /// # Panics
    ///
    /// If a file cannot be written.
    pub fn replace(&self, others: &Self) {
        for (from, to) in [
            (&self.certificate, &others.certificate),
            (&self.key, &others.key),
        ] {
            let new = to.with_extension("new");
            std::fs::copy(from, &new).unwrap();
            std::fs::rename(new, to).unwrap();
        }
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
