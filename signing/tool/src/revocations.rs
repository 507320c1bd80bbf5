//! `revocations`: the list of what is trusted no more.

use ampoule_command_line::{Answer, about};
use ampoule_signing::{
    Location, PermissionPolicy, Result, RevocationList, update_draft, write_draft,
};
use serde_json::{Value, json};

use crate::documents::{Shown, check_signed, cosign, draft_answer, inspect, sign};
use crate::revocation_arguments::RevocationCommand;

pub(crate) fn revocations(
    command: &RevocationCommand,
    permissions: &PermissionPolicy,
) -> Result<Answer> {
    match command {
        RevocationCommand::Init(options) => {
            let list = RevocationList::new(&options.name, options.expires)?;
            write_draft(permissions.at(&options.draft), &list).map_err(about(&options.draft))?;
            Ok(draft_answer(&list))
        }
        RevocationCommand::Add(options) => change(permissions.at(&options.draft), |list| {
            (options.what.all())
                .try_fold(list, |list, what| list.with(what, options.reason.clone()))
        }),
        RevocationCommand::Remove(options) => change(permissions.at(&options.draft), |list| {
            (options.what.all()).try_fold(list, |list, what| list.without(&what))
        }),
        RevocationCommand::Next(options) => {
            check_signed::<RevocationList>(options, permissions)?;
            change(permissions.at(&options.draft), |list| {
                list.next(options.expires)
            })
        }
        RevocationCommand::Sign(options) => sign::<RevocationList>(options, permissions),
        RevocationCommand::Cosign(options) => cosign::<RevocationList>(options, permissions),
        RevocationCommand::Inspect(options) => {
            inspect::<RevocationList>(&options.list, permissions)
        }
    }
}

fn change(
    draft: Location<'_>,
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
