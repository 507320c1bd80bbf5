//! The signed root: who may replace it, by what, and until when it is believed.

use std::fs;
use std::num::NonZeroU32;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use ampoule_signing::{
    ByteSize, Caps, Fuel, KeyId, PublicKey, ROOT_FILE, ROOT_PAYLOAD_TYPE, Result, Role, Root,
    SecretKey, SignedRoot, TRUST_FILE, Timestamp, TrustStore, VerifiedRoot, pae,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ed25519_dalek::pkcs8::DecodePrivateKey as _;
use ed25519_dalek::{Signer as _, SigningKey};
use serde_json::json;

use crate::fixture::{Fixture, snapshot};

const NOW: &str = "2027-06-01T00:00:00Z";
const LATER: &str = "2028-01-01T00:00:00Z";

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn threshold(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap()
}

pub(crate) fn id(key: &SecretKey) -> KeyId {
    key.public_key().key_id()
}

fn key() -> SecretKey {
    SecretKey::generate().unwrap()
}

/// Three people, two of whom sign a root, and the first root that they agreed on.
pub(crate) struct Fleet {
    pub(crate) ann: SecretKey,
    pub(crate) bob: SecretKey,
    eve: SecretKey,
    acme: SecretKey,
    pub(crate) first: Root,
    dir: tempfile::TempDir,
}

impl Fleet {
    pub(crate) fn new() -> Self {
        let [ann, bob, eve, acme] = std::array::from_fn(|_| key());
        let people = [&ann, &bob, &eve].map(|key| key.public_key().clone());
        let first = Root::new("fleet", people, threshold(2), time(LATER))
            .unwrap()
            .change_trust(|trust| trust.insert(acme.public_key().clone(), ["acme"]))
            .unwrap();
        let dir = tempfile::tempdir().unwrap();
        Self {
            ann,
            bob,
            eve,
            acme,
            first,
            dir,
        }
    }

    /// A first root that these keys may sign.
    pub(crate) fn root_of(keys: impl IntoIterator<Item = PublicKey>) -> Root {
        Root::new("fleet", keys, threshold(1), time(LATER)).unwrap()
    }

    /// One that has installed the first root.
    fn installed() -> Self {
        let fleet = Self::new();
        let first = sign(&fleet.first, &[&fleet.ann, &fleet.bob]);
        VerifiedRoot::install(&fleet.trust(), first, time(NOW)).unwrap();
        fleet
    }

    fn trust(&self) -> PathBuf {
        self.dir.path().join("trust")
    }

    pub(crate) fn next(&self) -> Root {
        self.first.clone().next(time(LATER)).unwrap()
    }

    fn update(&self, successors: impl IntoIterator<Item = SignedRoot>) -> Result<VerifiedRoot> {
        self.update_from(successors.into_iter().map(Ok))
    }

    fn update_from(
        &self,
        successors: impl IntoIterator<Item = Result<SignedRoot>>,
    ) -> Result<VerifiedRoot> {
        VerifiedRoot::update(&self.trust(), successors, time(NOW))
    }

    /// The code with which a successor is refused, after a check that nothing was changed.
    #[track_caller]
    fn refusal(&self, successor: SignedRoot) -> &'static str {
        let before = snapshot(&self.trust());
        let error = self.update([successor]).unwrap_err();
        assert_eq!(snapshot(&self.trust()), before);
        assert_eq!(error.exit_code(), 3, "{error}");
        error.code()
    }

    /// An envelope around whatever text, as another tool than ours might make.
    fn signed_by_hand(payload: &str, keys: &[&SecretKey]) -> SignedRoot {
        let message = pae(ROOT_PAYLOAD_TYPE, payload.as_bytes());
        let signature = |key: &SecretKey| {
            let pem = key.to_plain_pem().unwrap();
            SigningKey::from_pkcs8_pem(&pem).unwrap().sign(&message)
        };
        let signatures: Vec<serde_json::Value> = keys
            .iter()
            .map(|key| {
                let signature = BASE64.encode(signature(key).to_bytes());
                json!({ "keyid": id(key), "sig": signature })
            })
            .collect();
        let text = format!(
            r#"{{"payload":"{}","payloadType":"{ROOT_PAYLOAD_TYPE}","signatures":{}}}"#,
            BASE64.encode(payload),
            serde_json::Value::Array(signatures)
        );
        SignedRoot::parse(text.as_bytes()).unwrap()
    }

    fn version(&self) -> u64 {
        VerifiedRoot::open(&self.trust()).unwrap().root().version()
    }
}

pub(crate) fn sign(root: &Root, keys: &[&SecretKey]) -> SignedRoot {
    SignedRoot::sign(root.to_json().unwrap().into_bytes(), keys).unwrap()
}

/// The first root, installed or refused, in a directory of its own.
pub(crate) fn install(signed: SignedRoot) -> Result<VerifiedRoot> {
    let dir = tempfile::tempdir().unwrap();
    let trust = dir.path().join("trust");
    let result = VerifiedRoot::install(&trust, signed, time(NOW));
    assert_eq!(trust.exists(), result.is_ok(), "a refusal makes nothing");
    result
}

#[test]
fn an_installed_root_says_whom_to_trust() {
    let fleet = Fleet::installed();
    let store = TrustStore::open(&fleet.trust()).unwrap();
    assert_eq!(store.root().unwrap().version, 1);
    assert!(store.may_sign(&id(&fleet.acme), "acme", "minilm"));
    let fixture = Fixture::unsigned();
    ampoule_signing::sign_directory(&fixture.path(), &[&fleet.acme]).unwrap();
    let verify = |now| {
        ampoule_signing::Bundle::open(&fixture.path())
            .unwrap()
            .verify(&store, now)
            .map(drop)
            .map_err(|error| error.code())
    };
    assert_eq!(verify(time(LATER)), Ok(()));
    // A host that goes on running stops believing it when its time is over.
    let end = time(LATER) + jiff::SignedDuration::from_secs(1);
    assert_eq!(verify(end), Err("trust.root-expired"));
    // Those who sign the root do not sign models.
    fs::remove_file(fixture.file(ampoule_signing::ENVELOPE_FILE)).unwrap();
    ampoule_signing::sign_directory(&fixture.path(), &[&fleet.ann, &fleet.bob]).unwrap();
    assert_eq!(verify(time(NOW)), Err("trust.unknown-key"));
}

#[test]
fn a_first_root_needs_enough_of_its_own_signatures() {
    let fleet = Fleet::new();
    let (ann, bob) = (&fleet.ann, &fleet.bob);
    install(sign(&fleet.first, &[ann, bob])).unwrap();
    install(sign(&fleet.first, &[ann, bob, &fleet.eve])).unwrap();
    let code = |signed| install(signed).unwrap_err().code();
    assert_eq!(code(sign(&fleet.first, &[])), "signature.missing");
    assert_eq!(code(sign(&fleet.first, &[ann])), "trust.threshold");
    // The publisher's key stands in the root and is none of its own.
    let mut strange = sign(&fleet.first, &[ann]);
    assert_eq!(
        strange.cosign(&fleet.acme).unwrap_err().code(),
        "trust.malformed"
    );
    assert_eq!(strange.cosign(ann).unwrap_err().code(), "usage.signed");
    strange.cosign(bob).unwrap();
    install(strange).unwrap();
}

#[test]
fn a_first_root_that_has_expired_is_not_installed() {
    let fleet = Fleet::new();
    let old = Root::new(
        "fleet",
        [fleet.ann.public_key().clone()],
        threshold(1),
        time("2027-05-31T23:59:59Z"),
    )
    .unwrap();
    let error = install(sign(&old, &[&fleet.ann])).unwrap_err();
    assert_eq!(error.code(), "trust.root-expired");
}

#[test]
fn a_root_is_installed_once_and_only_its_successor_replaces_it() {
    let fleet = Fleet::installed();
    let before = snapshot(&fleet.trust());
    for other in [
        sign(&fleet.first, &[&fleet.ann, &fleet.bob]),
        sign(&fleet.next(), &[&fleet.ann, &fleet.bob]),
    ] {
        let error = VerifiedRoot::install(&fleet.trust(), other, time(NOW)).unwrap_err();
        assert_eq!(error.code(), "trust.root-installed");
    }
    assert_eq!(snapshot(&fleet.trust()), before);
    let updated = fleet
        .update([sign(&fleet.next(), &[&fleet.bob, &fleet.eve])])
        .unwrap();
    assert_eq!((updated.root().version(), fleet.version()), (2, 2));
    let nowhere = fleet.dir.path().join("nowhere");
    let error = VerifiedRoot::update(&nowhere, [], time(NOW)).unwrap_err();
    assert_eq!(error.code(), "trust.root-missing");
    assert!(!nowhere.exists());
}

#[test]
fn a_new_root_needs_the_threshold_of_the_old_and_of_the_new() {
    let fleet = Fleet::installed();
    let (ann, bob, eve) = (&fleet.ann, &fleet.bob, &fleet.eve);
    let (dan, fay) = (key(), key());
    // Bob and Eve go, Dan and Fay come.
    let next = fleet
        .next()
        .with_key(dan.public_key().clone())
        .unwrap()
        .with_key(fay.public_key().clone())
        .unwrap()
        .without_key(&id(bob))
        .unwrap()
        .without_key(&id(eve))
        .unwrap();
    for (signers, code) in [
        (vec![&dan, &fay], "trust.unknown-key"),
        (vec![ann, &dan, &fay], "trust.threshold"),
        (vec![bob, eve], "trust.unknown-key"),
        (vec![ann, bob, eve], "trust.threshold"),
        (vec![bob, eve, &dan], "trust.threshold"),
    ] {
        assert_eq!(fleet.refusal(sign(&next, &signers)), code);
    }
    // Ann is in both, and counts in both.
    fleet.update([sign(&next, &[ann, bob, &dan])]).unwrap();
    // From now on the new keys decide.
    let third = next.next(time(LATER)).unwrap();
    assert_eq!(
        fleet.refusal(sign(&third, &[bob, eve])),
        "trust.unknown-key"
    );
    assert_eq!(
        fleet.refusal(sign(&third, &[ann, bob, eve])),
        "trust.threshold"
    );
    fleet.update([sign(&third, &[&dan, &fay])]).unwrap();
    assert_eq!(fleet.version(), 3);
}

#[test]
fn a_root_of_another_name_is_no_successor() {
    let fleet = Fleet::installed();
    // The same people sign for another fleet, and are further there.
    let mut other: serde_json::Value =
        serde_json::from_str(&fleet.next().to_json().unwrap()).unwrap();
    other["name"] = "staging".into();
    let everybody = [&fleet.ann, &fleet.bob, &fleet.eve];
    let signed = SignedRoot::sign(other.to_string().into_bytes(), &everybody).unwrap();
    assert_eq!(fleet.refusal(signed), "trust.root-name");
    fleet.update([sign(&fleet.next(), &everybody)]).unwrap();
}

#[test]
fn a_root_of_a_later_schema_is_refused_and_the_installed_one_stays() {
    let fleet = Fleet::installed();
    let everybody = [&fleet.ann, &fleet.bob, &fleet.eve];
    let later = json!({ "schema": 2, "name": "fleet", "version": 2, "fresh": "idea" });
    // It can be signed only by a tool that knows it, as another program may.
    let later = Fleet::signed_by_hand(&later.to_string(), &everybody);
    assert_eq!(fleet.refusal(later.clone()), "trust.schema");
    assert!(
        TrustStore::open(&fleet.trust())
            .unwrap()
            .may_sign(&id(&fleet.acme), "acme", "minilm")
    );
    // What is given before it is taken.
    let error = fleet
        .update([sign(&fleet.next(), &everybody), later])
        .unwrap_err();
    assert_eq!((error.code(), fleet.version()), ("trust.schema", 2));
}

#[test]
fn caps_on_all_models_hold_beside_those_of_a_delegation() {
    let fleet = Fleet::new();
    let mib = ByteSize::from_mib;
    let memory = |size| Caps {
        memory: Some(size),
        ..Caps::default()
    };
    let names = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect());
    let root = fleet
        .first
        .clone()
        .change_trust(|trust| {
            trust.set_caps(Caps {
                capabilities: names(&["one", "two"]),
                fuel: Some(Fuel::new(7)),
                ..memory(mib(64))
            });
            trust.edit("acme/*".parse().unwrap(), |delegation| {
                Ok(delegation.with_caps(Caps {
                    capabilities: names(&["two", "three"]),
                    output: Some(mib(1)),
                    ..memory(mib(128))
                }))
            })?;
            Ok(())
        })
        .unwrap();
    assert_eq!(
        Root::parse(root.to_json().unwrap().as_bytes()).unwrap(),
        root
    );
    let installed = install(sign(&root, &[&fleet.ann, &fleet.bob])).unwrap();
    let fixture = Fixture::unsigned();
    ampoule_signing::sign_directory(&fixture.path(), &[&fleet.acme]).unwrap();
    let verified = ampoule_signing::Bundle::open(&fixture.path())
        .unwrap()
        .verify(&installed.trust().unwrap(), time(NOW))
        .unwrap();
    let expected = Caps {
        capabilities: names(&["two"]),
        fuel: Some(Fuel::new(7)),
        output: Some(mib(1)),
        ..memory(mib(64))
    };
    assert_eq!(*verified.caps(), expected);
}

#[test]
fn the_keys_for_revocation_are_a_role_of_their_own() {
    let fleet = Fleet::new();
    let (duty, night) = (key(), key());
    let keys = [&duty, &night].map(|key| key.public_key().clone());
    let role = Role::new(keys, threshold(2)).unwrap();
    let root = fleet
        .first
        .clone()
        .with_revocation(Some(role.clone()))
        .unwrap();
    let read = Root::parse(root.to_json().unwrap().as_bytes()).unwrap();
    assert_eq!(read.revocation(), Some(&role));
    // They sign neither the root nor models.
    let error = SignedRoot::sign(root.to_json().unwrap().into_bytes(), &[&duty]).unwrap_err();
    assert_eq!(error.code(), "trust.malformed");
    let trust = install(sign(&root, &[&fleet.ann, &fleet.bob]))
        .unwrap()
        .trust()
        .unwrap();
    assert_eq!(trust.key(&id(&duty)), None);
    // And a key that is taken out is taken out there too, if enough are left.
    let refused = root.clone().without_key(&id(&night)).unwrap_err();
    assert_eq!(refused.code(), "trust.malformed");
    let one = Role::new(role.keys().cloned(), threshold(1)).unwrap();
    let left = root
        .with_revocation(Some(one))
        .unwrap()
        .without_key(&id(&night))
        .unwrap();
    assert_eq!(left.revocation().unwrap().keys().count(), 1);
}

#[test]
fn a_higher_threshold_holds_for_the_root_that_brings_it() {
    let fleet = Fleet::installed();
    let (ann, bob, eve) = (&fleet.ann, &fleet.bob, &fleet.eve);
    let next = fleet.next().with_threshold(threshold(3)).unwrap();
    assert_eq!(fleet.refusal(sign(&next, &[ann, bob])), "trust.threshold");
    fleet.update([sign(&next, &[ann, bob, eve])]).unwrap();
    // And a lower one only from the next on.
    let lower = next
        .next(time(LATER))
        .unwrap()
        .with_threshold(threshold(1))
        .unwrap();
    assert_eq!(fleet.refusal(sign(&lower, &[ann, bob])), "trust.threshold");
    fleet.update([sign(&lower, &[ann, bob, eve])]).unwrap();
    let last = lower.next(time(LATER)).unwrap();
    fleet.update([sign(&last, &[eve])]).unwrap();
}

#[test]
fn an_older_root_is_refused_whenever_it_comes() {
    let fleet = Fleet::installed();
    let everybody = [&fleet.ann, &fleet.bob, &fleet.eve];
    let second = fleet.next();
    fleet.update([sign(&second, &everybody)]).unwrap();
    assert_eq!(
        fleet.refusal(sign(&fleet.first, &everybody)),
        "trust.root-rollback"
    );
    // Another root of the same version is one of two that cannot both be right.
    let other = fleet.first.clone().next(time(NOW)).unwrap();
    assert_eq!(
        fleet.refusal(sign(&other, &everybody)),
        "trust.root-rollback"
    );
    // The very same is nothing new, whoever signed this copy.
    let before = snapshot(&fleet.trust());
    let same = fleet.update([sign(&second, &[&fleet.ann])]).unwrap();
    assert_eq!(same.root().version(), 2);
    assert_eq!(
        snapshot(&fleet.trust())[&fleet.trust().join(ROOT_FILE)],
        before[&fleet.trust().join(ROOT_FILE)]
    );
}

#[test]
fn no_version_is_left_out_and_a_chain_is_followed() {
    let fleet = Fleet::installed();
    let everybody = [&fleet.ann, &fleet.bob, &fleet.eve];
    let second = fleet.next();
    let third = second.clone().next(time(LATER)).unwrap();
    let signed = |root: &Root| sign(root, &everybody);
    assert_eq!(fleet.refusal(signed(&third)), "trust.root-version");
    // In the wrong order the second comes too late; nothing was replaced before.
    let error = fleet.update([signed(&third), signed(&second)]).unwrap_err();
    assert_eq!((error.code(), fleet.version()), ("trust.root-version", 1));
    fleet.update([signed(&second), signed(&third)]).unwrap();
    assert_eq!(fleet.version(), 3);
}

#[test]
fn each_link_is_in_place_before_the_next_one_is_looked_at() {
    let fleet = Fleet::installed();
    let everybody = [&fleet.ann, &fleet.bob, &fleet.eve];
    let second = fleet.next();
    let third = second.clone().next(time(LATER)).unwrap();
    let unreadable = || SignedRoot::parse(b"cut off");
    // The second takes trust back from a stolen key; the third is not worth believing.
    let weak = sign(&third, &[&fleet.ann]);
    let error = fleet.update([sign(&second, &everybody), weak]).unwrap_err();
    assert_eq!((error.code(), fleet.version()), ("trust.threshold", 2));

    // What cannot be read is reported, and keeps no other from its place.
    let fleet = Fleet::installed();
    let everybody = [&fleet.ann, &fleet.bob, &fleet.eve];
    let second = fleet.next();
    let third = second.clone().next(time(LATER)).unwrap();
    let fourth = third.clone().next(time(LATER)).unwrap();
    let error = fleet
        .update_from([unreadable(), Ok(sign(&second, &everybody))])
        .unwrap_err();
    assert_eq!((error.code(), fleet.version()), ("envelope.malformed", 2));
    // Nor is another blamed for the gap that it leaves.
    let error = fleet
        .update_from([unreadable(), Ok(sign(&fourth, &everybody))])
        .unwrap_err();
    assert_eq!((error.code(), fleet.version()), ("envelope.malformed", 2));
}

#[test]
fn one_list_of_roots_serves_hosts_at_different_versions() {
    let fleet = Fleet::new();
    let everybody = [&fleet.ann, &fleet.bob, &fleet.eve];
    let mut roots = vec![fleet.first.clone()];
    for _ in 1..12 {
        roots.push(roots.last().unwrap().clone().next(time(LATER)).unwrap());
    }
    let mut paths: Vec<PathBuf> = roots
        .iter()
        .map(|root| {
            let path = fleet
                .dir
                .path()
                .join(format!("{}.root.dsse.json", root.version()));
            sign(root, &everybody).write_file(&path).unwrap();
            path
        })
        .collect();
    // As a shell would give them: 10 before 2.
    paths.sort();
    for at in [1, 3, 12] {
        let host = fleet.dir.path().join(format!("host-{at}"));
        let first = sign(&fleet.first, &everybody);
        VerifiedRoot::install(&host, first, time(NOW)).unwrap();
        let until = |version| {
            roots[..version]
                .iter()
                .map(|root| Ok(sign(root, &everybody)))
        };
        VerifiedRoot::update(&host, until(at), time(NOW)).unwrap();
        let updated = VerifiedRoot::update(&host, SignedRoot::read_files(&paths), time(NOW));
        assert_eq!(updated.unwrap().root().version(), 12, "from {at}");
        // Nothing but old ones is no update.
        let error = VerifiedRoot::update(&host, until(11), time(NOW)).unwrap_err();
        assert_eq!(error.code(), "trust.root-rollback");
    }
}

#[test]
fn a_chain_may_have_expired_but_for_its_last_root() {
    let fleet = Fleet::installed();
    let everybody = [&fleet.ann, &fleet.bob, &fleet.eve];
    let long_ago = fleet
        .first
        .clone()
        .next(time("2027-01-01T00:00:00Z"))
        .unwrap();
    let fresh = long_ago.clone().next(time(LATER)).unwrap();
    let chain = [&long_ago, &fresh].map(|root| sign(root, &everybody));
    assert_eq!(fleet.update(chain).unwrap().root().version(), 3);
}

#[test]
fn a_last_root_that_has_expired_is_put_in_place_and_trusts_nobody() {
    let fleet = Fleet::installed();
    let everybody = [&fleet.ann, &fleet.bob, &fleet.eve];
    let expired = fleet
        .first
        .clone()
        .next(time("2027-01-01T00:00:00Z"))
        .unwrap();
    let error = fleet.update([sign(&expired, &everybody)]).unwrap_err();
    assert_eq!((error.code(), fleet.version()), ("trust.root-expired", 2));
    // The old one, which may trust stolen keys, does not come back.
    assert_eq!(
        fleet.refusal(sign(&fleet.first, &everybody)),
        "trust.root-rollback"
    );
    let fixture = Fixture::unsigned();
    ampoule_signing::sign_directory(&fixture.path(), &[&fleet.acme]).unwrap();
    let store = TrustStore::open(&fleet.trust()).expect("it can still be shown");
    let error = ampoule_signing::Bundle::open(&fixture.path())
        .unwrap()
        .verify(&store, time(NOW))
        .unwrap_err();
    assert_eq!(error.code(), "trust.root-expired");
}

#[test]
fn a_trust_directory_has_one_form() {
    let fleet = Fleet::installed();
    let dir = fleet.trust();
    let refused = TrustStore::update(&dir, |_| Ok(())).unwrap_err();
    assert_eq!(refused.code(), "trust.two-forms");
    fs::write(dir.join(TRUST_FILE), "schema = 1\n").unwrap();
    fs::set_permissions(dir.join(TRUST_FILE), fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(
        TrustStore::open(&dir).unwrap_err().code(),
        "trust.two-forms"
    );
    fs::remove_file(dir.join(ROOT_FILE)).unwrap();
    let first = sign(&fleet.first, &[&fleet.ann, &fleet.bob]);
    let refused = VerifiedRoot::install(&dir, first, time(NOW)).unwrap_err();
    assert_eq!(refused.code(), "trust.two-forms");
}

#[test]
fn an_installed_root_that_somebody_changed_is_refused() {
    let fleet = Fleet::installed();
    let file = fleet.trust().join(ROOT_FILE);
    let good = fs::read(&file).unwrap();
    for place in (0..good.len()).step_by(41) {
        let mut changed = good.clone();
        changed[place] ^= 1;
        fs::write(&file, &changed).unwrap();
        let error = TrustStore::open(&fleet.trust()).unwrap_err();
        assert_eq!(error.exit_code(), 3, "byte {place}: {error}");
    }
    fs::write(&file, &good[..good.len() - 1]).unwrap();
    assert!(TrustStore::open(&fleet.trust()).is_err());
    fs::write(&file, &good).unwrap();
    TrustStore::open(&fleet.trust()).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o660)).unwrap();
    let error = TrustStore::open(&fleet.trust()).unwrap_err();
    assert_eq!(error.code(), "trust.permissions");
}

#[test]
fn two_updates_at_once_leave_one_whole_root() {
    let fleet = Fleet::installed();
    let everybody = [&fleet.ann, &fleet.bob, &fleet.eve];
    // Somebody else is at it: an update waits until they are done.
    let lock = fs::File::open(fleet.trust().join("trust.lock")).unwrap();
    lock.lock().unwrap();
    let next = sign(&fleet.next(), &everybody);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| fleet.update([next]));
        std::thread::sleep(std::time::Duration::from_millis(500));
        assert!(!waiting.is_finished(), "it does not wait");
        assert_eq!(fleet.version(), 1);
        lock.unlock().unwrap();
        waiting.join().unwrap().unwrap();
    });
    assert_eq!(fleet.version(), 2);
    // Two successors of the same version that differ in their end: only one can win.
    let ends = ["2027-07-01T00:00:00Z", "2027-08-01T00:00:00Z"];
    let results: Vec<bool> = std::thread::scope(|scope| {
        let running: Vec<_> = ends
            .iter()
            .map(|end| {
                let third = fleet.next().next(time(end)).unwrap();
                let (third, trust) = (sign(&third, &everybody), fleet.trust());
                scope.spawn(move || VerifiedRoot::update(&trust, [Ok(third)], time(NOW)).is_ok())
            })
            .collect();
        running
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    assert_eq!(results.iter().filter(|is_ok| **is_ok).count(), 1);
    assert_eq!(fleet.version(), 3);
}

#[test]
fn a_link_in_place_of_the_installed_root_is_refused() {
    let fleet = Fleet::installed();
    let file = fleet.trust().join(ROOT_FILE);
    fs::rename(&file, fleet.trust().join("real")).unwrap();
    std::os::unix::fs::symlink("real", &file).unwrap();
    let error = TrustStore::open(&fleet.trust()).unwrap_err();
    assert_eq!(error.code(), "file.symlink");
}
