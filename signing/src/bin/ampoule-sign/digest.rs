//! `digest`.

use std::collections::BTreeMap;

use ampoule_signing::{PermissionPolicy, Result, digest_directory};
use serde_json::json;

use crate::arguments::Digest;
use crate::output::Answer;

pub(crate) fn digest(options: &Digest, permissions: &PermissionPolicy) -> Result<Answer> {
    let (digests, left_out) = digest_directory(permissions.at(&options.dir))?;
    // `sha256sum` takes these for remarks.
    let remarks = left_out
        .iter()
        .map(|out| format!("# left out: {:?} ({})", out.path, out.reason));
    // Two spaces: the first ends the digest, the second says that files are read as they are.
    let lines: Vec<_> = digests
        .iter()
        .map(|(path, digest)| format!("{digest}  {path}"))
        .chain(remarks)
        .collect();
    let files: BTreeMap<_, _> = digests.into_iter().collect();
    Ok(Answer {
        text: lines.join("\n"),
        json: json!({ "sha256": files, "left_out": left_out }),
    })
}
