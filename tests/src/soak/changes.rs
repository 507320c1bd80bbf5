//! What an operator changes while requests come in: models and trust.

use super::Outcome;
use super::chance::Chance;
use super::requests::{stopped, wrong};
use super::world::{World, good_bundle, load};
use crate::guests::{test_guest, wat_guest};

impl World {
    /// Loads another model in the place of the good one, or one that is refused. What is in flight goes on
    /// with the old one, which goes with the last of its requests.
    pub(super) async fn change_models(&self, chance: &mut Chance) -> Outcome {
        let Ok(_turn) = self.changing.try_lock() else {
            return Ok("change: somebody else's turn".to_owned());
        };
        match chance.below(4) {
            0 => {
                self.loads.set(self.loads.get() + 1);
                let bundle = good_bundle(&self.acme, self.loads.get());
                let model = load(&self.host, bundle).await;
                self.good.replace(model);
                Ok("change: the good model is another one".to_owned())
            }
            1 => {
                self.loads.set(self.loads.get() + 1);
                let bundle = self.acme.bundle(wat_guest("writes_eight_memories"));
                let number = self.loads.get().to_le_bytes().to_vec();
                let model = load(&self.host, bundle.file("number", number)).await;
                let ask = async || model.embed_text(&["x"]).await;
                let answer = self.patiently(ask).await.map_err(wrong("a new model"))?;
                match answer.output.values[..] {
                    [8.0] => Ok("change: a model that comes and goes".to_owned()),
                    ref other => Err(format!("a new model: {other:?}")),
                }
            }
            2 => {
                let bundle = self.acme.bundle(test_guest("imports_sockets")).write();
                let error = self.host.load(bundle.path()).await.err();
                stopped(
                    "change: a model that is refused",
                    error,
                    &["admission.import"],
                )
            }
            _ => {
                let bundle = self.acme.bundle(test_guest("panics_in_init")).write();
                let error = self.host.load(bundle.path()).await.err();
                stopped(
                    "change: a model that does not start",
                    error,
                    &["guest.trap"],
                )
            }
        }
    }

    /// Takes the trust in a publisher back, and gives it again.
    pub(super) async fn change_trust(&self) -> Outcome {
        let Ok(_turn) = self.changing.try_lock() else {
            return Ok("change: somebody else's turn".to_owned());
        };
        self.trust_all_but_beta();
        let refused = self.of_beta.tokenize(&["x"]).await;
        self.trust_everybody();
        stopped("change: trust", refused.err(), &["trust.unknown-key"])?;
        let ask = async || self.of_beta.tokenize(&["x"]).await;
        let answer = self.patiently(ask).await.map_err(wrong("trusted again"))?;
        match answer.output[0].ids[..] {
            [120] => Ok("change: trust taken back and given again".to_owned()),
            ref other => Err(format!("trusted again: {other:?}")),
        }
    }
}
