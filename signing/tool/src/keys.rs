//! `keygen`, `pubkey` and `passwd`.

use std::path::Path;

use ampoule_command_line::{Answer, about};
use ampoule_signing::{Error, PermissionPolicy, PublicKey, Result, SecretKey};
use serde_json::json;

use crate::arguments::{Keygen, Passwd, Pubkey, PublicKeyFile};

pub(crate) fn keygen(options: &Keygen, permissions: &PermissionPolicy) -> Result<Answer> {
    let public_path = match &options.public_key {
        Some(path) => path.clone(),
        None => options.key.with_extension("pub"),
    };
    if public_path == options.key {
        let message = "the private and the public key need different names";
        return Err(Error::UsageArguments(message.to_owned()));
    }
    // Before the password is asked: nobody should think of one in vain.
    refuse_existing(&options.key, "the private key file")?;
    refuse_existing(&public_path, "the public key file")?;
    let password = if options.no_encryption {
        None
    } else {
        Some(options.password.choose(permissions)?)
    };
    let key = SecretKey::generate()?;
    key.write_file(
        permissions.at(&options.key),
        password.as_ref().map(|password| password.as_str()),
    )
    .map_err(about(&options.key))?;
    key.public_key()
        .write_file(&public_path)
        .inspect_err(|_| {
            // Half a key pair is of no use, and nobody has used it yet. That removing fails too
            // changes nothing.
            let _ = std::fs::remove_file(&options.key);
        })
        .map_err(about(&public_path))?;
    let id = key.public_key().key_id();
    let encrypted = encryption(password.is_some());
    Ok(Answer {
        text: format!(
            "key id       {id}\nprivate key  {} ({encrypted}; keep it to yourself)\npublic key   {}",
            options.key.display(),
            public_path.display()
        ),
        json: json!({
            "key_id": id,
            "private_key": options.key.to_string_lossy(),
            "public_key": public_path.to_string_lossy(),
            "encrypted": password.is_some(),
        }),
    })
}

/// Refuses an existing file early. The files are made with `create_new` anyway.
pub(crate) fn refuse_existing(path: &Path, what: &'static str) -> Result<()> {
    if path.symlink_metadata().is_ok() {
        Err(about(path)(Error::IoExists { what: what.into() }))
    } else {
        Ok(())
    }
}

pub(crate) fn pubkey(options: &Pubkey, permissions: &PermissionPolicy) -> Result<Answer> {
    let key = options.password.open_key(&options.key, permissions)?;
    let public_key: &PublicKey = key.public_key();
    let pem = public_key.to_pem()?;
    let id = public_key.key_id();
    let json = json!({ "key_id": id, "public_key_pem": pem });
    let text = match &options.out {
        Some(path) => {
            public_key.write_file(path).map_err(about(path))?;
            format!("key id       {id}\npublic key   {}", path.display())
        }
        None => pem.trim_end().to_owned(),
    };
    Ok(Answer { text, json })
}

pub(crate) fn key_id(options: &PublicKeyFile, permissions: &PermissionPolicy) -> Result<Answer> {
    let path = &options.public_key;
    let key = PublicKey::read_file(permissions.at(path)).map_err(about(path))?;
    let id = key.key_id();
    Ok(Answer {
        text: id.to_string(),
        json: json!({ "key_id": id }),
    })
}

pub(crate) fn passwd(options: &Passwd, permissions: &PermissionPolicy) -> Result<Answer> {
    let key = options.password.open_key(&options.key, permissions)?;
    let password = if options.no_encryption {
        None
    } else {
        Some(options.new_password.choose(permissions)?)
    };
    key.replace_file(
        permissions.at(&options.key),
        password.as_ref().map(|password| password.as_str()),
    )?;
    let id = key.public_key().key_id();
    Ok(Answer {
        text: format!(
            "key id       {id}\nprivate key  {} ({}; copies of the file keep the old password)",
            options.key.display(),
            encryption(password.is_some())
        ),
        json: json!({
            "key_id": id,
            "private_key": options.key.to_string_lossy(),
            "encrypted": password.is_some(),
        }),
    })
}

fn encryption(encrypted: bool) -> &'static str {
    if encrypted {
        "encrypted"
    } else {
        "NOT encrypted"
    }
}
