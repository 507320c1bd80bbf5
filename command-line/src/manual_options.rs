//! Options and answers of `man` and `completions`.

use std::io;
use std::path::PathBuf;

use clap::{Args, Command};
use clap_complete::Shell;
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::completions::script;
use crate::manual_pages::Manual;

/// The options of `man`.
#[derive(Clone, Debug, Args)]
pub struct ManOptions {
    /// Directory to write one page for each command into. It is made if it is not there, and pages of
    /// the same names are replaced. Without it, the page of the program itself is printed.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

impl ManOptions {
    /// Prints a page, or writes them all.
    ///
    /// JSON: `file` and `page`, a name and roff; or `pages`, a list of `command` and `file`.
    ///
    /// # Errors
    ///
    /// When the directory cannot be made or written.
    pub fn answer(&self, manual: &Manual) -> io::Result<Answer> {
        let Some(dir) = &self.dir else {
            let page = manual.program_page()?;
            return Ok(Answer {
                text: page.text.trim_end().to_owned(),
                json: json!({ "file": page.file, "page": page.text }),
            });
        };
        let pages = manual.write(dir)?;
        let files: Vec<&str> = pages.iter().map(|page| &*page.file).collect();
        let documents: Vec<Value> = pages
            .iter()
            .map(|page| json!({ "command": page.command, "file": page.file }))
            .collect();
        Ok(Answer {
            text: files.join("\n"),
            json: json!({ "pages": documents }),
        })
    }
}

/// The options of `completions`.
#[derive(Clone, Debug, Args)]
pub struct CompletionsOptions {
    /// Shell that is to complete.
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

impl CompletionsOptions {
    /// Prints the script for `program`.
    ///
    /// JSON: `shell` and `script`.
    ///
    /// # Errors
    ///
    /// The generator's error.
    pub fn answer(&self, program: Command) -> io::Result<Answer> {
        let script = script(program, self.shell)?;
        Ok(Answer {
            text: script.trim_end().to_owned(),
            json: json!({ "shell": self.shell.to_string(), "script": script }),
        })
    }
}
