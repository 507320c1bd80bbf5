//! `minisign`: signatures and keys for those who check with that tool.

use ampoule_signing::{MINISIGN_FILE, PublicKey, Result, SecretKey, minisign_directory};
use serde_json::json;

use crate::arguments::{MinisignCommand, MinisignSign, PublicKeyFile};
use crate::output::Answer;

pub(crate) fn minisign(command: &MinisignCommand) -> Result<Answer> {
    match command {
        MinisignCommand::Sign(options) => sign(options),
        MinisignCommand::Pubkey(options) => pubkey(options),
    }
}

fn sign(options: &MinisignSign) -> Result<Answer> {
    let key = SecretKey::read_file(&options.key, || options.password.get())?;
    let manifest = minisign_directory(&options.dir, &key)?;
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

fn pubkey(options: &PublicKeyFile) -> Result<Answer> {
    let key = PublicKey::read_file(&options.public_key)?;
    let text = key.to_minisign();
    Ok(Answer {
        text: text.trim_end().to_owned(),
        json: json!({ "key_id": key.key_id(), "minisign_public_key": text }),
    })
}
