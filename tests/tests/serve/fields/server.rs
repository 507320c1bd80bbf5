//! A server of the models by which the manual's tables of fields are tried.

use std::fmt::Write as _;
use std::ops::Deref;
use std::time::Duration;

use ampoule_tests::{Operator, Publisher, Served, WrittenBundle, ampoule, wat_guest};
use tempfile::TempDir;

/// Repeats the user's last message, and does every other task on texts and raw pixels.
pub(super) const EVERY_TASK: &str = "every-task";

/// Reads picture files.
pub(super) const TINY_VLM: &str = "tiny-vlm";

/// Answers one text with [3, 4, 12], which may be cut to its first 1 or 2 values. The names of this and the next models
/// come last, since a route that names no model takes the first.
pub(super) const CUT: &str = "z-cut";

/// Tells the settings of a generation.
pub(super) const SETTINGS: &str = "z-settings";

/// Works for about a millisecond on each text.
pub(super) const SLOW: &str = "z-slow";

/// Is not trusted, so it is not up.
pub(super) const NOT_LOADED: &str = "z-not-loaded";

/// The server, until this is dropped.
pub(super) struct FieldServer {
    served: Served,
    _operator: Operator,
    _bundles: Vec<WrittenBundle>,
    _folder: TempDir,
}

impl FieldServer {
    pub(super) fn start() -> Self {
        let operator = Operator::new();
        let tiny_vlm = operator.trust_built_in();
        let guest = |name: &str, task: &str| {
            let bundle = operator.publisher().bundle(wat_guest(name)).named(name);
            bundle.tasks(&[task]).write()
        };
        let bundles = [
            (EVERY_TASK, operator.good().write()),
            (CUT, guest("may_be_cut", "text-embedding")),
            (SETTINGS, guest("repeats_its_settings", "text-generation")),
            (SLOW, guest("takes_time_for_each_text", "text-embedding")),
            (NOT_LOADED, Publisher::new("stranger").every_task().write()),
        ];
        let mut text = format!("trust = {:?}\n", operator.trust());
        let paths = bundles.iter().map(|(name, bundle)| (*name, bundle.path()));
        for (name, path) in paths.chain([(TINY_VLM, &*tiny_vlm)]) {
            writeln!(text, "[[model]]\npath = {path:?}\nname = \"{name}\"").unwrap();
        }
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ampoule.toml");
        std::fs::write(&file, text).unwrap();
        let served = Served::listening(ampoule().arg("--config").arg(file), &[]);
        while served.get("/readyz").text().contains("\"loading\"") {
            std::thread::sleep(Duration::from_millis(20));
        }
        Self {
            served,
            _operator: operator,
            _bundles: bundles.into_iter().map(|(_, bundle)| bundle).collect(),
            _folder: folder,
        }
    }
}

impl Deref for FieldServer {
    type Target = Served;

    fn deref(&self) -> &Served {
        &self.served
    }
}
