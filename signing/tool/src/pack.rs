//! `pack` and `unpack`.

use std::path::Path;

use ampoule_command_line::Answer;
use ampoule_signing::{Manifest, PermissionPolicy, Result, pack_directory_by, unpack_file};
use serde_json::json;

use crate::arguments::{Pack, Unpack};
use crate::progress::Shown;

pub(crate) fn pack(options: &Pack, permissions: &PermissionPolicy) -> Result<Answer> {
    let rules = options.secrets.rules()?;
    let shown = Shown::begin("packing");
    let location = permissions.at(&options.dir).with_progress(shown.progress());
    let manifest = pack_directory_by(location, &options.file, &rules)?;
    shown.end();
    Ok(answer("packed", &manifest, &options.file))
}

pub(crate) fn unpack(options: &Unpack, permissions: &PermissionPolicy) -> Result<Answer> {
    let shown = Shown::begin("unpacking");
    let location = permissions
        .at(&options.file)
        .with_progress(shown.progress());
    let manifest = unpack_file(location, &options.dir)?;
    shown.end();
    Ok(answer("unpacked", &manifest, &options.dir))
}

/// Makes the answer. No signature was verified, and both forms say so.
fn answer(done: &str, manifest: &Manifest, to: &Path) -> Answer {
    Answer {
        text: format!(
            "{done:<12} {} {} (release {}) of {}, NOT VERIFIED\nto           {}",
            manifest.name(),
            manifest.version(),
            manifest.release(),
            manifest.publisher(),
            to.display()
        ),
        json: json!({
            "verified": false,
            "publisher": manifest.publisher(),
            "name": manifest.name(),
            "version": manifest.version(),
            "release": manifest.release(),
            "written": to.to_string_lossy(),
        }),
    }
}
