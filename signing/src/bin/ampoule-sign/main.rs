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
mod revocation_arguments;
mod revocations;
mod root;
mod root_arguments;
mod sign;
mod verify;

use std::process::ExitCode;

use clap::Parser as _;

use arguments::{Arguments, Command};
use output::Output;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(refusal) => return output::print_refusal(&refusal),
    };
    let output = Output {
        json: arguments.json,
    };
    let answer = match arguments.command {
        Command::Keygen(options) => keys::keygen(&options),
        Command::Pubkey(options) => keys::pubkey(&options),
        Command::KeyId(options) => keys::key_id(&options),
        Command::Passwd(options) => keys::passwd(&options),
        Command::Init(options) => init::init(options),
        Command::Sign(options) => sign::sign(&options),
        Command::Cosign(options) => cosign::cosign(&options),
        Command::Verify(options) => verify::verify(&options),
        Command::Inspect(options) => inspect::inspect(&options),
        Command::Digest(options) => digest::digest(&options),
        Command::Minisign(command) => minisign::minisign(&command),
        Command::Pack(options) => pack::pack(&options),
        Command::Unpack(options) => pack::unpack(&options),
        Command::Root(command) => root::root(&command),
        Command::Revocations(command) => revocations::revocations(&command),
        Command::Man(options) => manual::man(&options),
        Command::Completions(options) => manual::completions(&options),
    };
    output.finish(answer)
}
