//! `digest`.

use std::collections::BTreeMap;

use ampoule_signing::{PermissionPolicy, Result, digest_directory};
use serde_json::json;

use crate::arguments::Digest;
use crate::output::Answer;

pub(crate) fn digest(options: &Digest, permissions: &PermissionPolicy) -> Result<Answer> {
    let digests = digest_directory(permissions.at(&options.dir))?;
    // Two spaces: the first ends the digest, the second says that files are read as they are.
    let lines: Vec<_> = digests
        .iter()
        .map(|(path, digest)| format!("{digest}  {path}"))
        .collect();
    let files: BTreeMap<_, _> = digests.into_iter().collect();
    Ok(Answer {
        text: lines.join("\n"),
        json: json!({ "sha256": files }),
    })
}
