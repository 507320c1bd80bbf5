//! The pages of a program: one for itself and one for each of its commands.

use std::io::{self, Write as _};
use std::path::Path;

use cap_std::fs::{Dir, Permissions, PermissionsExt as _};
use clap::Command;

use crate::page::{self, Page, Variable};

/// A program, and the parts of its manual that its definition lacks.
#[derive(Debug)]
pub struct Manual {
    program: Command,
    exit_statuses: Vec<(u8, String)>,
    variables: Vec<Variable>,
}

impl Manual {
    /// The manual of a program that ends with these statuses, each with when it does.
    #[must_use]
    pub fn new(program: Command, exit_statuses: impl IntoIterator<Item = (u8, String)>) -> Self {
        // `help` says what --help and the pages say.
        let mut program = program.disable_help_subcommand(true);
        program.build();
        Self {
            program,
            exit_statuses: exit_statuses.into_iter().collect(),
            variables: Vec::new(),
        }
    }

    /// Names an environment variable on the page of each command that has this option. Those that the
    /// definition has (`env`) need not be named.
    #[must_use]
    pub fn with_variable(
        mut self,
        name: &'static str,
        option: &'static str,
        help: &'static str,
    ) -> Self {
        self.variables.push(Variable { name, option, help });
        self
    }

    /// Makes the page of the program itself.
    ///
    /// # Errors
    ///
    /// The generator's error; writing to memory does not fail.
    pub fn program_page(&self) -> io::Result<Page> {
        self.page(&self.program, &[])
    }

    fn page(&self, command: &Command, above: &[&Command]) -> io::Result<Page> {
        page::render(command, above, &self.exit_statuses, &self.variables)
    }

    /// Makes all pages: the program's, then those of its commands in the order of its help, each before the pages of
    /// the commands below it. The same definition gives the same bytes.
    ///
    /// # Errors
    ///
    /// As [`program_page`](Self::program_page).
    pub fn pages(&self) -> io::Result<Vec<Page>> {
        let mut pages = Vec::new();
        self.add_pages(&self.program, &[], &mut pages)?;
        Ok(pages)
    }

    /// Adds the page of a command, which stands below others, and those of the commands below it.
    fn add_pages(
        &self,
        command: &Command,
        above: &[&Command],
        pages: &mut Vec<Page>,
    ) -> io::Result<()> {
        pages.push(self.page(command, above)?);
        let above = [above, &[command]].concat();
        command
            .get_subcommands()
            .filter(|below| !below.is_hide_set())
            .try_for_each(|below| self.add_pages(below, &above, pages))
    }

    /// Writes all pages into a directory, which is made if it is not there. A page that is there is
    /// replaced, whole or not at all, and never written through a link.
    ///
    /// # Errors
    ///
    /// When the directory cannot be made or written.
    pub fn write(&self, dir: &Path) -> io::Result<Vec<Page>> {
        let pages = self.pages()?;
        std::fs::create_dir_all(dir)?;
        let dir = Dir::open_ambient_dir(dir, cap_std::ambient_authority())?;
        for page in &pages {
            let mut file = cap_tempfile::TempFile::new(&dir)?;
            file.as_file()
                .set_permissions(Permissions::from_mode(0o644))?;
            file.write_all(page.text.as_bytes())?;
            file.replace(&page.file)?;
        }
        Ok(pages)
    }
}
