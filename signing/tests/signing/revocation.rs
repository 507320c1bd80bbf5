//! Revocation: what is trusted no more although its signatures are good, and who may say so.

use std::fs;
use std::path::Path;

use ampoule_signing::{
    Bundle, MANIFEST_FILE, REVOCATIONS_FILE, Result, RevocationAuthority, RevocationList,
    RevocationMode, Revoked, Role, SecretKey, Sha256Digest, SignedRevocations, Timestamp,
    TrustStore, cosign_directory, sign_directory,
};

use crate::fixture::{FILES, Fixture, PUBLISHER, snapshot, template};
use crate::root::{Fleet, LATER, NOW, id, key, sign as sign_root, threshold, time};

/// A bundle, and those on duty who sign the lists that its hosts obey.
struct Duty {
    fixture: Fixture,
    duty: SecretKey,
}

pub(crate) fn list() -> RevocationList {
    RevocationList::new("fleet", time(LATER)).unwrap()
}

pub(crate) fn sign(list: &RevocationList, keys: &[&SecretKey]) -> SignedRevocations {
    SignedRevocations::sign(list.to_json().unwrap().into_bytes(), keys).unwrap()
}

fn authority(keys: &[&SecretKey], needed: u32) -> RevocationAuthority {
    let keys = keys.iter().map(|key| key.public_key().clone());
    RevocationAuthority::new("fleet", Role::new(keys, threshold(needed)).unwrap()).unwrap()
}

impl Duty {
    fn new() -> Self {
        Self {
            fixture: Fixture::signed(),
            duty: key(),
        }
    }

    fn trust(&self) -> TrustStore {
        let mut trust = self.fixture.trust();
        trust.set_revocation_authority(Some(authority(&[&self.duty], 1)));
        trust
    }

    fn trust_after(&self, list: &RevocationList) -> TrustStore {
        let mut trust = self.trust();
        trust.accept_revocations(&self.sign(list)).unwrap();
        trust
    }

    fn sign(&self, list: &RevocationList) -> SignedRevocations {
        sign(list, &[&self.duty])
    }

    fn manifest(&self) -> Revoked {
        let bundle = self.fixture.verify().unwrap();
        Revoked::Manifest(bundle.manifest_digest())
    }

    #[track_caller]
    fn is_refused_after(&self, what: Revoked) {
        let other = Revoked::Manifest(Sha256Digest::of(b"another"));
        let list = list().with(other, None).unwrap();
        let trust = self.trust_after(&list);
        self.fixture.verify_with(&trust).unwrap();
        let list = list.with(what, Some("it leaks".to_owned())).unwrap();
        let trust = self.trust_after(&list);
        assert_eq!(self.fixture.refusal_with(&trust), "trust.revoked");
        let error = self.fixture.verify_with(&trust).unwrap_err().to_string();
        assert!(
            error.contains("it leaks") && error.contains(&what.to_string()),
            "{error}"
        );
    }
}

#[test]
fn a_revoked_bundle_is_refused_with_the_reason() {
    let duty = Duty::new();
    duty.is_refused_after(duty.manifest());
}

#[test]
fn a_revoked_component_is_refused_in_whatever_bundle_it_comes() {
    let duty = Duty::new();
    let component = Revoked::Component(Sha256Digest::of(FILES[0].1));
    duty.is_refused_after(component);
    // One that is pinned by the digests of its chunks is known by its own all the same.
    duty.fixture.sign_changed(|manifest| {
        let chunk = 8;
        let digests: Vec<String> = (FILES[0].1.chunks(chunk))
            .map(|chunk| Sha256Digest::of(chunk).to_string())
            .collect();
        manifest["component"]["digest"] =
            serde_json::json!({ "sha256_chunks": { "chunk_size": chunk, "digests": digests } });
    });
    duty.is_refused_after(component);
}

#[test]
fn a_revoked_keys_signature_counts_for_nothing() {
    let duty = Duty::new();
    duty.is_refused_after(Revoked::Key(id(&duty.fixture.key)));
    // Neither do two count as three, nor is one that counts lost beside one that does not.
    let second = key();
    cosign_directory(&duty.fixture.path(), &[&second]).unwrap();
    let list = list()
        .with(Revoked::Key(id(&duty.fixture.key)), None)
        .unwrap();
    let mut trust = duty.trust_after(&list);
    trust
        .insert(second.public_key().clone(), [PUBLISHER])
        .unwrap();
    let bundle = duty.fixture.verify_with(&trust).unwrap();
    assert_eq!(bundle.signers(), [id(&second)]);
    let pattern = "acme/*".parse().unwrap();
    trust
        .edit(pattern, |delegation| {
            Ok(delegation.with_threshold(threshold(2)))
        })
        .unwrap();
    assert_eq!(duty.fixture.refusal_with(&trust), "trust.revoked");
}

#[test]
fn what_the_newest_list_does_not_name_is_trusted_again() {
    let duty = Duty::new();
    let first = list().with(duty.manifest(), None).unwrap();
    let mut trust = duty.trust_after(&first);
    let second = first
        .next(time(LATER))
        .unwrap()
        .without(&duty.manifest())
        .unwrap();
    trust.accept_revocations(&duty.sign(&second)).unwrap();
    duty.fixture.verify_with(&trust).unwrap();
    assert!(
        second.without(&duty.manifest()).is_err(),
        "it was not in it"
    );
}

#[test]
fn only_those_on_duty_sign_a_list_and_as_many_as_it_takes() {
    let [ann, bob, stranger] = [key(), key(), key()];
    let mut trust = TrustStore::new();
    let refusal = |trust: &mut TrustStore, list: &SignedRevocations| {
        let before = trust.clone();
        let error = trust.accept_revocations(list).unwrap_err();
        assert_eq!(*trust, before);
        error.code()
    };
    let signed = sign(&list(), &[&ann]);
    assert_eq!(refusal(&mut trust, &signed), "trust.revocations-authority");
    trust.set_revocation_authority(Some(authority(&[&ann, &bob], 2)));
    assert_eq!(refusal(&mut trust, &signed), "trust.threshold");
    assert_eq!(
        refusal(&mut trust, &sign(&list(), &[&ann, &stranger])),
        "trust.threshold"
    );
    assert_eq!(
        refusal(&mut trust, &sign(&list(), &[&stranger])),
        "trust.unknown-key"
    );
    assert_eq!(
        refusal(&mut trust, &sign(&list(), &[])),
        "signature.missing"
    );
    let others = RevocationList::new("other", time(LATER)).unwrap();
    assert_eq!(
        refusal(&mut trust, &sign(&others, &[&ann, &bob])),
        "trust.revocations-name"
    );
    trust
        .accept_revocations(&sign(&list(), &[&bob, &ann, &stranger]))
        .unwrap();
    // Whoever else signs from now on, the old list is not theirs.
    trust.set_revocation_authority(Some(authority(&[&stranger], 1)));
    assert_eq!(trust.revocations(), None);
}

#[test]
fn an_older_list_never_replaces_a_newer_one() {
    let duty = Duty::new();
    let first = list();
    let second = first
        .clone()
        .next(time(LATER))
        .unwrap()
        .with(duty.manifest(), None)
        .unwrap();
    let mut trust = duty.trust_after(&second);
    let twin = first.clone().next(time(NOW)).unwrap();
    for old in [&first, &twin] {
        let error = trust.accept_revocations(&duty.sign(old)).unwrap_err();
        assert_eq!(error.code(), "trust.revocations-rollback");
    }
    assert_eq!(trust.revocations(), Some(&second));
    trust.accept_revocations(&duty.sign(&second)).unwrap();
}

#[test]
fn in_strict_mode_nothing_is_trusted_without_a_fresh_list() {
    let duty = Duty::new();
    let verify = |trust: &TrustStore, now: &str| {
        Bundle::open(&duty.fixture.path())
            .unwrap()
            .verify(trust, time(now))
    };
    let code = |result: Result<_>| result.map(drop).unwrap_err().code();
    let mut trust = duty.trust();
    verify(&trust, NOW).unwrap();
    trust.set_revocation_mode(RevocationMode::Strict);
    assert_eq!(
        code(verify(&trust, NOW).map(drop)),
        "trust.revocations-missing"
    );
    trust.accept_revocations(&duty.sign(&list())).unwrap();
    let decided = verify(&trust, NOW).unwrap();
    assert_eq!(decided.decision().holds_until(), Some(time(LATER)));
    verify(&trust, LATER).unwrap();
    let after = "2028-01-01T00:00:00.001Z";
    assert_eq!(
        code(verify(&trust, after).map(drop)),
        "trust.revocations-expired"
    );
    // What an old list revoked stays revoked where no fresh one is asked for.
    trust.set_revocation_mode(RevocationMode::Permissive);
    verify(&trust, after).unwrap();
    let next = list()
        .next(time(LATER))
        .unwrap()
        .with(duty.manifest(), None)
        .unwrap();
    trust.accept_revocations(&duty.sign(&next)).unwrap();
    assert_eq!(code(verify(&trust, after).map(drop)), "trust.revoked");
}

/// The manifest of a large component has digests of its parts only.
#[test]
fn a_large_component_is_revoked_by_the_digest_of_all_its_bytes() {
    let duty = Duty::new();
    let large = fs::File::create(duty.fixture.file("component.wasm")).unwrap();
    let length = (64 << 20) + 1;
    large.set_len(length).unwrap();
    fs::remove_file(duty.fixture.file(MANIFEST_FILE)).unwrap();
    let manifest = template()
        .fill(&duty.fixture.path(), Timestamp::now())
        .unwrap();
    manifest.write_file(&duty.fixture.path()).unwrap();
    sign_directory(&duty.fixture.path(), &[&duty.fixture.key]).unwrap();
    let bytes = vec![0; usize::try_from(length).unwrap()];
    duty.is_refused_after(Revoked::Component(Sha256Digest::of(&bytes)));
}

#[test]
fn a_loaded_bundle_is_asked_about_again_without_its_files() {
    let duty = Duty::new();
    let bundle = duty.fixture.verify().unwrap();
    fs::remove_dir_all(duty.fixture.path()).unwrap();
    let trust = duty.trust();
    bundle.verify_again(&trust, time(NOW)).unwrap();
    let component = Revoked::Component(Sha256Digest::of(FILES[0].1));
    for what in [
        Revoked::Key(id(&duty.fixture.key)),
        Revoked::Manifest(bundle.manifest_digest()),
        component,
    ] {
        let trust = duty.trust_after(&list().with(what, None).unwrap());
        let error = bundle.verify_again(&trust, time(NOW)).unwrap_err();
        assert_eq!(error.code(), "trust.revoked", "{what}");
    }
    let error = bundle
        .verify_again(&TrustStore::new(), time(NOW))
        .unwrap_err();
    assert_eq!(error.code(), "trust.unknown-key");
}

/// A fleet whose root says that `duty` signs the lists.
fn fleet_with_duty(duty: &SecretKey) -> Fleet {
    let mut fleet = Fleet::new();
    let role = Role::new([duty.public_key().clone()], threshold(1)).unwrap();
    fleet.first = (fleet.first.clone())
        .with_revocation(Some(role))
        .unwrap()
        .with_revocation_mode(RevocationMode::Strict);
    let signed = sign_root(&fleet.first, &[&fleet.ann, &fleet.bob]);
    ampoule_signing::VerifiedRoot::install(&fleet.trust(), signed, time(NOW)).unwrap();
    fleet
}

fn update(
    trust: &Path,
    lists: impl IntoIterator<Item = SignedRevocations>,
) -> Result<RevocationList> {
    TrustStore::update_revocations(trust, lists.into_iter().map(Ok), time(NOW))
}

#[test]
fn a_fleets_list_is_put_in_place_and_obeyed_from_then_on() {
    let duty = key();
    let fleet = fleet_with_duty(&duty);
    let first = list().with(Revoked::Key(id(&fleet.acme)), None).unwrap();
    let second = first.clone().next(time(LATER)).unwrap();
    assert_eq!(
        update(&fleet.trust(), []).unwrap_err().code(),
        "trust.revocations-missing"
    );
    // One command for all machines, in whatever order the lists come.
    let [one, two] = [&first, &second].map(|list| sign(list, &[&duty]));
    update(&fleet.trust(), [two.clone(), one.clone()]).unwrap();
    let trust = TrustStore::open(&fleet.trust()).unwrap();
    assert_eq!(trust.revocations(), Some(&second));
    assert_eq!(trust.revocation_mode(), RevocationMode::Strict);
    let before = snapshot(&fleet.trust());
    let error = update(&fleet.trust(), [one]).unwrap_err();
    assert_eq!(error.code(), "trust.revocations-rollback");
    update(&fleet.trust(), [two]).unwrap();
    assert_eq!(
        snapshot(&fleet.trust()),
        before,
        "what is installed already is not written again"
    );
}

#[test]
fn an_expired_list_is_put_in_place_and_reported() {
    let duty = key();
    let fleet = fleet_with_duty(&duty);
    let old = RevocationList::new("fleet", time("2027-01-01T00:00:00Z")).unwrap();
    let error = update(&fleet.trust(), [sign(&old, &[&duty])]).unwrap_err();
    assert_eq!(error.code(), "trust.revocations-expired");
    let trust = TrustStore::open(&fleet.trust()).unwrap();
    assert_eq!(trust.revocations(), Some(&old));
}

#[test]
fn a_list_that_somebody_changed_stops_everything() {
    let duty = key();
    let fleet = fleet_with_duty(&duty);
    update(&fleet.trust(), [sign(&list(), &[&duty])]).unwrap();
    let stranger = sign(&list(), &[&key()]);
    let path = fleet.trust().join(REVOCATIONS_FILE);
    fs::write(&path, stranger.envelope().to_bytes().unwrap()).unwrap();
    let error = TrustStore::open(&fleet.trust()).unwrap_err();
    assert_eq!(error.code(), "trust.unknown-key");
    fs::write(&path, b"cut o").unwrap();
    let error = TrustStore::open(&fleet.trust()).unwrap_err();
    assert_eq!(error.code(), "envelope.malformed");
    update(&fleet.trust(), [sign(&list(), &[&duty])]).unwrap();
    TrustStore::open(&fleet.trust()).unwrap();
}

#[test]
fn a_stolen_key_that_signs_lists_cannot_keep_new_ones_out_for_ever() {
    let (stolen, fresh) = (key(), key());
    let fleet = fleet_with_duty(&stolen);
    let highest = br#"{"schema":1,"name":"fleet","version":9007199254740991,"expires":"2099-01-01T00:00:00Z"}"#;
    let theirs = SignedRevocations::sign(highest.to_vec(), &[&stolen]).unwrap();
    update(&fleet.trust(), [theirs]).unwrap();
    let role = Role::new([fresh.public_key().clone()], threshold(1)).unwrap();
    let next = fleet.next().with_revocation(Some(role)).unwrap();
    fleet
        .update([sign_root(&next, &[&fleet.ann, &fleet.bob])])
        .unwrap();
    // Until there is a list by the new key, nobody says what is revoked, so nothing is trusted.
    let error = TrustStore::open(&fleet.trust()).unwrap_err();
    assert_eq!(error.code(), "trust.unknown-key");
    update(&fleet.trust(), [sign(&list(), &[&fresh])]).unwrap();
    assert_eq!(
        TrustStore::open(&fleet.trust()).unwrap().revocations(),
        Some(&list())
    );
}

#[test]
fn those_who_sign_the_root_sign_the_list_unless_it_says_otherwise() {
    let fleet = Fleet::installed();
    update(&fleet.trust(), [sign(&list(), &[&fleet.ann, &fleet.eve])]).unwrap();
    let next = list().next(time(LATER)).unwrap();
    let error = update(&fleet.trust(), [sign(&next, &[&fleet.ann])]).unwrap_err();
    assert_eq!(error.code(), "trust.threshold");
}

#[test]
fn trust_toml_says_who_signs_its_lists() {
    let dir = tempfile::tempdir().unwrap();
    let (trust, duty) = (dir.path().join("trust"), key());
    let change = |store: &mut TrustStore| {
        store.set_revocation_authority(Some(authority(&[&duty], 1)));
        store.set_revocation_mode(RevocationMode::Strict);
        Ok(())
    };
    TrustStore::update(&trust, change).unwrap();
    let store = TrustStore::open(&trust).unwrap();
    assert_eq!(store.revocation_authority(), Some(&authority(&[&duty], 1)));
    assert_eq!(store.revocation_mode(), RevocationMode::Strict);
    update(&trust, [sign(&list(), &[&duty])]).unwrap();
    // What is said about models later leaves the list where it is.
    let acme = key();
    TrustStore::update(&trust, |store| {
        store.insert(acme.public_key().clone(), ["acme"])
    })
    .unwrap();
    assert_eq!(
        TrustStore::open(&trust).unwrap().revocations(),
        Some(&list())
    );
}
