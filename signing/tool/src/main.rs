//! `ampoule-sign`: keys, manifests and signatures, for those who publish models.
#![forbid(unsafe_code)]

mod arguments;
mod confirm;
mod cosign;
mod digest;
mod document_arguments;
mod documents;
mod init;
mod inspect;
mod keys;
mod manual;
mod minisign;
mod output;
mod pack;
mod password;
mod progress;
mod revocation_arguments;
mod revocations;
mod root;
mod root_arguments;
mod sign;
mod verify;

use std::process::ExitCode;

use ampoule_command_line::{Answer, EarlyEnd, guarded};
use ampoule_signing::{PermissionPolicy, Result};
use clap::{CommandFactory as _, Parser as _};

use arguments::{Arguments, Command};
use output::Output;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            return output::early_end(&EarlyEnd::new(
                &error,
                &Arguments::command(),
                std::env::args_os(),
            ));
        }
    };
    let output = Output {
        json: arguments.json,
    };
    let permissions = if arguments.insecure_permissions {
        PermissionPolicy::insecure(output::warn)
    } else {
        PermissionPolicy::default()
    };
    let command = arguments.command;
    match guarded(|| answer(command, &permissions)) {
        Ok(answer) => output.finish(answer),
        Err(panicked) => output.give_up(panicked),
    }
}

fn answer(command: Command, permissions: &PermissionPolicy) -> Result<Answer> {
    match command {
        Command::Keygen(options) => keys::keygen(&options, permissions),
        Command::Pubkey(options) => keys::pubkey(&options, permissions),
        Command::KeyId(options) => keys::key_id(&options, permissions),
        Command::Passwd(options) => keys::passwd(&options, permissions),
        Command::Init(options) => init::init(options, permissions),
        Command::Sign(options) => sign::sign(&options, permissions),
        Command::Cosign(options) => cosign::cosign(&options, permissions),
        Command::Verify(options) => verify::verify(&options, permissions),
        Command::Inspect(options) => inspect::inspect(&options, permissions),
        Command::Digest(options) => digest::digest(&options, permissions),
        Command::Minisign(command) => minisign::minisign(&command, permissions),
        Command::Pack(options) => pack::pack(&options, permissions),
        Command::Unpack(options) => pack::unpack(&options, permissions),
        Command::Root(command) => root::root(&command, permissions),
        Command::Revocations(command) => revocations::revocations(&command, permissions),
        Command::Man(options) => manual::man(&options),
        Command::Completions(options) => manual::completions(&options),
    }
}
