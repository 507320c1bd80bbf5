//! The start of a rule about models, and its repair after keys were lost.

use std::num::NonZeroU32;

use ampoule_signing::{
    ByteSize, Caps, Delegation, ModelPattern, PublicKey, SecretKey, TrustStore, Validity,
};

fn public_key() -> PublicKey {
    SecretKey::generate().unwrap().public_key().clone()
}

fn number(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap()
}

fn pattern(text: &str) -> ModelPattern {
    text.parse().unwrap()
}

fn until_2031() -> Validity {
    Validity {
        not_before: None,
        not_after: Some("2031-01-01T00:00:00Z".parse().unwrap()),
    }
}

/// Two of three for all that acme publishes, until 2031, in 64 MiB.
fn two_of_three(keys: &[PublicKey; 3]) -> TrustStore {
    let mut delegation = Delegation::new([pattern("acme/*")])
        .with_threshold(number(2))
        .with_validity(until_2031())
        .with_caps(Caps {
            memory: Some(ByteSize::from_mib(64)),
            ..Caps::default()
        });
    for key in keys {
        delegation = delegation.with_key(key.clone(), Validity::default());
    }
    let mut trust = TrustStore::new();
    trust.insert_delegation(delegation).unwrap();
    trust
}

#[test]
fn a_rule_for_one_model_begins_no_weaker_than_its_publishers() {
    let keys = std::array::from_fn(|_| public_key());
    let mut trust = two_of_three(&keys);
    let [one, two, _] = keys;
    let with = |key: &PublicKey| {
        let key = key.clone();
        move |delegation: Delegation| Ok(delegation.with_key(key, Validity::default()))
    };
    let refused = trust.edit(pattern("acme/minilm"), with(&one)).unwrap_err();
    assert_eq!(refused.code(), "trust.malformed");
    assert!(refused.to_string().contains("threshold of 2"), "{refused}");
    let refused = trust.insert_model(one.clone(), "acme", "minilm");
    assert_eq!(refused.unwrap_err().code(), "trust.malformed");
    assert_eq!(trust.delegations().len(), 1, "nothing was changed");

    let rule = trust
        .edit(pattern("acme/minilm"), |delegation| {
            assert_eq!(delegation.keys().count(), 0, "its keys are its own");
            with(&two)(with(&one)(delegation)?)
        })
        .unwrap();
    assert_eq!(rule.threshold(), number(2));
    assert_eq!(rule.validity(), until_2031());
    assert_eq!(rule.caps().memory, Some(ByteSize::from_mib(64)));
    // One is enough where somebody says so.
    let lower = |delegation: Delegation| with(&one)(delegation.with_threshold(number(1)));
    trust.edit(pattern("acme/other"), lower).unwrap();
    // Another publisher's rule begins anew.
    let rule = trust.edit(pattern("zeta/one"), with(&one)).unwrap();
    assert_eq!(
        (rule.threshold(), rule.caps()),
        (number(1), &Caps::default())
    );
}

#[test]
fn after_a_loss_a_rule_is_tightened_and_mended_one_step_at_a_time() {
    let keys = std::array::from_fn(|_| public_key());
    let mut trust = two_of_three(&keys);
    for key in &keys {
        assert!(trust.remove(&key.key_id()));
    }
    let mut edit = |change: &dyn Fn(Delegation) -> Delegation| {
        let changed = trust.edit(pattern("acme/*"), |delegation| Ok(change(delegation)));
        changed.cloned().map_err(|error| error.code())
    };
    // Not one key is left of two that are needed: worse it must not get.
    let higher = edit(&|delegation| delegation.with_threshold(number(3)));
    assert_eq!(higher, Err("trust.malformed"));
    let tight = edit(&|delegation| {
        delegation.with_caps(Caps {
            memory: Some(ByteSize::from_mib(1)),
            ..Caps::default()
        })
    });
    assert_eq!(tight.unwrap().keys().count(), 0);
    for count in 1..=2 {
        let added = edit(&|delegation| delegation.with_key(public_key(), Validity::default()));
        assert_eq!(added.unwrap().keys().count(), count);
    }
    // In order again, it is held to that.
    let higher = edit(&|delegation| delegation.with_threshold(number(3)));
    assert_eq!(higher, Err("trust.malformed"));
}
