//! Changes of models and trust, made by an operator while requests come in.

use super::chance::Chance;
use super::outcome::{Outcome, stopped, wrong};
use super::world::World;
use crate::bundle::WrittenBundle;

impl World {
    /// Loads another model in the place of the good one, or one that is refused. Requests in flight go on with
    /// the old one, which is dropped with the last of them.
    pub(super) async fn change_models(&self, chance: &mut Chance) -> Outcome {
        let Ok(_turn) = self.changing.try_lock() else {
            return Ok("change: somebody else's turn".to_owned());
        };
        let load = async |bundle: &WrittenBundle| self.host.load(bundle.path()).await;
        match chance.below(4) {
            0 => {
                let bundle = chance.one_of(&self.bundles.good);
                let model = self.patiently(async || load(bundle).await).await;
                self.good
                    .replace(model.map_err(wrong("another good model"))?);
                Ok("change: the good model is another one".to_owned())
            }
            1 => {
                let bundle = chance.one_of(&self.bundles.others);
                let model = self.patiently(async || load(bundle).await).await;
                let model = model.map_err(wrong("a model that comes and goes"))?;
                let ask = async || model.embed_text(&["x"]).await;
                let answer = self.patiently(ask).await.map_err(wrong("a new model"))?;
                match answer.output.values[..] {
                    [8.0] => Ok("change: a model that comes and goes".to_owned()),
                    ref other => Err(format!("a new model: {other:?}")),
                }
            }
            2 => {
                let error = load(&self.bundles.refused).await.err();
                let what = "change: a model that is refused";
                stopped(what, error, &["admission.import"])
            }
            _ => {
                let error = load(&self.bundles.failing).await.err();
                let what = "change: a model that does not start";
                stopped(what, error, &["guest.trap"])
            }
        }
    }

    /// Withdraws the trust in a publisher, and gives it again.
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
