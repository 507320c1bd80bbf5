//! Forgets answers of releases that do not serve any more, and of models that are not trusted any more.
//!
//! Their answers are not found anyway: a request asks the trust first, and its hash has the release that serves. Here they
//! are removed.

use std::collections::BTreeSet;
use std::time::Duration;

use ampoule_answers::Manifest;

use crate::models::Readiness;
use crate::service::Service;

/// Time between two looks, which is that of the looks at the models.
const LOOK_TIME: Duration = Duration::from_secs(1);

/// Releases that are gone and whose requests may still be answered. Their answers are removed again at each look.
const MOST_GONE: usize = 64;

/// Releases that serve, and those that did.
#[derive(Debug, Default)]
struct Releases {
    serving: BTreeSet<Manifest>,
    /// The last ones that are gone, the oldest first.
    gone: Vec<Manifest>,
}

/// Looks at the models each second, without end, where answers are kept.
pub(crate) async fn watch(service: Service) {
    let Some(answers) = service.protection().answers() else {
        return;
    };
    let mut releases = Releases::default();
    loop {
        tokio::time::sleep(LOOK_TIME).await;
        let entries = service.models().entries().into_iter();
        let trusted = entries.filter(|entry| entry.readiness() == Readiness::Ready);
        let serving = trusted.filter_map(|entry| entry.model());
        let serving = serving.map(|model| *model.manifest_digest().as_bytes());
        for manifest in releases.look(serving.collect()) {
            answers.forget_model(manifest);
        }
    }
}

impl Releases {
    /// Takes the releases that serve now. Returns those whose answers are to go. Releases that this process has never seen
    /// keep their answers: models load one after the other.
    fn look(&mut self, serving: BTreeSet<Manifest>) -> &[Manifest] {
        self.gone.retain(|manifest| !serving.contains(manifest));
        self.gone.extend(self.serving.difference(&serving));
        let over = self.gone.len().saturating_sub(MOST_GONE);
        self.gone.drain(..over);
        self.serving = serving;
        &self.gone
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_is_gone_when_it_serves_no_longer_and_until_it_serves_again() {
        let mut releases = Releases::default();
        let (one, two) = ([1; 32], [2; 32]);
        assert!(releases.look(BTreeSet::from([one])).is_empty());
        assert_eq!(releases.look(BTreeSet::from([two])), [one]);
        assert_eq!(releases.look(BTreeSet::from([two])), [one]);
        assert_eq!(releases.look(BTreeSet::new()), [one, two]);
        assert_eq!(releases.look(BTreeSet::from([one])), [two]);
    }

    #[test]
    fn of_releases_that_are_gone_the_last_ones_are_remembered() {
        let mut releases = Releases::default();
        for release in 0..=u8::MAX {
            releases.look(BTreeSet::from([[release; 32]]));
        }
        assert_eq!(releases.gone.len(), MOST_GONE);
        assert_eq!(releases.gone.last(), Some(&[u8::MAX - 1; 32]));
    }
}
