//! `minisign`: signatures and keys for those who check with that tool.

use ampoule_command_line::{Answer, about};
use ampoule_signing::{MINISIGN_FILE, PermissionPolicy, PublicKey, Result, minisign_directory};
use serde_json::json;

use crate::arguments::{MinisignCommand, MinisignSign, PublicKeyFile};

pub(crate) fn minisign(
    command: &MinisignCommand,
    permissions: &PermissionPolicy,
) -> Result<Answer> {
    match command {
        MinisignCommand::Sign(options) => sign(options, permissions),
        MinisignCommand::Pubkey(options) => pubkey(options, permissions),
    }
}

fn sign(options: &MinisignSign, permissions: &PermissionPolicy) -> Result<Answer> {
    let key = options.password.open_key(&options.key, permissions)?;
    let manifest = minisign_directory(permissions.at(&options.dir), &key)?;
    let id = key.public_key().key_id();
    Ok(Answer {
        text: format!(
            "signed {}/{} for minisign, wrote {MINISIGN_FILE}",
            manifest.publisher(),
            manifest.name()
        ),
        json: json!({ "key_id": id, "file": MINISIGN_FILE }),
    })
}

fn pubkey(options: &PublicKeyFile, permissions: &PermissionPolicy) -> Result<Answer> {
    let path = &options.public_key;
    let key = PublicKey::read_file(permissions.at(path)).map_err(about(path))?;
    let text = key.to_minisign();
    Ok(Answer {
        text: text.trim_end().to_owned(),
        json: json!({ "key_id": key.key_id(), "minisign_public_key": text }),
    })
}
