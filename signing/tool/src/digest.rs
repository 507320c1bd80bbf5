//! `digest`.

use std::collections::BTreeMap;

use ampoule_command_line::Answer;
use ampoule_signing::{FileRules, PermissionPolicy, Result, digest_directory};
use serde_json::json;

use crate::arguments::Digest;

pub(crate) fn digest(options: &Digest, permissions: &PermissionPolicy) -> Result<Answer> {
    let rules = options.files.add_to(FileRules::new())?;
    let (digests, left_out) = digest_directory(permissions.at(&options.dir), &rules)?;
    // `sha256sum` takes these for remarks.
    let remarks = left_out
        .iter()
        .map(|out| format!("# left out: {:?} ({})", out.path, out.reason));
    let unused = rules.unused(&left_out);
    let slips = unused
        .iter()
        .map(|glob| format!("# nothing fits --exclude {glob:?}"));
    // Two spaces: the first ends the digest, the second says that files are read as they are.
    let lines: Vec<_> = digests
        .iter()
        .map(|(path, digest)| format!("{digest}  {path}"))
        .chain(remarks)
        .chain(slips)
        .collect();
    let files: BTreeMap<_, _> = digests.into_iter().collect();
    Ok(Answer {
        text: lines.join("\n"),
        json: json!({ "sha256": files, "left_out": left_out, "unused_excludes": unused }),
    })
}
