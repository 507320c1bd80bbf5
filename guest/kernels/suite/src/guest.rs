//! The suite as a model: a text is the name of a check.

use ampoule_guest::{Assets, Error, Model, ModelInfo, TextTokenization, Tokens};

use crate::checks::CHECKS;

/// The suite. It needs no files.
pub struct Suite;

impl Model for Suite {
    fn load(_: &Assets) -> Result<Self, Error> {
        Ok(Suite)
    }

    fn describe(&self) -> ModelInfo {
        ModelInfo {
            architecture: "kernels-suite".to_owned(),
            properties: Vec::new(),
        }
    }
}

impl TextTokenization for Suite {
    /// Runs the checks of these names. One that does not hold panics, which ends the sandbox; one that is
    /// not there is `input.check`. The answer for each is how many checks there are.
    fn tokenize(&self, texts: &[String]) -> Result<Vec<Tokens>, Error> {
        texts.iter().map(|name| run(name)).collect()
    }
}

fn run(name: &str) -> Result<Tokens, Error> {
    // So that it can be seen that a check can fail.
    assert_ne!(name, "a_check_that_does_not_hold");
    let Some((_, check)) = CHECKS.iter().find(|(its, _)| *its == name) else {
        return Err(Error::new(
            "input.check",
            format!("there is no check `{name}`"),
        ));
    };
    check();
    Ok(Tokens {
        ids: vec![CHECKS.len() as u32],
        truncated: false,
    })
}
