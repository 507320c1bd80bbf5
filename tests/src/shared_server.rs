//! One server for all tests that change nothing of it.

use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tempfile::TempDir;

use crate::bundle::WrittenBundle;
use crate::operator::Operator;
use crate::process::ampoule;
use crate::served::Served;

/// The running server, while a test holds it. A static is never dropped, and its process would outlive the tests.
static RUNNING: Mutex<Weak<SharedServer>> = Mutex::new(Weak::new());

/// A server of two models: `every-task`, with the alias `acme/every-task`, which does every task on texts and raw
/// pixels, and `tiny-vlm`, which reads picture files. The last test that holds it ends it.
pub struct SharedServer {
    served: Served,
    _bundle: WrittenBundle,
    _operator: Operator,
    _configuration: TempDir,
}

impl SharedServer {
    /// Returns the server, and starts it where none runs.
    ///
    /// # Panics
    ///
    /// If it does not come up.
    #[must_use]
    pub fn get() -> Arc<Self> {
        let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(server) = running.upgrade() {
            return server;
        }
        let server = Arc::new(Self::start());
        *running = Arc::downgrade(&server);
        server
    }

    fn start() -> Self {
        let operator = Operator::new();
        let bundle = operator.good().write();
        let tiny_vlm = operator.trust_built_in();
        let configuration = tempfile::tempdir().unwrap();
        let file = configuration.path().join("ampoule.toml");
        let text = format!(
            "trust = {:?}\n[[model]]\npath = {:?}\nname = \"every-task\"\naliases = [\"acme/every-task\"]\n[[model]]\npath = {tiny_vlm:?}\nname = \"tiny-vlm\"\n",
            operator.trust(),
            bundle.path(),
        );
        std::fs::write(&file, text).unwrap();
        let mut command = ampoule();
        command.arg("--config").arg(file);
        Self {
            served: Served::start(&mut command, &[]),
            _bundle: bundle,
            _operator: operator,
            _configuration: configuration,
        }
    }
}

impl Deref for SharedServer {
    type Target = Served;

    fn deref(&self) -> &Served {
        &self.served
    }
}
