//! Scripts that complete a program's commands and options in a shell.

use std::io;

use clap::Command;
use clap_complete::{Generator as _, Shell};

/// Returns the script for a shell.
///
/// # Errors
///
/// The generator's error; writing to memory does not fail.
pub(crate) fn script(mut program: Command, shell: Shell) -> io::Result<String> {
    let name = program.get_name().to_owned();
    program.set_bin_name(&name);
    program.build();
    let mut script = Vec::new();
    shell.try_generate(&program, &mut script)?;
    let script = String::from_utf8(script).map_err(io::Error::other)?;
    Ok(match shell {
        Shell::Bash => with_reachable_commands(&name, &script),
        _ => script,
    })
}

/// Mends the generator's script for a program whose name has a hyphen. The generator spells such a name in one way
/// where it remembers the command on the line, and in another where it looks up the command's options, so that bash
/// completes nothing below the program (<https://github.com/clap-rs/clap/issues/6421>). Here both get the first
/// spelling. A generator without that fault leaves nothing to replace.
fn with_reachable_commands(program: &str, script: &str) -> String {
    const SEPARATOR: &str = "__subcmd__";
    let remembered = program.replace('-', "__") + SEPARATOR;
    let looked_up = program.replace('-', SEPARATOR) + SEPARATOR;
    script.replace(&looked_up, &remembered)
}
