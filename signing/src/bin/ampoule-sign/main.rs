//! `ampoule-sign`: keys, manifests and signatures, for those who publish models.
#![forbid(unsafe_code)]

mod arguments;
mod confirm;
mod cosign;
mod digest;
mod init;
mod inspect;
mod keys;
mod output;
mod pack;
mod password;
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
        Command::Passwd(options) => keys::passwd(&options),
        Command::Init(options) => init::init(options),
        Command::Sign(options) => sign::sign(&options),
        Command::Cosign(options) => cosign::cosign(&options),
        Command::Verify(options) => verify::verify(&options),
        Command::Inspect(options) => inspect::inspect(&options),
        Command::Digest(options) => digest::digest(&options),
        Command::Pack(options) => pack::pack(&options),
        Command::Unpack(options) => pack::unpack(&options),
        Command::Root(command) => root::root(&command),
    };
    output.finish(answer)
}
