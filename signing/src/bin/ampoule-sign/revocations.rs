//! `revocations`: the list of what is trusted no more.

use std::path::Path;

use ampoule_signing::{Result, RevocationList, update_draft, write_draft};
use serde_json::{Value, json};

use crate::documents::{Shown, check_signed, cosign, draft_answer, inspect, sign};
use crate::output::Answer;
use crate::revocation_arguments::RevocationCommand;

pub(crate) fn revocations(command: &RevocationCommand) -> Result<Answer> {
    match command {
        RevocationCommand::Init(options) => {
            let list = RevocationList::new(&options.name, options.expires)?;
            write_draft(&options.draft, &list)?;
            Ok(draft_answer(&list))
        }
        RevocationCommand::Add(options) => change(&options.draft, |list| {
            (options.what.all())
                .try_fold(list, |list, what| list.with(what, options.reason.clone()))
        }),
        RevocationCommand::Remove(options) => change(&options.draft, |list| {
            (options.what.all()).try_fold(list, |list, what| list.without(&what))
        }),
        RevocationCommand::Next(options) => {
            check_signed::<RevocationList>(options)?;
            change(&options.draft, |list| list.next(options.expires))
        }
        RevocationCommand::Sign(options) => sign::<RevocationList>(options),
        RevocationCommand::Cosign(options) => cosign::<RevocationList>(options),
        RevocationCommand::Inspect(options) => inspect::<RevocationList>(&options.list),
    }
}

fn change(
    draft: &Path,
    change: impl FnOnce(RevocationList) -> Result<RevocationList>,
) -> Result<Answer> {
    Ok(draft_answer(&update_draft(draft, change)?))
}

impl Shown for RevocationList {
    const NAME: &'static str = "revocations";

    fn to_value(&self) -> Value {
        json!(self)
    }

    fn to_lines(&self) -> String {
        let mut lines = vec![
            format!("name         {}", self.name()),
            format!("version      {}", self.version()),
            format!("expires      {}", self.expires()),
        ];
        lines.extend(self.entries().map(|(what, reason)| {
            let reason = reason.map(|reason| format!(": {reason}"));
            format!("revoked      {what}{}", reason.unwrap_or_default())
        }));
        lines.join("\n")
    }
}
